"""Datasets written in each format, as their publishers write them: input for the tests."""

import csv
import gzip
import io
import json
import pickle
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from datadeed.datasets.form.dataset import Dataset
from datadeed.datasets.formats import idx
from datadeed.datasets.formats.class_folders import ORDER
from datadeed.datasets.formats.wav import encode_wav


def write(dataset: Dataset, path, *, format: str, split: str | None = None) -> None:
    """Write one split; the other splits at ``path`` are kept."""
    _WRITERS[format](dataset, Path(path), split)


def encode_png(pixels: np.ndarray) -> bytes:
    """(H, W, C) uint8 with C = 1 or 3 as a PNG file's bytes."""
    stream = io.BytesIO()
    Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels).save(stream, "PNG")
    return stream.getvalue()


def _pixels(dataset: Dataset) -> np.ndarray:
    return np.ascontiguousarray(dataset.samples.permute(0, 2, 3, 1).numpy())


def _npz(dataset: Dataset, path: Path, split: str | None) -> None:
    arrays = dict(np.load(path)) if split and path.is_file() else {}
    suffix = f"_{split}" if split else ""
    arrays |= {
        f"x{suffix}": _pixels(dataset),
        f"y{suffix}": dataset.labels.numpy(),
        f"index{suffix}": dataset.index.numpy(),
        "classes": np.array(dataset.classes),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, **arrays)


def _idx(dataset: Dataset, path: Path, split: str | None) -> None:
    path.mkdir(parents=True, exist_ok=True)
    prefix = "t10k" if split == "test" else "train"
    arrays = {"images-idx3": _pixels(dataset)[..., 0], "labels-idx1": dataset.labels.numpy()}
    for name, array in arrays.items():
        file = path / f"{prefix}-{name}-ubyte.gz"
        file.write_bytes(gzip.compress(idx.encode(array.astype(np.uint8)), 6, mtime=0))
    (path / idx.NAMES).write_text("\n".join(dataset.classes) + "\n", encoding="utf-8")


def _cifar(dataset: Dataset, path: Path, split: str | None) -> None:
    path.mkdir(parents=True, exist_ok=True)
    for earlier in path.glob("test_batch" if split == "test" else "data_batch_*"):
        earlier.unlink()
    parts = np.array_split(np.arange(len(dataset)), 1 if split == "test" else min(5, len(dataset)))
    for number, rows in enumerate(parts, 1):
        content = {
            b"data": dataset.samples.contiguous().numpy()[rows].reshape(len(rows), -1),
            b"labels": dataset.labels[rows].tolist(),
        }
        name = "test_batch" if split == "test" else f"data_batch_{number}"
        (path / name).write_bytes(pickle.dumps(content, protocol=2))
    names = {b"label_names": [name.encode() for name in dataset.classes]}
    (path / "batches.meta").write_bytes(pickle.dumps(names, protocol=2))


def _folder_name(name: str) -> str:
    encoded = quote(name, safe=" ,+&()[]'!@")
    return "%2E" + encoded[1:] if encoded.startswith(".") else encoded


def _files(dataset: Dataset) -> tuple[str, list[bytes]]:
    """The suffix and the bytes of an image or WAV file for each row."""
    if dataset.modality == "image":
        return "png", [encode_png(one) for one in _pixels(dataset)]
    return "wav", [encode_wav(one, dataset.rate) for one in dataset.samples.numpy()]


def _folder(dataset: Dataset, path: Path, split: str | None) -> None:
    """One folder a class, with the label order beside them."""
    folder = path / split if split else path
    names = [_folder_name(name) for name in dataset.classes]
    for name in names:
        (folder / name).mkdir(parents=True)
    (folder / ORDER).write_text("\n".join(names) + "\n", encoding="utf-8")
    suffix, files = _files(dataset)
    rows = zip(files, dataset.labels.tolist(), dataset.index.tolist(), strict=True)
    for data, label, index in rows:
        (folder / names[label] / f"{index:08d}.{suffix}").write_bytes(data)


def _shard(path: Path, split: str | None) -> Path:
    if path.suffix != ".parquet":
        path = path / f"{split or 'train'}-00000-of-00001.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _parquet(dataset: Dataset, path: Path, split: str | None) -> None:
    """Hugging Face Parquet, with files or texts."""
    features = {"label": {"names": list(dataset.classes), "_type": "ClassLabel"}}
    if dataset.modality == "text":
        name, column = "text", pa.array(dataset.samples, pa.string())
        features[name] = {"dtype": "string", "_type": "Value"}
    else:
        name, (suffix, files) = (
            {"png": "image", "wav": "audio"}[_files(dataset)[0]],
            _files(dataset),
        )
        paths = [f"{number:08d}.{suffix}" for number in dataset.index.tolist()]
        arrays = [pa.array(files, pa.binary()), pa.array(paths)]
        column = pa.StructArray.from_arrays(arrays, names=["bytes", "path"])
        features[name] = {"_type": name.capitalize()}
        features[name] |= {"sampling_rate": dataset.rate} if name == "audio" else {}
    table = pa.table({name: column, "label": dataset.labels.numpy()}).replace_schema_metadata(
        {"huggingface": json.dumps({"info": {"features": features}})}
    )
    rows = 3 if dataset.modality == "text" else 1024
    pq.write_table(table, _shard(path, split), row_group_size=rows, write_page_checksum=True)


def _lines(suffix: str):
    def written(dataset: Dataset, path: Path, split: str | None) -> None:
        file = path if path.suffix else path / f"{split or 'train'}{suffix}"
        file.parent.mkdir(parents=True, exist_ok=True)
        names = [dataset.classes[label] for label in dataset.labels.tolist()]
        stream = io.StringIO(newline="")
        if suffix == ".jsonl":
            for text, label in zip(dataset.samples, names, strict=True):
                row = json.dumps({"text": text, "label": label}, ensure_ascii=False)
                stream.write(row + "\n")
        else:
            tabs = "\t" if file.suffix == ".tsv" else ","
            rows = zip(dataset.samples, names, strict=True)
            writer = csv.writer(stream, delimiter=tabs, lineterminator="\r\n")
            writer.writerows([("text", "label"), *rows])
        file.write_bytes(stream.getvalue().encode())

    return written


_WRITERS = {
    "npz": _npz,
    "idx": _idx,
    "cifar_pickle": _cifar,
    "imagefolder": _folder,
    "wavfolder": _folder,
    "huggingface": _parquet,
    "parquet_audio": _parquet,
    "text_parquet": _parquet,
    "csv": _lines(".csv"),
    "jsonl": _lines(".jsonl"),
}
