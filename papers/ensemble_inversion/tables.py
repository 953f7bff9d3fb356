"""Tables 17 to 20, numbered on from the papers before: none of this paper's own is known to us."""

import re

import pandas as pd

from datadeed.reports.cells import PERCENT, Mean, summary
from papers.ensemble_inversion.names import AIDED, PICKS

TABLES = {
    17: "Accuracy of inverted pictures, judged by an independent evaluator, in percent",
    18: "Losses, each left out or added: the largest diverse ensemble",
    19: "Members chosen by farthest model sampling, beside nearest and random ones",
    20: "What accuracy does not say: filtering, diversity, distances to the training data",
}
CLAIMED = {
    17: "an ensemble improves the accuracy of data-free inversion by 70.9 % on MNIST, and with "
    "auxiliary data by 17.9 %",
    18: "a one-hot and a maximum-activation loss improve the quality",
    19: "farthest model sampling makes a more diverse and better ensemble",
    20: "filtering out samples of small activation improves the quality",
}
HEADLINES = {  # for `dvc metrics`: means of these cells
    "ensemble_accuracy": 'table == 17 and scenario == "diverse 8" and metric == "accuracy"',
    "single_accuracy": "table == 17 and metric == 'accuracy' and scenario.str.startswith('single')"
    " and not scenario.str.endswith('auxiliary')",
}
SHOWN = {
    **dict.fromkeys(("accuracy", "filtered", "agreement"), PERCENT),
    **dict.fromkeys(("test accuracy", "members", "best member"), PERCENT),
    "gain": Mean(100),
    "apart": Mean(digits=3),
    **dict.fromkeys(("deviation", "spread", "nearest"), Mean(digits=3)),
    "frechet": Mean(digits=1),
}
# Of single members, the best, the median and the worst of a seed stand beside each one.
RANKED = {"best single": "max", "median single": "median", "worst single": "min"}


def tables(cells: pd.DataFrame) -> dict[int, pd.DataFrame]:
    """A row a dataset and scenario, a column a metric: mean and spread over seeds."""
    return {table: wide(cells[cells["table"] == table], table) for table in TABLES}


def wide(found: pd.DataFrame, table: int) -> pd.DataFrame:
    """One table; without cells it has its first two columns alone."""
    if table == 19:
        found = by_choice(found)
    if table in (17, 20):
        found = pd.concat([ranked(found), found], ignore_index=True)
    rows = []
    for (dataset, scenario), here in found.groupby(["dataset", "scenario"], sort=False):
        texts = {
            metric: summary(its.tolist(), SHOWN[str(metric)])
            for metric, its in here.groupby("metric", sort=False)["value"]
        }
        rows.append({"dataset": dataset, "scenario": scenario, **texts})
    made = pd.DataFrame(rows, columns=None if rows else ["dataset", "scenario"])
    return made.sort_values("dataset", kind="stable", ignore_index=True).fillna("")


def ranked(found: pd.DataFrame) -> pd.DataFrame:
    """The best, median and worst single member's value of every seed, data-free and aided.

    Diverse members alone: copies of one architecture would count it eight times.
    """
    mine = found[found["scenario"].map(is_diverse_single) & (found["metric"] != "test accuracy")]
    parts = []
    for end in ("", AIDED):
        here = mine[mine["scenario"].str.endswith(AIDED) == bool(end)]
        by_seed = here.groupby(["dataset", "metric", "seed"], sort=False)["value"]
        for name, how in RANKED.items():
            parts.append(by_seed.agg(how).reset_index().assign(scenario=f"{name}{end}"))
    return pd.concat(parts, ignore_index=True)


def is_diverse_single(scenario: str) -> bool:
    """Whether it is a member alone, and not a further copy of an architecture: "lenet-2"."""
    name = scenario.removesuffix(AIDED)
    return name.startswith("single ") and not re.search(r"-([2-9]|\d\d+)$", name)


def by_choice(found: pd.DataFrame) -> pd.DataFrame:
    """Scenarios without the members' names, means over a seed's starts; ``gain`` beside them.

    ``gain`` is the accuracy less the mean accuracy that the chosen members have alone.
    """
    named = found.assign(scenario=found["scenario"].str.split(":").str[0])
    means = named.groupby(["dataset", "seed", "scenario", "metric"], sort=False)["value"].mean()
    if means.empty:
        return named
    table = means.unstack("metric")
    table["gain"] = table["accuracy"] - table["members"]
    long = table.reset_index().melt(["dataset", "seed", "scenario"], value_name="value")
    order = {name: place for place, name in enumerate(PICKS)}
    return long.sort_values("scenario", key=lambda names: names.map(order), kind="stable")
