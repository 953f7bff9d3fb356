"""Templates and style of the page. Everything that a store says is escaped and made plain."""

from http import HTTPStatus
from importlib import resources
from typing import Any

import jinja2
from markupsafe import Markup

from datadeed.owner.evidence.report_text import e_value, number, plain


class Rendering:
    """Renders the page's templates.

    Attributes:
        style: the style sheet of all pages, that of reports and the page's own.
    """

    def __init__(self) -> None:
        self._environment = jinja2.Environment(
            loader=jinja2.PackageLoader("datadeed.watching.page"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            finalize=_plain,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters |= {
            # Markup, as plain() would take the spaces that hold a number together.
            "e_value": _e_value,
            "number": _number,
            "moment": moment,
            "drawn": Markup,  # only for the numbers of curve.py
        }
        reports = resources.files("datadeed.reports") / "page.css"
        own = resources.files("datadeed.watching.page") / "templates" / "watch.css"
        self.style = reports.read_text("utf-8") + own.read_text("utf-8")

    def page(self, template: str, shown: dict[str, Any]) -> str:
        """A page as HTML.

        Args:
            template: its file's name.
            shown: what it shows.
        """
        return self._environment.get_template(template).render(shown)

    def error(self, status: int, text: str) -> str:
        """The page of an error, one line of text."""
        title = HTTPStatus(status).phrase
        return self.page("error.html", {"status": status, "title": title, "text": text})


def _plain(value: Any) -> Any:
    return value if isinstance(value, Markup) else plain(value)


def _e_value(log_e: float) -> Markup:
    return Markup(e_value(log_e))


def _number(value: float) -> Markup:
    return Markup(number(value))


def moment(time: str | None) -> str:
    """A time of the store to the minute, UTC; a dash where there is none."""
    return time[:16].replace("T", " ") if time else "–"
