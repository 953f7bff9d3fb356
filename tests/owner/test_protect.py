"""Protecting as a notebook does it: functions with arguments, results with attributes."""

import pytest
import torch

from datadeed.datasets.formats.registry import read
from datadeed.errors import KeyRecordError
from datadeed.keys.key import Beacon
from datadeed.keys.sealing import read_secret
from datadeed.owner.commit import commit
from datadeed.owner.protect import protect, set_beacon
from datadeed.owner.protect_crafting import SurrogateChoice
from datadeed.owner.protect_published import protect_published
from datadeed.owner.release.edits import Manner
from datadeed.watermarks.carriers.registry import carrier_of
from datadeed.watermarks.registry import watermark_from_record
from tests.conftest import toy
from tests.datasets.formats.writers import write

DESIGN = {"parts": 6, "alpha": 1e-3, "rate": 0.05, "few_marks": True, "carrier": "patch"}


@pytest.fixture
def source(tmp_path):
    """120 images of 10 classes; the pool is a file beside them."""
    write(toy(120, classes=10, shape=(3, 16, 16)), tmp_path / "data.npz", format="npz")
    write(toy(100, classes=10, shape=(3, 16, 16), seed=1), tmp_path / "pool.npz", format="npz")
    return tmp_path / "data.npz"


def keyed(source, **more):
    pool = source.with_name("pool.npz")
    return commit(source, source.parent / "safe/key.json", pool=pool, **DESIGN, **more)


def test_a_committed_key_marks_the_copy(source, tmp_path):
    steps, notes = [], []

    class Step:
        def __init__(self, name, total):
            steps.append(name)

        def __enter__(self):
            return lambda done: None

        def __exit__(self, *error):
            pass

    committed = keyed(source)
    for place in (committed.secret, committed.key):
        out = tmp_path / f"{type(place).__name__}.npz"
        stay = {"manner": Manner(reorder=False)}
        made = protect(source, out, place, progress=Step, note=notes.append, **stay)
        assert (made.out, made.rows, made.key) == (out, 120, committed.key)
        before, after = read(source), read(out)
        changed = (before.samples != after.samples).flatten(1).any(1).nonzero().squeeze(1)
        hosts = carrier_of(committed.key).hosts(before.labels.numpy())
        assert changed.tolist() == hosts.rows.tolist()
        assert len(changed) == made.marked == made.release.edited
    assert steps == ["check data", "write"] * 2
    lines = [
        "the rows stand in an order in which a changed label is seen, and keep it",
        f"read {source} as npz",
    ]
    assert [note.split(":")[0] for note in notes] == lines * 2


def test_other_data_are_refused_unless_they_were_just_measured(source, tmp_path):
    committed = keyed(source)
    source.unlink()
    write(toy(120, classes=10, shape=(3, 16, 16), seed=5), source, format="npz")
    with pytest.raises(KeyRecordError, match="another Merkle root"):
        protect(source, tmp_path / "out.npz", committed.secret)
    assert not (tmp_path / "out.npz").exists()


def test_a_beacon_is_waited_for(source, tmp_path):
    secret = keyed(source, beacon=Beacon("drand", 5)).secret
    with pytest.raises(KeyRecordError, match="is not in the key yet"):
        protect(source, tmp_path / "out.npz", secret)
    with pytest.raises(KeyRecordError, match="hexadecimal"):
        set_beacon(secret, "soon")
    assert set_beacon(secret, "5A" * 32).beacon.value == "5a" * 32
    assert protect(source, tmp_path / "out.npz", secret).marked == 6


def test_a_published_method_and_its_secret(source, tmp_path):
    values, secret = {"rate": 0.25, "target": "class 2"}, tmp_path / "safe/secret.json"
    stay = {"manner": Manner(reorder=False)}
    made = protect_published(
        "badnets", source, tmp_path / "out.npz", secret, values, seed=3, **stay
    )
    kept = read_secret(secret, None)
    mark = watermark_from_record(kept["watermark"])
    assert (mark.rate, mark.target, kept["seed"]) == (0.25, 2, 3)
    assert kept["marks"]["row"] == made.positions.tolist()
    assert (made.rows, len(made.positions), made.facts) == (120, 30, {})
    assert kept["released"]["merkle_root"] == made.merkle_root
    before, after = read(source), read(made.out)
    assert torch.equal(mark.trigger(before.take(made.positions)), after.samples[made.positions])
    assert "no exact proof" in made.limits


def test_a_crafting_says_what_it_does(source, tmp_path):
    steps, notes = [], []
    made = protect_published(
        "label-consistent",
        source,
        tmp_path / "out.npz",
        tmp_path / "safe/secret.json",
        {"steps": 2},
        surrogate=SurrogateChoice(size=2, epochs=1),
        note=notes.append,
        on_step=lambda done, total, note, resumed: steps.append((done, total)),
    )
    assert steps == [(12, 12)]
    assert made.facts["largest_change"] == 3
    assert notes[0].startswith("surrogate: accuracy ")
    assert sorted(path.name for path in (tmp_path / "safe").iterdir()) == ["secret.json"]
