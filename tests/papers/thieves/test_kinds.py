"""Kinds of thieves on a small league: what is built, from what, and how often."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch

from datadeed.thieves.cleaning.registry import CLEANERS, build_cleaner
from datadeed.thieves.practice.recipe import Recipe
from papers.thieves.corpus import Corpus
from papers.thieves.entries import Entry
from papers.thieves.kinds import cleaning, extraction, repair, serving
from papers.thieves.league import Panel, row_of
from papers.thieves.setting import Setting
from tests.papers.thieves.small import SmallLab

Entries = Callable[[Setting], Iterator[Entry]]
KINDS: dict[str, Entries] = {
    "serving": serving.entries,
    "extraction": extraction.entries,
    "repair": repair.entries,
    "cleaning": cleaning.entries,
}

PUBLIC = [name for name in CLEANERS if "image" in build_cleaner(name).modalities]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return Corpus(SmallLab(tmp_path_factory.mktemp("league")), "waves")  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def setting(corpus: Corpus) -> Setting:
    made = Setting(corpus, "patch", 1)
    made.plain_thief()
    return made


def named(entries: Entries, setting: Setting) -> dict[str, Entry]:
    found = list(entries(setting))
    made = {entry.thief: entry for entry in found}
    assert len(made) == len(found)
    return made


def digest(model: torch.nn.Module) -> bytes:
    return b"".join(v.contiguous().numpy().tobytes() for v in model.state_dict().values())


@pytest.mark.parametrize("kind", KINDS)
def test_entries_say_their_kind_and_nothing_is_made_before_it_is_asked_for(
    kind: str, setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("made too early")

    monkeypatch.setattr(Setting, "train", never)
    monkeypatch.setattr(Setting, "keep", never)
    monkeypatch.setattr(cleaning, "scores", never)
    assert {entry.kind for entry in named(KINDS[kind], setting).values()} == {kind}


@pytest.mark.parametrize("name", serving.TRICKS)
def test_every_trick_serves_the_plain_thief_and_draws_the_same_again(
    name: str, setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Recipe, "train", None)  # the thief's model is there
    first, second = (named(serving.entries, setting)[name].build().endpoint for _ in range(2))
    assert first is not None
    assert second is not None
    images = setting.test.samples
    assert first.answers(images) == second.answers(images)
    assert first.groups == [[0], [1], [2]]


def test_a_refusing_server_fails_on_questions(setting: Setting) -> None:
    entry = named(serving.entries, setting)["refuses patches"]
    row = row_of(setting, entry, Panel(setting))
    assert row["success"] == 0
    assert row["findings"] == 1
    assert row["verdict_labels"] == row["verdict_scores"] == "INCONCLUSIVE"


@pytest.mark.parametrize("where", ["the release", "other data"])
def test_students_of_labels_learn_what_the_thief_said(
    where: str, setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []

    def train(self: Setting, data: Any, recipe: Recipe, name: str) -> Any:
        seen.append(data)
        return thief

    thief = setting.plain_thief()
    monkeypatch.setattr(Setting, "train", train)
    monkeypatch.setattr(Setting, "plain_thief", lambda self: thief)
    named(extraction.entries, setting)[f"student of labels, on {where}"].build()
    (data,) = seen
    source = setting.released if where == "the release" else setting.other.slice(0, 160)
    assert torch.equal(data.samples, source.samples)
    assert torch.equal(data.labels, thief.predict(source.samples).argmax(1))


def test_students_of_probabilities_are_made_once(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained: list[int] = []
    real = extraction.train_on_answers

    def count(*words: Any, **named_words: Any) -> Any:
        trained.append(len(words[1]))
        return real(*words, **named_words)

    monkeypatch.setattr(extraction, "train_on_answers", count)
    for _ in range(2):
        for where in ("the release", "other data"):
            name = f"student of probabilities, on {where}"
            stolen = named(extraction.entries, setting)[name].build()
            assert stolen.endpoint is not None
            assert 0 <= setting.accuracy(stolen.endpoint) <= 1
    assert trained == [160, 160]


def test_trusted_data_are_clean_and_unseen_and_of_every_class(setting: Setting) -> None:
    few, more = (repair.trusted(setting, share) for share in (0.1, 0.2))
    assert (len(few), len(more)) == (16, 32)
    assert not set(few.index.tolist()) & set(setting.released.index.tolist())
    assert few.labels.unique().tolist() == [0, 1, 2]
    least = repair.trusted(setting, 0.01)  # 2 of 160 rows
    assert torch.bincount(least.labels).min() >= 4


def test_every_repair_is_tried_with_each_amount_and_some_are_trained_on(setting: Setting) -> None:
    assert list(named(repair.entries, setting)) == [
        "fine-tuning, 10 % trusted",
        "pivotal-tuning, 10 % trusted",
        "slow, 10 % trusted",
        "fine-tuning, 20 % trusted",
        "pivotal-tuning, 20 % trusted",
        "slow, 20 % trusted",
        "fine-tuning, 10 % trusted, then trained on the release",
        "fine-tuning, 10 % trusted, then trained on clean data",
    ]


def test_repairs_change_the_thiefs_model_and_are_made_once(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = digest(setting.plain_thief())
    models = {
        (method, share): digest(repair.repaired(setting, method, share))
        for method in ("fine-tuning", "pivotal-tuning")
        for share in (0.1, 0.2)
    }
    assert len({before, *models.values()}) == 5
    assert digest(setting.plain_thief()) == before
    monkeypatch.setattr(repair, "repair", None)
    assert digest(repair.repaired(setting, "fine-tuning", 0.1)) == models["fine-tuning", 0.1]


def test_a_repaired_model_is_trained_on_from_where_it_is(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = digest(repair.repaired(setting, "fine-tuning", 0.1))
    seen: list[tuple[Any, Any, Any]] = []
    real = Setting.train

    def train(self: Setting, data: Any, recipe: Recipe, name: str, *, start: Any = None) -> Any:
        if start is not None:
            seen.append((data, recipe, digest(start)))
        return real(self, data, recipe, name, start=start)

    monkeypatch.setattr(Setting, "train", train)
    for where in ("the release", "clean data"):
        stolen = repair.relearnt(setting, "fine-tuning", where)
        assert stolen.endpoint is not None
    (marked, recipe, first), (clean, _, second) = seen
    assert first == second == start
    assert (recipe.epochs, recipe.lr) == (1, 0.02)
    assert torch.equal(marked.samples, setting.released.samples)
    assert not set(clean.index.tolist()) & set(setting.released.index.tolist())


def test_searches_find_what_they_can_and_keep_their_scores(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    entries = named(cleaning.entries, setting)
    assert list(entries)[: len(PUBLIC)] == PUBLIC
    found = {name: entries[name].build() for name in cleaning.searches(setting)}
    assert all(stolen.endpoint is None for stolen in found.values())
    assert all(0 <= (stolen.recall or 0) <= 1 for stolen in found.values())
    assert (found["patches"].recall or 0) > 0.9  # knows the carrier's form
    monkeypatch.setattr(cleaning, "cleaner", None)
    again = entries["patches"].build()
    assert again.recall == found["patches"].recall


def test_what_the_best_public_cleaner_flags_is_dropped(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    rank = {name: n for n, name in enumerate(PUBLIC)}
    marked = np.zeros(160, dtype=bool)
    marked[setting.marks.numpy()] = True

    def scores(_: Setting, name: str) -> np.ndarray:
        """The later a cleaner's name comes, the more marks it finds; the detector finds none."""
        hit = np.flatnonzero(marked)[: rank.get(name, 0)]
        made = np.zeros(160)
        made[np.flatnonzero(~marked)[:16]] = 1
        made[hit] = 2
        return made

    monkeypatch.setattr(cleaning, "scores", scores)
    stolen = named(cleaning.entries, setting)["best public cleaner, flagged rows dropped"].build()
    last = max(rank.values())
    assert stolen.recall == last / len(setting.marks)
    assert stolen.precision == last / 16
    assert stolen.endpoint is not None
    assert 0 <= setting.accuracy(stolen.endpoint) <= 1


def test_a_model_of_what_is_left_never_sees_flagged_rows(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []
    thief = setting.plain_thief()

    def train(self: Setting, data: Any, recipe: Recipe, name: str) -> Any:
        seen.append(data)
        return thief

    monkeypatch.setattr(Setting, "train", train)
    monkeypatch.setattr(cleaning, "scores", lambda *_: np.arange(160.0))
    cleaning.cleaned(setting, cleaning.OWN)
    assert torch.equal(seen[0].index, setting.released.index[:144])


def test_the_detectors_learn_the_owners_carrier_or_the_others(corpus: Corpus) -> None:
    for carrier, other in (("patch", "mosaic"), ("mosaic", "patch")):
        made = Setting(corpus, carrier, 1)
        carriers = made.lab.params("carriers")
        own, others = (cleaning.cleaner(made, name) for name in (cleaning.OWN, cleaning.OTHERS))
        assert own.marks.carriers == [carriers[carrier]]  # type: ignore[attr-defined]
        assert others.marks.carriers == [carriers[other]]  # type: ignore[attr-defined]


def test_a_search_alone_has_a_row_without_a_verdict(setting: Setting) -> None:
    entry = named(cleaning.entries, setting)["fft-peaks"]
    row = row_of(setting, entry, Panel(setting))
    assert row["recall"] is not None
    assert "accuracy" not in row
    assert "verdict_labels" not in row
