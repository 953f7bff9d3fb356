"""``datadeed watermark --method``: a published method on the owner's own data.

The secret file holds all that verification needs: the watermark's record, the marked rows, and the
digests of the data before and after.
"""

import argparse
import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from datadeed.cli.common import measure, open_data, passphrase, progress, say, show, to_tensor
from datadeed.cli.crafting import Work, craft, new_seed, surrogate
from datadeed.cli.methods import build
from datadeed.errors import DatasetError, SecretError, WatermarkError

if TYPE_CHECKING:
    import torch

    from datadeed.datasets.release.edits import Edit, Release
    from datadeed.datasets.release.items import Items
    from datadeed.keys import Extent
    from datadeed.watermarks import Watermark

FORM = "datadeed/watermark/1"
MOST_MARKS = 500_000  # a secret file may have 16 MiB
LIMITS = (
    "carries no commitment and gives no exact proof of ownership: for that, mark without --method"
)


@dataclass(frozen=True)
class _Marked:
    """A watermark on a dataset.

    Attributes:
        watermark: the method, crafted if it must be.
        positions: (M,) int64, ascending, the marked rows.
        extent: of the data before.
    """

    watermark: "Watermark"
    positions: "torch.Tensor"
    extent: "Extent"


def run(options: argparse.Namespace) -> int:
    """The command with one of :data:`datadeed.cli.methods.METHODS`, after ``settle``."""
    _check_places(options)
    data, split = open_data(options.source, options.split)
    work = Work.of(options) if "work" in options.defaults[options.method] else None
    seed = work.seed if work else new_seed() if options.seed is None else options.seed
    made = _mark(options, data, seed, work)
    secret = _secret(made, data, split, seed)
    done, released = _release(options, made, data, split, secret)
    if work is not None:
        work.remove()
    _tell(done, options.epsilon)
    marked = f"{len(made.positions)} of {data.rows} rows are marked with {options.method}"
    value = {
        "out": str(options.out),
        "secret": str(options.secret),
        "method": options.method,
        "marked": len(made.positions),
        "rows": data.rows,
        "merkle_root": released.merkle_root,
        "limits": f"{options.method} {LIMITS}",
        **dataclasses.asdict(done),
    }
    text = f"{options.out}: {marked}\nsecret {options.secret}: keep it, and a copy of it"
    show(options, value, f"{text}\n{value['limits']}")
    return 0


def _check_places(options: argparse.Namespace) -> None:
    """What would only fail in the end fails now."""
    from datadeed.sealing import check_place

    for folder in (options.source, options.out):
        check_place(options.secret, folder)
    if options.secret.exists():
        raise SecretError(
            f"{options.secret} exists: name another, or delete it if its copy was never finished"
        )
    if options.out.exists():
        raise DatasetError(f"{options.out} exists: remove it or name another place")


def _mark(options: argparse.Namespace, data: "Items", seed: int, work: Work | None) -> _Marked:
    """Build the watermark, craft it if it must be, and choose the rows."""
    import torch

    from datadeed.datasets import Dataset
    from datadeed.datasets.dataset import check_labels
    from datadeed.randomness import generator
    from datadeed.watermarks.crafted import Crafted

    labels = torch.from_numpy(np.asarray(data.labels, dtype=np.int64))
    check_labels(labels, data.classes, str(options.source))
    height, width, channels = size = next(iter(data)).pixels.shape
    watermark = build(options, (channels, height, width), labels, data.classes, seed)
    pixels = None if work is None else np.empty((data.rows, *size), dtype=np.uint8)
    extent = measure(_of_one_size(data, size, options.method, pixels), "data")[0]
    if work is not None:
        assert isinstance(watermark, Crafted)
        assert pixels is not None
        samples = torch.from_numpy(pixels).permute(0, 3, 1, 2)
        whole = Dataset(samples, labels, torch.arange(data.rows), data.classes)
        used = surrogate(options, whole, extent.merkle_root, work)
        craft(watermark, whole, extent.merkle_root, used, work)
    positions = watermark.select(labels, generator(seed, "rows"))
    if len(positions) > MOST_MARKS:
        raise WatermarkError(
            f"{len(positions)} marked rows are more than a secret file holds: give a rate of at "
            f"most {MOST_MARKS / data.rows:.2g}"
        )
    return _Marked(watermark, positions, extent)


def _of_one_size(
    data: "Items", size: tuple[int, ...], method: str, into: np.ndarray | None
) -> "Items":
    """The same items, checked as they are read.

    Args:
        data: the items.
        size: (H, W, C) that each must have.
        method: for the error.
        into: (N, H, W, C) uint8, filled with all pixels; None where they are not needed.

    Raises:
        WatermarkError: while iterating: an image has another size.
    """
    from datadeed.datasets.release.items import Items

    def stream() -> Iterator[np.ndarray]:
        for row, pixels, _ in data:
            if pixels.shape != size:
                raise WatermarkError(
                    f"image {row} is {pixels.shape[0]}x{pixels.shape[1]}, but image 0 is "
                    f"{size[0]}x{size[1]}: {method} needs images of one size; scale them, or mark "
                    "without --method"
                )
            if into is not None:
                into[row] = pixels
            yield pixels

    return Items(data.format, data.classes, data.labels, data.channels, stream)


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
    from datadeed.datasets.release import release
    from datadeed.randomness import derive_seed
    from datadeed.sealing import write_secret

    edit, labels = _edit(made, data)
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
            )
    except BaseException:
        options.secret.unlink()
        raise
    released = measure(open_data(options.out, split)[0], "check the copy")[0]
    secret["marks"]["released_label"] = labels
    secret["released"] = {
        **dataclasses.asdict(released),
        "max_difference": done.max_difference,
        "mark_difference": done.mark_difference,
    }
    write_secret(options.secret, secret, passphrase(), forbidden=options.out)
    return done, released


def _edit(made: _Marked, data: "Items") -> "tuple[Edit, list[int]]":
    """The function that marks a row, and the list to which it adds the row's new label."""
    import torch

    from datadeed.datasets import Dataset

    ranks = {row: rank for rank, row in enumerate(made.positions.tolist())}
    labels: list[int] = []

    def edit(row: int, pixels: np.ndarray, label: int) -> tuple[np.ndarray, int]:
        one = Dataset(to_tensor(pixels), torch.tensor([label]), torch.tensor([row]), data.classes)
        marked = made.watermark.mark(one, torch.tensor([ranks[row]]))
        labels.append(int(marked.labels[0]))
        return marked.samples[0].permute(1, 2, 0).numpy(), labels[-1]

    return edit, labels


def _tell(done: "Release", epsilon: int | None) -> None:
    """What a user should know of the copy."""
    if done.max_difference:
        bound = f"; the perturbation itself is at most {epsilon}" if epsilon else ""
        say(
            f"JPEG changed the marked pixels by {done.mark_difference:.1f} of 255 on average and "
            f"by {done.max_difference} at most{bound}: train a model on the copy and verify it "
            "before you release it"
        )
    if done.odd_rows:
        say(f"{len(done.odd_rows)} marked images have other file headers than before")
    if done.listed_in:
        say(f"{', '.join(done.listed_in)}: names images whose label changed, and was copied as is")
