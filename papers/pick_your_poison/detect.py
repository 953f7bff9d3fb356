"""How suspicious a model looks to detectors that invert triggers: the rows of table 13."""

from typing import Any

from datadeed.randomness import generator
from datadeed.thieves.calibrated_inversion import CalibratedInversion
from datadeed.thieves.neural_cleanse import NeuralCleanse
from datadeed.thieves.trigger_inversion import ModelDetector
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
    found = detectors(lab)
    with lab.progress(len(found), "detectors", f"rate {case}") as tell:
        for done, (name, detector) in enumerate(found.items(), 1):
            draw = generator(lab.seed, "detect", str(case), name)
            detection = detector(model, trusted, generator=draw)
            values = {"score": detection.score, "label": float(detection.label)}
            rows += [
                {"scenario": name, "metric": metric, "value": value, "n": len(trusted)}
                for metric, value in values.items()
            ]
            tell(done, name)
    return [{"table": TABLE, **row} for row in rows]


def detectors(lab: Lab) -> dict[str, ModelDetector]:
    """Calibrated inversion without a bound, as released, and with one; Neural Cleanse."""
    given = lab.settings("pick_your_poison", "detectors")
    calibrated = dict(given["calibrated-inversion"])
    bound, tuned = calibrated.pop("bound"), repair(lab, calibrated.pop("repair"))
    return {
        "calibrated-inversion": CalibratedInversion(**calibrated, repair=tuned),
        "calibrated-inversion, bounded": CalibratedInversion(
            **calibrated, repair=tuned, bound=bound
        ),
        "neural-cleanse": NeuralCleanse(**given["neural-cleanse"]),
    }
