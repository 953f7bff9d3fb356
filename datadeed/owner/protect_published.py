"""Protecting a dataset with a published method: a marked copy, and the secret to verify it with.

The secret file holds all that verification needs: the watermark's record, the marked rows, and the
digests of the data before and after.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from datadeed.datasets.form.dataset import Dataset, check_labels
from datadeed.errors import SecretError, WatermarkError
from datadeed.keys.key import Extent
from datadeed.keys.sealing import check_place
from datadeed.language.rare_words import draw_word, words_of
from datadeed.owner.data import Note, Progress, check_images, open_data, silent, unheard
from datadeed.owner.protect_crafting import SurrogateChoice, Work, device, new_seed
from datadeed.owner.protect_notes import advise, read_as, warn
from datadeed.owner.protect_samples import Original, Samples, open_samples
from datadeed.owner.protect_secret import Secret, secret_value, write_copy
from datadeed.owner.release.edits import NEUTRAL, Manner, Release
from datadeed.owner.release.release import check_places, check_readable
from datadeed.randomness import generator
from datadeed.watermarks.base import Watermark
from datadeed.watermarks.crafted import Crafted, OnProgress
from datadeed.watermarks.registry import watermark_class

MOST_MARKS = 500_000  # a secret file may have 16 MiB
LIMITS = (
    "carries no commitment and gives no exact proof of ownership: for that, mark without --method"
)
_STRONGER = {
    "image": "raise --epsilon",
    "audio": "raise --epsilon",
    "text": "lower --similarity or raise --max-changes",
}


@dataclass(frozen=True)
class Marked:
    """A marked copy of a dataset.

    Attributes:
        out: the copy.
        secret: the file to keep.
        watermark: the method, as its secret record describes it.
        positions: (M,) int64, ascending, the marked rows of the source.
        rows, classes: of the dataset.
        facts: what a crafting did (:meth:`datadeed.watermarks.crafted.Crafted.facts`).
        merkle_root: of the copy.
        release: what of the marks can be seen or was lost.
    """

    out: Path
    secret: Path
    watermark: Watermark
    positions: torch.Tensor
    rows: int
    classes: tuple[str, ...]
    facts: dict[str, Any]
    merkle_root: str
    release: Release

    @property
    def limits(self) -> str:
        """What the copy does not prove."""
        return f"{self.watermark.name} {LIMITS}"


def protect_published(
    method: str,
    source: str | Path,
    out: str | Path,
    secret: str | Path,
    values: Mapping[str, Any] | None = None,
    *,
    split: str | None = None,
    seed: int | None = None,
    surrogate: SurrogateChoice | None = None,
    work: str | Path | None = None,
    seconds: float = 1.0,
    reading: dict[str, Any] | None = None,
    manner: Manner = NEUTRAL,
    passphrase: str | None = None,
    progress: Progress = silent,
    note: Note = unheard,
    on_step: OnProgress = lambda done, total, note, resumed: None,
) -> Marked:
    """Write a marked copy of a dataset in its own format, with a published method.

    Killed while it crafts, the same call goes on. Without a copy there is no secret file.

    Args:
        method: a name of :data:`datadeed.watermarks.names.WATERMARKS`, not keyed.
        source: a dataset on disk in any format.
        out: where the copy goes; nothing may be there.
        secret: the file to make; keep it, and a copy of it, outside the release.
        values: the method's, where they are to be others than its defaults
            (:meth:`datadeed.watermarks.base.Watermark.for_data`).
        split: the split to mark, where there are several (train).
        seed: of every draw; from the operating system if None.
        surrogate: what a method is crafted against, if it needs that; None trains one.
        work: a folder for the state of the crafting; beside the secret if None.
        seconds: of sound, how much of each file a model hears.
        reading: what only the source's format knows.
        manner: what is done so that marked rows do not stand out.
        passphrase: seals the secret file and the seed in the state.
        progress: is told of every row.
        note: takes what the owner should know.
        on_step: is told of the crafting: steps done and in all, a note, whether they were done
            before.

    Raises:
        SecretError: a place is unfit, or something is there.
        DatasetError: the data cannot be read, its images cannot be written again, or the copy
            exists.
        UnsupportedModality: the method marks samples of another kind.
        WatermarkError: a value makes no sense for the data.
        CheckpointError: the state is damaged, or of another crafting.
        ModelError: the surrogate cannot be read.
    """
    source, out, secret = Path(source), Path(out), Path(secret)
    _check_places(source, out, secret)
    reading, own = reading or {}, dict(values or {})
    data, split = open_data(source, split, modality=None, **reading)
    check_images(data, note)
    original = Original(source, data, split, reading, method, progress, note)
    samples = open_samples(original, seconds=seconds, word=own.get("word"))
    state = None
    if watermark_class(method).crafted:
        folder = Path(work) if work else secret.with_name(f"{secret.name}.work")
        state = Work.open(folder, seed, forbidden=(source, out), passphrase=passphrase)
        seed = state.seed
    seed = new_seed() if seed is None else seed
    labels = torch.from_numpy(np.asarray(data.labels, dtype=np.int64))
    check_labels(labels, data.classes, str(source))
    watermark = _build(original, samples, labels, seed, own)
    choice = surrogate or SurrogateChoice()
    extent = _craft(watermark, samples, original, state=state, choice=choice, on_step=on_step)
    positions = watermark.select(labels, generator(seed, "rows"))
    if len(positions) > MOST_MARKS:
        raise WatermarkError(
            f"{len(positions)} marked rows are more than a secret file holds: give a rate of at "
            f"most {MOST_MARKS / data.rows:.2g}"
        )
    kept = Secret(secret, passphrase, secret_value(watermark, positions, original, seed, extent))
    read_as(data, source, split, note)
    if not isinstance(watermark, Crafted):
        warn(data, manner, note, instead="choose a method that changes no label")
    done, released = write_copy(out, kept, samples, watermark, positions, manner=manner)
    if state is not None:
        state.remove()
    facts = watermark.facts() if isinstance(watermark, Crafted) else {}
    bound = getattr(watermark, "epsilon", None)
    advise(done, note, modality=data.modality, bound=bound)
    _advise(watermark, facts, note)
    root = released.merkle_root
    return Marked(out, secret, watermark, positions, data.rows, data.classes, facts, root, done)


def _check_places(source: Path, out: Path, secret: Path) -> None:
    """What would only fail in the end fails now."""
    for folder in (source, out):
        check_place(secret, folder)
    if secret.exists() and out.exists():
        raise SecretError(
            f"{secret} and {out} exist: keep them if the secret is of this copy, and name other "
            "places for another one"
        )
    if secret.exists():
        raise SecretError(
            f"{secret} exists: name another, or delete it if its copy was never finished"
        )
    check_readable(source, out)
    check_places(source, out)


def _build(
    original: Original, samples: Samples, labels: torch.Tensor, seed: int, own: dict[str, Any]
) -> Watermark:
    """The watermark; what can be checked before an hour of crafting is checked."""
    kind, classes = watermark_class(original.method), original.data.classes
    if original.method == "ubw-c":
        own = {"sources": len(labels), **own}  # the whole source class
    if samples.texts and not own.get("style"):
        own = own | {"word": _word(own.get("word"), samples.texts, seed, original.note)}
    watermark = kind.for_data(samples.form, classes, seed, **own)
    if isinstance(watermark, Crafted):
        watermark.marks(labels)
    source = getattr(watermark, "source", None)
    if source is not None and not bool((labels == source).any()):
        raise WatermarkError(f"no row has the source class {source}: choose one that occurs")
    if samples.form.modality == "image":
        zero = torch.zeros(1, dtype=torch.int64)
        blank = torch.zeros(1, *samples.form.shape, dtype=torch.uint8)
        watermark.trigger(Dataset(blank, zero, zero, classes))
    return watermark


def _word(word: str | None, texts: tuple[str, ...], seed: int, note: Note) -> str:
    """The trigger word; one is drawn from those in none of the texts unless it was chosen."""
    if word is None:
        return draw_word(seed, texts)
    if there := sum(word.casefold() in words_of(text) for text in texts):
        note(
            f"{there} of {len(texts)} texts have the word {word!r} already: a model may react to "
            "it without any mark; a rarer one proves more"
        )
    return word


def _craft(
    watermark: Watermark,
    samples: Samples,
    original: Original,
    *,
    state: Work | None,
    choice: SurrogateChoice,
    on_step: OnProgress,
) -> Extent:
    """Craft the watermark if it must be; the data's extent."""
    if state is None:
        return samples.read(keep=False)[0]
    assert isinstance(watermark, Crafted)
    if watermark.needs_surrogate:  # what cannot be had is missed before a surrogate is trained
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "datadeed"
        watermark.load_tools(cache, device())
    extent, whole = samples.read(keep=True)
    assert whole is not None
    surrogate = None
    if watermark.needs_surrogate:
        surrogate = choice.get(whole, state, progress=original.progress, note=original.note)
    state.craft(watermark, whole, surrogate, on_step)
    return extent


def _advise(watermark: Watermark, facts: dict[str, Any], note: Note) -> None:
    """What the owner should know of the marks."""
    if 2 * facts.get("wrong_before", 0) > facts.get("marks", 0):
        note(
            "the surrogate does not know most marks even before they are perturbed: raise "
            "--surrogate-epochs, or name a better one"
        )
    elif "fooled" in facts and 2 * facts["fooled"] < facts["marks"]:
        way = _STRONGER[watermark.modality]
        note(f"most marks do not mislead the surrogate, and will be weak: {way}")
