"""The entries of a configuration, read strictly: what is unknown, missing or odd is an error."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, ClassVar, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    WrapValidator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from datadeed.owner.suspects.base import SuspectError, one_line

E = TypeVar("E", bound="Entries")
MISSING = "is missing: add it"
# The value is not shown: it may be a secret.
UNKNOWN = "is not an entry of this kind of suspect: remove it"


def fault(text: str) -> PydanticCustomError:
    """What is wrong with an entry; where a whole mapping is checked, its name comes first."""
    return PydanticCustomError("fault", "{text}", {"text": text})


def must(text: str, sound: Callable[[Any], bool] = lambda value: True) -> WrapValidator:
    """Says in words what an entry must be, in place of pydantic's own messages."""

    def check(value: Any, read: Callable[[Any], Any]) -> Any:
        try:
            if sound(made := read(value)):
                return made
        except ValidationError:
            pass
        raise fault(f"must {text}")

    return WrapValidator(check)


def odd(value: Any, choices: str) -> str:
    """What is wrong with a word that is none of the choices."""
    return f"is {one_line(str(value), 40)!r}: choose one of {choices}"


Text = Annotated[
    str, must("be printable text", lambda text: text != "" and bool(text.isprintable()))
]
Count = Annotated[int, Field(ge=1), must("be a whole number of at least 1")]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[Finite, Field(gt=0), must("be a number above 0")]


class Entries(BaseModel):
    """One mapping of the file. A null counts as absent."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)
    secret: ClassVar[frozenset[str]] = frozenset()  # names of what must not stand in a file

    @model_validator(mode="before")
    @classmethod
    def _mapping(cls, value: Any, info: ValidationInfo) -> Any:
        if not isinstance(value, dict) or not all(isinstance(name, str) for name in value):
            raise fault("is not a mapping: write entries as 'name: value'")
        for name in sorted(cls.secret & value.keys()):
            raise fault(f": {name} does not belong in a file: name a variable in environment")
        given = {name: entry for name, entry in value.items() if entry is not None}
        return (info.context or {}).get("usual", {}).get(cls, {}) | given


def read_entries(kind: type[E], value: Any, where: str, context: Mapping[str, Any]) -> E:
    """Check a mapping.

    Args:
        kind: what it should hold.
        value: what the file holds, of any type.
        where: file and place, for error messages.
        context: what the checks need to know; under ``usual``, by class, entries that are taken
            for granted where the file has none.

    Raises:
        SuspectError: one line that names file and entry.
    """
    try:
        return kind.model_validate(value, context=dict(context))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
    text = {"missing": MISSING, "extra_forbidden": UNKNOWN}.get(first["type"], first["msg"])
    if first["type"] == "literal_error":
        choices = first["ctx"]["expected"].replace("'", "").replace(" or ", ", ")
        text = odd(first["input"], choices)
    place = ": ".join([where, *(one_line(str(name), 40) for name in first["loc"])])
    raise SuspectError(f"{place} {text}".replace(" : ", ": "))
