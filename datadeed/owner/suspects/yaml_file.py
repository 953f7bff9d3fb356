"""Reading YAML that may come from a stranger."""

import json
from pathlib import Path
from typing import Any

import yaml

from datadeed.owner.suspects.base import SuspectError

LARGEST = 4 * 2**20  # bytes


def read_yaml(path: Path) -> Any:
    """What a YAML file holds.

    Raises:
        SuspectError: it cannot be read, or is no YAML without aliases.
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
        raise SuspectError(f"{path} is not valid YAML{line}: correct it") from error


def plain(value: Any, where: str = "the suspect") -> Any:
    """A copy of JSON values alone: keys are text, and so are dates.

    Raises:
        SuspectError: there is a NaN, or a value within itself.
    """
    try:
        return json.loads(json.dumps(value, default=str, allow_nan=False))
    except (ValueError, TypeError, RecursionError) as error:
        raise SuspectError(f"{where} holds a value that JSON has not: remove it") from error


class _Loader(yaml.SafeLoader):
    """Without aliases: a few of them, nested, unfold to more than any memory holds."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            event = self.peek_event()
            raise yaml.MarkedYAMLError(problem="alias", problem_mark=event.start_mark)
        return super().compose_node(parent, index)
