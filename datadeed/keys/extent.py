"""What a key is bound to, of a dataset in memory."""

from collections.abc import Iterator

from datadeed.datasets.form.clips import Clips
from datadeed.datasets.form.dataset import Dataset
from datadeed.keys.key import Extent
from datadeed.keys.merkle import leaf, merkle_root, sound_leaf, text_leaf


def extent_of(data: Dataset) -> Extent:
    """Rows and Merkle root of images, texts, or clips (which stand for mono files of 16 bits)."""
    return Extent(len(data), merkle_root(_leaves(data)))


def _leaves(data: Dataset) -> Iterator[bytes]:
    labels = data.labels.tolist()
    if isinstance(data, Clips):
        for clip, label in zip(data.samples.numpy()[:, :, None], labels, strict=True):
            yield sound_leaf(clip, data.rate, "<i2", label)
    elif data.modality == "text":
        yield from map(text_leaf, data.samples, labels)
    else:
        yield from map(leaf, data.samples.permute(0, 2, 3, 1).numpy(), labels)
