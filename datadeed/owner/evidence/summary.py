"""The evidence of one verification for a terminal of 80 columns or more."""

from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from datadeed.owner.evidence import report_text as text
from datadeed.owner.evidence.contradictions import contradictions
from datadeed.verification.words import CLAIM, INCONCLUSIVE

STYLES = {CLAIM: "bold green", INCONCLUSIVE: "bold yellow"}
LONGEST_NAME = 60


def summary(evidence: dict[str, Any]) -> RenderableType:
    """The verdict and what it rests on.

    Args:
        evidence: a value of the form ``datadeed/evidence/2``, validated against its schema.
    """
    shown = text.plain(evidence)
    word, name = shown["verdict"]["word"], shown["suspect"]["name"]
    if len(name) > LONGEST_NAME:
        name = name[: LONGEST_NAME - 1] + "…"
    table = Table(box=box.SIMPLE, show_header=False, padding=(0, 2, 0, 0), pad_edge=False)
    for what, found in _rows(shown):
        table.add_row(Text(what), Text(found))
    return Group(
        Text.assemble((word, STYLES.get(word, "bold")), "  ", name),
        Text(text.meaning(shown)),
        Text(shown["verdict"]["reason"], style="dim"),
        *(Text(f"finding: {line}", style="bold yellow") for line in shown["findings"]),
        table,
        *(Text(f"contradiction: {line}", style="bold red") for line in contradictions(shown)),
    )


def _rows(evidence: dict[str, Any]) -> list[tuple[str, str]]:
    """What the figures are, and the figures. Cells become ``Text``: brackets are no markup."""
    effect, queries = evidence["effect"], evidence["queries"]
    rows = [
        ("E", _e(evidence)),
        (
            "hits",
            f"{effect['block_hits']} of {effect['block_asked']} with a part's trigger; "
            f"{effect['other_hits']} of {effect['other_asked']} with another part's, on the same "
            "samples",
        ),
        ("effect", _effect(effect)),
        (
            "questions",
            f"{len(evidence['curve'])} counted of a budget of {queries['budget']}: "
            f"{queries['block']} of blocks, {queries['pair'] + queries['decoy']} of pairs; "
            f"{queries['probe']} clean ones; {queries['failed']} failed, {queries['in_vain']} of "
            "these in vain",
        ),
        ("premises", ", ".join(f"{p['name']} {p['status']}" for p in evidence["premises"])),
    ]
    rows += [("missing", p["found"]) for p in evidence["premises"] if p["status"] == "missing"]
    return rows


def _e(evidence: dict[str, Any]) -> str:
    layer = evidence["key_layer"]
    needed = text.number(layer["bar"])
    if not layer["looks"]:
        return f"none: no image was asked under all parts; {needed} needed"
    reached = "" if layer["passed"] else ", not reached"
    return (
        f"{text.e_value(layer['log_e'])} of {needed} needed{reached} (p "
        f"{text.p_value(layer['p_value'])}); samples: {layer['images']}"
    )


def _effect(effect: dict[str, Any]) -> str:
    if not effect["pairs"]:
        return "no pair that counts was asked"
    least = text.percent(effect["least"])
    return (
        f"{effect['hits']} of {effect['pairs']} with the trigger, {effect['decoy_hits']} with a "
        f"decoy: {text.points(effect['low'], effect['high'])} ({effect['level']:.0%} each); "
        f"{least} {'excluded' if effect['excluded'] else 'not excluded'}"
    )
