"""The evidence of one verification as an HTML page, for a judge, a statistician and the owner.

It says only what ``evidence.json`` says. Its text (names, errors, class names) comes from suspects
and other people's files: it is made plain, escaped, and never used as a link.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datadeed import reports
from datadeed.owner.evidence import report_text as text
from datadeed.owner.evidence.contradictions import contradictions

if TYPE_CHECKING:
    from datadeed.owner.evidence.records import Record

_FOLDER = Path(__file__).parent
_PAGE = Path(reports.__file__).parent  # the style that all pages share


def render_proof(evidence: dict[str, Any], *, records: "Iterable[Record]" = ()) -> str:
    """The evidence as one HTML page that needs no other file, no script and no network.

    The same evidence gives the same text.

    Args:
        evidence: a value of the form ``datadeed/evidence/2``, validated against its schema.
        records: the query log, for the list of questions and the reasons of failed ones.
    """
    import jinja2
    from markupsafe import Markup

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([_FOLDER, _PAGE]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    names = ("e_value", "interval", "number", "p_value", "percent", "points")
    environment.filters |= {name: getattr(text, name) for name in names}
    environment.filters["drawn"] = Markup  # only for SVG that report_figures.py made
    shown = text.plain(evidence)
    rows = record_rows(records, shown)
    view = {
        "evidence": shown,
        "meaning": text.meaning(shown),
        "bound": text.bound(shown),
        "contradictions": contradictions(shown),
        "parts": part_rows(shown),
        "looks": look_rows(shown),
        "class_map": class_map(shown),
        "declared": declared_rows(shown),
        "records": rows,
        "examples": example_rows(shown, evidence, rows),
        **_figures(shown),
    }
    return environment.get_template("report.html").render(view) + "\n"


def class_name(evidence: dict[str, Any], label: int) -> str:
    """Number and name of one of the key's classes; of what is none, the number."""
    names = evidence["design"]["classes"]
    return f"{label} {names[label]}" if label < len(names) else str(label)


def part_rows(evidence: dict[str, Any]) -> list[dict[str, Any]]:
    """The key's parts, with the names of their targets."""
    return [
        part | {"target": class_name(evidence, part["target"])}
        for part in evidence["key_layer"]["parts"]
    ]


def look_rows(evidence: dict[str, Any]) -> list[dict[str, Any]]:
    """The looks at E: how many images and counted questions, ln E of that look, ln E of them all.

    The last is None where the course of the questions does not hold it.
    """
    parts = evidence["design"]["parts"]
    blocks = [point for point in evidence["curve"] if point["step"] == "block"]
    ends = {n // parts: point for n, point in enumerate(blocks, start=1) if n % parts == 0}
    rows = []
    for images, log_e in evidence["key_layer"]["looks"]:
        end = ends.get(images, {"query": None, "log_e": None})
        rows.append({"images": images, "alone": log_e} | end)
    return rows


def class_map(evidence: dict[str, Any]) -> dict[str, Any]:
    """How the suspect's labels stand for the key's classes, by name.

    Returns:
        ``merged``: a list of names for each label that stands for several classes; ``single``: the
        classes that have a label of their own; ``missing``: those that the suspect lacks.
    """
    groups = evidence["suspect"]["groups"]
    known = {member for group in groups for member in group}
    rest = [k for k in range(len(evidence["design"]["classes"])) if k not in known]
    return {
        "merged": [[class_name(evidence, k) for k in group] for group in groups if len(group) > 1],
        "single": [class_name(evidence, group[0]) for group in groups if len(group) == 1],
        "missing": [class_name(evidence, k) for k in rest],
    }


def declared_rows(evidence: dict[str, Any]) -> list[tuple[str, str]]:
    """What the suspect's configuration declares, a row an entry: its path and its value."""
    rows = []
    for section, entries in evidence["suspect"]["declared"].items():
        inner = entries if isinstance(entries, dict) else {"": entries}
        for name, value in inner.items():
            shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            rows.append((f"{section}.{name}".rstrip("."), text.plain(shown)))
    return rows


def record_rows(records: "Iterable[Record]", evidence: dict[str, Any]) -> list[dict[str, Any]]:
    """The query log as the page lists it."""
    return [
        {
            "seq": record.seq,
            "time": record.time,
            "purpose": text.plain(record.purpose),
            "part": record.part,
            "row": record.row,
            "label": class_name(evidence, record.labels[0]) if record.labels else None,
            "error": text.plain(record.error),
        }
        for record in records
    ]


def example_rows(
    shown: dict[str, Any], evidence: dict[str, Any], records: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """The questions that the evidence shows as they were asked, each with its row of the log.

    Sounds are taken from the evidence as it is: their form is checked, and they are too long for
    text that people read.
    """
    by_seq = {record["seq"]: record for record in records}
    asked = zip(shown.get("shown", ()), evidence.get("shown", ()), strict=True)
    return [
        by_seq[example["seq"]] | (as_is if "sound" in example else example)
        for example, as_is in asked
        if example["seq"] in by_seq
    ]


def _figures(evidence: dict[str, Any]) -> dict[str, str]:
    """SVG of the two figures; empty text for one that has nothing to show."""
    from datadeed.owner.evidence.report_figures import e_value_figure, effect_figure

    curve, effect = evidence["curve"], evidence["effect"]
    pairs = [(point["low"], point["high"]) for point in curve if point["step"] != "block"][1::2]
    return {
        "e_values": (
            e_value_figure(curve, evidence["key_layer"]["bar"])
            if evidence["key_layer"]["looks"] and curve
            else ""
        ),
        "bounds": effect_figure(pairs, effect["least"], effect["level"]) if pairs else "",
    }
