"""How suspicious a model looks to detectors that invert triggers: the rows of table 13."""

from typing import Any

from datadeed.randomness import generator
from datadeed.thieves.calibrated_inversion import CalibratedInversion
from datadeed.thieves.neural_cleanse import NeuralCleanse
from datadeed.thieves.trigger_inversion import Detection
from papers.base import Case, Lab, Row
from papers.pick_your_poison import judge
from papers.pick_your_poison.trials import repair, samples

TABLE = 13


def stage(case: Case, settings: dict[str, Any]) -> str:
    """The stage of ``dvc.yaml`` that makes a cell's rows."""
    return judge.stage("detect", case, settings)


def run(lab: Lab, dataset: str, network: str, watermark: str, seed: str) -> list[Row]:
    """Rate one model, watermarked or honest."""
    case = Case(dataset, network, watermark, int(seed))
    trusted, _ = samples(lab, case)
    model, rows = lab.model(case), []
    given = lab.settings("pick_your_poison", "detectors")
    values = dict(given["calibrated-inversion"])
    bound, tuned = values.pop("bound"), repair(lab, values.pop("repair"))
    with lab.progress(4, "steps", f"rate {case}") as tell:
        names = lab.seed, "detect", str(case)
        repaired = tuned(model, trusted, generator=generator(*names, "repair"))
        tell(1, "repaired")
        for done, limit in enumerate((None, bound), 2):
            detector = CalibratedInversion(**values, bound=limit)
            draw = generator(*names, "calibrated-inversion")
            name = detector.name if limit is None else f"{detector.name}, bounded"
            rows += rows_of(name, detector.compare(model, repaired, trusted, generator=draw))
            tell(done, name)
        cleanse = NeuralCleanse(**given["neural-cleanse"])
        rows += rows_of(
            cleanse.name, cleanse(model, trusted, generator=generator(*names, cleanse.name))
        )
        tell(4, cleanse.name)
    return [{"table": TABLE, "n": len(trusted), **row} for row in rows]


def rows_of(name: str, found: Detection) -> list[Row]:
    """The score, and the class that it is most for."""
    values = {"score": found.score, "label": float(found.label)}
    return [{"scenario": name, "metric": metric, "value": v} for metric, v in values.items()]
