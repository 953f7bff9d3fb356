"""A suspect in an ONNX file, run on the CPU: a graph of known operators, no code."""

import math
from pathlib import Path, PurePath
from typing import Any

import numpy as np
import torch

from datadeed.files import canonical_digest
from datadeed.owner.suspects.base import Answer, SuspectError, one_line
from datadeed.owner.suspects.config import Config
from datadeed.owner.suspects.entries import read_entries
from datadeed.owner.suspects.files import check_file, file_digest
from datadeed.owner.suspects.images import fit, tensor
from datadeed.owner.suspects.inputs import FLOATS, WHOLE, Input
from datadeed.owner.suspects.onnx_data import external_files
from datadeed.owner.suspects.output import Output
from datadeed.owner.suspects.scores import read_rows

LARGEST_GRAPH = 2 * 2**30  # bytes; what a protocol buffer can hold
_DTYPES = {f"tensor({name})": name for name in (*FLOATS, *WHOLE)}
_DTYPES |= {"tensor(float)": "float32", "tensor(double)": "float64"}
_BATCH = 256


class OnnxSuspect:
    """A classifier in an ONNX file.

    Weights may be in further files, if these lie in the file's own folder. The graph can still ask
    for much memory or time: run a stranger's file in a container with limits.

    Raises:
        SuspectError: onnxruntime is not installed, the file is no such model, or its inputs and
            outputs are not those declared.
    """

    protocol = "onnx"
    at_once = 10**6

    def __init__(self, config: Config):
        if config.path is None or config.input is None:
            raise SuspectError(f"{config.name} needs path and input: add them to its file")
        self.name, self.classes = config.name, config.output.key_classes
        self.groups, self.declared = config.output.groups, config.reading
        self.kind, self.endpoint = config.output.answer_kind, str(config.path)
        self._path, self._output = config.path, config.output
        check_file(config.path, LARGEST_GRAPH)
        self._fingerprint = _fingerprint(config.path)
        self._session = _session(config.path)
        entry = _choose_input(self._session, config.path, config.input)
        self._declared = _of_type(entry.type, config.path, config.input)
        self._input_name, (self._shape, self._batch) = entry.name, _sizes(entry, config)
        self._output_name = _choose_output(self._session, config)

    def predict(self, images: torch.Tensor) -> list[Answer]:
        """See :class:`datadeed.owner.suspects.base.Suspect`."""
        fitted = fit(images, self._declared)
        answers: list[Answer] = []
        for block in fitted.split(self._batch) if len(fitted) else ():
            pixels = tensor(block, self._declared).reshape(len(block), *self._shape)
            try:
                (values,) = self._session.run([self._output_name], {self._input_name: pixels})
            except Exception as error:  # onnxruntime has no common base for its errors
                raise SuspectError(
                    f"{self._path} does not run on these images: {one_line(str(error))}"
                ) from error
            answers += read_rows(_rows(values, self._output), self._output, len(block))
        return answers

    def fingerprint(self) -> str:
        """Of the file; with weights in further files, of the SHA-256 of each, by name."""
        return self._fingerprint

    def close(self) -> None:
        """Nothing to let go of."""


def _fingerprint(path: Path) -> str:
    """Of all files that make up the model.

    Raises:
        SuspectError: the graph names a file outside its folder, or what is no file's name.
    """
    digest = file_digest(path, LARGEST_GRAPH)
    digests = {path.name: digest}
    for name in external_files(path):
        if not _within(path.parent, name):
            raise SuspectError(
                f"{path} keeps weights in {name[:60]!r}, which is outside its folder or no name: "
                "take a model whose weights lie beside it"
            )
        digests[name] = file_digest(path.parent / name)
    return digest if len(digests) == 1 else canonical_digest(digests)


def _within(folder: Path, name: str) -> bool:
    """Whether a file's name, as a stranger gives it, leads nowhere but into a folder.

    onnxruntime reads memory at a number where a name has stars.
    """
    if not name or set(name) & {"\0", "*"} or ".." in PurePath(name).parts:
        return False
    try:
        return (folder / name).resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError):  # too long; links in a circle
        return False


def _session(path: Path) -> Any:
    try:
        import onnxruntime  # type: ignore[import-untyped]
    except ImportError as error:
        raise SuspectError("an ONNX suspect needs onnxruntime: install datadeed[onnx]") from error
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # its warnings quote the file
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime has no common base for its errors
        raise SuspectError(
            f"{path} is not an ONNX model that can run: {one_line(str(error))}"
        ) from error


def _choose_input(session: Any, path: Path, declared: Input) -> Any:
    """What onnxruntime says of the input: name, type and shape."""
    inputs = {entry.name: entry for entry in session.get_inputs()}
    name = declared.tensor or next(iter(inputs), "")
    if name not in inputs or len(inputs) > 1:
        found = one_line(", ".join(inputs), 80) or "none"
        raise SuspectError(f"{path} has the inputs {found}: one is needed, named as input.tensor")
    return inputs[name]


def _of_type(kind: str, path: Path, declared: Input) -> Input:
    """What is declared, with the type that the model takes."""
    dtype = _DTYPES.get(kind)
    if dtype is None or ("dtype" in declared.model_fields_set and dtype != declared.dtype):
        advice = f"correct input.dtype ({declared.dtype})" if dtype else "export it for float32"
        raise SuspectError(f"{path} takes {one_line(kind, 40)}: {advice}")
    entries = declared.model_dump(exclude_unset=True) | {"dtype": dtype}
    return read_entries(Input, entries, f"{path} takes {kind}: input", {})


def _sizes(entry: Any, config: Config) -> tuple[tuple[int, ...], int]:
    """The shape of one image as the model takes it, and how many it takes at once."""
    path, declared = config.path, config.input
    assert declared is not None  # checked before
    chw = (declared.channels, declared.height, declared.width)
    wanted = chw if declared.layout == "NCHW" else (*chw[1:], chw[0])
    batch, *shape = entry.shape or [None]
    flat = (math.prod(wanted),)
    taken = flat if len(shape) == 1 else wanted
    fixed = zip(shape, taken, strict=False)
    if len(shape) != len(taken) or any(isinstance(size, int) and size != w for size, w in fixed):
        raise SuspectError(
            f"{path} takes {one_line(str(entry.shape), 60)} and {declared.layout} images of "
            f"{wanted} are declared: correct input"
        )
    if isinstance(batch, int) and batch != 1:
        raise SuspectError(f"{path} takes {batch} images at once: export it for any number, or one")
    return taken, 1 if batch == 1 else max(1, min(_BATCH, 2**24 // math.prod(wanted)))


def _choose_output(session: Any, config: Config) -> str:
    names: list[str] = [entry.name for entry in session.get_outputs()]
    name = names[0] if config.output.tensor is None and len(names) == 1 else config.output.tensor
    if name is None or name not in names:
        shown = one_line(", ".join(names), 80)
        raise SuspectError(f"{config.path} has the outputs {shown}: name one in output.tensor")
    return name


def _rows(values: Any, output: Output) -> list[Any]:
    """An output, as JSON values, one an image.

    A tensor; or a list of mappings from class to probability, as scikit-learn's models have it. Its
    classes are names, also where they are numbers, unless no class is called so.
    """
    if isinstance(values, np.ndarray):
        listed = values.tolist()
        return listed if isinstance(listed, list) else [listed]
    if not isinstance(values, list):
        return [values]
    return [
        {str(k) if str(k) in output.classes else k: score for k, score in row.items()}
        if isinstance(row, dict)
        else row
        for row in values
    ]
