"""Hard pools: right samples of least margin, read back as they were, from data of any kind."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from datadeed.datasets.form.clips import Clips
from datadeed.datasets.form.texts import Texts
from datadeed.datasets.formats.clips import View
from datadeed.datasets.formats.registry import read
from datadeed.errors import DatasetError, VerificationError
from datadeed.owner.asking import CouldNotTest
from datadeed.owner.data import measure, open_data, open_pool
from datadeed.owner.hard_pool import hard_pool, least_pool
from datadeed.owner.pool import sample_digest
from datadeed.owner.samples import reader
from datadeed.owner.surrogate import PATIENCE
from datadeed.owner.suspects.base import Answer, failure, question_digest
from tests.conftest import toy
from tests.datasets.formats.wav_toys import wav_bytes
from tests.datasets.formats.writers import write

LEAST = 20  # of two classes
WRONG, FAILS = None, "fails"


class Told:
    """A surrogate that says to each row of a split what it was told to.

    Args:
        data: the split.
        margins: of each row; :data:`WRONG` and :data:`FAILS` are none.
        scored: whether it gives scores.
        view: of sound, what it hears.
    """

    name, protocol, endpoint, kind, declared = "told", "test", "here", "labels", {}
    at_once = 7

    def __init__(self, data: Any, margins: Any, *, scored: bool = True, view: View | None = None):
        self.classes, self.asked = data.classes, 0
        self.groups = tuple((number,) for number in range(len(data.classes)))
        read_one, self._said = reader(data, view), {}
        for item, margin in zip(data, margins, strict=True):
            answer = _answer(item.label, margin, len(data.classes), scored=scored)
            self._said.setdefault(question_digest(read_one(item)[0]), answer)

    def predict(self, samples: Any) -> list[Answer]:
        self.asked += len(samples)
        return [self._said[question_digest(sample)] for sample in samples]

    def fingerprint(self) -> str:
        return "0" * 64

    def close(self) -> None:
        raise AssertionError("a suspect that was given stays open")


def _answer(label: int, margin: Any, classes: int, *, scored: bool) -> Answer:
    other = (label + 1) % classes
    if margin == FAILS:
        return failure("busy")
    if margin is WRONG:
        return Answer((other, label), (0.9, 0.1)) if scored else Answer((other,), None)
    if not scored:
        return Answer((label,), None)
    return Answer((label, other), ((1 + margin) / 2, (1 - margin) / 2))


def same(pool: Path, source: Any, rows: list[int], **reading: Any) -> None:
    """The pool holds these rows of a split: samples, labels and classes, with their Merkle root."""
    data, _ = open_data(source, None, "test", **reading)
    found = open_pool(pool, **reading)
    assert found.classes == data.classes
    assert found.channels == data.channels
    items = {item.row: item for item in data}
    assert found.rows == len(rows)
    for item, row in zip(found, rows, strict=True):
        assert item.label == items[row].label
        assert type(item.sample) is type(items[row].sample)
        assert sample_digest(item.sample) == sample_digest(items[row].sample)
    if data.modality == "audio":
        forms = [(form.rate, form.kind) for form in found.forms]  # type: ignore[attr-defined]
        stated = data.forms  # type: ignore[attr-defined]
        assert forms == [(stated[row].rate, stated[row].kind) for row in rows]
    assert measure(found, "pool")[0].rows == len(rows)


# Sixty rows of two classes: some wrong, one without an answer, and margins in no order.
MARGINS = [WRONG if n % 10 == 4 else round(0.01 + (37 * n % 60) / 60, 4) for n in range(60)]
MARGINS[9] = FAILS
RIGHT = sorted((margin, n) for n, margin in enumerate(MARGINS) if margin not in (WRONG, FAILS))
HARD = sorted(n for _, n in RIGHT[: int(len(RIGHT) / 2)])


def images(root: Path, format: str) -> Path:
    """Sixty test images beside others that are marked."""
    made = root / {"npz": "data.npz", "imagefolder": "data", "huggingface": "data"}[format]
    for split, rows in (("train", 30), ("test", 60)):
        data = toy(rows, classes=2, shape=(3, 9, 11), seed=rows)
        write(data, made, format=format, split=split)
    return made


def pictures(root: Path) -> Path:
    """Images of several sizes, JPEG and PNG, most of them grey, in folders with empty classes."""
    draw = np.random.default_rng(0)
    for name in ("ant", "bee", "cow"):
        (root / "photos" / name).mkdir(parents=True)
    for n in range(60):
        pixels = draw.integers(0, 256, (8 + n % 3, 9, 3)).astype(np.uint8)
        picture = Image.fromarray(pixels[:, :, 0] if n % 3 else pixels)
        name = ("ant", "cow")[n // 30]
        picture.save(root / "photos" / name / f"{n:03}.{('jpg', 'png')[n % 2]}")
    return root / "photos"


def reviews(root: Path) -> tuple[Path, dict[str, Any]]:
    """A table in Latin-1 with a title, whose columns have unusual names."""
    path = root / "reviews.csv"
    with path.open("w", encoding="latin-1", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("head", "body", "kind"))
        for n in range(60):
            body = f'"Café" number {n},\nwell' if n % 7 else f"café {n}"
            writer.writerow((f"title {n}", body, ("good", "bad")[n % 2]))
    return path, {"text": ["head", "body"], "label": "kind", "encoding": "latin-1"}


def sounds(root: Path) -> Path:
    """WAV files of several kinds, in a folder for each class."""
    for n in range(60):
        draw, kind = np.random.default_rng(n), ("<i2", "<f4", "<i3")[n % 3]
        frames = draw.integers(-9000, 9000, (700 + n, 1 + n % 2))
        frames = (frames / 2**15).astype("<f4") if kind == "<f4" else frames.astype("<i4")
        file = root / "clips" / ("high", "low")[n // 30] / f"{n:03}.wav"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(wav_bytes(frames, kind, 8000))
    return root / "clips"


class TestPools:
    @pytest.mark.parametrize("format", ["npz", "imagefolder", "huggingface"])
    def test_images(self, tmp_path: Path, format: str) -> None:
        self._check(tmp_path, images(tmp_path, format))

    def test_images_in_columns_with_unusual_names(self, tmp_path: Path) -> None:
        file = images(tmp_path, "huggingface") / "test-00000-of-00001.parquet"
        table = pq.read_table(file)
        names = [("one", "two")[label] for label in table["label"].to_pylist()]
        path = tmp_path / "named.parquet"
        pq.write_table(pa.table({"scan": table["image"], "kind": names}), path)
        self._check(tmp_path, path, {"image": "scan", "label": "kind"})

    def test_images_of_several_sizes_of_which_grey_ones_are_taken(self, tmp_path: Path) -> None:
        source = pictures(tmp_path)
        surrogate = Told(open_data(source)[0], [0.5 if n % 3 else 0.9 for n in range(60)])
        made = hard_pool(surrogate, source, tmp_path / "pool.parquet", count=40)
        same(made.out, source, [n for n in range(60) if n % 3])

    def test_texts_in_columns_with_unusual_names(self, tmp_path: Path) -> None:
        self._check(tmp_path, *reviews(tmp_path))

    def test_sound(self, tmp_path: Path) -> None:
        view = View(8000, 0.05)
        self._check(tmp_path, sounds(tmp_path), {"classes": "folder"}, view=view)

    @pytest.mark.parametrize("kind", ["image", "text", "audio"])
    def test_data_in_memory(self, tmp_path: Path, kind: str) -> None:
        data: Any = toy(60, classes=2)
        columns = (data.labels, data.index, data.classes)
        if kind == "text":
            data = Texts([f"row {n}\r\n" for n in range(60)], *columns)
        if kind == "audio":
            clips = data.samples.reshape(60, -1)[:, :160].short() * 99
            data = Clips(clips, *columns, 8000)
        self._check(tmp_path, data, view=View(8000, 0.02) if kind == "audio" else None)

    def _check(
        self,
        root: Path,
        source: Any,
        reading: dict[str, Any] | None = None,
        view: View | None = None,
    ) -> None:
        """Half of the right ones, those of least margin; and again, the same bytes."""
        data, _ = open_data(source, None, "test", **(reading or {}))
        surrogate = Told(data, MARGINS, view=view)
        more: dict[str, Any] = {"seconds": view.seconds} if view else {}
        made = [
            hard_pool(surrogate, source, root / name, reading=reading, **more)
            for name in ("pool.parquet", "again.parquet")
        ]
        first = made[0]
        assert (first.asked, first.answered, first.right) == (60, 59, len(RIGHT))
        assert first.taken == len(HARD)
        assert first.margin == pytest.approx(RIGHT[len(HARD) - 1][0])
        same(first.out, source, HARD, **(reading or {}))
        assert made[0].out.read_bytes() == made[1].out.read_bytes()
        if not isinstance(source, Clips | Texts):
            assert surrogate.asked == 120


class TestChoice:
    def test_as_many_as_are_asked_for(self, tmp_path: Path) -> None:
        data = toy(60, classes=2)
        surrogate = Told(open_data(data)[0], MARGINS)
        made = hard_pool(surrogate, data, tmp_path / "pool.parquet", count=LEAST)
        assert read(made.out).index.tolist() == sorted(n for _, n in RIGHT[:LEAST])

    def test_few_right_ones_are_enough_if_a_key_can_do_with_them(self, tmp_path: Path) -> None:
        data = toy(60, classes=2)
        margins = [0.3 if n < LEAST + 4 else WRONG for n in range(60)]
        notes: list[str] = []
        surrogate = Told(open_data(data)[0], margins)
        made = hard_pool(surrogate, data, tmp_path / "pool.parquet", note=notes.append)
        assert made.taken == LEAST
        assert notes[0].startswith("the surrogate is right on 24 of 60 samples: if that is not")

    def test_labels_alone_give_all_right_ones_and_the_margin_is_unknown(
        self, tmp_path: Path
    ) -> None:
        data, notes = toy(60, classes=2), list[str]()
        surrogate = Told(open_data(data)[0], MARGINS, scored=False)
        made = hard_pool(surrogate, data, tmp_path / "pool.parquet", note=notes.append)
        assert (made.taken, made.right, made.margin) == (len(RIGHT), len(RIGHT), None)
        assert read(made.out).index.tolist() == sorted(n for _, n in RIGHT)
        assert notes[-1].startswith("the surrogate gives labels only: which images are hard")

    @pytest.mark.parametrize("scored", [True, False])
    def test_ties_go_by_the_samples_and_not_by_their_order(
        self, tmp_path: Path, scored: bool
    ) -> None:
        """So that of a folder the first class is not all that is taken; and the same each time."""
        data = toy(80, classes=2)
        data = data.take(data.labels.argsort(stable=True))
        pools = []
        for name, rows in (("one", range(80)), ("other", range(79, -1, -1))):
            turned = data.take(np.array(rows))  # type: ignore[arg-type]
            surrogate = Told(open_data(turned)[0], [0.5] * 80, scored=scored)
            made = hard_pool(surrogate, turned, tmp_path / f"{name}.parquet", count=30)
            pools.append({sample_digest(item.sample) for item in open_pool(made.out)})
            assert 5 < int(read(made.out).labels.sum()) < 25
        assert pools[0] == pools[1]

    def test_equal_samples_are_asked_about_and_taken_once(self, tmp_path: Path) -> None:
        data = toy(60, classes=2)
        data.samples[30:] = data.samples[:30]
        surrogate, notes = Told(open_data(data)[0], [0.5] * 60), list[str]()
        out = tmp_path / "pool.parquet"
        made = hard_pool(surrogate, data, out, count=30, note=notes.append)
        assert (made.asked, surrogate.asked, made.taken) == (30, 30, 30)
        assert notes == ["30 samples stand there before: each was asked about once"]

    def test_of_a_few_classes_those_not_given_count_as_nothing(self, tmp_path: Path) -> None:
        data = toy(60, classes=2)
        surrogate = Told(open_data(data)[0], [0.5] * 60)
        alone = Answer((int(data.labels[7]),), (0.4,))
        surrogate._said[question_digest(data.samples[7])] = alone
        made = hard_pool(surrogate, data, tmp_path / "pool.parquet", count=LEAST)
        assert made.margin == pytest.approx(0.5)
        assert 7 in read(made.out).index.tolist()


class TestRefused:
    """Nothing is written then."""

    def refused(self, root: Path, kind: type[Exception], message: str, **more: Any) -> Told:
        data = more.pop("data", None) or toy(60, classes=2)
        surrogate = Told(open_data(data)[0], more.pop("margins", [0.5] * len(data)))
        surrogate.groups = more.pop("groups", surrogate.groups)
        out = more.pop("out", root / "pool.parquet")
        before = set(root.iterdir())
        with pytest.raises(kind, match=message):
            hard_pool(surrogate, data, out, **more)
        assert set(root.iterdir()) == before
        return surrogate

    def test_a_place_that_is_taken_or_no_parquet(self, tmp_path: Path) -> None:
        taken = tmp_path / "taken.parquet"
        taken.write_text("mine")
        for out, message in ((taken, "exists: remove it"), (tmp_path / "p.npz", "end in .parquet")):
            assert self.refused(tmp_path, DatasetError, message, out=out).asked == 0
        assert taken.read_text() == "mine"

    def test_numbers_that_cannot_be(self, tmp_path: Path) -> None:
        assert least_pool(2) == LEAST
        for count, message in (
            (LEAST - 1, "count is 19, but a key for 2 classes needs a pool of 20"),
            (0, "count is 0, but a key for 2 classes"),
            (61, "the dataset has 60 samples and count is 61: name more"),
        ):
            assert self.refused(tmp_path, VerificationError, message, count=count).asked == 0
        data = toy(LEAST - 1, classes=2)
        message = "the dataset has 19 samples and a key needs 20"
        assert self.refused(tmp_path, VerificationError, message, data=data).asked == 0

    def test_a_surrogate_that_is_right_too_rarely(self, tmp_path: Path) -> None:
        few = [0.5] * (LEAST - 1) + [WRONG] * 41
        message = "right on 19 of 60 samples, and a key needs 20: name more samples, or a better"
        self.refused(tmp_path, VerificationError, message, margins=few)
        message = "right on 50 of 60 samples, and 51 were asked for: ask for 50 at most, or a bett"
        margins = [0.5] * 50 + [WRONG] * 10
        self.refused(tmp_path, VerificationError, message, margins=margins, count=51)

    def test_classes_that_the_surrogate_lacks_or_merges(self, tmp_path: Path) -> None:
        for groups, message in (
            (((0,),), r"told does not tell 1 of the 2 classes apart \('class 1' is the first\)"),
            (((0, 1),), r"told does not tell 2 of the 2 classes apart \('class 0' is the first\)"),
        ):
            assert self.refused(tmp_path, VerificationError, message, groups=groups).asked == 0

    def test_samples_of_one_class(self, tmp_path: Path) -> None:
        data = toy(60, classes=2)
        margins = [0.1 if label else 0.9 for label in data.labels.tolist()]
        message = "all 25 samples to take are of class 'class 1', and a pool needs two"
        self.refused(tmp_path, VerificationError, message, margins=margins, count=25)

    def test_a_surrogate_that_stops_answering(self, tmp_path: Path) -> None:
        margins = [0.5] * 20 + [FAILS] * 40
        message = "16 questions in a row got no answer, the last with 'busy': run again"
        surrogate = self.refused(tmp_path, CouldNotTest, message, margins=margins)
        assert surrogate.asked <= 20 + PATIENCE + surrogate.at_once
