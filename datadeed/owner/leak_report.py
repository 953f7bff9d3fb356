"""The report of a leak as one HTML page that needs no other file, no script and no network."""

from pathlib import Path
from typing import TYPE_CHECKING

import torch

from datadeed import reports
from datadeed.reports.figures import data_uri, sheet_png

if TYPE_CHECKING:
    from datadeed.owner.leak import Leak

COLUMNS = {
    "accuracy": "recognised",
    "filtered": "recognised, of the fifth with most activation",
    "agreement": "its models agree",
    "spread": "distance of two pictures of a class",
    "nearest": "distance to the nearest training image",
}
SHARES = ("accuracy", "filtered", "agreement")
SHOWN = 10  # classes in the picture


def page(found: "Leak") -> str:
    """The page; the same findings give the same text."""
    import jinja2

    folders = [Path(__file__).parent, Path(reports.__file__).parent]
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folders),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    metrics = [name for name in COLUMNS if name in found.inverted[0].figures]
    shown = {
        "leak": found,
        "columns": [COLUMNS[name] for name in metrics],
        "rows": [
            (one.name, [figure(name, one.figures[name]) for name in metrics])
            for one in found.inverted
        ],
        "chance": f"{1 / len(found.classes):.1%}",
        "uri": picture(found),
        "names": found.classes[:SHOWN],
    }
    return environment.get_template("leak.html").render(shown) + "\n"


def picture(found: "Leak") -> str | None:
    """A row an inversion, a column a class, as a ``data:`` address; None for odd channels."""
    count = min(SHOWN, len(found.classes))
    rows = [one.pictures.data.samples[torch.arange(count)] for one in found.inverted]
    if rows[0].shape[1] not in (1, 3):
        return None
    return data_uri(sheet_png([(row, None) for row in rows])[0])


def figure(name: str, value: float) -> str:
    """One of :data:`COLUMNS` for people."""
    return f"{value:.1%}" if name in SHARES else f"{value:.3f}"
