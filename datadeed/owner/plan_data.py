"""A plan for a dataset that lies there: rows, classes, sizes and the pool are read from it."""

from typing import Any

import numpy as np

from datadeed.keys.generation2 import Design2
from datadeed.owner.alternatives import carriers_of, plain_carrier
from datadeed.owner.commit_checks import check_alpha, find_targets
from datadeed.owner.data import Note, Source, check_images, named, open_data, open_pool, unheard
from datadeed.owner.plan import Plan, planned
from datadeed.owner.plan_figures import USUAL_ANSWERS
from datadeed.owner.proposal_data import demand_for


def plan_data(
    source: Source,
    *,
    split: str | None = None,
    pool: Source | None = None,
    pool_split: str | None = None,
    reading: dict[str, Any] | None = None,
    carrier: str | None = None,
    alpha: float = Design2.alpha,
    least_effect: float = Design2.least_effect,
    budget: int = Design2.budget,
    parts: int | None = None,
    rate: float | None = None,
    few_marks: bool = False,
    played: bool = True,
    rng: np.random.Generator | None = None,
    note: Note = unheard,
) -> Plan:
    """Plan a key for a dataset; :func:`datadeed.owner.plan.plan` does without one.

    Args:
        source, split, pool, pool_split, reading: as :func:`datadeed.owner.commit.commit` takes
            them.
        carrier, alpha, least_effect, budget: of the key; by default the usual carrier.
        parts, rate: fix these instead of having them proposed.
        few_marks: accept fewer than 40 marks a part.
        played, rng: as :func:`datadeed.owner.plan.plan` takes them.
        note: takes what the owner should know of the files.

    Raises:
        DatasetError: the data cannot be read, or its images not be written again.
        UnsupportedModality: keys do not mark such samples.
        KeyRecordError: a number makes no sense, or fewer than two classes have rows.
    """
    check_alpha(alpha)
    given = reading or {}
    data, split = open_data(source, split, **given)
    check_images(data, note)
    places: dict[str, Any] = {"source": source, "split": split, "modality": data.modality}
    asked = open_pool(pool, pool_split, **places, **given)
    usual = carriers_of(data.modality)[0]
    levels: dict[str, Any] = {"alpha": alpha, "least_effect": least_effect, "budget": budget}
    design = Design2(
        classes=data.classes,
        channels=data.channels,
        targets=find_targets(data, named(source)),
        carrier=plain_carrier(carrier or usual),
        answers=USUAL_ANSWERS,
        **levels,
    )
    demand = demand_for(data, asked.rows, design, parts=parts, rate=rate, few_marks=few_marks)
    return planned(demand, played=played, rng=rng)
