"""``datadeed watermark --method``: a published method on the owner's own data.

The secret file holds all that verification needs: the watermark's record, the marked rows, and the
digests of the data before and after.
"""

import argparse
import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from datadeed.cli.common import measure, open_data, passphrase, progress, say, show
from datadeed.cli.crafting import Work, craft, new_seed, surrogate, text_tools
from datadeed.cli.methods import build
from datadeed.cli.samples import Samples, open_samples, reading
from datadeed.errors import DatasetError, SecretError, WatermarkError

if TYPE_CHECKING:
    import torch

    from datadeed.keys.key import Extent
    from datadeed.owner.release.edits import Release
    from datadeed.owner.release.items import Items
    from datadeed.watermarks.base import Watermark

FORM = "datadeed/watermark/1"
MOST_MARKS = 500_000  # a secret file may have 16 MiB
_STRONGER = {
    "image": "raise --epsilon",
    "audio": "raise --epsilon",
    "text": "lower --similarity or raise --max-changes",
}
LIMITS = (
    "carries no commitment and gives no exact proof of ownership: for that, mark without --method"
)


@dataclass(frozen=True)
class _Marked:
    """A watermark on a dataset.

    Attributes:
        watermark: the method, crafted if it must be.
        samples: the rows, as the watermark sees them.
        positions: (M,) int64, ascending, the marked rows.
        extent: of the data before.
    """

    watermark: "Watermark"
    samples: Samples
    positions: "torch.Tensor"
    extent: "Extent"


def run(options: argparse.Namespace) -> int:
    """The command with one of :data:`datadeed.cli.methods.METHODS`, after ``settle``."""
    _check_places(options)
    data, split = open_data(options.source, options.split, modality=None, **reading(options))
    samples = open_samples(options, data, split)
    work = Work.of(options) if "work" in options.defaults[options.method] else None
    seed = work.seed if work else new_seed() if options.seed is None else options.seed
    made = _mark(options, data, samples, seed, work)
    secret = _secret(made, data, split, seed) | {"reading": reading(options)}
    done, released = _release(options, made, data, split, secret)
    if work is not None:
        work.remove()
    _tell(done, options.epsilon, data.modality)
    _show(options, made, data, done, released)
    return 0


def _show(
    options: argparse.Namespace, made: _Marked, data: "Items", done: "Release", released: "Extent"
) -> None:
    """The result."""
    facts, target = _facts(made), made.watermark.target
    value = {
        "out": str(options.out),
        "secret": str(options.secret),
        "method": options.method,
        "marked": len(made.positions),
        "rows": data.rows,
        "target": target,
        "facts": facts,
        "merkle_root": released.merkle_root,
        "limits": f"{options.method} {LIMITS}",
        **dataclasses.asdict(done),
    }
    text = f"{options.out}: {len(made.positions)} of {data.rows} rows are marked with "
    text += options.method if target is None else f"{options.method} for {data.classes[target]!r}"
    if "fooled" in facts:
        text += (
            f"\nthe perturbation misleads the surrogate on {facts['fooled']} of {facts['marks']} "
            f"marks; without it {facts['wrong_before']} were wrong"
        )
        if 2 * facts["wrong_before"] > facts["marks"]:
            say(
                "the surrogate does not know most marks even before they are perturbed: raise "
                "--surrogate-epochs, or name a better one"
            )
        elif 2 * facts["fooled"] < facts["marks"]:
            way = _STRONGER[data.modality]
            say(f"most marks do not mislead the surrogate, and will be weak: {way}")
    text += f"\nsecret {options.secret}: keep it, and a copy of it"
    show(options, value, f"{text}\n{value['limits']}")


def _facts(made: _Marked) -> dict[str, Any]:
    """What a clean-label crafting did; of other methods nothing is known."""
    from datadeed.watermarks.clean_label import CleanLabel

    return made.watermark.facts() if isinstance(made.watermark, CleanLabel) else {}


def _check_places(options: argparse.Namespace) -> None:
    """What would only fail in the end fails now."""
    from datadeed.keys.sealing import check_place

    for folder in (options.source, options.out):
        check_place(options.secret, folder)
    if options.secret.exists() and options.out.exists():
        raise SecretError(
            f"{options.secret} and {options.out} exist: keep them if the secret is of this copy, "
            "and name other places for another one"
        )
    if options.secret.exists():
        raise SecretError(
            f"{options.secret} exists: name another, or delete it if its copy was never finished"
        )
    if options.out.exists():
        raise DatasetError(f"{options.out} exists: remove it or name another place")


def _mark(
    options: argparse.Namespace, data: "Items", samples: Samples, seed: int, work: Work | None
) -> _Marked:
    """Build the watermark, craft it if it must be, and choose the rows."""
    import torch

    from datadeed.datasets.form.dataset import check_labels
    from datadeed.randomness import generator
    from datadeed.watermarks.crafted import Crafted

    labels = torch.from_numpy(np.asarray(data.labels, dtype=np.int64))
    check_labels(labels, data.classes, str(options.source))
    watermark = build(options, samples.form, labels, data.classes, seed, texts=samples.texts)
    needs_surrogate = isinstance(watermark, Crafted) and watermark.needs_surrogate
    # What cannot be had is missed before a surrogate is trained.
    tools = {"tools": text_tools()} if needs_surrogate and data.modality == "text" else {}
    extent, whole = samples.read(keep=work is not None)
    if work is not None:
        assert isinstance(watermark, Crafted)
        assert whole is not None
        root = extent.merkle_root
        used = surrogate(options, whole, root, work) if needs_surrogate else None
        craft(watermark, whole, root, used, work, **tools)
    positions = watermark.select(labels, generator(seed, "rows"))
    if len(positions) > MOST_MARKS:
        raise WatermarkError(
            f"{len(positions)} marked rows are more than a secret file holds: give a rate of at "
            f"most {MOST_MARKS / data.rows:.2g}"
        )
    return _Marked(watermark, samples, positions, extent)


def _secret(made: _Marked, data: "Items", split: str | None, seed: int) -> dict[str, Any]:
    """What the owner must keep, as far as it is known before the copy is written."""
    return {
        "form": FORM,
        "watermark": made.watermark.record(),
        "seed": seed,
        "split": split,
        "classes": list(data.classes),
        "data": dataclasses.asdict(made.extent),
        "marks": {
            "row": made.positions.tolist(),
            "label": data.labels[made.positions.numpy()].tolist(),
        },
    }


def _release(
    options: argparse.Namespace,
    made: _Marked,
    data: "Items",
    split: str | None,
    secret: dict[str, Any],
) -> "tuple[Release, Extent]":
    """Write the secret, the copy, and the secret again with what is known of the copy.

    The secret comes first: a copy without one could never be claimed. Without a copy it goes.
    """
    from datadeed.keys.sealing import write_secret
    from datadeed.owner.release.release import release
    from datadeed.randomness import derive_seed

    edit, labels = made.samples.edit(made.watermark, made.positions)
    write_secret(options.secret, secret, passphrase(), forbidden=options.out)
    try:
        with progress("write", data.rows) as advance:
            done = release(
                options.source,
                options.out,
                rows=made.positions.tolist(),
                edit=edit,
                generator=np.random.default_rng(derive_seed(secret["seed"], "file names")),
                split=split,
                on_rows=advance,
                **secret["reading"],
            )
    except BaseException:
        options.secret.unlink()
        raise
    copy, _ = open_data(options.out, split, modality=None, **secret["reading"])
    released = measure(copy, "check the copy")[0]
    secret["marks"]["released_label"] = labels
    secret["released"] = {
        **dataclasses.asdict(released),
        "max_difference": done.max_difference,
        "mark_difference": done.mark_difference,
    }
    write_secret(options.secret, secret, passphrase(), forbidden=options.out)
    return done, released


def _tell(done: "Release", epsilon: int | None, modality: str) -> None:
    """What a user should know of the copy."""
    if done.max_difference:
        bound = f"; the perturbation itself is at most {epsilon}" if epsilon else ""
        say(
            f"JPEG changed the marked pixels by {done.mark_difference:.1f} of 255 on average and "
            f"by {done.max_difference} at most{bound}: train a model on the copy and verify it "
            "before you release it"
        )
    if done.odd_rows and modality == "text":
        say(f"{len(done.odd_rows)} marked texts have quotes around them, unlike the file's others")
    elif done.odd_rows:
        say(f"{len(done.odd_rows)} marked images have other file headers than before")
    if done.listed_in:
        say(f"{', '.join(done.listed_in)}: names images whose label changed, and was copied as is")
