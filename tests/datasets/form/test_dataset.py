import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from datadeed.datasets.form.dataset import Dataset, check_labels, stratified_subset
from datadeed.errors import DatasetError


def toy(n=6, shape=(3, 4, 4)) -> Dataset:
    samples = torch.randint(0, 256, (n, *shape), generator=torch.manual_seed(0), dtype=torch.uint8)
    return Dataset(samples, torch.arange(n) % 2, torch.arange(n) + 10, ("cat", "dog"))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"samples": torch.zeros(6, 3, 4, 4)}, "float32: give"),
        ({"samples": torch.zeros(6, 4, 4, dtype=torch.uint8)}, "give .N, C, H, W"),
        ({"labels": torch.zeros(5, dtype=torch.int64)}, "labels are"),
        ({"labels": torch.zeros(6, dtype=torch.int32)}, "labels are"),
        ({"index": torch.zeros(5, dtype=torch.int64)}, "index are"),
        ({"labels": torch.tensor([0, 1, 2, 0, 1, 0])}, "labels from 0 to 2"),
        ({"labels": torch.tensor([0, 1, -1, 0, 1, 0])}, "labels from -1 to 1"),
        ({"classes": ("cat",)}, "1 class"),
    ],
)
def test_columns_that_disagree_are_refused_in_one_line(change, words):
    data = toy()
    columns = {name: getattr(data, name) for name in ("samples", "labels", "index", "classes")}
    with pytest.raises(DatasetError, match=words) as caught:
        Dataset(**(columns | change))
    assert "\n" not in str(caught.value)


def test_no_rows_and_the_place_are_named():
    with pytest.raises(DatasetError, match="train split has no rows"):
        check_labels(torch.empty(0, dtype=torch.int64), ("a", "b"), "train split")


def test_subsets_keep_the_index():
    data = toy()
    assert data.take(torch.tensor([4, 1])).index.tolist() == [14, 11]
    assert data.take(data.labels == 1).index.tolist() == [11, 13, 15]
    assert data.slice(2, 4).index.tolist() == [12, 13]
    changed = data.replace(samples=255 - data.samples, labels=1 - data.labels)
    assert torch.equal(changed.index, data.index)
    assert (data.shape, len(data)) == ((3, 4, 4), 6)


def test_digest_sees_every_column_and_no_memory_layout():
    data = toy()
    packed = data.samples.contiguous(memory_format=torch.channels_last)
    assert data.replace(samples=packed, labels=data.labels).digest() == data.digest()
    pixel = data.samples.clone()
    pixel[3, 1, 2, 2] ^= 1
    others = [
        data.replace(samples=pixel, labels=data.labels),
        data.replace(samples=data.samples, labels=1 - data.labels),
        data.take(torch.arange(5)),
        Dataset(data.samples, data.labels, data.index + 1, data.classes),
        Dataset(data.samples, data.labels, data.index, ("dog", "cat")),
    ]
    assert len({data.digest(), *(other.digest() for other in others)}) == 6


@given(
    labels=st.lists(st.integers(0, 3), min_size=1, max_size=60),
    share=st.floats(0.01, 1),
    seed=st.integers(0, 9),
)
def test_stratified_subset_keeps_shares(labels, share, seed):
    column = torch.tensor(labels)
    n = max(1, int(share * len(labels)))
    rows = stratified_subset(column, n, torch.Generator().manual_seed(seed))
    again = stratified_subset(column, n, torch.Generator().manual_seed(seed))
    assert torch.equal(rows, again)
    assert len(rows.unique()) == len(rows) == n
    assert torch.equal(rows, rows.sort().values)
    for label in set(labels):
        expected = labels.count(label) * n / len(labels)
        assert abs(int((column[rows] == label).sum()) - expected) < 1


@pytest.mark.parametrize("n", [0, 7, -1])
def test_a_subset_larger_than_the_data_is_refused(n):
    with pytest.raises(DatasetError, match=f"a subset of {n} rows"):
        stratified_subset(toy().labels, n, torch.Generator())
