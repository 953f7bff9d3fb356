"""The configuration of a suspect: one YAML file that says where it is and how to ask it."""

import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import parse_qsl, urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PrivateAttr,
    ValidationInfo,
    model_validator,
)

from datadeed.owner.suspects.base import SuspectError
from datadeed.owner.suspects.entries import (
    MISSING,
    UNKNOWN,
    Count,
    Entries,
    Positive,
    Text,
    fault,
    must,
    odd,
    read_entries,
)
from datadeed.owner.suspects.inputs import Input
from datadeed.owner.suspects.output import Output
from datadeed.owner.suspects.yaml_file import check_suffix, plain, read_yaml

FILES = ("local", "onnx", "log")
# What each server protocol can carry a sample as; the first is used unless the file says otherwise.
_PICTURES = ("png-base64", "jpeg-base64", "png-bytes", "jpeg-bytes")
_SOUNDS = ("wav-bytes", "wav-base64")
ENCODINGS = {
    "v2": ("tensor",),
    "v2-binary": ("tensor",),
    "v1": ("tensor", *_PICTURES[:2]),
    "mlflow": ("tensor", *_PICTURES[:2]),
    "huggingface": (*_PICTURES[2:], *_PICTURES[:2], "text", *_SOUNDS),
    "json": ("tensor", *_PICTURES, "multipart", "text", *_SOUNDS),
}
# Where the sample belongs in a body that the file gives.
PLACEHOLDERS = {"text": "{{text}}", "audio": "{{sound}}", "image": "{{image}}"}
_V2 = {"v2", "v2-binary"}
# The protocols that have an entry, and those that cannot do without it.
_HAVE = {
    **dict.fromkeys(("url", "authorisation", "limits", "certificates"), frozenset(ENCODINGS)),
    "path": {*FILES},
    "input": {"onnx", *ENCODINGS},
    "input: tensor": {"onnx", "v1", *_V2},
    "output: tensor": {"onnx", *_V2},
    "output: path": {"json"},
    "model": {"v1", *_V2},
    "version": {"v1", *_V2},
    "form": {"v1", "mlflow"},
    "parameters": {"huggingface"},
    "request": {"json"},
}
_NEED = {name: _HAVE[name] for name in ("path", "url", "model")} | {"input: tensor": _V2}
NO_TORCH_EXPORT = (
    "is torch-export, whose files can run code when they are loaded (docs/suspects.md): convert "
    "the model to ONNX or to a safetensors folder on a machine that you can lose"
)
_SECRET_QUERY = re.compile(
    r"key|token|secret|pass|pwd|sig|auth|cred|^code$|jwt|session", re.IGNORECASE
)


def _beside(name: Any, info: ValidationInfo) -> Path:
    """A path, which may start at the configuration's folder."""
    if not isinstance(name, str) or not name.isprintable() or not name:
        raise fault("must be printable text")
    return Path((info.context or {})["folder"], name)


Place = Annotated[Path, BeforeValidator(_beside)]
Json = Annotated[Any, AfterValidator(plain)]


class Authorisation(Entries):
    """Which header carries the token, and which environment variable holds it."""

    secret = frozenset({"token", "value", "key", "secret", "password"})

    header: Annotated[
        str, Field(pattern=r"^[A-Za-z][A-Za-z-]{0,63}\z"), must("be the name of an HTTP header")
    ] = "Authorization"
    environment: Annotated[
        str,
        Field(pattern=r"^[A-Z_][A-Z0-9_]{0,63}\z"),
        must("be a variable's name in capitals, not its value"),
    ]
    prefix: Annotated[
        str,
        Field(pattern=r"^([A-Za-z]{1,10} )?\z"),
        must("be one short word and a space, or empty"),
    ] = "Bearer "


class Limits(Entries):
    """What a server may cost.

    Attributes:
        queries: requests that may reach the network, retries included.
        cost, cost_per_query: in any one currency.
        per_second: requests a second, or None for no limit.
        timeout_s: wall-clock seconds for one request, from connecting to the last byte.
        retries: further attempts after one that failed on the way.
        concurrency: requests on the way at once.
        response_bytes: longest answer that is read.
    """

    queries: Count = 1000
    cost_per_query: Positive | None = None
    cost: Positive | None = None
    per_second: Positive | None = None
    timeout_s: Positive = 30.0
    retries: Annotated[int, Field(ge=0), must("be a whole number of at least 0")] = 3
    concurrency: Count = 1
    response_bytes: Count = 4 * 2**20

    @model_validator(mode="after")
    def _priced(self) -> Self:
        if self.cost is not None and self.cost_per_query is None:
            raise fault(": cost needs cost_per_query beside it")
        return self


class Config(Entries):
    """A whole suspect. ``declared`` is the mapping it was read from, as plain JSON values."""

    protocol: Literal[(*FILES, *ENCODINGS)]  # type: ignore[valid-type]
    name: Text
    path: Place | None = None
    url: Annotated[Text, AfterValidator(lambda url: url.rstrip("/"))] = ""
    model: Text | None = None
    version: Text | None = None
    form: Literal["instances", "inputs"] = "instances"
    parameters: Json = None
    request: Json = None
    input: Input | None = None
    output: Output
    authorisation: Authorisation | None = None
    limits: Limits = Limits()
    certificates: Place | None = None
    _declared: dict[str, Any] = PrivateAttr()

    @property
    def declared(self) -> dict[str, Any]:
        return self._declared

    @property
    def placeholder(self) -> str:
        """Where the sample belongs in ``request``."""
        return PLACEHOLDERS[self.input.takes if self.input else "image"]

    @property
    def media_type(self) -> str:
        """Of a sample's file."""
        return self.input.media_type if self.input else ""

    @property
    def reading(self) -> dict[str, Any]:
        """What is declared of inputs and outputs: it decides what an answer means."""
        return {name: self._declared.get(name) for name in ("input", "output")}

    @model_validator(mode="after")
    def _fits(self, info: ValidationInfo) -> Self:
        self._declared = (info.context or {})["declared"]
        for name, protocols in _HAVE.items():
            *section, entry = name.split(": ")
            holder = getattr(self, section[0]) if section else self
            given = holder is not None and entry in holder.model_fields_set
            if given and self.protocol not in protocols:
                raise fault(f": {name} {UNKNOWN}")
            if not given and self.protocol in _NEED.get(name, ()):
                raise fault(f": {name} {MISSING}")
        if self.protocol == "local" and self.output.kind != "probabilities":
            raise fault(f": output: kind {odd(self.output.kind, 'probabilities')}")
        if self.protocol in ENCODINGS:
            _check_url(self.url, with_token=self.authorisation is not None)
        if self.input is not None:
            encodings = ENCODINGS.get(self.protocol, ("tensor",))
            if self.input.encoding not in encodings:
                raise fault(f": input: encoding {odd(self.input.encoding, ', '.join(encodings))}")
            self._check_body(self.input.encoding)
        return self

    def _check_body(self, encoding: str) -> None:
        raw = encoding.endswith("-bytes")
        if raw and self.parameters is not None:
            other = encoding.replace("bytes", "base64")
            raise fault(f": parameters cannot go with {encoding}: choose input.encoding {other}")
        if raw and self.request is not None:
            what = "sound" if encoding == "wav-bytes" else "image"
            raise fault(f": request cannot go with {encoding}, where the {what} is the whole body")
        if encoding == "multipart":
            fields = {"file": self.placeholder} if self.request is None else self.request
            if not isinstance(fields, dict) or self.placeholder not in fields.values():
                raise fault(f": request has no field {self.placeholder}: give 'name: value' each")
        elif self.protocol == "json" and not raw and self.placeholder not in str(self.request):
            raise fault(f": request has no {self.placeholder}: put it where the sample belongs")


def _check_url(url: str, *, with_token: bool) -> None:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise fault(": url is not an address") from None
    if parts.scheme not in ("http", "https") or not host:
        raise fault(": url must begin with http:// or https:// and name a host")
    named = any(_SECRET_QUERY.search(name) for name, _ in parse_qsl(parts.query))
    if named or parts.username is not None or parts.password is not None:
        raise fault(": url holds credentials: use authorisation with an environment variable")
    if with_token and parts.scheme == "http" and host not in ("127.0.0.1", "localhost", "::1"):
        raise fault(": url would carry the token unencrypted: use https")


def _usual(protocol: str, name: str, classes: tuple[str, ...]) -> dict[type[Entries], Any]:
    """What goes without saying; empty sections, so that what they lack is named."""
    config: dict[str, Any] = {"name": name, "output": {}}
    config |= {"input": {}} if protocol in _HAVE["input"] else {}
    config |= {"form": "inputs"} if protocol == "mlflow" else {}
    kind = {"kind": "probabilities"} if protocol == "local" else {}
    encoding = ENCODINGS.get(protocol, ("tensor",))[0]
    return {Config: config, Input: {"encoding": encoding}, Output: {"classes": [*classes], **kind}}


def read_config(source: str | Path | dict[str, Any], classes: tuple[str, ...]) -> Config:
    """Read and check a configuration.

    Args:
        source: a YAML file, whose relative paths start at its folder; or the mapping itself.
        classes: the key's class names.

    Raises:
        SuspectError: one line that names the file and the entry that is wrong.
    """
    if isinstance(source, dict):
        value, where, folder, stem = source, "suspect", Path(), "suspect"
    else:
        path = Path(source)
        check_suffix(path)
        value, where, folder, stem = read_yaml(path), str(path), path.parent, path.stem
    declared = plain(value, where)
    protocol = str(declared.get("protocol")) if isinstance(declared, dict) else ""
    if protocol == "torch-export":
        raise SuspectError(f"{where}: protocol {NO_TORCH_EXPORT}")
    usual = _usual(protocol, stem, classes)
    context = {"declared": declared, "folder": folder, "classes": classes, "usual": usual}
    return read_entries(Config, value, where, context)
