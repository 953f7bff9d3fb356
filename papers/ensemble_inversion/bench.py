"""One inversion of a case, measured: what all of the paper's experiments repeat."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from datadeed.datasets.form.dataset import Dataset, stratified_subset
from datadeed.files import read_json
from datadeed.models.stored import load_model
from datadeed.randomness import generator
from datadeed.thieves.inversion import metrics
from datadeed.thieves.inversion.ensemble import Ensemble
from datadeed.thieves.inversion.invert import EnsembleInversion
from datadeed.thieves.inversion.pictures import Pictures, draw, strongest
from papers.base import Case, Lab, Row
from papers.ensemble_inversion import pool
from papers.ensemble_inversion.networks import Small


@dataclass(eq=False)
class Bench:
    """The models and data of a case.

    Attributes:
        lab, case: whose.
        train: what the members were trained on; their nearest images are looked for here.
        test: as many real images as pictures are drawn: what perfect pictures would score.
        auxiliary: letters or the like; None where there are none.
        found: rows so far.
    """

    lab: Lab
    case: Case
    train: Dataset
    test: Dataset
    auxiliary: Dataset | None
    found: list[Row] = field(default_factory=list)

    def __post_init__(self) -> None:
        names = [*pool.everybody(self.lab), pool.EVALUATOR]
        self.models = {
            name: load_model(pool.folder(self.lab, self.case, name), self.lab.device, Small)
            for name in names
        }
        self.evaluator = self.models.pop(pool.EVALUATOR)
        self.real = metrics.features(self.evaluator, self.train)

    @classmethod
    def of(cls, lab: Lab, case: Case, *, aided: bool) -> "Bench":
        """The bench of a case; with auxiliary images if it is ``aided``."""
        test = lab.test(case.dataset)
        count = min(len(test), lab.params("per_class") * len(test.classes))
        rows = stratified_subset(test.labels, count, generator(lab.seed, "real", str(case)))
        auxiliary = None
        if aided:
            auxiliary = lab.train(lab.settings("ensemble_inversion", "auxiliary")).read()
        return cls(lab, case, pool.shares(lab, case).members, test.take(rows), auxiliary)

    def invert(
        self, names: Sequence[str], scenario: str, *, aided: bool = False, **changed: Any
    ) -> Pictures:
        """Pictures from these members.

        Args:
            names: of the pool.
            scenario: what the inversion is called; decides its random numbers.
            aided: with auxiliary images.
            changed: other weights than the paper's parameters give.
        """
        values = {**self.lab.params("weights"), **changed}
        values |= self.lab.settings("ensemble_inversion", "inversion")
        if aided:
            values["adversarial"] = self.lab.params("adversarial")
        ensemble = Ensemble([self.models[name] for name in names], names=names)
        named = (self.lab.seed, "invert", str(self.case), scenario)
        network = EnsembleInversion(**values)(
            ensemble,
            generator=generator(*named, "train"),
            auxiliary=self.auxiliary if aided else None,
        )
        return draw(
            network,
            ensemble,
            per_class=self.lab.params("per_class"),
            classes=self.test.classes,
            generator=generator(*named, "draw"),
        )

    def row(self, table: int, scenario: str, metric: str, value: float, n: int) -> None:
        """Note a number."""
        names = {"table": table, "scenario": scenario, "metric": metric}
        self.found.append({**names, "value": value, "n": n})

    def accuracy(self, table: int, scenario: str, pictures: Pictures) -> float:
        """Note the share of pictures that the evaluator takes for what they should be."""
        value = metrics.accuracy(self.evaluator, pictures.data)
        self.row(table, scenario, "accuracy", value, len(pictures.data))
        return value

    def quality(self, table: int, scenario: str, pictures: Pictures) -> None:
        """Note all that accuracy does not say."""
        kept = strongest(pictures, self.lab.params("kept"))
        count = len(pictures.data)
        filtered = metrics.accuracy(self.evaluator, kept.data)
        self.row(
            table, scenario, "accuracy", metrics.accuracy(self.evaluator, pictures.data), count
        )
        self.row(table, scenario, "filtered", filtered, len(kept.data))
        self.row(table, scenario, "agreement", float(pictures.agreement.mean()), count)
        self.looks(table, scenario, pictures.data)

    def looks(self, table: int, scenario: str, data: Dataset) -> None:
        """Note diversity within a class, and distances to the training data."""
        for name in ("deviation", "spread"):
            self.row(table, scenario, name, getattr(metrics, name)(data), len(data))
        self.row(table, scenario, "nearest", metrics.nearest(data, self.train), len(data))
        far = metrics.frechet(metrics.features(self.evaluator, data), self.real)
        self.row(table, scenario, "frechet", far, len(data))

    def tested(self, name: str) -> tuple[float, int]:
        """A model's accuracy on real test images, and on how many."""
        record = read_json(pool.folder(self.lab, self.case, name) / "model.json")
        return record["accuracy"], record["tested"]
