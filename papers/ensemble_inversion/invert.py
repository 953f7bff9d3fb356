"""Invert the members of a case, alone and together: the rows of tables 17 to 20.

Scenarios are "single NAME", "same N" and "diverse N"; with ", auxiliary" behind them where
auxiliary images helped. A few pictures are kept for the figure.
"""

from typing import Any

import torch

from datadeed.datasets.form.dataset import Dataset, concatenate
from datadeed.datasets.form.parquet import write_dataset
from datadeed.randomness import generator
from datadeed.thieves.inversion import choice
from datadeed.thieves.inversion.ensemble import Ensemble, smooth_noise
from datadeed.thieves.inversion.pictures import Pictures
from papers.base import Case, Lab, Row
from papers.ensemble_inversion import judge, pool
from papers.ensemble_inversion.bench import Bench
from papers.ensemble_inversion.names import ACCURACY, AIDED, CHOICE, LOSSES, QUALITY


def stage(case: Case, settings: dict[str, Any]) -> str:
    """The stage of ``dvc.yaml`` that makes a cell's rows."""
    return "invert-aided" if judge.aided(case, settings) else "invert-alone"


def run(lab: Lab, dataset: str, network: str, watermark: str, seed: str) -> list[Row]:
    """The rows of one case; its pictures go to ``CASE-pictures.parquet``."""
    case = Case(dataset, network, watermark, int(seed))
    bench = Bench.of(lab, case, aided=judge.aided(case, lab.settings()))
    with lab.progress(5, "experiments", f"invert {case}") as tell:
        singles = alone(bench)
        tell(1, "each member alone")
        shown = [*singles.pop("pictures"), *together(bench)]
        tell(2, "ensembles")
        losses(bench)
        tell(3, "losses")
        chosen(bench, singles["accuracy"])
        tell(4, "choice of members")
        bench.looks(QUALITY, "test images", bench.test)
        tell(5, "real images")
    write_dataset(concatenate(shown), pool.pictures_file(lab, case))
    return bench.found


def alone(bench: Bench) -> dict[str, Any]:
    """Every member, without auxiliary images and with them.

    Returns:
        ``accuracy``: of each member's pictures, data-free; ``pictures``: those of the median one.
    """
    value, count = bench.tested(pool.EVALUATOR)
    bench.row(ACCURACY, pool.EVALUATOR, "test accuracy", value, count)
    accuracy, pictures = {}, {}
    for name in pool.everybody(bench.lab):
        scenario = f"single {name}"
        bench.row(ACCURACY, scenario, "test accuracy", *bench.tested(name))
        pictures[name] = bench.invert([name], scenario)
        accuracy[name] = bench.accuracy(ACCURACY, scenario, pictures[name])
        bench.quality(QUALITY, scenario, pictures[name])
    if bench.auxiliary is not None:
        for name in pool.diverse(bench.lab):
            scenario = f"single {name}{AIDED}"
            bench.accuracy(ACCURACY, scenario, bench.invert([name], scenario, aided=True))
    ranked = sorted(pool.diverse(bench.lab), key=lambda name: accuracy[name])
    middle = ranked[(len(ranked) - 1) // 2]
    return {"accuracy": accuracy, "pictures": [first_of_each(pictures[middle])]}


def together(bench: Bench) -> list[Dataset]:
    """Ensembles of growing size, each with the members of the smaller one; pictures of some."""
    shown = []
    aids = [False, True] if bench.auxiliary is not None else [False]
    for kind, names in (("same", pool.same(bench.lab)), ("diverse", pool.diverse(bench.lab))):
        order = torch.randperm(
            len(names), generator=generator(bench.lab.seed, "order", str(bench.case), kind)
        )
        mixed = [names[i] for i in order.tolist()]
        sizes = bench.lab.params("sizes")
        for aided in aids:
            for size in sizes if not aided else sizes[-1:]:
                scenario = f"{kind} {size}{AIDED * aided}"
                pictures = bench.invert(mixed[:size], scenario, aided=aided)
                bench.accuracy(ACCURACY, scenario, pictures)
                bench.quality(QUALITY, scenario, pictures)
                shown += [first_of_each(pictures)] if kind == "diverse" else []
    return shown


def losses(bench: Bench) -> None:
    """The largest diverse ensemble with other losses; the same random numbers for all."""
    names = pool.diverse(bench.lab)
    for scenario, changed in bench.lab.params("losses").items():
        pictures = bench.invert(names, "losses", **changed)
        bench.accuracy(LOSSES, scenario, pictures)
        bench.looks(LOSSES, scenario, pictures.data)


def chosen(bench: Bench, singles: dict[str, float]) -> None:
    """A few members of the whole pool, chosen three ways from several starts.

    A row's scenario is "HOW: NAMES"; ``members`` is the mean accuracy that these names have alone.
    """
    names, values = pool.everybody(bench.lab), bench.lab.params("choice")
    draw = generator(bench.lab.seed, "choice", str(bench.case))
    probes = smooth_noise(values["probes"], bench.test.shape, draw)
    apart = choice.distances(Ensemble([bench.models[name] for name in names]).answers(probes))
    starts = torch.randperm(len(names), generator=draw)[: values["starts"]].tolist()
    for number, start in enumerate(starts, 1):
        picks = {
            "farthest": choice.farthest(apart, values["count"], start),
            "nearest": choice.nearest(apart, values["count"], start),
            "random": choice.at_random(values["count"], len(names), start, draw),
        }
        for how, rows in picks.items():
            mine = [names[i] for i in rows]
            pictures = bench.invert(mine, f"{how} {number}")
            scenario = f"{how}: {' + '.join(mine)}"
            bench.accuracy(CHOICE, scenario, pictures)
            own = [singles[name] for name in mine]
            bench.row(CHOICE, scenario, "members", sum(own) / len(own), len(own))
            bench.row(CHOICE, scenario, "best member", max(own), len(own))
            gap = apart[rows][:, rows].sum() / (len(rows) * (len(rows) - 1))
            bench.row(CHOICE, scenario, "apart", float(gap), values["probes"])


def first_of_each(pictures: Pictures) -> Dataset:
    """The first picture of every class, unfiltered."""
    return pictures.data.take(torch.arange(len(pictures.data.classes)))
