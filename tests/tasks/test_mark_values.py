import pytest
import yaml

from datadeed.datasets.form.parquet import DatasetFile
from datadeed.errors import ParameterError
from datadeed.watermarks.registry import watermark_from_record
from tasks import mark

UBW = "papers/ubw/params.yaml"


@pytest.fixture
def build(ubw_project):
    source = DatasetFile(ubw_project.root / "data/datasets/toy/train.parquet")
    return lambda name, **changed: mark.build("ubw", "toy", name, source, **changed)


@pytest.mark.parametrize(
    ("name", "method", "target", "rate"),
    [
        ("badnets-square", "badnets", 1, 0.25),
        ("blended-square", "blended", 1, 0.25),
        ("wanet", "wanet", 1, 0.25),
        ("label-consistent", "label-consistent", 1, 0.25),
        ("sleeper-agent", "sleeper-agent", 1, 0.2),  # a rate of its own
        ("ubw-p", "ubw-p", None, 0.25),
        ("ubw-c", "ubw-c", None, 0.25),
    ],
)
def test_every_watermark_is_what_the_parameters_say(build, name, method, target, rate):
    watermark = build(name)
    assert (watermark.name, watermark.target, watermark.rate) == (method, target, rate)
    record = watermark.record()
    assert watermark_from_record(record).record() == record
    assert build(name).record() == record


def test_paper_and_scale_are_merged(build):
    found = build("ubw-c").record()
    assert (found["weight"], found["source"], found["sources"]) == (2.0, 0, 8)
    assert found["matching"]["epsilon"] == 16
    assert (found["matching"]["iterations"], found["matching"]["retrainings"]) == (4, 2)
    found = build("label-consistent").record()
    assert (found["epsilon"], found["steps"], found["step"], found["size"]) == (8, 2, 4.0, 3)


def test_the_scale_cannot_change_what_the_paper_fixes(ubw_project, build):
    ubw_project.parameters["ubw"]["crafting"]["toy"]["ubw-c"]["epsilon"] = 64
    ubw_project.write()
    assert build("ubw-c").record()["matching"]["epsilon"] == 16


def test_a_variant_changes_what_both_say(build):
    found = build("ubw-c", weight=0.0, iterations=25).record()
    assert (found["weight"], found["matching"]["iterations"]) == (0.0, 25)
    assert found["matching"]["epsilon"] == 16


def test_the_seed_and_the_name_decide(ubw_project, build):
    first = {name: build(name).record() for name in ("wanet", "sleeper-agent", "ubw-c")}
    assert len({record["seed"] for record in first.values()}) == 3
    ubw_project.parameters["seed"] = 6
    ubw_project.write()
    for name, record in first.items():
        assert build(name).record()["seed"] != record["seed"]
    assert build("sleeper-agent").record()["cells"] != first["sleeper-agent"]["cells"]
    assert build("ubw-c").record()["cells"] == first["ubw-c"]["cells"]


def test_one_patch_is_binary_and_the_other_a_square_with_grey_edges(build):
    assert set(build("sleeper-agent").patch.pattern.unique().tolist()) == {0, 255}
    # Pixel 1 of 4 is centred at 1.5 * 3/4 - 0.5 = 5/8 of the way from cell 0 to cell 1.
    assert build("ubw-c").patch.pattern[0].tolist() == [0, 0, 96, 255]


@pytest.mark.parametrize(
    ("words", "change"),
    [
        ("'datasets.toy'", lambda paper, scale: paper["datasets"].clear()),
        ("'datasets.toy.ubw-c'", lambda paper, scale: paper["datasets"]["toy"].pop("ubw-c")),
        ("'ubw.crafting.toy.ubw-c'", lambda paper, scale: scale["crafting"]["toy"].clear()),
    ],
)
def test_a_missing_entry_is_one_line(ubw_project, build, monkeypatch, words, change):
    paper = yaml.safe_load((ubw_project.root / UBW).read_text())
    change(paper, ubw_project.parameters["ubw"])
    (ubw_project.root / UBW).write_text(yaml.safe_dump(paper))
    ubw_project.write()
    with pytest.raises(ParameterError, match=f"has no entry {words}"):
        build("ubw-c")
