"""Adaptive marks: pieces of a trigger, and labels that sometimes stay."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from datadeed.datasets.form.dataset import Dataset, Form
from datadeed.errors import WatermarkError
from datadeed.watermarks.adaptive import Adaptive
from datadeed.watermarks.marking import mark_dataset

FORM, CLASSES = Form("image", (3, 32, 32)), ("a", "b", "c")


def made(**own: object) -> Adaptive:
    return Adaptive.for_data(FORM, CLASSES, 5, **own)


def grey(n: int = 300) -> Dataset:
    """Equal images of all classes."""
    samples = torch.full((n, 3, 32, 32), 100, dtype=torch.uint8)
    return Dataset(samples, torch.arange(n) % 3, torch.arange(n), CLASSES)


def test_rows_of_the_target_class_are_left_alone() -> None:
    data = grey()
    released, marks = mark_dataset(made(rate=0.5), data, torch.Generator().manual_seed(0))
    assert len(marks) == 100
    assert not bool((marks.label == 1).any())
    own = data.labels == 1
    assert torch.equal(released.samples[own], data.samples[own])


def test_labels_stay_and_pieces_are_dropped_as_often_as_asked() -> None:
    data = grey(1500)
    released, marks = mark_dataset(made(rate=1.0), data, torch.Generator().manual_seed(0))
    kept = (marks.released_label == marks.label).double().mean().item()
    assert kept == pytest.approx(0.5, abs=0.05)  # 1,000 rows: 3 sigma
    changed = (released.samples != data.samples)[marks.position].any(1)  # (M, 32, 32)
    corners = torch.stack([q.flatten(1).any(1) for h in changed.chunk(2, 1) for q in h.chunk(2, 2)])
    assert torch.allclose(
        corners.double().mean(1), torch.full((4,), 0.5, dtype=torch.double), atol=0.05
    )
    pairs = torch.corrcoef(corners.double())
    assert float((pairs - torch.eye(4)).abs().max()) < 0.1  # pieces are drawn one by one


@given(
    pieces=st.integers(1, 9),
    kind=st.sampled_from(["blend", "patch"]),
    opacity=st.integers(1, 255),
)
def test_all_pieces_together_are_the_trigger(pieces: int, kind: str, opacity: int) -> None:
    if kind == "patch" and pieces > 3:
        with pytest.raises(WatermarkError, match="pieces"):
            made(kind=kind, pieces=pieces)
        return
    mark = made(kind=kind, pieces=pieces, opacity=opacity, dropped=0, kept=0)
    data = grey(6)
    whole = mark.mark(data, torch.arange(6))
    assert torch.equal(whole.samples, mark.trigger(data))
    assert whole.labels.tolist() == [1] * 6


def test_a_mark_depends_on_the_rank_alone() -> None:
    mark, data = made(rate=1.0), grey(40)
    whole = mark.mark(data, torch.arange(40))
    parts = [mark.mark(data.slice(i, i + 8), torch.arange(i, i + 8)) for i in range(0, 40, 8)]
    assert torch.equal(whole.samples, torch.cat([part.samples for part in parts]))
    assert torch.equal(whole.labels, torch.cat([part.labels for part in parts]))


def test_the_record_makes_it_again() -> None:
    mark = made(kind="patch", kept=0.25)
    record = mark.record()
    values = {key: record[key] for key in record if key not in ("method", "trigger")}
    again = Adaptive.build(**values)
    assert again.record() == record
    assert torch.equal(again.trigger(grey(3)), mark.trigger(grey(3)))


def test_other_secrets_give_other_noise(toy_dataset: Callable[..., Dataset]) -> None:
    one, other = (Adaptive.for_data(FORM, CLASSES, seed) for seed in (5, 6))
    assert not torch.equal(one.trigger(grey(1)), other.trigger(grey(1)))
    with pytest.raises(WatermarkError, match="images of"):
        one.trigger(toy_dataset(3))


@pytest.mark.parametrize(
    ("own", "words"),
    [
        ({"kind": "cat"}, "blend or patch"),
        ({"opacity": 0}, "1 to 255"),
        ({"opacity": 0.5}, "1 to 255"),
        ({"dropped": 1.0}, "dropped is 1.0"),
        ({"kept": -0.1}, "kept -0.1"),
        ({"pieces": 0}, "pieces is 0"),
        ({"pieces": 33}, "pieces is 33"),
        ({"rate": 0}, "rate 0"),
        ({"target": 3}, "target label 3"),
    ],
)
def test_values_that_make_no_sense(own: dict[str, object], words: str) -> None:
    with pytest.raises(WatermarkError, match=words):
        made(**own)
