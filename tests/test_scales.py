"""Whether the scales are whole: a name that is missing would show only hours into a run."""

from pathlib import Path

import pytest
import yaml

from datadeed.datasets.sources.registry import names
from datadeed.models import audio, classifier, text
from datadeed.models.training import TrainingConfig
from tasks.clean import parse

ROOT = Path(__file__).parents[1]
PAPER = yaml.safe_load((ROOT / "papers/clean-label/params.yaml").read_text())


@pytest.fixture(params=sorted(path.stem for path in (ROOT / "scales").glob("*.yaml")))
def scale(request):
    return yaml.safe_load((ROOT / f"scales/{request.param}.yaml").read_text())


def test_every_dataset_is_fetched_from_a_known_source(scale):
    named = {name for part in ("grid", "proof", "ubw", "clean") for name in scale[part]["datasets"]}
    assert named <= set(scale["fetched"]) <= set(scale["datasets"])
    assert all(entry["source"] in names() for entry in scale["datasets"].values())
    assert set(scale["models"]) <= set(scale["datasets"])


def test_every_training_can_be_read(scale):
    known = classifier.NETWORKS.keys() | audio.NETWORKS | text.NETWORKS.keys()
    for networks in scale["models"].values():
        for entry in networks.values():
            TrainingConfig.from_dict(entry["training"])
            assert entry.get("network", "resnet18") in known


def test_no_dataset_has_two_surrogates_of_one_name(scale):
    assert not set(scale["ubw"]["datasets"]) & set(scale["clean"]["datasets"])


def test_every_clean_label_stage_has_what_it_needs(scale):
    clean = scale["clean"]
    assert set(clean["crafting"]) == set(clean["datasets"])
    for dataset in clean["datasets"]:
        assert "surrogate" in scale["models"][dataset]
        assert {dataset} <= set(PAPER["targets"]) & set(PAPER["patterns"])
    for name, case in clean["honest"].items():
        assert name == "{dataset}-{network}-{seed}".format(**case)
        assert case["network"] in scale["models"][case["dataset"]]
    for name, case in clean["marked"].items():
        assert name == "{dataset}-{watermark}".format(**case)
        trigger = parse(case["watermark"])[0]
        assert (
            "pattern" in PAPER["triggers"][trigger] or trigger in PAPER["patterns"][case["dataset"]]
        )
    for name, case in clean["victims"].items():
        assert name == "{dataset}-{network}-{watermark}-{seed}".format(**case)
        assert "{dataset}-{watermark}".format(**case) in clean["marked"]
        assert "{dataset}-{network}-{seed}".format(**case) in clean["honest"]
    assert clean["hidden"].items() <= clean["victims"].items()
