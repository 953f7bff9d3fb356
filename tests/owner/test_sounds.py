"""Keys of sound, from a folder of WAV files to evidence that others check."""

import base64
import json

import numpy as np
import pytest
import torch

from datadeed.datasets.form.dataset import Form
from datadeed.datasets.formats import wav
from datadeed.datasets.formats.registry import read
from datadeed.errors import (
    ConfigurationError,
    EvidenceError,
    KeyRecordError,
    UnsupportedModality,
    WatermarkError,
)
from datadeed.models.registry import model_class
from datadeed.models.stored import save_model
from datadeed.models.training.config import TrainingConfig
from datadeed.models.training.loop import accuracy, train
from datadeed.owner.asking import CouldNotTest, reached
from datadeed.owner.check import FAILED, check
from datadeed.owner.check_release import check_release
from datadeed.owner.commit import commit
from datadeed.owner.data import open_data, read_key, silent
from datadeed.owner.protect import edits, protect
from datadeed.owner.protect_published import protect_published
from datadeed.owner.release.grid import grid_of
from datadeed.owner.suspects.base import question_digest
from datadeed.owner.verify import verify
from datadeed.watermarks.keyed2 import Keyed2
from datadeed.watermarks.marking import mark_dataset
from tests.cli.world import run
from tests.datasets.formats.wav_toys import flac_bytes, wav_bytes
from tests.judge_toys import Toy, honest, thief

RATE, CLASSES = 8000, 4
SETTINGS = {"milliseconds": 200}
PEAK = {"<i2": 9000, "<i3": 9000 * 256, "<f4": 9000 / 2**15, "u1": 35}


def folder(path, n=80, *, kinds=("<i2",), rate=RATE, seconds=0.2, seed=0, grid=1):
    """WAV files of several forms; a class is a pitch."""
    for row in range(n):
        kind, channels = kinds[row % len(kinds)], 1 + row % 2 * (len(kinds) > 1)
        draw = np.random.default_rng((seed, row))
        length = round(rate * seconds * draw.uniform(0.6, 1.0))
        pitch = 2000 + 400 * (row % CLASSES)
        wave = np.sin(2 * np.pi * pitch * np.arange(length) / rate + draw.uniform(0, 6))
        frames = PEAK[kind] * (wave + draw.uniform(-0.2, 0.2, length))
        frames = np.repeat(frames[:, None], channels, 1).astype("<f4" if kind == "<f4" else "<i4")
        if kind == "<i2":
            frames = frames // grid * grid
        file = path / "abcd"[row % CLASSES] / f"{row:03}.wav"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(wav_bytes(frames, kind, rate))
    return path


@pytest.fixture
def source(tmp_path):
    folder(tmp_path / "pool", 60, seed=1)
    return folder(tmp_path / "clips")


def keyed(source, **more):
    settings = SETTINGS | more.pop("settings", {})
    design = {"parts": 8, "rate": 0.3, "alpha": 1e-3, "least_effect": 0.4, "carrier": "tones"}
    design["answers"] = "labels"  # with this secret no class has too few clips for its parts
    where = {"pool": source.with_name("pool"), "secret": source.parent / "safe/key.json"}
    return commit(source, settings=settings, few_marks=True, **(design | where | more))


@pytest.mark.parametrize("carrier", ["tones", "chirps", "bands"])
def test_the_copy_has_the_marks_of_the_pipeline(source, tmp_path, carrier):
    committed = keyed(source, carrier=carrier)
    design = committed.key.design
    assert design.channels == 0
    assert design.carrier == {
        **{"name": carrier, "hertz": RATE, "milliseconds": 200, "level": 100, "relabels": 0}
    }
    made = protect(source, tmp_path / "out", committed.secret)
    before, after = (read(path, seconds=0.2) for path in (source, made.out))
    expected, marks = mark_dataset(
        Keyed2(key=committed.key, data=before), before, torch.Generator()
    )
    assert torch.equal(after.samples, expected.samples)
    assert torch.equal(after.labels, before.labels)
    assert made.marked == len(marks) == 24
    found = check_release(
        committed.key, open_data(source)[0], open_data(made.out)[0], progress=silent
    )
    assert found == "all 80 rows are exactly as the key marks them"


def test_a_folder_of_flac_and_wav_is_marked_and_checked(source, tmp_path):
    """Each second file is packed, here and in the pool: nothing else changes."""
    for folder_ in (source, source.with_name("pool")):
        for file in sorted(folder_.rglob("*.wav"))[::2]:
            data = file.read_bytes()
            frames = wav.read_frames("x", data, wav.read_form("x", data))
            file.with_suffix(".flac").write_bytes(flac_bytes(frames))
            file.unlink()
    committed = keyed(source)
    made = protect(source, tmp_path / "out", committed.secret)
    names = {path: sorted(f.name for f in path.rglob("*.*")) for path in (source, made.out)}
    assert names[source] == names[made.out]
    assert sum(name.endswith(".flac") for name in names[source]) == 40
    found = check_release(
        committed.key, open_data(source)[0], open_data(made.out)[0], progress=silent
    )
    assert found == "all 80 rows are exactly as the key marks them"


@pytest.mark.parametrize("kind", ["<i2", "u1", "<f4"])
def test_marks_of_a_published_method_stay_on_the_grid(tmp_path, kind):
    source = folder(tmp_path / "clips", kinds=(kind, "<i2"), grid=16)
    values = {"target": "b", "rate": 0.3, "perturb": False}
    given = {"seed": 1, "seconds": 0.2}
    secret, out = tmp_path / "safe/s.json", tmp_path / "out"
    made = protect_published("clean-label-audio", source, out, secret, values, **given)
    before, after = open_data(source)[0], open_data(out)[0]
    pairs = list(zip(before, after, before.forms, strict=True))
    changed = [old.row for old, new, _ in pairs if (old.sample != new.sample).any()]
    assert changed == made.positions.tolist()
    for old, new, form in pairs:
        snap = grid_of(old.sample, form)
        assert np.array_equal(snap(new.sample), new.sample)
        assert form.kind != "<i2" or not (new.sample & 15).any()


def test_an_impulse_that_coarse_files_cannot_hold_makes_no_secret(tmp_path):
    source = folder(tmp_path / "clips", grid=1024)
    values = {"target": "b", "rate": 0.3, "perturb": False}
    secret, out = tmp_path / "safe/s.json", tmp_path / "out"
    with pytest.raises(WatermarkError, match="an impulse of 164 is 0 in it"):
        protect_published("clean-label-audio", source, out, secret, values, seed=1, seconds=0.2)
    assert not secret.exists()
    assert not out.exists()


def test_a_release_without_one_mark_is_refused(source, tmp_path):
    key = keyed(source).key
    made = protect(source, tmp_path / "out", key)
    data = open_data(source)[0]
    row = int(edits(key, data)[0][3])
    name = next(name for n, (name, _) in enumerate(data._files()) if n == row)
    one = next(made.out.rglob(name.rsplit("/", 1)[-1]))
    one.write_bytes((source / one.relative_to(made.out)).read_bytes())
    with pytest.raises(EvidenceError, match="holds other rows"):
        check_release(key, open_data(source)[0], open_data(made.out)[0], progress=silent)


@pytest.mark.parametrize("kind", sorted(PEAK))
def test_files_of_any_form_carry_marks_on_their_own_grid(tmp_path, kind):
    """12 bits in 16, whole numbers in floats, 8 bits: no value that such a file does not have."""
    source = folder(tmp_path / "clips", kinds=(kind, "<i2"), grid=16)
    folder(tmp_path / "pool", 60, kinds=(kind, "<i2"), seed=1, grid=16)
    key = keyed(source, settings={"relabels": 1}).key
    data = open_data(source)[0]
    rows, edit = edits(key, data)
    samples = {item.row: item.sample for item in data}
    for row in rows.tolist():
        form, old = data.forms[row], samples[row]
        new, label = edit(row, old.copy(), int(data.labels[row]))
        assert new.shape == old.shape
        assert new.dtype == old.dtype
        assert label == key.target(int(parts_of(key, data)[row]))
        assert (new != old).mean() > 0.3
        if form.kind == "<i2":
            assert not (new & 15).any()
        if form.dtype.kind != "f":
            wav.encode("clip", new, form)  # raises what such a file cannot hold
        if form.channels == 2:
            assert np.array_equal(new[:, 0] - old[:, 0], new[:, 1] - old[:, 1])


def parts_of(key, data):
    hosts = Keyed2(key=key)._carrier.hosts(data.labels)
    return dict(zip(hosts.rows.tolist(), hosts.parts.tolist(), strict=True))


def test_the_commands_take_sound(source, tmp_path):
    key, out = tmp_path / "safe/key.json", tmp_path / "out"
    design = ("--parts", 8, "--rate", 0.3, "--alpha", 1e-3, "--least-effect", 0.4)
    own = ("--carrier", "chirps", "--seconds", 0.2, "--level", 60, "--labels", "changed")
    where = ("--key", key, "--pool", source.with_name("pool"), "--out", out)
    done = run("watermark", source, *where, *design, *own, "--few-marks")
    assert done.code == 0, done.err
    assert "24 of 80 rows carry the trigger of one of 8 parts" in done.out
    made = read_key(key).design.carrier
    assert made == {
        **{"name": "chirps", "hertz": RATE, "milliseconds": 200, "level": 60, "relabels": 1}
    }
    assert len(list(out.rglob("*.wav"))) == 80


def test_clips_of_several_rates_are_refused(source, tmp_path):
    folder(tmp_path / "pool", 3, rate=11_025, seed=3)
    with pytest.raises(KeyRecordError, match=r"row 0 of the data stands at 8000 Hz and row \d"):
        keyed(source)


def test_what_marks_no_sound_is_refused(source):
    with pytest.raises(UnsupportedModality, match="choose tones, chirps, bands"):
        keyed(source, carrier="mosaic")
    with pytest.raises(KeyRecordError, match="opacity is of patch: leave it out with tones"):
        keyed(source, settings={"opacity": 9})


def test_clips_that_go_on_are_told_of(source):
    lines = []
    keyed(source, settings={"milliseconds": 150}, note=lines.append)
    assert any("are longer than 0.15 s: marks lie in the first" in line for line in lines)


@pytest.mark.parametrize(("say", "word"), [(thief, "CLAIM"), (honest, "NOT SUPPORTED")])
def test_suspects_are_asked_and_the_evidence_is_checked(source, tmp_path, say, word):
    key, pool = keyed(source).key, read(source.with_name("pool"), seconds=0.2)
    groups = tuple((k,) for k in range(CLASSES))
    toy = Toy(key, say, pool=pool, groups=groups, classes=pool.classes)
    done = verify(toy, key, source.with_name("pool"), tmp_path / "evidence")
    assert done.evidence["verdict"]["word"] == word
    folder = tmp_path / "evidence"
    found = check(key, evidence=folder, pool=source.with_name("pool"))
    assert not [line for line in found if line.word == FAILED]
    assert_sounds_are_played(folder, toy.known)


def assert_sounds_are_played(folder, known):
    """Each is a WAV file of a question that was asked, and the page may play it."""
    evidence = json.loads((folder / "evidence.json").read_text())
    page = (folder / "report.html").read_text()
    assert 3 <= len(evidence["shown"]) <= 6
    assert "; media-src data:" in page
    for shown in evidence["shown"]:
        assert f'src="data:audio/wav;base64,{shown["sound"]}"' in page
        data = base64.b64decode(shown["sound"])
        form = wav.read_form("shown", data)
        assert form.rate == RATE
        clip = wav.read_frames("shown", data, form)[:, 0]
        padded = np.pad(clip, (0, 1600 - len(clip)))
        assert question_digest(torch.from_numpy(padded)) in known


def test_a_model_of_ours_is_a_suspect(source, tmp_path):
    """A small one that learnt the classes, and not the marks."""
    data, pool = (read(path, seconds=0.2) for path in (source, source.with_name("pool")))
    draw = torch.Generator().manual_seed(0)
    form = Form("audio", (1600,), RATE)
    model = model_class("audio").new("raw-audio-cnn", form=form, classes=4, generator=draw, width=6)
    config = TrainingConfig(epochs=25, lr=0.05, batch_size=16, flip=False, precision="fp32")
    train(model, data, config, generator=draw)
    assert accuracy(model, pool) > 0.6
    save_model(model, tmp_path / "suspect", {})
    key = keyed(source, settings={"level": 10}).key
    done = verify(tmp_path / "suspect", key, source.with_name("pool"), tmp_path / "evidence")
    assert done.evidence["verdict"]["word"] != "CLAIM"
    assert done.evidence["clean"]["right"] > 8
    found = check(key, evidence=tmp_path / "evidence", pool=source.with_name("pool"))
    assert not [line for line in found if line.word == FAILED]


def test_a_suspect_that_is_sent_another_rate_is_refused(source, tmp_path):
    """Before a question: its answers would be of sounds that nobody marked."""
    committed = keyed(source)
    for rate, told in (
        (2 * RATE, f"input.rate is {2 * RATE}, but clips have {RATE} Hz"),
        (RATE, ""),
    ):
        suspect = {
            **{"name": "far", "protocol": "json", "url": "http://127.0.0.1:9/"},
            "input": {"encoding": "wav-bytes", "rate": rate},
            "output": {"kind": "labels", "classes": list("abcd")},
        }
        where = {"pool": source.with_name("pool"), "out": tmp_path / f"evidence-{rate}"}
        with pytest.raises(ConfigurationError if told else CouldNotTest, match=told or "far"):
            verify(suspect, committed.secret, **where)
        with reached(suspect, tuple("abcd")) as asked:  # of samples that no key has fixed yet
            assert asked.declared["input"]["rate"] == rate
