"""Spoken digits, synthesised here."""

from datadeed.datasets.formats.clips import View
from datadeed.datasets.places import Request, Splits
from datadeed.datasets.synthesis import spoken_digits
from datadeed.errors import ParameterError

OPTIONS = frozenset({"rate", "seconds", "train_per_class", "test_per_class"})
_USUAL = {"train": 600, "test": 100}  # clips of a class
_MOST = 100_000


def open_source(request: Request) -> Splits:
    """Both splits."""
    options = request.options
    view, counts = View(**{n: options[n] for n in ("rate", "seconds") if n in options}), {}
    for name, usual in _USUAL.items():
        count = counts[name] = options.get(f"{name}_per_class", usual)
        if type(count) is not int or not 1 <= count <= _MOST:
            raise ParameterError(
                f"option '{name}_per_class' is {count!r}: give a whole number from 1 to {_MOST}"
            )
    return {
        name: spoken_digits(name, count, seconds=view.seconds, rate=view.rate)
        for name, count in counts.items()
    }
