"""Train a model whose attacker controls the training: the models of ``latent`` and ``controlled``.

The set marked under the same name says what the trigger is; the training itself sees the benign set
and poisons each batch (see ``attackers.py``).
"""

from datadeed.models.registry import model_class
from datadeed.models.stored import save_model
from datadeed.models.training.config import TrainingConfig, config_record
from datadeed.models.training.loop import train
from datadeed.randomness import generator
from papers.base import Case, Lab
from papers.pick_your_poison.attackers import Latent, ParameterControlled, Poison


def run(lab: Lab, dataset: str, network: str, watermark: str, seed: str) -> None:
    """Train, and write ``data/models/CASE``."""
    case = Case(dataset, network, watermark, int(seed))
    data, test = lab.train(dataset).read(), lab.test(dataset)
    settings = dict(lab.settings("models", dataset, network))
    config = TrainingConfig.from_dict(settings.pop("training"))
    names = (lab.seed, "train", dataset, network, watermark, case.seed)
    model = model_class(data.modality).new(
        form=data.form,
        classes=len(data.classes),
        generator=generator(*names, "weights"),
        **settings,
    )
    values = dict(lab.params("control", watermark))
    kind = values.pop("kind")
    poison = Poison(lab.watermark(dataset, watermark), data.classes, values.pop("share"))
    loss: Latent | ParameterControlled
    if kind == "latent":
        loss = Latent(poison, **values)
    else:
        loss = ParameterControlled(model, poison, generator=generator(*names, "mask"), **values)
    with lab.progress(config.epochs * len(data), "samples", f"train {case}") as tell:
        history = train(
            model,
            data,
            config,
            generator=generator(*names, "order"),
            loss=loss,
            test=test,
            device=lab.device,
            on_progress=lambda done, note, resumed: tell(done, note),
        )
    record = {"training": config_record(config), "seed": names, "control": {"kind": kind, **values}}
    save_model(model, lab.folder(case), {**record, "classes": list(data.classes)})
    print(f"{case}: test accuracy {history[-1]['test_accuracy']:.4f}")  # noqa: T201
