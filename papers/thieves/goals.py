"""What the league's rows come to: how many thieves of a kind are claimed, at what cost to them."""

from collections.abc import Iterator
from typing import Any

import pandas as pd

from papers.thieves.entries import PLAIN

# Points of accuracy, as shares: a practice thief reaches the honest accuracy within SLACK, and a
# trick or a repair is worth it up to BUDGET.
SLACK, BUDGET = 0.01, 0.02
LEARNT = "learnt on"  # how detectors are called that know the generator
COLUMNS = ["dataset", "carrier", "seed", "goal", "of", "claimed_labels", "claimed_scores", "value"]


def goals(rows: pd.DataFrame) -> pd.DataFrame:
    """A row a dataset, carrier, seed and goal.

    ``of`` is how many thieves count, ``claimed_labels`` and ``claimed_scores`` the mean chance of a
    claim within 240 questions over them, ``value`` a recall or a cost where the goal is one.
    """
    found = [
        {"dataset": dataset, "carrier": carrier, "seed": seed, **goal}
        for (dataset, carrier, seed), of in rows.groupby(["dataset", "carrier", "seed"], sort=False)
        for goal in _of_release(of)
    ]
    return pd.DataFrame(found, columns=COLUMNS)


def _of_release(rows: pd.DataFrame) -> Iterator[dict[str, Any]]:
    own = rows[~rows.thief.str.contains("hosts as they come")]
    kinds = {str(kind): of for kind, of in own.groupby("kind")}
    empty = own[:0]
    practice, cleaning = kinds.get("practice", empty), kinds.get("cleaning", empty)
    plain = practice[practice.thief == PLAIN]
    reach = practice[practice.accuracy >= practice.honest_accuracy - SLACK]
    yield _claimed("practice thieves within a point of the honest recipe", reach)
    yield _claimed("all practice thieves", practice)
    if len(plain):
        least = plain.accuracy.iloc[0] - BUDGET
        for kind, name in (("serving", "server tricks"), ("repair", "repairs")):
            of = kinds.get(kind, empty)
            yield _claimed(f"{name} that cost at most 2 points", of[of.accuracy >= least])
        cost = float((plain.honest_accuracy - plain.accuracy).iloc[0])
        yield {"goal": "accuracy cost of the mark", "of": 1, "value": cost}
    searches = cleaning[cleaning.accuracy.isna()]
    learnt = searches.thief.str.startswith(LEARNT)
    for name, of in (
        ("public cleaners", searches[~learnt]),
        ("learnt detectors", searches[learnt]),
    ):
        if len(of):
            yield {"goal": f"{name}, best recall", "of": len(of), "value": of.recall.max()}
    yield _claimed("retrained without what a search flagged", cleaning[cleaning.accuracy.notna()])
    yield _claimed("students", kinds.get("extraction", empty))
    yield _claimed("honest models under other keys", kinds.get("honest", empty))


def _claimed(goal: str, rows: pd.DataFrame) -> dict[str, Any]:
    means = {name: rows[name].mean() for name in ("claimed_labels", "claimed_scores")}
    return {"goal": goal, "of": len(rows), **means}
