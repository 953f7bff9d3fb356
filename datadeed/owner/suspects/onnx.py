"""A suspect in an ONNX file, run on the CPU: a graph of known operators, no code."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import torch

from datadeed.files import canonical_digest
from datadeed.owner.suspects.base import Answer, SuspectError, one_line
from datadeed.owner.suspects.config import Config
from datadeed.owner.suspects.files import check_file, file_digest
from datadeed.owner.suspects.images import fit, tensor
from datadeed.owner.suspects.inputs import Input
from datadeed.owner.suspects.onnx_data import external_files
from datadeed.owner.suspects.scores import read_rows

LARGEST_GRAPH = 2 * 2**30  # bytes; what a protocol buffer can hold
_DTYPES = {"float32": "tensor(float)", "uint8": "tensor(uint8)"}
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
        self._path, self._output, self._declared = config.path, config.output, config.input
        check_file(config.path, LARGEST_GRAPH)
        self._fingerprint = _fingerprint(config.path)
        self._session = _session(config.path)
        self._input_name, self._batch = _choose_input(self._session, config.path, config.input)
        self._output_name = _choose_output(self._session, config)

    def predict(self, images: torch.Tensor) -> list[Answer]:
        """See :class:`datadeed.owner.suspects.base.Suspect`."""
        fitted = fit(images, self._declared)
        answers: list[Answer] = []
        for block in fitted.split(self._batch) if len(fitted) else ():
            feed = {self._input_name: tensor(block, self._declared)}
            try:
                (values,) = self._session.run([self._output_name], feed)
            except Exception as error:  # onnxruntime has no common base for its errors
                raise SuspectError(
                    f"{self._path} does not run on these images: {one_line(str(error))}"
                ) from error
            answers += read_rows(np.asarray(values), self._output, len(block))
        return answers

    def fingerprint(self) -> str:
        """Of the file; with weights in further files, of the SHA-256 of each, by name."""
        return self._fingerprint

    def close(self) -> None:
        """Nothing to let go of."""


def _fingerprint(path: Path) -> str:
    """Of all files that make up the model.

    Raises:
        SuspectError: the graph names a file outside its folder.
    """
    digest = file_digest(path, LARGEST_GRAPH)
    folder = path.parent.resolve()
    digests = {path.name: digest}
    for name in external_files(path):
        other = (path.parent / name).resolve()
        if not other.is_relative_to(folder):
            raise SuspectError(
                f"{path} keeps weights in {one_line(name, 60)!r}, outside its folder: refused"
            )
        digests[name] = file_digest(other)
    return digest if len(digests) == 1 else canonical_digest(digests)


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


def _choose_input(session: Any, path: Path, declared: Input) -> tuple[str, int]:
    """The input's name, and how many images it takes at once."""
    inputs = {entry.name: entry for entry in session.get_inputs()}
    name = declared.tensor or next(iter(inputs), "")
    if name not in inputs or len(inputs) > 1:
        found = one_line(", ".join(inputs), 80) or "none"
        raise SuspectError(f"{path} has the inputs {found}: one is needed, named as input.tensor")
    if inputs[name].type != _DTYPES[declared.dtype]:
        shown = one_line(inputs[name].type, 40)
        raise SuspectError(f"{path} takes {shown}: correct input.dtype ({declared.dtype})")
    chw = (declared.channels, declared.height, declared.width)
    wanted = chw if declared.layout == "NCHW" else (*chw[1:], chw[0])
    batch, *shape = inputs[name].shape or [None]
    fixed = zip(shape, wanted, strict=False)
    if len(shape) != 3 or any(isinstance(size, int) and size != w for size, w in fixed):
        raise SuspectError(
            f"{path} takes {one_line(str(inputs[name].shape), 60)} and {declared.layout} images of "
            f"{wanted} are declared: correct input"
        )
    if isinstance(batch, int) and batch != 1:
        raise SuspectError(f"{path} takes {batch} images at once: export it for any number, or one")
    return name, 1 if batch == 1 else max(1, min(_BATCH, 2**24 // math.prod(wanted)))


def _choose_output(session: Any, config: Config) -> str:
    names: list[str] = [entry.name for entry in session.get_outputs()]
    name = names[0] if config.output.tensor is None and len(names) == 1 else config.output.tensor
    if name is None or name not in names:
        shown = one_line(", ".join(names), 80)
        raise SuspectError(f"{config.path} has the outputs {shown}: name one in output.tensor")
    return name
