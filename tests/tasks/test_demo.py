"""The demonstration's stages on toys: the pool, the usual key, three models, and their evidence."""

from pathlib import Path

import pytest
import torch
import yaml

from datadeed.datasets.form.parquet import read_dataset, write_dataset
from datadeed.datasets.formats.registry import read
from datadeed.files import read_json
from datadeed.keys.generation2 import USUAL_CARRIERS, Key2
from datadeed.owner.evidence.schema import read_evidence
from datadeed.verification.verdict import CLAIM
from tasks import demo, demo_owner, prove
from tests.conftest import toy

SCALE = {
    "seed": 3,
    "threads": 1,
    "models": {
        "toys": {
            "resnet18": {
                **{"network": "resnet18", "width": 2, "mean": [0.3] * 3, "std": [0.3] * 3},
                "training": {"lr": 0.05},
            }
        }
    },
}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with parameters and a dataset of ten classes."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "papers/thieves").mkdir(parents=True)
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(SCALE))
    (tmp_path / "papers/thieves/params.yaml").write_text("demo: {epochs: 4}\n")
    for name, n, seed in (("train", 1400, 1), ("test", 600, 2)):
        data = toy(n, classes=10, shape=(3, 16, 16), seed=seed)
        folder = tmp_path / "data/datasets/toys"
        folder.mkdir(parents=True, exist_ok=True)
        write_dataset(data, folder / f"{name}.parquet")
    return tmp_path / "data"


def test_from_the_surrogate_to_the_evidence(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prove, "M", 20)  # the published test asks no more of a small pool
    demo.train("toys", "surrogate")
    demo_owner.mark("toys")
    for who in ("thief", "honest"):
        demo.train("toys", who)
    released = place / "watermarked/toys-usual"
    key = Key2.from_record(read_json(released / "key.json")["watermark"]["key"])
    assert key.design.carrier["name"] == USUAL_CARRIERS["image"]
    pool, test = read(released / "pool.parquet"), read_dataset(place / "datasets/toys/test.parquet")
    assert key.pool.rows == len(pool) <= len(test) / 2
    before, after = (
        read_dataset(folder / "train.parquet") for folder in (place / "datasets/toys", released)
    )
    assert torch.equal(before.labels, after.labels)
    changed = (before.samples != after.samples).flatten(1).any(1)
    assert int(changed.sum()) == read_json(released / "key.json")["marked"] > 0
    prove.prove("toys", demo.NETWORK, demo.WATERMARK, demo.SEED)
    found = place / f"proofs/toys-{demo.NETWORK}-{demo.WATERMARK}-{demo.SEED}"
    honest, thief = (read_evidence(found / who / "evidence.json") for who in ("honest", "thief"))
    assert honest["verdict"]["word"] != CLAIM
    assert honest["key"]["commitment"] == thief["key"]["commitment"] == key.commitment
