"""The report as one HTML page that needs no other file, no script and no network.

The page is a frame around sections, one a paper: what was run, the claims of all papers, how to
make the page again.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
from markupsafe import Markup

NAMES = {
    "fashion-mnist": "Fashion-MNIST",
    "fashion-mnist-10k": "Fashion-MNIST, 10 000 images",
    "movie-reviews": "movie reviews",
    "text-source": "sources of texts",
    "spoken-digits": "spoken digits",
    "audiomnist": "AudioMNIST",
    "cifar10": "CIFAR-10",
    "cifar10-10k": "CIFAR-10, 10 000 images",
    "imagenet-200": "ImageNet-200",
    "imagenet-50": "ImageNet-50, 64×64",
    "resnet18": "ResNet-18",
    "resnet18-ubw": "ResNet-18",
    "vgg16bn": "VGG-16-BN",
    "vgg19bn": "VGG-19-BN",
    "inception": "Inception-v3",
    "minilm": "MiniLM",
    "minilm-3": "MiniLM, 3 layers",
    "raw-audio": "RawAudioCNN",
    "badnets": "BadNets",
    "blended": "Blended",
    "wanet": "WaNet",
    "label-consistent": "Label-Consistent",
    "sleeper-agent": "Sleeper Agent",
    "ubw-p": "UBW-P",
    "ubw-c": "UBW-C",
    "none": "honest model",
}
_FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Section:
    """One paper's part of the page.

    Attributes:
        paper: what the column ``paper`` of cells and claims calls it.
        anchor: the id of the section's heading.
        title: the paper's name for people.
        html: what :func:`draw_section` made.
    """

    paper: str
    anchor: str
    title: str
    html: Markup


@dataclass(frozen=True)
class Page:
    """Everything a page shows.

    Attributes:
        scale: name of the scale in force.
        sections: one a paper.
        versions: program name to version.
        remake: the command that makes this page again.
        claims: as :func:`datadeed.reports.cells.claims_frame` gives them; None on the page of one
            cell.
    """

    scale: str
    sections: list[Section]
    versions: dict[str, str]
    remake: str
    claims: pd.DataFrame | None = None


def render(page: Page) -> str:
    """The whole page as HTML; the same ``page`` gives the same text."""
    shown = {
        "page": page,
        "claims": [] if page.claims is None else claim_views(page.claims),
        "papers": {section.paper: section.title for section in page.sections},
        "sounds": any("<audio" in section.html for section in page.sections),
    }
    return _environment(_FOLDER).get_template("page.html").render(shown) + "\n"


def draw_section(template: Path, shown: dict[str, Any]) -> Markup:
    """A paper's ``section.html`` with its values; it may use the macros of ``parts.html``."""
    environment = _environment(template.parent)
    return Markup(environment.get_template(template.name).render(shown))


def claim_views(claims: pd.DataFrame) -> list[dict[Any, Any]]:
    """The claims as records, each with ``word``: "holds", "fails" or "untested"."""
    words = {True: "holds", False: "fails"}
    told = ["untested" if pd.isna(held) else words[bool(held)] for held in claims["holds"]]
    return claims.assign(word=told).to_dict("records")


def figure_text(value: float) -> str:
    """A p-value or a small number in three digits at most."""
    return f"{value:.3f}".rstrip("0").rstrip(".") if 0.001 <= abs(value) < 1 else f"{value:.2g}"


def signs(text: Any) -> str:
    """A sentence written in ASCII with the signs that print uses."""
    shown = str(text)
    for plain, sign in {"<=": "≤", ">=": "≥", "delta-P": "ΔP", "'": "’"}.items():
        shown = shown.replace(plain, sign)
    return shown


def human(name: Any) -> str:
    """A parameter's name as people write it: ``badnets-line`` is "BadNets, line"."""
    text = str(name)
    if text in NAMES:
        return NAMES[text]
    first, dash, rest = text.partition("-")
    return f"{NAMES[first]}, {rest}" if dash and first in NAMES else text


def _environment(folder: Path) -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([folder, _FOLDER]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "human": human,
        "figure": figure_text,
        "signs": signs,
        "many": lambda n: f"{n:,}".replace(",", "\N{NARROW NO-BREAK SPACE}"),
        "drawn": Markup,  # only for SVG that figures.py made
    }
    parts = environment.get_template("parts.html").module
    environment.globals |= {name: macro for name, macro in vars(parts).items() if name[0] != "_"}
    return environment
