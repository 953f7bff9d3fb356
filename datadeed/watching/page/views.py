"""What each page shows: values for its template, read from a store."""

from collections import Counter
from collections.abc import Collection
from typing import Any

from datadeed.watching.page.curve import curve
from datadeed.watching.page.readings import curves, in_order, together
from datadeed.watching.store.store import Store

SUSPECTS, DAYS, RUNS = 50, 100, 50  # on one page


def overview(store: Store, page: str) -> dict[str, Any]:
    """All suspects, so many a page.

    Args:
        store: open.
        page: its number as a visitor gave it; one that is none is the nearest that is.

    Raises:
        StoreError: the store cannot be read.
    """
    found = in_order(store.suspects())
    number, pages = page_of(page, len(found), SUSPECTS)
    shown = found[(number - 1) * SUSPECTS : number * SUSPECTS]
    drawn = curves(store, shown)
    lines = {one.suspect.id: curve(drawn[one.suspect.id], one.bar) for one in shown}
    return {
        "store": store.name,
        "suspects": shown,
        "curves": lines,
        "counts": _counts([one.word for one in found], [one.verdict for one in found]),
        "total": len(found),
        "first": (number - 1) * SUSPECTS + 1,
        "page": number,
        "pages": pages,
        "together": together(found),
        "questions": sum(one.questions for one in found),
        "cost": sum(one.cost for one in found),
        "last": max((one.time for one in found), default=None),
    }


def suspect_page(
    store: Store, suspect: str, page: str, evidence: Collection[str]
) -> dict[str, Any] | None:
    """One suspect; None if there is no such.

    Args:
        store: open.
        suspect: its id.
        page: of its days, newest first.
        evidence: digests of the evidence that has a page.

    Raises:
        StoreError: the store cannot be read.
    """
    one = next((one for one in store.suspects() if one.suspect.id == suspect), None)
    if one is None:
        return None
    days, verdicts = store.days(suspect), store.verdicts(suspect)
    number, pages = page_of(page, len(days), DAYS)
    newest = days[::-1]
    return {
        "store": store.name,
        "one": one,
        "curve": curve([(day.day, day.log_e) for day in days], one.bar, width=640, height=200),
        "first_date": days[0].date if days else "",
        "last_date": days[-1].date if days else "",
        "days": newest[(number - 1) * DAYS : number * DAYS],
        "total": len(days),
        "page": number,
        "pages": pages,
        "runs": store.runs(suspect, RUNS),
        "verdicts": verdicts[::-1],
        "pages_of_evidence": {row.evidence for row in verdicts if row.evidence in evidence},
    }


def page_of(given: str, total: int, each: int) -> tuple[int, int]:
    """The number of a page, and of how many; at least one is there."""
    pages = max(1, -(-total // each))
    asked = int(given) if given.isascii() and given.isdecimal() and len(given) < 10 else 1
    return min(max(asked, 1), pages), pages


def _counts(words: list[str], verdicts: list[str | None]) -> list[tuple[str, int]]:
    """How many suspects have each word, in the order of what wants attention."""
    counted = Counter(words)
    claims = [("CLAIM", verdicts.count("CLAIM"))] if "CLAIM" in verdicts else []
    usual = ("EVIDENCE", "COULD NOT TEST", "NO EVIDENCE")
    return claims + [(word, counted[word]) for word in usual]
