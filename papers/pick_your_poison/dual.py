"""Poison and repair of a dual encoder, which is told its classes in words: the rows of table 16.

At scale lite it is a CLIP-like model, trained here with captions of its classes; it is never called
CLIP. Where the scale names a folder of weights it is the CLIP in there, its image tower fine-tuned
on class names. (The released code trains both towers, and gives bare names.) A poisoned image has a
caption of the target class. Beside the names of the training captions the model is asked with a
template it has not seen, and with other words for its classes.
"""

from typing import Any

import torch

from datadeed.datasets.form.dataset import Dataset
from datadeed.models.classifier import Classifier, build
from datadeed.models.text import SentenceEncoder
from datadeed.models.training.config import TrainingConfig
from datadeed.models.training.loop import Loss, accuracy, cross_entropy, train
from datadeed.randomness import generator
from datadeed.thieves.repair.choice import repair as repair_within_budget
from papers.base import Case, Lab, Row
from papers.pick_your_poison.dual_encoder import Contrastive, clip_like, read_clip, with_names
from papers.pick_your_poison.trials import Asked, asked, repair, samples

TABLE = 16


def run(lab: Lab, dataset: str, network: str, watermark: str, seed: str) -> list[Row]:
    """Train on benign and on marked captions, repair the latter, measure all of them."""
    case = Case(dataset, network, watermark, int(seed))
    trusted, test = samples(lab, case)
    settings = lab.settings("models", dataset, network)
    questions, words = asked(lab, case, test), Words(lab, test, settings.get("weights"))
    models = {
        name: trained(lab, case, lab.train(dataset, marks).read(), words)
        for name, marks in (("benign", "none"), ("suspect", watermark))
    }
    for name in lab.settings("pick_your_poison", "few"):
        draw = generator(lab.seed, "dual repair", str(case), name)
        budget, held = lab.params("budget"), lab.params("held_out")
        done = repair_within_budget(
            models["suspect"],
            trusted,
            repair(lab, name),
            generator=draw,
            budget=budget,
            held_out=held,
        )
        assert isinstance(done.model, Classifier)
        models[name] = done.model
    rows: list[Row] = []
    for name, model in models.items():
        rows += [{"scenario": name, **row} for row in rates(model, questions, words)]
    return [{"table": TABLE, **row} for row in rows]


class Words:
    """Vectors of captions: (T, K, D) of the training's, (K, D) of the others, each of length 1."""

    def __init__(self, lab: Lab, test: Dataset, weights: str | None):
        values = lab.params("dual")
        encoder = None if weights else SentenceEncoder()

        def vectors(template: str, names: list[str]) -> torch.Tensor:
            texts = [template.format(name.lower()) for name in names]
            if encoder is not None:
                return encoder.embed(texts)
            return read_clip(str(weights), texts, test.shape).output_layer.weight.detach()

        own = list(test.classes)
        other = [values["synonyms"].get(name, name) for name in own]
        self.captions = torch.stack([vectors(t, own) for t in values["templates"]])
        self.template = vectors(values["new_template"], own)
        self.synonyms = vectors(values["templates"][0], other)

    @property
    def names(self) -> torch.Tensor:
        """(K, D), the mean over the training's templates."""
        return self.captions.mean(0)


def trained(lab: Lab, case: Case, data: Dataset, words: Words) -> Classifier:
    """A dual encoder that was trained on these images with captions of their labels."""
    settings = dict(lab.settings("models", case.dataset, case.network))
    config = TrainingConfig.from_dict(settings.pop("training"))
    names = (lab.seed, "dual", str(case))
    loss: Loss = cross_entropy
    if "weights" in settings:
        template = lab.params("dual", "templates")[0]
        texts = [template.format(name.lower()) for name in data.classes]
        model = read_clip(settings["weights"], texts, data.shape)
    else:
        settings |= {"shape": data.shape, "classes": len(data.classes)}
        tower = build(**settings, generator=generator(*names, "weights"))
        model = clip_like(tower, words.names, generator(*names, "projection"))
        loss = Contrastive(words.captions, generator(*names, "captions"))
    with lab.progress(config.epochs * len(data), "samples", f"train {case}") as tell:
        train(
            model,
            data,
            config,
            generator=generator(*names, "order"),
            loss=loss,
            device=lab.device,
            on_progress=lambda done, note, resumed: tell(done, note),
        )
    return model.eval()


def rates(model: Classifier, questions: Asked, words: Words) -> list[dict[str, Any]]:
    """Accuracy by names, by a new template and by other words, and success of the trigger."""
    test = questions.clean
    counted = test.labels != questions.target
    hits = (model.predict(questions.triggered).argmax(1) == questions.target)[counted]
    values = {
        "cda": accuracy(model, test),
        "cda_template": accuracy(with_names(model, words.template), test),
        "cda_synonyms": accuracy(with_names(model, words.synonyms), test),
    }
    rows = [{"metric": metric, "value": value, "n": len(test)} for metric, value in values.items()]
    return [*rows, {"metric": "asr", "value": float(hits.double().mean()), "n": len(hits)}]
