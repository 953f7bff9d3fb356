"""Reading YAML that may come from a stranger."""

import json
from pathlib import Path
from typing import Any

import yaml

from datadeed.owner.suspects.base import SuspectError

LARGEST = 4 * 2**20  # bytes
_ENTRIES = "input: {{channels: 3, height: ..., width: ...}} and output: {{kind: logits}}"
_CODE = "may run code when it is loaded: convert the model to ONNX on a machine that you can lose"
_INSTEAD = {
    ".onnx": "is a model: write a YAML file with protocol: onnx, path: {name}, " + _ENTRIES,
    ".safetensors": "is a model's weights: name its folder, with model.json beside it",
    **dict.fromkeys((".jsonl", ".parquet"), "holds answers: write a YAML file with protocol: log, "
    "path: {name} and output: {{kind: labels}}"),
    **dict.fromkeys((".pt", ".pth", ".pt2", ".pkl", ".pickle", ".joblib", ".ckpt", ".bin"), _CODE),
    **dict.fromkeys((".h5", ".keras", ".pb", ".tflite"), "is a model: convert it to ONNX"),
}  # fmt: skip
_ADDRESS = "is an address: write a YAML file with protocol: json, url, request, input and output"


def check_suffix(path: Path) -> None:
    """Check that a path can be a suspect's file by its name.

    Raises:
        SuspectError: it is a model, recorded answers or an address; one line says what to write.
    """
    address = path.parts[:1] in (("http:",), ("https:",))
    if advice := _ADDRESS if address else _INSTEAD.get(path.suffix.lower()):
        raise SuspectError(f"{path} {advice.format(name=path.name)} (docs/suspects.md)")


def read_yaml(path: Path) -> Any:
    """What a YAML file holds.

    Raises:
        SuspectError: it cannot be read, or is no YAML without aliases and names given twice.
    """
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
        if len(content) > LARGEST:
            raise SuspectError(f"{path} is larger than {LARGEST} bytes: no suspect's file is")
        return yaml.load(content.decode(), _Loader)
    except OSError as error:
        raise SuspectError(f"{path} cannot be read ({error.strerror}): check the path") from error
    except UnicodeDecodeError as error:
        raise SuspectError(f"{path} is not UTF-8 text: save it as such") from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        # The parser's own message quotes the file, which may hold a token by mistake.
        mark = getattr(error, "problem_mark", None)
        line = f" in line {mark.line + 1}" if mark else ""
        why = f" ({error.problem})" if isinstance(error, _Refused) else ""
        raise SuspectError(f"{path} is not valid YAML{line}{why}: correct it") from error


def plain(value: Any, where: str = "the suspect") -> Any:
    """A copy of JSON values alone: keys are text, and so are dates.

    Raises:
        SuspectError: there is a NaN, or a value within itself.
    """
    try:
        return json.loads(json.dumps(value, default=str, allow_nan=False))
    except (ValueError, TypeError, RecursionError) as error:
        raise SuspectError(f"{where} holds a value that JSON has not: remove it") from error


class _Refused(yaml.MarkedYAMLError):
    """Sound YAML that no suspect's file needs."""


class _Loader(yaml.SafeLoader):
    """Without aliases: a few of them, nested, unfold to more than any memory holds.

    And without a name twice in a mapping, of which only the last would count.
    """

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            event = self.peek_event()
            raise _Refused(problem="an alias", problem_mark=event.start_mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        names = set()
        for key, _ in node.value:
            name = (key.tag, str(key.value))
            if name in names:
                raise _Refused(problem="a name stands twice", problem_mark=key.start_mark)
            names.add(name)
        return super().construct_mapping(node, deep)
