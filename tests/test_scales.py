"""Whether the scales are whole: a name that is missing would show only hours into a run."""

from pathlib import Path

import pytest
import yaml

from datadeed.datasets.sources.registry import names
from datadeed.models import audio, classifier, text
from datadeed.models.training.config import TrainingConfig
from datadeed.thieves.inversion.invert import EnsembleInversion
from datadeed.thieves.practice.recipe import Recipe
from datadeed.thieves.repair.registry import build_repair
from papers.base import grid
from papers.clean_label.judge import GRIDS, cases, grids, studies
from papers.thieves.corpus import OF_KEYS

ROOT = Path(__file__).parents[1]
PAPER = yaml.safe_load((ROOT / "papers/clean_label/params.yaml").read_text())
THIEVES = yaml.safe_load((ROOT / "papers/thieves/params.yaml").read_text())
POISON = yaml.safe_load((ROOT / "papers/pick_your_poison/params.yaml").read_text())


@pytest.fixture(params=sorted(path.stem for path in (ROOT / "scales").glob("*.yaml")))
def scale(request):
    return yaml.safe_load((ROOT / f"scales/{request.param}.yaml").read_text())


def test_every_dataset_is_fetched_from_a_known_source(scale):
    named = {
        name
        for part in ("grid", "proof", "thieves", "ubw", "clean_label")
        for name in scale[part]["datasets"]
    }
    assert named <= set(scale["fetched"]) <= set(scale["datasets"])
    assert all(entry["source"] in names() for entry in scale["datasets"].values())
    assert set(scale["models"]) <= set(scale["datasets"])


def test_every_training_can_be_read(scale):
    known = classifier.NETWORKS.keys() | audio.NETWORKS | text.NETWORKS.keys()
    for networks in scale["models"].values():
        for entry in networks.values():
            TrainingConfig.from_dict(entry["training"])
            assert entry.get("network", "resnet18") in known


def test_every_league_has_its_trainings_and_carriers(scale):
    league = scale["thieves"]
    assert set(league["training"]) == set(league["datasets"])
    assert set(league["in_full"]) <= set(league["carriers"]) <= set(THIEVES["carriers"])
    assert not set(league["seeds"]) & set(league["more_keys"])
    for values in league["training"].values():
        changed = {name: value for name, value in values.items() if name not in OF_KEYS}
        assert values["rows"] * THIEVES["design"]["rate"] > values["parts"]
        assert len(values["mean"]) == len(values["std"])
        Recipe(**changed)


def test_no_dataset_has_two_surrogates_of_one_name(scale):
    assert not set(scale["ubw"]["datasets"]) & set(scale["clean_label"]["datasets"])


def test_every_clean_label_stage_has_what_it_needs(scale):
    clean, found = scale["clean_label"], grids(scale)
    assert len(set(cases(scale))) == len(cases(scale))
    assert set(clean["crafting"]) == set(clean["datasets"])
    assert {case.dataset for case in cases(scale)} == set(clean["datasets"])
    for case in cases(scale):
        assert {case.network, "surrogate"} <= set(scale["models"][case.dataset])
        entry = PAPER["watermarks"][case.watermark]
        given = entry | clean["crafting"][case.dataset][entry["trigger"]]
        given |= PAPER["datasets"][case.dataset][entry["trigger"]]
        assert {"pattern", "target"} <= set(given)
    own = [case for name in GRIDS if not name.startswith("other_") for case in found[name]]
    marked = {(case.dataset, case.watermark) for case in own}
    for name in ("other_images", "other_texts"):
        assert {(case.dataset, case.watermark) for case in found[name]} <= marked
    assert set(studies(scale)["stealth"]) <= set(own)


def test_every_model_that_is_repaired_is_trained(scale):
    """Those of the last three grids by other papers, and honest ones by a stage of either."""
    mine, all_grids = scale["pick_your_poison"], scale["pick_your_poison"]["grids"]
    clean = {**scale["clean_label"]["images"], "seeds": scale["clean_label"]["seeds"]}
    others = {"keyed": scale["proof"], "untargeted": scale["ubw"], "clean": clean}
    for name, section in others.items():
        assert set(grid(all_grids[name])) <= set(grid(section))
    trained = {(d, n) for d in scale["models"] for n in scale["models"][d]}
    for name in ("curve", "control"):
        cases = grid(all_grids[name])
        assert {(case.dataset, case.network) for case in cases} <= trained
        assert {case.watermark for case in cases} <= set(POISON["watermarks"])
        assert {case.dataset for case in cases} <= set(POISON["datasets"])
    honest = {**mine["benign"], "watermarks": ["none"]}
    known = grid({**scale["grid"], "watermarks": ["none"]}) + grid(
        {**honest, "seeds": mine["more"]}
    )
    assert set(grid(honest)) <= set(known)
    assert len(set(known)) == len(known)


@pytest.mark.parametrize("name", ["lite", "paper"])
def test_every_repair_and_detector_can_be_built(name):
    mine = yaml.safe_load((ROOT / f"scales/{name}.yaml").read_text())["pick_your_poison"]
    for repair, values in mine["repairs"].items():
        build_repair(
            values.get("method", repair), **{k: values[k] for k in values if k != "method"}
        )
    cases = [case for part in mine["grids"].values() for case in grid(part)]
    assert set(mine["thorough"]) <= {case.watermark for case in cases}
    assert set(mine["few"]) | {mine["detectors"]["calibrated-inversion"]["repair"]} <= set(
        mine["repairs"]
    )


def test_everything_that_is_inverted_is_fetched(scale):
    mine = scale["ensemble_inversion"]
    grids = {name: grid(section) for name, section in mine["grids"].items()}
    measured = grids["aided"] + grids["alone"]
    assert len(set(measured)) == len(measured)
    assert set(grids["figure"]) <= set(measured)
    assert {case.dataset for case in measured} <= set(scale["fetched"])
    if grids["aided"]:
        assert mine["auxiliary"] in scale["fetched"]
    if measured:
        TrainingConfig.from_dict(mine["training"])
        TrainingConfig.from_dict(mine["judging"])
        EnsembleInversion(**mine["inversion"])


def test_faces_are_inverted_as_the_digits_of_scale_paper():
    faces, paper = (
        yaml.safe_load((ROOT / f"scales/{name}.yaml").read_text()) for name in ("faces", "paper")
    )
    assert (faces["seed"], faces["threads"]) == (paper["seed"], paper["threads"])
    for part in ("training", "judging", "inversion"):
        assert faces["ensemble_inversion"][part] == paper["ensemble_inversion"][part]
    assert "faces" not in paper["fetched"]  # whoever has none still gets its tables
