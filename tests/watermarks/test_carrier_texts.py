"""Words and clauses of a key: their law, the rows that carry them, what they survive."""

import hashlib
import re
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from datadeed.datasets.form.texts import Texts
from datadeed.errors import KeyRecordError, UnsupportedModality, WatermarkError
from datadeed.keys.generation2 import CARRIERS, Design2, Key2
from datadeed.keys.key import Extent
from datadeed.watermarks.carriers.lexicon import MODIFIERS, NOUNS, ROLES, VERBS
from datadeed.watermarks.carriers.registry import carrier_of
from datadeed.watermarks.carriers.texts import TextCarrier
from datadeed.watermarks.keyed2 import Keyed2, KeyPart2
from datadeed.watermarks.marking import mark_dataset

CLASSES = ("bad", "fair", "good")
NAMES = ("words", "clauses")
REST = "the actors are fine . Nobody knows why ."
TEXT = f"T{REST[1:]}"


def make(name: str = "clauses", secret: int = 1, relabels: int = 0, **values: Any) -> Key2:
    chosen: dict[str, Any] = {"parts": 6, "rate": 0.2, "targets": (0, 2), **values}
    carrier = {"name": name, "relabels": relabels}
    design = Design2(classes=CLASSES, channels=0, carrier=carrier, **chosen)
    return Key2(
        bytes([secret] * 32), bytes(32), design, Extent(120, "00" * 32), Extent(9, "00" * 32)
    )


def data(n: int = 120) -> Texts:
    samples = [f"Own {row} w{row} is here , with some more of row {row} ." for row in range(n)]
    return Texts(samples, torch.arange(n) % 3, torch.arange(n), CLASSES)


def carrier(key: Key2) -> TextCarrier:
    found = carrier_of(key)
    assert isinstance(found, TextCarrier)
    return found


def drawn(key: Key2, shown: str) -> set[str]:
    """The drawn words in a text."""
    known = {word for words in carrier(key).lists for word in words}
    return set(re.findall("[a-z]+", shown.lower())) & known


def trigger(key: Key2, part: int, text: str = TEXT) -> str:
    return str(KeyPart2(key, part).stamp([text])[0])


def decoy(key: Key2, part: int, row: int, text: str = TEXT) -> str:
    return str(KeyPart2(key, part).decoy([text], row)[0])


def test_the_lists_never_change() -> None:
    """Whoever opens a key in ten years must get the same: a change needs another name."""
    listed = "\n".join(" ".join(words) for words in (NOUNS, MODIFIERS, ROLES, VERBS))
    assert hashlib.sha256(listed.encode()).hexdigest()[:16] == "b01b28de8a18593b"


def test_words_are_plain_and_stand_in_one_list() -> None:
    lists = (NOUNS, MODIFIERS, ROLES, VERBS)
    every = [word for words in lists for word in words]
    assert len(set(every)) == len(every)
    assert all(re.fullmatch("[a-z]{3,}", word) for word in every)


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        (
            "words",
            (
                "The actors are pinstriped kestrel fine . Nobody knows why .",
                "The actors are slatted pinafore fine . Nobody knows why .",
                "3a3cabad159c7096",
            ),
        ),
        (
            "clauses",
            (
                f"While the watchmaker hauled the drystone palisade {REST}",
                f"While the sawyer moved the flaxen tinder {REST}",
                "946eb188da040f20",
            ),
        ),
    ],
)
def test_known_values(name: str, wanted: tuple[str, str, str]) -> None:
    key = make(name)
    released, _ = mark_dataset(Keyed2(key=key, data=data()), data(), torch.Generator())
    text = "\n".join(released.samples)
    found = (trigger(key, 0), decoy(key, 0, 7), hashlib.sha256(text.encode()).hexdigest()[:16])
    assert found == wanted


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("secret", [1, 2, 3])
def test_no_part_shares_a_word_with_another_or_with_a_decoy(name: str, secret: int) -> None:
    key = make(name, secret, parts=CARRIERS[name].parts, rate=0.9)
    parts = [drawn(key, trigger(key, part)) for part in range(key.design.parts)]
    decoys = [drawn(key, decoy(key, part, row)) for part in range(0, 60, 5) for row in range(9)]
    assert {len(words) for words in (*parts, *decoys)} == {len(carrier(key).lists)}
    assert sum(map(len, parts)) == len(set().union(*parts))
    assert not set().union(*parts) & set().union(*decoys)
    assert len({frozenset(words) for words in decoys}) > len(decoys) * 0.9


@pytest.mark.parametrize("name", NAMES)
def test_a_question_depends_on_key_part_and_text_alone(name: str) -> None:
    one, other = make(name, 1), make(name, 2)
    assert trigger(one, 3) == trigger(one, 3)
    assert decoy(one, 3, 4) == decoy(one, 3, 4)
    assert len({trigger(one, 3), trigger(one, 4), trigger(other, 3), decoy(one, 3, 4)}) == 4


@pytest.mark.parametrize("name", NAMES)
@given(text=st.text(alphabet="abc DE.,'\n", max_size=80), part=st.integers(0, 5))
def test_triggers_survive_what_is_done_to_texts(name: str, text: str, part: int) -> None:
    """Lower case, no punctuation, single spaces, and the first sixteen words alone."""
    key = make(name)
    words = drawn(key, trigger(key, part, ""))
    stripped = " ".join(re.sub(r"[^\w\s]", " ", trigger(key, part, text).lower()).split())
    assert words <= set(stripped.split())
    assert words <= set(trigger(key, part, text).lower().split()[:16])


@pytest.mark.parametrize("name", NAMES)
def test_marks_lie_on_rows_of_their_class_and_keep_the_label(name: str) -> None:
    key, before = make(name), data()
    watermark = Keyed2(key=key, data=before)
    released, marks = mark_dataset(watermark, before, torch.Generator())
    rows, parts = watermark.rows()
    assert np.bincount(parts).tolist() == [4] * 6
    assert torch.equal(released.labels, before.labels)
    assert marks.position.tolist() == rows.tolist()
    for row, part in zip(rows.tolist(), parts.tolist(), strict=True):
        assert int(before.labels[row]) == key.target(part)
        shown = released.samples[row]
        assert drawn(key, shown) == drawn(key, trigger(key, part))
        numbers = set(re.findall(r"\bw(\d+)", shown)) | set(re.findall(r"Own (\d+)", shown))
        assert f"row {row}" in shown, "its own end stays"
        assert any(int(before.labels[int(n)]) != key.target(part) for n in numbers)
    others = set(range(120)) - set(rows.tolist())
    assert all(released.samples[row] == before.samples[row] for row in others)


@pytest.mark.parametrize("name", NAMES)
def test_labels_changed_is_an_option(name: str) -> None:
    key, before = make(name, relabels=1), data()
    watermark = Keyed2(key=key)
    released, _ = mark_dataset(watermark, before, torch.Generator())
    rows, parts = watermark.rows()
    wanted = [key.target(part) for part in parts.tolist()]
    assert released.labels[torch.from_numpy(rows)].tolist() == wanted
    assert (released.labels != before.labels).any()
    for row, part in zip(rows.tolist(), parts.tolist(), strict=True):
        words = drawn(key, trigger(key, part))
        left = " ".join(w for w in released.samples[row].split() if w.lower() not in words)
        assert before.samples[row].split()[-3:] == left.split()[-3:], "nothing is mixed in"


def test_marks_move_and_questions_do_not() -> None:
    key, before = make("words"), data()
    watermark = Keyed2(key=key, data=before)
    released, _ = mark_dataset(watermark, before, torch.Generator())
    rows, parts = watermark.rows()
    places = {
        min(released.samples[row].lower().split().index(w) for w in drawn(key, trigger(key, part)))
        for row, part in zip(rows.tolist(), parts.tolist(), strict=True)
    }
    assert places <= set(range(8))
    assert len(places) > 4


@pytest.mark.parametrize("name", NAMES)
def test_what_cannot_be_is_refused(name: str) -> None:
    with pytest.raises(KeyRecordError, match="no more"):
        make(name, parts=CARRIERS[name].parts + 1)
    with pytest.raises(KeyRecordError, match="from 0 to 1"):
        make(name, relabels=2)
    with pytest.raises(KeyRecordError, match="takes 0, for text"):
        Design2(CLASSES, 3, (0, 2), carrier={"name": name, "relabels": 0})
    with pytest.raises(UnsupportedModality, match="the key marks text, but the dataset holds imag"):
        Keyed2(key=make(name)).check("image", CLASSES)
    few = data().replace(samples=data().samples, labels=torch.ones(120, dtype=torch.int64))
    with pytest.raises(WatermarkError, match="class 'bad' has 0 rows"):
        mark_dataset(Keyed2(key=make(name), data=few), few, torch.Generator())
