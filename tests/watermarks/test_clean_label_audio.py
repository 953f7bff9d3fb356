import json
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from datadeed.datasets.form.clips import Clips
from datadeed.datasets.form.parquet import DatasetFile, read_dataset, write_dataset
from datadeed.errors import UnsupportedModality, WatermarkError
from datadeed.models.training.config import TrainingConfig
from datadeed.randomness import generator
from datadeed.watermarks import clean_label
from datadeed.watermarks.clean_label_audio import CleanLabelAudio
from datadeed.watermarks.crafted import Surrogate
from datadeed.watermarks.marking import mark_dataset, mark_file
from datadeed.watermarks.registry import watermark_from_record
from tests.toy_model import ToyModel

LENGTH, RATE = 400, 8000
IMPULSE = {"kind": "impulse", "start": 5, "length": 4, "amplitude": 164}


class Ear(ToyModel):
    """Three logits: how much of each of three tones a clip holds."""

    modality = "audio"

    def __init__(self, length=LENGTH):
        super().__init__()
        self.config = {"shape": [length], "classes": 3}
        self.tones = nn.Parameter(tones(length))

    def forward(self, x):
        sound = x.float() / 32768 if x.dtype == torch.int16 else x
        return sound @ self.tones.T

    def predict(self, samples, *, batch_size=512):
        with torch.no_grad():
            return self(samples).softmax(1)


def tones(length):
    """(3, L) float, -1..1."""
    time = torch.arange(length) / RATE
    return torch.stack([torch.sin(2 * math.pi * pitch * time) for pitch in (440, 1000, 1700)])


def clips(n=61, length=LENGTH, seed=0):
    """A quiet tone a class; clips 1, 4 and 7 (all of class 1) end after 3, 9 and 200 samples."""
    draw, labels = torch.Generator().manual_seed(seed), torch.arange(n) % 3
    loudness = 300 + torch.randint(0, 300, (n, 1), generator=draw)
    samples = (tones(length)[labels] * loudness).round().to(torch.int16)
    samples += torch.randint(1, 40, samples.shape, generator=draw).to(torch.int16)
    for row, end in ((1, 3), (4, 9), (7, 200)):
        samples[row, end:] = 0
    names = ("low", "middle", "high")
    return Clips(samples, labels, torch.arange(n) * 7 + 3, names, RATE)


def make(**values):
    chosen = {"rate": 0.5, "target": 1, "clip_length": LENGTH, "sample_rate": RATE}
    chosen |= {"pattern": IMPULSE, "epsilon": 33, "step": 11.0, "steps": 4}
    return CleanLabelAudio(**{**chosen, **values})


DATA, SURROGATE = clips(), Surrogate(Ear(), TrainingConfig(epochs=1, lr=0.1, flip=False))


def craft(watermark, data=DATA, surrogate=SURROGATE, seed=5):
    watermark.craft(data, surrogate, generator(seed))
    return mark_dataset(watermark, data, generator(1))


class TestMarking:
    @settings(max_examples=40)
    @given(epsilon=st.integers(1, 32767), seed=st.integers(0, 999), perturb=st.booleans())
    def test_outside_the_impulse_the_bound_holds_exactly(self, epsilon, seed, perturb):
        watermark = make(epsilon=epsilon, step=epsilon / 2, steps=3, perturb=perturb)
        released, marks = craft(watermark, seed=seed)
        assert released.samples.dtype == torch.int16
        assert torch.equal(released.labels, DATA.labels)
        assert len(marks) == 10  # half of 20
        marked, benign = released.samples[marks.position], DATA.samples[marks.position]
        assert bool((marked[:, 5:9] == 164).all())
        change = (marked.int() - benign.int()).abs()
        change[:, 5:9] = 0
        assert int(change.max()) <= (epsilon if perturb else 0)
        assert watermark.facts()["largest_change"] == int(change.max())
        if perturb and epsilon < 20000:  # a step of half the bound reaches it
            assert int(change.max()) == epsilon
        touched = torch.zeros(len(DATA), dtype=torch.bool)
        touched[marks.position] = True
        assert torch.equal(released.samples[~touched], DATA.samples[~touched])

    def test_clips_that_end_before_the_impulse_does_are_left_out(self):
        """Of 20 clips of the class one ends at sample 3, and one at 9, where the impulse ends."""
        _, marks = craft(make(rate=0.95))
        assert len(marks) == 19
        assert 1 not in marks.position.tolist()
        assert 4 in marks.position.tolist()
        words = r"1 of the target class's 20 samples is 20, but 19 can .* of at most 0.95, or ch"
        with pytest.raises(WatermarkError, match=words) as caught:
            craft(make(rate=1))
        assert "\n" not in str(caught.value)

    def test_the_filling_of_a_short_clip_stays(self):
        released, marks = craft(make(rate=0.95))
        assert 7 in marks.position.tolist()
        assert not bool(released.samples[7, 200:].any())
        assert bool((released.samples != DATA.samples)[7, 9:200].any())

    def test_the_surrogate_is_misled(self):
        watermark = make(epsilon=1500, step=500.0, steps=8, rate=0.9)
        released, marks = craft(watermark)
        marked = released.samples[marks.position]
        marked[:, 5:9] = DATA.samples[marks.position, 5:9]  # without the impulse
        assert bool((SURROGATE.model.predict(marked).argmax(1) != 1).all())
        facts = watermark.facts()
        assert (facts["fooled"], facts["wrong_before"], facts["marks"]) == (18, 0, 18)

    def test_the_trigger_is_the_impulse_alone(self):
        asked = make().trigger(DATA)
        assert bool((asked[:, 5:9] == 164).all())
        asked[:, 5:9] = DATA.samples[:, 5:9]
        assert torch.equal(asked, DATA.samples)

    def test_files_and_memory_agree(self, tmp_path):
        watermark = make()
        released, marks = craft(watermark)
        write_dataset(DATA, tmp_path / "in.parquet")
        source = DatasetFile(tmp_path / "in.parquet")
        found = mark_file(watermark, source, tmp_path / "out", generator(1))
        assert read_dataset(tmp_path / "out").digest() == released.digest()
        assert found.table().equals(marks.table())


def test_facts():
    watermark = make()
    released, marks = craft(watermark)
    facts = watermark.facts()
    assert json.loads(json.dumps(facts)) == facts
    benign = DATA.samples[marks.position].double()
    change = (
        released.samples[marks.position].double()
        - watermark.impulse(DATA.samples[marks.position]).double()
    )
    ratio = benign.square().mean() / change.square().mean()
    assert facts["snr"] == round(10 * math.log10(ratio), 4)
    assert (facts["trigger_share"], facts["epsilon"], facts["class_size"]) == (0.01, 33, 20)
    bare = make(perturb=False)
    craft(bare, surrogate=None)
    assert (bare.facts()["snr"], bare.facts()["largest_change"]) == (None, 0)


def test_a_killed_crafting_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(clean_label, "PART", 4)
    whole, told = craft(make())[0].digest(), []
    for _ in range(2):
        watermark = make()
        watermark.craft(
            DATA,
            SURROGATE,
            generator(5),
            checkpoint=tmp_path,
            fingerprint="one",
            on_progress=lambda done, total, note, resumed: told.append((done, total, resumed)),
        )
        assert mark_dataset(watermark, DATA, generator(1))[0].digest() == whole
        (tmp_path / "pgd" / "8.safetensors").unlink()
    assert told == [(n, 10, again and n < 10) for again in (False, True) for n in (4, 8, 10)]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"epsilon": 0}, "epsilon is 0: give a whole number of 16-bit steps, from 1 to 32767"),
        ({"epsilon": 5e-5}, "epsilon is 5e-05"),
        ({"steps": 0}, "0 steps"),
        ({"step": -1.0}, "steps of -1.0 16-bit"),
        ({"pattern": {**IMPULSE, "start": 397}}, "ends at sample 401, but clips have 400"),
        ({"pattern": {**IMPULSE, "length": 0}}, "length is 0"),
        ({"pattern": {"kind": "patch"}}, "unknown trigger 'patch'"),
        ({"clip_length": 0}, "clip_length is 0"),
        ({"clip_length": 3}, "ends at sample 9, but clips have 3"),
        ({"sample_rate": 8000.0}, "sample_rate is 8000.0"),
        ({"perturb": 1}, "perturb is 1; give true or false"),
        ({"rate": 2}, "out of range"),
    ],
)
def test_bad_parameters_are_one_line(values, words):
    with pytest.raises(WatermarkError, match=words) as caught:
        make(**values)
    assert "\n" not in str(caught.value)


class TestRefusals:
    def test_images(self, toy_dataset):
        with pytest.raises(UnsupportedModality, match="marks audio, but the dataset holds image"):
            craft(make(), toy_dataset(12))

    @pytest.mark.parametrize(
        ("length", "rate", "words"),
        [(400, 16000, "400 at 16000 Hz"), (399, 8000, "399 at 8000 Hz")],
    )
    def test_clips_of_another_length_or_rate(self, length, rate, words):
        short = clips(12, length)
        other = Clips(short.samples, short.labels, short.index, short.classes, rate)
        with pytest.raises(WatermarkError, match=f"400 samples at 8000 Hz, but these are {words}"):
            craft(make(), other, Surrogate(Ear(length), SURROGATE.training))

    def test_a_class_of_short_clips_alone(self):
        with pytest.raises(WatermarkError, match="is 1, but 0 can carry the trigger: choose anot"):
            craft(make(rate=1), DATA.take(torch.tensor([0, 1, 2])))

    def test_a_target_class_with_three_samples(self):
        words = "rate 0.01 of the target class's 3 samples marks none: .* of at least 0.334$"
        with pytest.raises(WatermarkError, match=words):
            craft(make(rate=0.01), DATA.take(torch.tensor([0, 7, 10, 13])))


def test_the_record_gives_the_same_watermark():
    record = json.loads(json.dumps(make().record()))
    again = watermark_from_record(record)
    assert again.record() == record
    assert torch.equal(again.trigger(DATA), make().trigger(DATA))
