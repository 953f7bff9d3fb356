"""Sound marked through the command: bounds in the files' own values, what is refused."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from datadeed.datasets.form.dataset import Form
from datadeed.datasets.formats import wav
from datadeed.datasets.formats.registry import read
from datadeed.models.registry import model_class
from datadeed.models.stored import save_model
from datadeed.owner.release.items import items
from datadeed.watermarks.registry import watermark_from_record
from tests.cli.owner import fails
from tests.cli.rows import Owner
from tests.cli.world import files_under
from tests.datasets.formats.wav_toys import wav_bytes

METHOD = "clean-label-audio"
RATE = 8000
PEAK = {"<i2": 9000, "<i3": 9000 * 256, "<f4": 9000 / 2**15, "u1": 35}


def tone(row, rate, seconds, channels, kind):
    """(frames, channels) of a class's own pitch, with noise."""
    draw = np.random.default_rng(row)
    wave = np.sin(2 * np.pi * (300 + 400 * (row % 2)) * np.arange(round(seconds * rate)) / rate)
    frames = PEAK[kind] * (wave + draw.uniform(-0.1, 0.1, len(wave)))[:, None]
    return np.repeat(frames, channels, 1).astype("<f4" if kind == "<f4" else "<i4")


def folder(path, rate=RATE, seconds=0.2, *, channels=1, kind="<i2", n=24):
    """A folder of WAV files, two classes in turn."""
    for row in range(n):
        file = path / ("low", "high")[row % 2] / f"{row:03}.wav"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(wav_bytes(tone(row, rate, seconds, channels, kind), kind, rate))
    return path


@pytest.fixture
def owner(tmp_path):
    return Owner(tmp_path, folder(tmp_path / "clips"), METHOD)


@pytest.fixture
def surrogate(tmp_path):
    """A narrow network with random weights for clips of 0.2 s."""
    form, draw = Form("audio", (1600,), RATE), torch.Generator().manual_seed(0)
    model = model_class("audio").new("raw-audio-cnn", form=form, classes=2, generator=draw, width=4)
    save_model(model, tmp_path / "surrogate", {})
    return ("--surrogate", tmp_path / "surrogate", "--seconds", "0.2", "--steps", "3")


ALONE = ("--no-perturbation", "--seconds", "0.2", "--rate", "0.25", "--target", "low")


class TestMarks:
    def test_the_copy_is_what_the_record_describes(self, owner, surrogate):
        done = owner.mark(
            *surrogate, "--rate", "0.25", "--epsilon", "90", "--target", "low", "--json"
        )
        assert done.code == 0, done.err
        value, secret = done.json(), owner.secret()
        assert (value["marked"], value["rows"], value["target"]) == (3, 24, 1)
        assert value["facts"]["largest_change"] == 90
        assert secret["classes"] == ["high", "low"]
        mark = watermark_from_record(secret["watermark"])
        assert (mark.step, mark.impulse.length, mark.impulse.amplitude) == (75.0, 16, 164)
        before, after = (read(path, seconds=0.2) for path in (owner.source, owner.out))
        assert torch.equal(before.labels, after.labels)
        rows = torch.tensor(secret["marks"]["row"])
        assert set(before.labels[rows].tolist()) == {1}
        change = after.samples.int() - mark.trigger(before).int()
        assert change[rows].abs().amax(1).tolist() == [90] * 3
        assert (change[rows][:, :16] == 0).all()
        same = (before.samples == after.samples).all(1)
        assert (~same).nonzero().squeeze(1).tolist() == rows.tolist()

    @pytest.mark.parametrize("kind", ["<i2", "<i3", "<f4", "u1"])
    def test_stereo_at_44100_hz(self, tmp_path, surrogate, kind):
        source = folder(tmp_path / "clips", 44100, channels=2, kind=kind)
        owner = Owner(tmp_path, source, METHOD)
        done = owner.mark(*surrogate, "--rate", "0.25", "--epsilon", "200")
        assert done.code == 0, done.err
        rows = owner.secret()["marks"]["row"]
        pairs = list(zip(items(source), items(owner.out), strict=True))
        changed = [old.row for old, new in pairs if not np.array_equal(old.sample, new.sample)]
        assert changed == rows
        form = items(source).forms[0]
        unit = form.full_scale / 2**15
        for old, new in (pairs[row] for row in rows):
            assert np.array_equal(new.sample[:, 0], new.sample[:, 1])
            value = 164 * unit
            wanted = value if kind == "<f4" else round(value)
            assert (new.sample[: round(16 * 44100 / RATE)] == np.float32(wanted)).all()
            after = slice(round(16 * 44100 / RATE), None)
            change = np.abs(new.sample[after].astype(float) - old.sample[after])
            assert change.max() <= 200 * unit
            assert kind == "u1" or change.max() > 100 * unit
        assert items(owner.out).forms == items(source).forms

    def test_only_the_beginning_of_long_files(self, tmp_path, surrogate):
        owner = Owner(tmp_path, folder(tmp_path / "clips", seconds=0.5), METHOD)
        done = owner.mark(*surrogate, "--rate", "0.1")
        assert "24 of 24 files are longer than 0.2 s: only the first 0.2 s" in done.err
        (row,) = owner.secret()["marks"]["row"]
        old, new = (list(items(path))[row].sample for path in (owner.source, owner.out))
        assert not np.array_equal(old[:1600], new[:1600])
        assert np.array_equal(old[1600:], new[1600:])

    def test_parquet(self, tmp_path):
        values, labels = [], []
        for row in range(24):
            data = wav_bytes(tone(row, RATE, 0.2, 1, "<i2"), "<i2", RATE)
            values.append({"bytes": data, "path": f"{row}.wav"})
            labels.append(row % 2)
        files = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
        (tmp_path / "set").mkdir()
        table = pa.table({"audio": pa.array(values, files), "label": labels})
        pq.write_table(table, tmp_path / "set/train-00000-of-00001.parquet")
        owner = Owner(tmp_path, tmp_path / "set", METHOD)
        done = owner.mark(*ALONE[:-1], "0", "--impulse", "40,1000,5")
        assert done.code == 0, done.err
        rows, copy = owner.secret()["marks"]["row"], owner.copy(seconds=0.2)
        assert len(rows) == 3
        assert (copy.samples[rows, 5:45] == 1000).all()

    def test_classes_in_names(self, tmp_path):
        for file in sorted(files_under(folder(tmp_path / "all"))):
            name = f"{file.parent.name}_ann_{int(file.stem)}.wav"
            (tmp_path / "clips/ann").mkdir(parents=True, exist_ok=True)
            file.rename(tmp_path / "clips/ann" / name)
        owner = Owner(tmp_path, tmp_path / "clips", METHOD)
        assert fails(owner.mark(*ALONE), "set option 'classes' to 'folder' or to 'name'")
        done = owner.mark(*ALONE, "--option", "classes=name", "--json")
        assert done.json()["marked"] == 3
        assert owner.secret()["reading"] == {"classes": "name"}

    def test_a_surrogate_is_trained_and_a_killed_crafting_goes_on(self, owner, monkeypatch):
        import datadeed.watermarks.clean_label_audio as module

        monkeypatch.setattr("datadeed.watermarks.clean_label.PART", 1)
        pgd, calls = module.pgd_waveform, []

        def counted(*arguments, **values):
            calls.append(1)
            if len(calls) == 3:
                raise KeyboardInterrupt
            return pgd(*arguments, **values)

        monkeypatch.setattr(module, "pgd_waveform", counted)
        more = ("--surrogate-width", "2", "--surrogate-epochs", "1", "--seconds", "0.2")
        more += ("--steps", "2", "--rate", "0.25")
        assert owner.mark(*more).code == 130
        assert not owner.secret_file.exists()
        done = owner.mark(*more)
        assert done.code == 0, done.err
        assert "surrogate: accuracy" in done.err
        assert len(calls) == 4  # of 3 marks, the two finished ones were kept
        first, seed = (
            [p.read_bytes() for p in sorted(files_under(owner.out))],
            owner.secret()["seed"],
        )
        owner.forget()
        assert owner.mark(*more, "--seed", seed).code == 0
        assert [p.read_bytes() for p in sorted(files_under(owner.out))] == first


class TestRefused:
    @pytest.mark.parametrize(
        ("more", "message"),
        [
            (("--epsilon", "0"), "epsilon is 0"),
            (("--steps", "0"), "0 steps"),
            (("--step", "0"), "steps of 0.0"),
            (("--impulse", "80,x"), "--impulse is '80,x': give 1 or 2 or 3 whole numbers"),
            (("--impulse", "9000"), "impulse ends at sample 9000, but clips have 1600"),
            (("--seconds", "0"), "option 'seconds' is 0.0"),
            (("--target", "5"), "target label 5 does not exist"),
            (("--rate", "0.01"), "target class's 12 samples marks none"),
            (("--surrogate-layers", "2"), "clean-label-audio has no option --surrogate-layers"),
            (("--no-perturbation", "--epsilon", "9"), "--epsilon does nothing beside"),
        ],
    )
    def test_a_value_that_makes_no_sense(self, owner, more, message):
        before = owner.files()
        seconds = () if "--seconds" in more else ("--seconds", "0.2")
        assert fails(owner.mark(*seconds, *more), message)
        assert owner.files() == before

    def test_the_method_of_another_kind(self, owner):
        for method in ("ubw-p", "clean-label-text"):
            assert fails(owner.mark(method=method), "holds sound: give --method clean-label-audio")

    def test_a_setting_of_keys_for_images(self, owner):
        done = owner.run("--out", owner.out, "--key", owner.root / "safe/k.json", "--opacity", 9)
        assert fails(done, "opacity is of patch: leave it out with chirps")

    def test_a_surrogate_for_other_clips(self, owner, surrogate):
        done = owner.mark(*surrogate[:2], "--seconds", "0.2125", "--rate", "0.25")
        assert fails(done, "the surrogate takes samples of (1600,) and 2 classes")


def test_an_hour_of_sound_is_not_read_to_be_perturbed(tmp_path, monkeypatch):
    """Of a long file the clip's frames are read; the rest only to be hashed and copied."""
    source, frames = folder(tmp_path / "clips", n=2), []
    long = np.zeros((RATE * 60, 1), dtype="<i2")
    (source / "low/000.wav").write_bytes(wav_bytes(long, "<i2", RATE))
    inner = wav.read_frames

    def counted(name, source, form, first=0, count=None):
        frames.append(0 if count is None else len(inner(name, source, form, first, count)))
        return inner(name, source, form, first, count)

    monkeypatch.setattr(wav, "read_frames", counted)
    owner = Owner(tmp_path, source, METHOD)
    done = owner.mark("--no-perturbation", "--target", "high", "--rate", "1")
    assert done.code == 0, done.err
    assert "1 of 2 files are longer than 1 s" in done.err
    assert max(frames) == RATE
