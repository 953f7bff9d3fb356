"""What a suspect takes, as its configuration declares it."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from datadeed.owner.suspects.entries import (
    MISSING,
    UNKNOWN,
    Entries,
    Finite,
    Positive,
    Text,
    fault,
    must,
)

Side = Annotated[
    int, Field(ge=1, le=4096), must("be a whole number of at least 1 and at most 4096")
]
FLOATS = ("float16", "float32", "float64")  # of scaled pixels
# Of pixels as they are, from 0 to 255.
WHOLE = ("uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")
Numbers = Annotated[list[Finite], must("be a list of numbers, one a channel")]


class Input(Entries):
    """What the suspect takes.

    Attributes:
        channels, height, width: of its images. A grey image is repeated for three channels. Texts
            have none.
        layout: ``NCHW`` or ``NHWC``, of a tensor.
        dtype: of a tensor, one of :data:`FLOATS` or :data:`WHOLE`. An ONNX file says it itself.
        divide, mean, std: ``(pixel / divide - mean) / std``; mean and std one value a channel.
        resize: ``bicubic`` if images of another size are to be brought to this one, or None.
        encoding: ``tensor``, or a file: ``png-`` or ``jpeg-`` of images, ``wav-`` of sound, as
            ``base64`` in JSON or as the body's ``bytes``; ``multipart``, a form with a file;
            ``text``.
        file: of ``multipart``: ``png``, ``jpeg`` (quality 95, 4:4:4) or ``wav``.
        rate: of sound, in Hz: that of the data that were committed.
        tensor: the input's name, where the protocol has names.
    """

    channels: Annotated[int, must("be 1 or 3", lambda channels: channels in (1, 3))] = 0
    height: Side = 0
    width: Side = 0
    layout: Literal["NCHW", "NHWC"] = "NCHW"
    dtype: Literal[(*FLOATS, *WHOLE)] = "float32"  # type: ignore[valid-type]
    divide: Positive = 255.0
    mean: Numbers | None = None
    std: Numbers | None = None
    resize: Literal["bicubic"] | None = None
    encoding: Literal[
        "tensor",
        "png-base64",
        "png-bytes",
        "jpeg-base64",
        "jpeg-bytes",
        "multipart",
        "text",
        "wav-base64",
        "wav-bytes",
    ] = "tensor"
    file: Literal["png", "jpeg", "wav"] = "png"
    rate: Annotated[
        int, Field(ge=4000, le=192_000), must("be a whole number of Hz from 4000 to 192000")
    ] = 0
    tensor: Text | None = None

    @property
    def takes(self) -> str:
        """The kind of samples: "image", "text" or "audio"."""
        if self.kind == "wav":
            return "audio"
        return "text" if self.encoding == "text" else "image"

    @property
    def kind(self) -> str:
        """Of the file that a sample goes as: "png", "jpeg" or "wav"; or "tensor" or "text"."""
        return self.file if self.encoding == "multipart" else self.encoding.partition("-")[0]

    @property
    def media_type(self) -> str:
        """Of that file."""
        return f"{'audio' if self.takes == 'audio' else 'image'}/{self.kind}"

    @model_validator(mode="after")
    def _sized(self) -> Self:
        kinds = {**dict.fromkeys(("channels", "height", "width"), "image"), "rate": "audio"}
        for name, kind in kinds.items():
            given = name in self.model_fields_set
            if given != (self.takes == kind):
                raise fault(f": {name} {UNKNOWN if given else MISSING}")
        return self

    @model_validator(mode="after")
    def _scaled(self) -> Self:
        for name, values in (("mean", self.mean), ("std", self.std)):
            if values is not None and len(values) != self.channels:
                raise fault(f": {name} must be a list of {self.channels} numbers, one a channel")
        if self.std is not None and min(self.std) <= 0:
            raise fault(": std must be above 0")
        others: set[str] = set()
        if self.encoding != "tensor" or self.dtype in WHOLE:
            others |= {"divide", "mean", "std"}
        if self.encoding != "tensor":  # a PNG holds the pixels as they are
            others |= {"layout", "dtype"}
        if self.takes != "image":
            others |= {"resize"}
        if self.encoding != "multipart":
            others |= {"file"}
        for name in sorted(others & self.model_fields_set):
            raise fault(f": {name} {UNKNOWN}")
        return self
