"""The configuration of a suspect: one YAML file that says where it is and how to ask it."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qsl, urlsplit

from datadeed.owner.suspects.entries import Entries
from datadeed.owner.suspects.scores import Output, read_output
from datadeed.owner.suspects.yaml_file import plain, read_yaml

FILES = ("local", "onnx", "log")
# What each server protocol can carry an image as; the first is used unless the file says otherwise.
ENCODINGS = {
    "v2": ("tensor",),
    "v2-binary": ("tensor",),
    "v1": ("tensor", "png-base64"),
    "mlflow": ("tensor", "png-base64"),
    "huggingface": ("png-bytes", "png-base64"),
    "json": ("tensor", "png-base64", "png-bytes"),
}
NO_TORCH_EXPORT = (
    "is torch-export, whose files can run code when they are loaded (docs/suspects.md): convert "
    "the model to ONNX or to a safetensors folder on a machine that you can lose"
)
_SECRET_QUERY = re.compile(r"key|token|secret|password|sig", re.IGNORECASE)


@dataclass(frozen=True)
class Input:
    """What the suspect takes.

    Attributes:
        channels, height, width: of its images. A grey image is repeated for three channels.
        layout: ``NCHW`` or ``NHWC``, of a tensor.
        dtype: ``float32`` or ``uint8``.
        divide, mean, std: ``(pixel / divide - mean) / std``; mean and std one value a channel.
        resize: ``bicubic`` if images of another size are to be brought to this one, or None.
        encoding: ``tensor``, ``png-base64`` or ``png-bytes``.
        tensor: the input's name, where the protocol has names.
    """

    channels: int
    height: int
    width: int
    layout: str = "NCHW"
    dtype: str = "float32"
    divide: float = 255.0
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    resize: str | None = None
    encoding: str = "tensor"
    tensor: str | None = None


@dataclass(frozen=True)
class Authorisation:
    """Which header carries the token, and which environment variable holds it."""

    header: str = "Authorization"
    environment: str = ""
    prefix: str = "Bearer "


@dataclass(frozen=True)
class Limits:
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

    queries: int = 1000
    cost_per_query: float | None = None
    cost: float | None = None
    per_second: float | None = None
    timeout_s: float = 30.0
    retries: int = 3
    concurrency: int = 1
    response_bytes: int = 4 * 2**20


@dataclass(frozen=True)
class Config:
    """A whole suspect. ``declared`` is the mapping it was read from, as plain JSON values."""

    name: str
    protocol: str
    output: Output
    declared: dict[str, Any]
    path: Path | None = None
    url: str = ""
    model: str | None = None
    version: str | None = None
    form: str = "instances"
    parameters: dict[str, Any] | None = None
    request: Any = None
    input: Input | None = None
    authorisation: Authorisation | None = None
    limits: Limits = Limits()
    certificates: Path | None = None


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
        value, where, folder, stem = read_yaml(path), str(path), path.parent, path.stem
    top = Entries(value, where)
    protocol = top.choice("protocol", (*FILES, *ENCODINGS, "torch-export"))
    if protocol == "torch-export":
        raise top.error("protocol", NO_TORCH_EXPORT)
    common = {
        "name": top.text("name", stem),
        "protocol": protocol,
        "declared": plain(value, where),
        "output": read_output(top.section("output"), classes, protocol),
    }
    if protocol in FILES:
        suspect_input = _input(top.section("input"), protocol) if protocol == "onnx" else None
        config = Config(**common, path=folder / top.text("path"), input=suspect_input)
    else:
        config = _server(top, common, folder)
    top.done()
    return config


def _server(top: Entries, common: dict[str, Any], folder: Path) -> Config:
    protocol = common["protocol"]
    authorisation = _authorisation(top.section("authorisation")) if "authorisation" in top else None
    url = _url(top, authorisation is not None)
    own: dict[str, Any] = {}
    if protocol in ("v2", "v2-binary", "v1"):
        own["model"], own["version"] = top.text("model"), top.text("version", None)
    if protocol in ("v1", "mlflow"):
        default = "instances" if protocol == "v1" else "inputs"
        own["form"] = top.choice("form", ("instances", "inputs"), default)
    if protocol == "huggingface":
        top.any("parameters", None)
        own["parameters"] = common["declared"].get("parameters")
    if protocol == "json":
        top.any("request", None)
        own["request"] = common["declared"].get("request")
    certificates = top.text("certificates", None)
    config = Config(
        **common,
        **own,
        url=url,
        input=_input(top.section("input"), protocol),
        authorisation=authorisation,
        limits=_limits(top.section("limits")),
        certificates=folder / certificates if certificates else None,
    )
    _check_request(config, top)
    return config


def _check_request(config: Config, top: Entries) -> None:
    raw = config.input is not None and config.input.encoding == "png-bytes"
    if config.protocol == "huggingface" and raw and config.parameters is not None:
        raise top.error("parameters", "cannot go with png-bytes: choose input.encoding png-base64")
    if config.protocol == "json" and raw and config.request is not None:
        raise top.error("request", "cannot go with png-bytes, where the image is the whole body")
    if config.protocol == "json" and not raw and "{{image}}" not in str(config.request):
        raise top.error("request", "has no {{image}}: put it where the image belongs")


def _url(top: Entries, with_token: bool) -> str:
    url: str = top.text("url").rstrip("/")
    try:
        parts: SplitResult = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise top.error("url", "is not an address") from error
    if parts.scheme not in ("http", "https") or not host:
        raise top.error("url", "must begin with http:// or https:// and name a host")
    named = any(_SECRET_QUERY.search(name) for name, _ in parse_qsl(parts.query))
    if named or parts.username is not None or parts.password is not None:
        raise top.error("url", "holds credentials: use authorisation with an environment variable")
    if with_token and parts.scheme == "http" and host not in ("127.0.0.1", "localhost", "::1"):
        raise top.error("url", "would carry the token unencrypted: use https")
    return url


def _authorisation(section: Entries) -> Authorisation:
    for name in ("token", "value", "key", "secret", "password"):
        if name in section:
            raise section.error(name, "does not belong in a file: name a variable in environment")
    header = section.text("header", "Authorization")
    environment = section.text("environment")
    prefix = section.any("prefix", "Bearer ")
    section.done()
    if not re.fullmatch(r"[A-Za-z][A-Za-z-]{0,63}", header):
        raise section.error("header", "must be the name of an HTTP header")
    if not re.fullmatch(r"[A-Z_][A-Z0-9_]{0,63}", environment):
        raise section.error("environment", "must be a variable's name in capitals, not its value")
    if not isinstance(prefix, str) or not re.fullmatch(r"([A-Za-z]{1,10} )?", prefix):
        raise section.error("prefix", "must be one short word and a space, or empty")
    return Authorisation(header, environment, prefix)


def _limits(section: Entries) -> Limits:
    known = Limits()
    limits = Limits(
        queries=section.integer("queries", 1, known.queries),
        cost_per_query=section.number("cost_per_query", None),
        cost=section.number("cost", None),
        per_second=section.number("per_second", None),
        timeout_s=section.number("timeout_s", known.timeout_s),
        retries=section.integer("retries", 0, known.retries),
        concurrency=section.integer("concurrency", 1, known.concurrency),
        response_bytes=section.integer("response_bytes", 1, known.response_bytes),
    )
    section.done()
    if limits.cost is not None and limits.cost_per_query is None:
        raise section.error("cost", "needs cost_per_query beside it")
    return limits


def _input(section: Entries, protocol: str) -> Input:
    encodings = ENCODINGS.get(protocol, ("tensor",))
    encoding = section.choice("encoding", encodings, encodings[0])
    channels = section.integer("channels", 1)
    if channels not in (1, 3):
        raise section.error("channels", "must be 1 or 3")
    size = {side: section.integer(side, 1) for side in ("height", "width")}
    if max(size.values()) > 4096:
        raise section.error("height and width", "must be at most 4096")
    given: dict[str, Any] = {**size, "encoding": encoding}
    given["resize"] = section.choice("resize", ("bicubic",), None)
    if protocol in ("v2", "v2-binary"):
        given["tensor"] = section.text("tensor")
    elif protocol in ("v1", "onnx"):
        given["tensor"] = section.text("tensor", None)
    if encoding == "tensor":
        given |= _scaling(section, channels)
    section.done()
    return Input(channels, **given)


def _scaling(section: Entries, channels: int) -> dict[str, Any]:
    """What only a tensor has; a PNG holds the pixels as they are."""
    layout = section.choice("layout", ("NCHW", "NHWC"), "NCHW")
    dtype = section.choice("dtype", ("float32", "uint8"), "float32")
    if dtype == "uint8":
        return {"layout": layout, "dtype": dtype}
    std = section.numbers("std", channels)
    if std and min(std) <= 0:
        raise section.error("std", "must be above 0")
    return {
        "layout": layout,
        "divide": section.number("divide", 255.0),
        "mean": section.numbers("mean", channels),
        "std": std,
    }
