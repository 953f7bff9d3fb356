"""Hard pools: right and of least margin, judged by a model that was not trained on them."""

import numpy as np
import pytest
import torch

from datadeed.datasets.formats.registry import read
from datadeed.errors import DatasetError, UnsupportedModality
from datadeed.owner import hard_pool as module
from datadeed.owner.hard_pool import hard_pool, hardest, margin
from tests.cli.world import run
from tests.conftest import toy
from tests.datasets.formats.writers import write


class Said:
    """A model that says the same of every image: what its first pixel names."""

    def __init__(self, table: torch.Tensor):
        self.table = table

    def predict(self, images: torch.Tensor) -> torch.Tensor:
        return self.table[images[:, 0, 0, 0].long()]


def test_the_margin_is_that_of_the_true_class() -> None:
    data = toy(3, classes=3, shape=(1, 8, 8))
    data.samples[:, 0, 0, 0] = torch.arange(3)
    data.labels[:] = torch.tensor([0, 1, 2])
    model = Said(torch.tensor([[0.5, 0.3, 0.2], [0.1, 0.3, 0.6], [0.1, 0.0, 0.9]]))
    found = margin(model, data, batch=2)  # type: ignore[arg-type]
    assert found.tolist() == pytest.approx([0.2, -0.3, 0.8])


def test_the_least_margins_above_nothing_are_chosen() -> None:
    margins = torch.tensor([0.5, -0.1, 0.2, 0.0, 0.9, 0.1])
    assert hardest(margins, 2).tolist() == [2, 5]
    assert hardest(margins).tolist() == [0, 2, 4, 5]
    many = torch.linspace(-1, 1, 5000, dtype=torch.float64)
    assert hardest(many).tolist() == list(range(2500, 3500))
    assert len(hardest(many[2000:3100])) == 400
    for size in (5, 0):
        with pytest.raises(DatasetError, match="ask for fewer"):
            hardest(margins, size)


@pytest.fixture
def source(tmp_path):
    made = tmp_path / "data.npz"
    for n, (split, rows) in enumerate((("train", 400), ("test", 60))):
        data = toy(rows, classes=3, shape=(3, 12, 12), seed=n)
        data.samples[:] = data.samples // 4 + 60 * data.labels.view(-1, 1, 1, 1).to(torch.uint8)
        write(data, made, format="npz", split=split)
    return made


def test_a_pool_is_part_of_the_test_split(source, tmp_path) -> None:
    notes = []
    made = hard_pool(source, tmp_path / "pool.npz", size=20, epochs=3, note=notes.append)
    pool, test = read(made.out), read(source, split="test")
    assert (made.images, made.tested, len(pool)) == (20, 60, 20)
    assert torch.equal(pool.samples, test.samples[pool.index])
    assert torch.equal(pool.labels, test.labels[pool.index])
    assert pool.classes == test.classes
    assert 0 < made.margin <= 1
    assert notes == [f"surrogate: right on {made.right} of 60 images that it was not trained on"]
    again = hard_pool(source, tmp_path / "again.npz", size=20, epochs=3)
    assert np.array_equal(read(again.out).index, pool.index)
    with pytest.raises(DatasetError, match="name a new file that does"):
        hard_pool(source, made.out)


def test_without_a_test_split_no_image_is_judged_by_a_model_of_it(monkeypatch, source) -> None:
    data, trained, judged = read(source, split="train"), [], []

    def surrogate(rows, *_):
        trained.append(set(rows.index.tolist()))

    def margins(model, images):
        judged.append(set(images.index.tolist()))
        return torch.ones(len(images), dtype=torch.float64)

    monkeypatch.setattr(module, "_surrogate", surrogate)
    monkeypatch.setattr(module, "margin", margins)
    made = hard_pool(data, source.with_name("pool.npz"), size=30)
    assert (made.tested, made.images) == (400, 30)
    assert set().union(*judged) == set(range(400))
    assert not any(one & other for one, other in zip(trained, judged, strict=True))
    assert [len(each) for each in judged] == [200, 200]


def test_other_images_than_the_data_s_are_refused(source, tmp_path) -> None:
    with pytest.raises(UnsupportedModality, match="like those of the data"):
        hard_pool(source, tmp_path / "out.npz", pool=toy(9, classes=3, shape=(3, 14, 12)))


def test_the_command_s_pool_can_be_committed_to(source, tmp_path) -> None:
    done = run("pool", source, "--out", tmp_path / "pool.npz", "--size", 50, "--epochs", 3)
    assert done.code == 0, done.err
    assert "50 of 60 images, the hardest of" in done.out
    line = ("commit", source, "--key", tmp_path / "safe/key.json", "--parts", 16)
    assert run(*line, "--pool", tmp_path / "pool.npz").code == 0
