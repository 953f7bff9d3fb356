"""The evidence of one verification: an HTML page for a judge, a statistician and the owner, and a
summary for a terminal.

Both say only what ``evidence.json`` says. Its text (names, errors, class names) comes from suspects
and other people's files: it is made plain, escaped, and never used as a link.
"""

import math
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from datadeed import reports
from datadeed.owner.evidence import report_text as text
from datadeed.verification.verdict import CLAIM, INCONCLUSIVE, NOT_SUPPORTED

if TYPE_CHECKING:
    from datadeed.owner.evidence.records import Record

MEANING = {
    CLAIM: (
        "Both tests reached their bars: the suspect’s answers depend on the owner’s secret key, as "
        "those of a model that learnt from the watermarked data do."
    ),
    INCONCLUSIVE: "The answers do not carry a claim, and they do not clear the suspect either.",
    NOT_SUPPORTED: (
        "The suspect gives the key’s labels to the key’s triggers no more often than is granted to "
        "an innocent model. That does not make it innocent: the mark may have been removed, "
        "avoided or never learnt."
    ),
}
STYLES = {CLAIM: "bold green", INCONCLUSIVE: "bold yellow", NOT_SUPPORTED: "bold"}
LAYERS = ("key", "behaviour")
_FOLDER = Path(__file__).parent
_PAGE = Path(reports.__file__).parent  # the style that all pages share
_SLACK = 1e-6  # of log E, for sums done in another order


def render_proof(evidence: dict[str, Any], *, records: "list[Record] | None" = None) -> str:
    """The evidence as one HTML page that needs no other file, no script and no network.

    The same evidence gives the same text.

    Args:
        evidence: a value of the form ``datadeed/evidence/1``, validated against its schema.
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
    environment.filters |= {
        "e_value": text.e_value,
        "number": text.number,
        "p_value": text.p_value,
        "interval": text.interval,
        "one_in": text.one_in,
        "logarithm": "{:.4g}".format,
        "number_short": "{:.3g}".format,
        "percent": text.percent,
        "drawn": Markup,  # only for SVG that proof_figures.py made
    }
    shown = text.plain(evidence)
    view = {
        "evidence": shown,
        "meaning": MEANING,
        "contradictions": contradictions(shown),
        "parts": part_rows(shown),
        "needed": needed(shown),
        "records": record_rows(records or []),
        **_figures(shown),
    }
    return environment.get_template("report.html").render(view) + "\n"


def summary(evidence: dict[str, Any]) -> RenderableType:
    """The verdict and what it rests on, for a terminal of 80 columns or more.

    Args:
        evidence: as for :func:`render_proof`.
    """
    shown = text.plain(evidence)
    verdict, queries, behaviour = (shown[key] for key in ("verdict", "queries", "behaviour_layer"))
    word = verdict["word"]
    rate = "no behaviour query was counted"
    if behaviour["n"]:
        ends = text.interval(behaviour["low"], behaviour["high"])
        granted = text.percent(behaviour["null_rate"])
        rate = f"hit rate {ends} (level {behaviour['level']:g}); granted {granted}"
    spent = ", ".join(f"{queries[kind]} {kind}" for kind in ("probe", *LAYERS))
    return Group(
        Text.assemble((word, STYLES.get(word, "bold")), "  ", _name(shown)),
        Text(MEANING.get(word, "")),
        Text(verdict["reason"], style="dim"),
        _layers_table(shown),
        Text(rate),
        Text(f"queries: {spent}; {queries['failed']} failed; budget {queries['budget']}"),
        *(Text(f"contradiction: {line}", style="bold red") for line in contradictions(shown)),
    )


def _layers_table(evidence: dict[str, Any]) -> Table:
    """One row a layer. Cells are ``Text``: square brackets in them are no markup."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("layer", no_wrap=True)
    for name in ("E", "needed", "hits", "p at most", "failed"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("bar", no_wrap=True)
    for name in LAYERS:
        layer = evidence[f"{name}_layer"]
        asked = f"{layer['parts_asked']} parts" if name == "key" else layer["n"]
        cells = (
            name,
            text.e_value(layer["log_e"]),
            text.number(needed(evidence)[name]),
            f"{layer['hits']}/{asked}",
            text.p_value(layer["p_value"]),
            str(layer["failed"]),
            "reached" if layer["passed"] else "not reached",
        )
        table.add_row(*map(Text, cells))
    return table


def _name(evidence: dict[str, Any]) -> str:
    name = evidence["suspect"]["name"]
    return name if len(name) <= 60 else name[:59] + "…"


def needed(evidence: dict[str, Any]) -> dict[str, float]:
    """The E that each layer has to reach, by name: 1/alpha for each suspect asked."""
    bars = evidence["multiplicity"]
    return {
        name: max(evidence[f"{name}_layer"]["threshold"], bars[f"threshold_{name}"])
        for name in LAYERS
    }


def contradictions(evidence: dict[str, Any]) -> list[str]:
    """What in the evidence does not fit together, one line each; none in evidence left as made.

    A bar must be 1/alpha for each suspect asked, "passed" must follow from E, E from the parts, and
    the word from both layers and the interval. This is no replay of the log.
    """
    found = []
    for name, bar in needed(evidence).items():
        layer, least = evidence[f"{name}_layer"], evidence["multiplicity"]["suspects"]
        least /= evidence["design"][f"alpha_{name}"]
        if bar < least * (1 - _SLACK):
            found.append(f"the {name} layer’s bar is lower than {text.number(least)}")
        if layer["passed"] and layer["log_e_max"] < math.log(bar) - _SLACK:
            found.append(f"the {name} layer is said to pass, and its E is below its bar")
    key, behaviour = evidence["key_layer"], evidence["behaviour_layer"]
    factors = [part["factor"] for part in key["parts"]]
    product = sum(map(math.log, factors)) if all(factors) else -math.inf
    if not math.isclose(product, key["log_e"], rel_tol=_SLACK, abs_tol=_SLACK):
        found.append("the key layer’s E is not the product of its parts’ factors")
    if sum(part["hit"] for part in key["parts"]) != key["hits"]:
        found.append("the key layer’s hits are not those of its parts")
    word = INCONCLUSIVE
    if key["passed"] and behaviour["passed"]:
        word = CLAIM
    elif not key["passed"] and behaviour["high"] < behaviour["null_rate"]:
        word = NOT_SUPPORTED
    if word != evidence["verdict"]["word"]:
        found.append(f"the rule gives {word}, not {evidence['verdict']['word']}")
    return found


def part_rows(evidence: dict[str, Any]) -> list[dict[str, Any]]:
    """The parts asked, with the votes for the target beside the others and class names."""
    names = evidence["design"]["classes"]

    def label(number: int | None) -> str:
        if number is None:
            return "none alone"
        return f"{number} {names[number]}" if 0 <= number < len(names) else str(number)

    rows = []
    for part in evidence["key_layer"]["parts"]:
        votes, mine = sum(part["votes"].values()), part["votes"].get(str(part["target"]), 0)
        named = {"target": label(part["target"]), "plurality": label(part["plurality"])}
        rows.append(part | named | {"for_target": mine, "against": votes - mine})
    return rows


def record_rows(records: Iterable["Record"]) -> list[dict[str, Any]]:
    """The query log as the page lists it."""
    return [
        text.plain(
            {
                "seq": record.seq,
                "time": record.time,
                "purpose": record.purpose,
                "part": record.part,
                "row": record.row,
                "label": record.labels[0] if record.labels else None,
                "error": record.error,
            }
        )
        for record in records
    ]


def _figures(evidence: dict[str, Any]) -> dict[str, str]:
    """SVG of the two curves; empty text for one that has nothing to show."""
    from datadeed.owner.evidence.report_figures import e_value_figure, hit_rate_figure

    curve, behaviour = evidence["curve"], evidence["behaviour_layer"]
    asked = [point for point in curve if point["n"] > 0]
    return {
        "e_values": e_value_figure(curve, needed(evidence)) if curve else "",
        "hit_rate": (
            hit_rate_figure(asked, behaviour["null_rate"], behaviour["level"]) if asked else ""
        ),
    }
