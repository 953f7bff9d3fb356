"""How often each test accuses the innocent, and what a true claim costs: both simulated.

``tasks.study proof simulate [REPETITIONS]`` writes ``type-one.csv`` and ``queries.csv`` among the
results. Every row has its own stream of random numbers, so adding one changes no other.
"""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from datadeed.errors import ParameterError
from datadeed.files import write_text
from datadeed.randomness import derive_seed
from datadeed.verification.simulations import behaviour_queries, marked_queries
from papers.base import Lab
from papers.proof import type_one as ours
from papers.proof import type_one_published as published

PUBLISHED_QUERIES = 200  # DVBW's m = 100 pairs of a clean and a triggered sample
BEHAVIOUR_BUDGET = 1500


@dataclass(frozen=True)
class Game:
    """One row of type-one.csv; ``play(rng, repetitions, level)`` tells where it rejected."""

    test: str
    null: str
    setting: str
    level: float
    play: Callable[[np.random.Generator, int, float], np.ndarray]


RATE = "the hit rate is at most 0.25"
DIFFERENCE = "the mean difference of target probabilities is at most 0.2"
LABELS = "the suspect does not depend on the key's labels"
PLACE = "the suspect does not depend on which trigger is the true one"
POPULATION = "the suspect is one of the innocent population"
DAILY = partial(published.t_test_daily, m=100)


def betting_games() -> Iterator[Game]:
    """Betting, confidence sequences and the start-day mixture."""
    for level in (0.05, 0.01):
        yield Game(
            "betting e-process",
            RATE,
            "hit rate 0.25; a look after each of 1000 answers",
            level,
            partial(ours.betting, rate=0.25, looks=1000),
        )
        yield Game(
            "betting e-process, without replacement",
            "the hit rate over the pool is at most 0.25",
            "pool of 500 with 125 hits; a look after each answer to the last",
            level,
            partial(ours.betting_pool, hits=125, size=500),
        )
    for m in (100, 500):
        yield Game(
            "betting e-process",
            DIFFERENCE,
            f"left-skewed differences, mean 0.2; a look after each of {m} pairs",
            0.01,
            partial(ours.betting_skewed, m=m),
        )
    for pool in (False, True):
        yield Game(
            "confidence sequence" + (", without replacement" if pool else ""),
            "the interval holds the hit rate at every look",
            "hit rate 0.25; a look after each of 500 answers",
            0.05,
            partial(ours.sequence_miss, hits=125, size=500, pool=pool),
        )
    yield Game(
        "start-day mixture",
        RATE,
        "hit rate 0.25; 10 answers a day, 365 daily looks",
        0.01,
        partial(ours.start_day, rate=0.25, days=365, queries=10),
    )


def key_games() -> Iterator[Game]:
    """Everything that rests on a random key."""
    models = (
        ("a favourite wrong class for each trigger", ours.confused),
        ("answers the true label plus one", ours.shifted),
        ("the same, images of the target class left out (forbidden)", ours.shifted_excluding),
    )
    for (words, innocent), classes in itertools.product(models, (2, 10)):
        yield Game(
            "key-label e-value",
            LABELS,
            f"{classes} classes, 12 parts, lead 2 or 9 answers; {words}",
            0.01,
            partial(ours.key_labels, innocent=innocent, classes=classes),
        )
    yield Game(
        "key-label e-value",
        LABELS,
        f"10 classes, 12 parts, lead 2 or 9 answers; {models[0][0]}",
        1e-6,
        partial(ours.key_labels, innocent=ours.confused, classes=10),
    )
    for hot in (0.0, 0.2):
        share = f"{hot:.0%} of random triggers move the model by nature"
        rank = partial(ours.decoy_rank, hot=hot, decoys=19, m=10)
        game = partial(ours.elimination, hot=hot, decoys=19)
        coin = partial(ours.coins, hot=hot, parts=12, votes=9)
        yield Game("rank among decoys", PLACE, f"19 decoys, 10 answers each; {share}", 0.05, rank)
        yield Game("blind elimination", PLACE, f"19 decoys; {share}", 0.05, game)
        bits = "the suspect does not depend on which triggers were embedded"
        yield Game("coins e-value", bits, f"12 triggers, 9 answers each; {share}", 0.01, coin)


def population_games() -> Iterator[Game]:
    """Many suspects, and a population of innocent models."""
    for thieves in (0, 20):
        yield Game(
            "e-BH",
            "an accused suspect has a hit rate of at most 0.25",
            f"200 suspects, {thieves} of them thieves, 60 answers each; share of false accusations",
            0.05,
            partial(ours.false_discovery, suspects=200, thieves=thieves, null_rate=0.25, m=60),
        )
    yield Game(
        "conformal rank",
        POPULATION,
        "19 innocent models, none left out",
        0.05,
        partial(ours.conformal, models=19),
    )


def published_games() -> Iterator[Game]:
    """The published procedures on the same innocent suspects."""
    skewed = partial(published.t_test_skewed, m=100)
    hot = partial(published.t_test_hot_triggers, m=100, hot=0.2)
    once = "one test on 100 pairs"
    name = "published: DVBW t-test"
    yield Game(name, DIFFERENCE, f"left-skewed differences, mean 0.2; {once}", 0.01, skewed)
    yield Game(name, DIFFERENCE, f"mean 0.2; {once}", 0.05, partial(DAILY, days=1))
    yield Game(
        name, DIFFERENCE, "mean 0.2; a fresh test on 365 days", 0.05, partial(DAILY, days=365)
    )
    yield Game(
        "published: repeat 100 times",
        DIFFERENCE,
        "mean 0.2; any of 100 tests on fresh pairs",
        0.1,
        partial(DAILY, days=100),
    )
    words = f"20% of random triggers move the model by nature; {once}"
    yield Game(name, "the suspect did not use the data", words, 0.05, hot)
    label = "published: DVBW label-only value as released"
    null = "the trigger brings no target label"
    for m, target in itertools.product((10, 100), (0, 4)):
        setting = f"answers uniform over the other 9 classes; m = {m}, target {target}"
        play = partial(published.released_label_value, m=m, target=target)
        yield Game(label, null, setting, 0.05, play)
    setting = "half of the answers one class below the target, half one above; m = 100"
    neighbours = partial(published.released_label_value_neighbours, m=100)
    yield Game(label, null, setting, 0.05, neighbours)
    yield Game(
        "published: CertDW threshold",
        POPULATION,
        "100 innocent models, the largest 20 left out",
        0.05,
        partial(published.conformal_trimmed, models=100),
    )


def games() -> list[Game]:
    """All rows of type-one.csv, in order."""
    return [*betting_games(), *key_games(), *population_games(), *published_games()]


def type_one_row(game: Game, repetitions: int, seed: int) -> dict[str, Any]:
    """Play a game; ``bound_holds`` is false if the exact 95 % interval lies above the level."""
    rng = np.random.default_rng(derive_seed(seed, "simulate", game.test, game.setting, game.level))
    rejections = int(game.play(rng, repetitions, game.level).sum())
    interval = stats.binomtest(rejections, repetitions).proportion_ci(0.95, method="exact")
    return {
        "test": game.test,
        "null": game.null,
        "setting": game.setting,
        "level": game.level,
        "repetitions": repetitions,
        "rejections": rejections,
        "rate": rejections / repetitions,
        "low": interval.low,
        "high": interval.high,
        "bound_holds": bool(interval.low <= game.level),
    }


def query_settings() -> list[dict[str, Any]]:
    """The settings of queries.csv: both layers, three strengths of the mark."""
    rates = (0.95, 0.5, 0.3)
    key = [
        {"layer": "key", "rate": rate, "classes": classes, "parts": 12, "votes": 9, "bar": bar}
        for classes, rate, bar in itertools.product((10, 100), rates, (1e2, 1e6))
    ]
    behaviour = [
        {"layer": "behaviour", "rate": rate, "null_rate": null_rate, "bar": 1e2}
        for null_rate, rate in itertools.product((0.25, 0.1), rates)
    ]
    return key + behaviour


def query_row(setting: dict[str, Any], repetitions: int, seed: int) -> dict[str, Any]:
    """Queries until the layer passes or gives up, and how often it passes."""
    rng = np.random.default_rng(derive_seed(seed, "queries", *setting.values()))
    values = {k: v for k, v in setting.items() if k not in ("layer", "bar")}
    if setting["layer"] == "key":
        queries, passed = marked_queries(rng, repetitions, 1 / setting["bar"], **values)
    else:
        values["budget"] = BEHAVIOUR_BUDGET
        queries, passed = behaviour_queries(rng, repetitions, 1 / setting["bar"], **values)
    columns = ("layer", "classes", "rate", "parts", "votes", "null_rate", "bar", "budget")
    return {
        **{name: {**setting, **values}.get(name) for name in columns},
        "repetitions": repetitions,
        "mean_queries": queries.mean(),
        "queries_90": np.quantile(queries, 0.9),
        "power": passed.mean(),
        "published_queries": PUBLISHED_QUERIES,
    }


def run(lab: Lab, repetitions: str = "10000") -> None:
    """Play every row; write both tables.

    Args:
        lab: gives the seed, takes the tables.
        repetitions: of each row, a whole number.

    Raises:
        ParameterError: it is none, or below 1.
    """
    if not repetitions.isdecimal() or not (times := int(repetitions)):
        raise ParameterError(f"{repetitions} repetitions: give 1 or more, 10000 as a rule")
    work = [partial(type_one_row, game, times, lab.seed) for game in games()]
    n = len(work)
    work += [partial(query_row, setting, times, lab.seed) for setting in query_settings()]
    rows = []
    with lab.progress(len(work), "rows", "simulate") as update:
        for row in work:
            rows.append(row())
            update(len(rows), "")
    type_one, queries = pd.DataFrame(rows[:n]), pd.DataFrame(rows[n:])
    queries = queries.astype(dict.fromkeys(("classes", "parts", "votes", "budget"), "Int64"))
    for name, table in (("type-one", type_one), ("queries", queries)):
        write_text(lab.results / f"{name}.csv", table.to_csv(index=False, float_format="%.6g"))
    holds = int(type_one.bound_holds.sum())
    print(f"the level holds in {holds} of {n} rows; {len(queries)} costs")  # noqa: T201
