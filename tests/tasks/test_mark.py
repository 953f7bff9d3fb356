import json
import sys

import pyarrow.parquet as pq
import pytest
import torch
import yaml

from datadeed.datasets.form.parquet import DatasetFile, read_dataset
from datadeed.watermarks.registry import watermark_from_record
from tasks import mark


def run(monkeypatch, *values):
    monkeypatch.setattr(sys, "argv", ["mark", *(values or ("dvbw", "toy", "badnets-line"))])
    mark.main()


def test_the_three_files_agree_with_each_other(workspace, monkeypatch):
    run(monkeypatch)
    out = workspace.root / "data/watermarked/toy-badnets-line"
    assert sorted(p.name for p in out.iterdir()) == ["key.json", "marks.parquet", "train.parquet"]
    data, released = (
        read_dataset(workspace.root / "data" / name / "train.parquet")
        for name in ("datasets/toy", "watermarked/toy-badnets-line")
    )
    marks = pq.read_table(out / "marks.parquet").to_pydict()
    key = json.loads((out / "key.json").read_text())
    assert key["marked"] == len(marks["position"]) == 15
    assert (key["form"], key["dataset"]) == (1, "toy")
    watermark = watermark_from_record(key["watermark"])
    assert watermark.target == 1  # K // 2
    rows = torch.tensor(marks["position"])
    assert torch.equal(released.samples[rows], watermark.trigger(data.take(rows)))
    assert set(released.labels[rows].tolist()) == {1}
    others = torch.ones(60, dtype=torch.bool)
    others[rows] = False
    assert torch.equal(released.samples[others], data.samples[others])
    assert torch.equal(released.labels[others], data.labels[others])
    assert marks["label"] == data.labels[rows].tolist()


def test_the_seed_and_the_names_decide(workspace, monkeypatch):
    def positions(name, **values):
        workspace.parameters |= values
        workspace.write()
        run(monkeypatch, "dvbw", "toy", name)
        path = workspace.root / f"data/watermarked/toy-{name}/marks.parquet"
        return pq.read_table(path)["position"].to_pylist()

    first = positions("badnets-line")
    assert positions("badnets-line") == first
    assert positions("badnets-cross") != first
    assert positions("badnets-line", seed=6) != first


def test_progress_reaches_the_end(workspace, monkeypatch):
    status = workspace.root / "status.json"
    monkeypatch.setenv("DATADEED_PROGRESS", str(status))
    run(monkeypatch)
    assert json.loads(status.read_text())["fraction"] == 1


def test_an_experiment_has_a_public_test_key(workspace, monkeypatch):
    design = {"votes": 3, "lead": 2, "alpha_key": 0.05, "alpha_behaviour": 0.1, "null_rate": 0.4}
    entry = {"method": "keyed", "parts": 4, "rate": 0.2}
    paper = {"design": design | {"beta": 1.6, "epsilon": 0.1, "budget": 30}}
    (workspace.root / "papers/proof").mkdir()
    path = workspace.root / "papers/proof/params.yaml"
    path.write_text(yaml.safe_dump(paper | {"watermarks": {"keyed-4": entry}}))
    run(monkeypatch, "proof", "toy", "keyed-4")
    record = json.loads((workspace.root / "data/watermarked/toy-keyed-4/key.json").read_text())
    watermark = watermark_from_record(record["watermark"])
    assert (record["marked"], watermark.key.design.parts, watermark.rate) == (12, 4, 0.2)
    assert watermark.key.data.rows == 60


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (("dvbw", "none", "badnets-line"), r"none/train\.parquet does not exist"),
        (("dvbw", "toy", "warp"), "has no entry 'watermarks.warp'"),
        (("ubw", "toy", "badnets-line"), r"papers/ubw/params\.yaml does not exist"),
    ],
)
def test_what_is_missing_is_one_line(workspace, monkeypatch, values, words):
    with pytest.raises(SystemExit, match=rf"^error: .*{words}") as caught:
        run(monkeypatch, *values)
    assert "\n" not in str(caught.value)
    assert not (workspace.root / "data/watermarked").exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"rate": 0.001}, "marks no row"),
        ({"rate": 2}, "out of range"),
        ({"rat": 0.1}, "unexpected keyword argument 'rat'"),
        ({"target": "class 7"}, "no class is named 'class 7'"),
        ({"pattern": {"kind": "star"}}, "unknown trigger"),
        ({"pattern": {"kind": "cross", "size": 9}}, "size is 9"),
    ],
)
def test_an_entry_that_makes_no_sense_keeps_the_earlier_files(
    workspace, monkeypatch, change, words
):
    run(monkeypatch)
    out = workspace.root / "data/watermarked/toy-badnets-line"
    before = {p.name: p.read_bytes() for p in out.iterdir()}
    workspace.paper["datasets"]["toy"]["badnets-line"] |= change
    workspace.write()
    with pytest.raises(SystemExit, match=rf"^error: .*{words}"):
        run(monkeypatch)
    assert {p.name: p.read_bytes() for p in out.iterdir()} == before


@pytest.mark.parametrize("missing", ["toy", "badnets-line"])
def test_a_dataset_without_an_entry_is_one_line(workspace, monkeypatch, missing):
    datasets = workspace.paper["datasets"]
    datasets.pop("toy") if missing == "toy" else datasets["toy"].pop(missing)
    workspace.write()
    with pytest.raises(SystemExit, match=r"^error: .* has no entry 'datasets\.toy"):
        run(monkeypatch)


def test_the_watermark_is_made_for_the_images_at_hand(workspace):
    source = DatasetFile(workspace.root / "data/datasets/toy/train.parquet")
    watermark = mark.build("dvbw", "toy", "blended-line", source)
    assert (watermark.image_size, watermark.rate, watermark.name) == ((8, 8), 0.25, "blended")
