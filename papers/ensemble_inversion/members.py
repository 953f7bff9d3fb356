"""Train the members and the evaluator of a case, into one folder of ``data/studies``."""

from datadeed.datasets.form.dataset import Dataset
from datadeed.models.stored import save_model
from datadeed.models.training.config import TrainingConfig, config_record
from datadeed.models.training.loop import train
from datadeed.randomness import generator
from papers.base import Case, Lab
from papers.ensemble_inversion import pool
from papers.ensemble_inversion.networks import small


def run(lab: Lab, dataset: str, network: str, watermark: str, seed: str) -> None:
    """Train all of them: seconds each."""
    case = Case(dataset, network, watermark, int(seed))
    parts, test = pool.shares(lab, case), lab.test(dataset)
    names = [*pool.everybody(lab), pool.EVALUATOR]
    with lab.progress(len(names), "models", f"train {case}") as tell:
        for done, name in enumerate(names, 1):
            data = parts.evaluator
            if name != pool.EVALUATOR:
                data = pool.half(lab, case, name, parts.members)
            one(lab, case, name, data, test)
            tell(done, name)


def one(lab: Lab, case: Case, name: str, data: Dataset, test: Dataset) -> None:
    """Train one model, and write it with its accuracy on the test set."""
    how = "judging" if name == pool.EVALUATOR else "training"
    config = TrainingConfig.from_dict(lab.settings("ensemble_inversion", how))
    names = (lab.seed, "member", case.dataset, name, case.seed)
    model = small(
        pool.architecture(lab, name),
        shape=data.shape,
        classes=len(data.classes),
        generator=generator(*names, "weights"),
    )
    draw = generator(*names, "order")
    train(model, data, config, generator=draw, device=lab.device)
    right = model.predict(test.samples).argmax(1) == test.labels
    record = {
        "training": config_record(config),
        "seed": names,
        "classes": list(data.classes),
        "accuracy": right.double().mean().item(),
        "tested": len(test),
        "trained": len(data),
    }
    save_model(model, pool.folder(lab, case, name), record)
