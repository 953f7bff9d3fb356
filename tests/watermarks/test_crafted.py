import pytest
import torch

from datadeed.datasets.form.texts import Texts
from datadeed.errors import UnsupportedModality, WatermarkError
from datadeed.models.training.config import TrainingConfig
from datadeed.randomness import generator
from datadeed.watermarks.crafted import Crafted, Surrogate
from datadeed.watermarks.marking import mark_dataset


class Brighter(Crafted):
    """A crafted watermark without any crafting: the first candidates, ten levels brighter."""

    name = "brighter"

    def candidates(self, labels):
        return self._targets(labels)

    def _craft(self, work):
        rows = self.candidates(work.data.labels)[: self.marks(work.data.labels)]
        work.on_progress(len(rows), len(rows), "brighter", False)
        return rows, work.data.samples[rows] + 10

    def trigger(self, rows):
        return rows.samples

    def record(self):
        return {}


@pytest.fixture(scope="module")
def data(toy_dataset):
    return toy_dataset(61)


@pytest.fixture(scope="module")
def surrogate(tiny_model):
    return Surrogate(tiny_model(), TrainingConfig(epochs=1, lr=0.1))


def test_marking_puts_the_crafted_images_where_they_belong(data, surrogate):
    told, watermark = [], Brighter(rate=0.2, target=1)
    watermark.craft(data, surrogate, generator(1), on_progress=lambda *step: told.append(step))
    assert told == [(12, 12, "brighter", False)]
    before = data.digest()
    released, marks = mark_dataset(watermark, data, generator(5))
    assert data.digest() == before
    assert marks.position.tolist() == list(range(1, 37, 3))  # floor(0.2 * 61) rows with label 1
    assert torch.equal(marks.label, marks.released_label)
    assert torch.equal(released.labels, data.labels)
    change = released.samples.int() - data.samples.int()
    assert bool((change[marks.position] == 10).all())
    change[marks.position] = 0
    assert not bool(change.any())
    assert watermark.last_surrogate is None


def test_nothing_crafted_yet(data):
    with pytest.raises(WatermarkError, match="craft them against a surrogate first") as caught:
        mark_dataset(Brighter(rate=0.2, target=1), data, generator(1))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("rate", "words"),
    [
        (0.01, r"rate 0.01 of 61 rows marks no row: give a rate of at least 0.016"),
        (0.5, r"0.5 of 61 rows is 30, but only 20 rows .* at most 0.3279"),
    ],
)
def test_too_few_and_too_many_marks(data, surrogate, rate, words):
    with pytest.raises(WatermarkError, match=words) as caught:
        Brighter(rate=rate, target=1).craft(data, surrogate, generator(1))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("rate", "count"), [(20 / 61, 20), (1 / 61, 1), (0.1, 6), (0.3, 18)])
def test_the_share_is_exact(data, rate, count):
    """Also where the product of rate and rows comes out a hair below a whole number."""
    assert Brighter(rate=rate, target=1).marks(data.labels) == count


class TestRefusals:
    """Each before anything is computed."""

    def refused(self, data, surrogate, words, error=WatermarkError, target=1):
        watermark = Brighter(rate=0.2, target=target)
        watermark._craft = None
        with pytest.raises(error, match=words) as caught:
            watermark.craft(data, surrogate, generator(1))
        assert "\n" not in str(caught.value)

    def test_no_surrogate(self, data):
        self.refused(data, None, "brighter is crafted against a surrogate model, but none was")

    @pytest.mark.parametrize("shape", [(1, 8, 8), (3, 16, 16), (3, 8, 16)])
    def test_a_surrogate_for_images_of_another_shape(self, data, tiny_model, shape):
        other = Surrogate(tiny_model(shape=shape), TrainingConfig(epochs=1, lr=0.1))
        words = rf"samples of \({shape[0]}, {shape[1]}, {shape[2]}\) and 3 classes, but .* and 3: "
        self.refused(data, other, words)

    def test_a_surrogate_for_another_number_of_classes(self, data, tiny_model):
        other = Surrogate(tiny_model(classes=4), TrainingConfig(epochs=1, lr=0.1))
        self.refused(data, other, r"\(3, 8, 8\) and 4 classes, but the data are \(3, 8, 8\) and 3")

    def test_a_target_that_does_not_exist(self, data, surrogate):
        self.refused(data, surrogate, "target label 3 does not exist", target=3)

    def test_text(self, data, surrogate):
        text = Texts(["a"] * len(data), data.labels, data.index, data.classes)
        self.refused(text, surrogate, "brighter marks images", UnsupportedModality)
