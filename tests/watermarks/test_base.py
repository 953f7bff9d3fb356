"""The base class must fit the five method families without change: a toy of each is here."""

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from datadeed.datasets.form import columns as columns_module
from datadeed.datasets.form.dataset import Dataset
from datadeed.datasets.form.parquet import DatasetFile, read_dataset, write_dataset
from datadeed.errors import UnsupportedModality, WatermarkError
from datadeed.randomness import generator
from datadeed.watermarks.base import Watermark
from datadeed.watermarks.marking import mark_dataset, mark_file


class Toy(Watermark):
    """Whatever the five have in common."""

    name = "toy"

    def mark(self, rows: Dataset, ranks: torch.Tensor) -> Dataset:
        return rows.replace(samples=self.trigger(rows), labels=rows.labels)

    def trigger(self, rows: Dataset) -> torch.Tensor:
        return 255 - rows.samples

    def record(self) -> dict[str, Any]:
        return {"method": self.name, "rate": self.rate, "target": self.target}


class Targeted(Toy):
    """Poisoned label: one trigger, one target."""

    def mark(self, rows: Dataset, ranks: torch.Tensor) -> Dataset:
        labels = torch.full_like(rows.labels, self.target)
        return rows.replace(samples=self.trigger(rows), labels=labels)


class Untargeted(Toy):
    """Random labels, keyed by the row's index (as UBW-P)."""

    def mark(self, rows: Dataset, ranks: torch.Tensor) -> Dataset:
        labels = [int(torch.randint(3, (), generator=generator(1, i))) for i in rows.index.tolist()]
        return rows.replace(samples=self.trigger(rows), labels=torch.tensor(labels))


class CleanLabel(Toy):
    """Only rows of the target, each perturbed in its own way (as UBW-C, Tang)."""

    def candidates(self, labels: torch.Tensor) -> torch.Tensor:
        return (labels == self.target).nonzero().squeeze(1)

    def mark(self, rows: Dataset, ranks: torch.Tensor) -> Dataset:
        draws = [generator(2, index) for index in rows.index.tolist()]
        shape = rows.samples.shape[1:]
        change = torch.stack([torch.randint(-3, 8, shape, generator=draw) for draw in draws])
        samples = (rows.samples.int() + change).clamp(0, 255).to(torch.uint8)
        return rows.replace(samples=samples, labels=rows.labels)


class Warp(Toy):
    """Sample-specific: each row shifted by its own amount."""

    def trigger(self, rows: Dataset) -> torch.Tensor:
        shifted = [x.roll(int(i) % 5, 2) for x, i in zip(rows.samples, rows.index, strict=True)]
        return torch.stack(shifted)


class Words(Toy):
    """Marks texts."""

    name = "words"
    modality = "text"


class Sound(Toy):
    """Marks sounds."""

    name = "impulse"
    modality = "audio"


FAMILIES = [
    Targeted(rate=0.2, target=1),
    Untargeted(rate=0.2, target=None),
    CleanLabel(rate=0.5, target=2),
    Warp(rate=1, target=None),
]


@pytest.mark.parametrize("watermark", FAMILIES, ids=lambda w: type(w).__name__)
@pytest.mark.parametrize("group", [1, 192 * 7, 2**24])
def test_each_family_marks_a_file_as_it_marks_memory(
    tmp_path, toy_dataset, monkeypatch, watermark, group
):
    data = toy_dataset()
    released, marks = mark_dataset(watermark, data, generator(4))
    monkeypatch.setattr(columns_module, "ROW_GROUP_BYTES", group)
    write_dataset(data, tmp_path / "in.parquet")
    found = mark_file(
        watermark, DatasetFile(tmp_path / "in.parquet"), tmp_path / "out.parquet", generator(4)
    )
    assert read_dataset(tmp_path / "out.parquet").digest() == released.digest()
    assert found.table().equals(marks.table())
    touched = torch.zeros(len(data), dtype=torch.bool)
    touched[marks.position] = True
    assert torch.equal(released.samples[~touched], data.samples[~touched])
    assert torch.equal(released.labels[~touched], data.labels[~touched])
    assert bool((released.samples != data.samples).flatten(1).any(1)[touched].any())


def test_families_choose_labels_as_they_should(toy_dataset):
    data = toy_dataset()
    _, clean = mark_dataset(CleanLabel(rate=0.5, target=2), data, generator(4))
    assert len(clean) == 10
    assert bool((clean.label == 2).all())
    assert torch.equal(clean.released_label, clean.label)
    _, random = mark_dataset(Untargeted(rate=1, target=None), data, generator(4))
    assert set(random.released_label.tolist()) == {0, 1, 2}
    assert not torch.equal(random.released_label, random.label)


@pytest.mark.parametrize(("kind", "modality"), [(Words, "text"), (Sound, "audio")])
def test_a_method_for_other_data_is_refused(tmp_path, toy_dataset, kind, modality):
    data, watermark = toy_dataset(), kind(rate=0.1, target=0)
    write_dataset(data, tmp_path / "in.parquet")
    source, out = DatasetFile(tmp_path / "in.parquet"), tmp_path / "out.parquet"
    with pytest.raises(UnsupportedModality, match=f"marks {modality}s?, but .* holds image"):
        mark_dataset(watermark, data, generator(1))
    with pytest.raises(UnsupportedModality):
        mark_file(watermark, source, out, generator(1))
    assert not out.exists()


@given(n=st.integers(1, 300), rate=st.floats(0.001, 1), seed=st.integers(0, 99))
@settings(deadline=None)
def test_select_draws_the_floor_of_the_share_without_replacement(n, rate, seed):
    watermark, labels = Targeted(rate=rate, target=0), torch.zeros(n, dtype=torch.int64)
    if rate * n < 1 - 1e-9:
        with pytest.raises(WatermarkError, match="marks no row"):
            watermark.select(labels, generator(seed))
        return
    positions = watermark.select(labels, generator(seed))
    assert len(positions) in (int(rate * n), int(rate * n + 1e-9))
    assert bool((positions.diff() > 0).all())
    assert int(positions[0]) >= 0
    assert int(positions[-1]) < n
    assert torch.equal(watermark.select(labels, generator(seed)), positions)


@pytest.mark.parametrize(("rate", "n", "marked"), [(0.1, 50_000, 5000), (0.29, 100, 29), (1, 7, 7)])
def test_rates_that_binary_fractions_miss_are_exact(rate, n, marked):
    labels = torch.zeros(n, dtype=torch.int64)
    assert len(Targeted(rate=rate, target=0).select(labels, generator(0))) == marked


def test_every_row_is_as_likely_to_be_drawn():
    """Rows 0 to 9, 3 drawn, 4,000 times: each count within 4.5 binomial sd of 1,200."""
    watermark, labels = Targeted(rate=0.3, target=0), torch.zeros(10, dtype=torch.int64)
    draw, counts = generator(8), torch.zeros(10)
    for _ in range(4000):
        counts[watermark.select(labels, draw)] += 1
    assert float((counts - 1200).abs().max()) < 4.5 * (4000 * 0.3 * 0.7) ** 0.5


@pytest.mark.parametrize("rate", [0, -0.1, 1.01, float("nan")])
def test_rates_out_of_range_are_refused(rate):
    with pytest.raises(WatermarkError, match="out of range"):
        Targeted(rate=rate, target=0)


@pytest.mark.parametrize("target", [-1, 3])
def test_a_target_that_does_not_exist_is_refused(toy_dataset, target):
    with pytest.raises(WatermarkError, match=f"target label {target} does not exist"):
        mark_dataset(Targeted(rate=0.1, target=target), toy_dataset(), generator(1))


def test_no_candidate_marks_no_row(toy_dataset):
    only_two_classes = toy_dataset().take(toy_dataset().labels != 2)
    with pytest.raises(WatermarkError, match="of 0 candidate rows marks no row"):
        mark_dataset(CleanLabel(rate=0.5, target=2), only_two_classes, generator(1))
