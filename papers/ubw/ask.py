"""What watermarked and honest models say to the trigger.

Every test image is asked of

- victim: the model trained on the watermarked data;
- benign: an honest model of the same network, trained as the victim was;
- last-surrogate: for UBW-C, the model that the released code evaluates, and for Sleeper Agent where
  the scale trains it too;
- benign-retraining: beside a last surrogate, an honest model that was trained as it was.

Untargeted watermarks are asked about further, for the ownership tests: the victim with another
pattern of the same family (independent-trigger), drawn at random, since the paper shows its own
other patterns only as pictures; and victim and benign with decoys, on the samples that the tests
are about.
"""

import dataclasses
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import torch

from datadeed.datasets.form.dataset import Dataset
from datadeed.models.model import Model
from datadeed.randomness import derive_seed
from datadeed.verification.answers import Answers, query
from datadeed.verification.answers import ask as ask_model
from datadeed.verification.ubw import draw
from datadeed.watermarks.base import Watermark
from datadeed.watermarks.ubw_c import UBWC
from datadeed.watermarks.ubw_p import UBWP
from papers.base import Case, Lab
from papers.ubw import draws

TriggerFunction = Callable[[Dataset], torch.Tensor]


def ask(case: Case, lab: Lab) -> pa.Table:
    """Every answer of one cell's models.

    Returns:
        A row an answer, with the columns of :class:`Answers` and ``asked``, the model or
        "independent-trigger", and ``decoy``, the number of the decoy that the triggered answer is
        to, from 0, or null.

    Raises:
        VerificationError: a model classifies too few samples correctly to be tested.
    """
    test, method = lab.test(case.dataset), lab.watermark(case.dataset, case.watermark)
    models, answers = read_models(case, lab), {}
    with lab.progress(len(models), "models", "ask the models") as tell:
        for done, (part, model) in enumerate(models.items(), 1):
            answers[part] = ask_model(model, method, test)
            tell(done, part)
    tables = [labelled(found, part) for part, found in answers.items()]
    if method.target is None:
        other, decoys = other_triggers(method, case, lab)
        found = ask_other(models["victim"], other, test, answers["victim"])
        tables.append(labelled(found, "independent-trigger"))
        with lab.progress(2, "models", "ask with decoys") as tell:
            for done, part in enumerate(("victim", "benign"), 1):
                rows = np.sort(
                    draw(answers[part], draws.settings(lab).m, draws.order(case, lab))[0]
                )
                samples, clean = test.take(torch.from_numpy(rows)), answers[part].take(rows)
                for number, decoy in enumerate(decoys):
                    found = ask_other(models[part], decoy, samples, clean)
                    tables.append(labelled(found, part, number))
                tell(done, part)
    return pa.concat_tables(tables)


def read_models(case: Case, lab: Lab) -> dict[str, Model]:
    """The models to ask, by their part."""
    honest = dataclasses.replace(case, watermark="none")
    models = {"victim": lab.model(case), "benign": lab.model(honest)}
    last = lab.last_surrogate(case.dataset, case.watermark)
    if last is None:
        return models
    alike = lab.model(Case(case.dataset, "retraining", "none", 0))
    return {**models, "last-surrogate": last, "benign-retraining": alike}


def other_triggers(
    method: Watermark, case: Case, lab: Lab
) -> tuple[TriggerFunction, list[TriggerFunction]]:
    """Another trigger of an untargeted watermark's family, and decoys."""
    assert isinstance(method, UBWP | UBWC)
    names = case.dataset, case.watermark
    (other,) = method.decoys(1, derive_seed(lab.seed, "independent-trigger", *names))
    return other, method.decoys(draws.settings(lab).decoys, derive_seed(lab.seed, "decoys", *names))


def ask_other(model: Model, trigger: TriggerFunction, samples: Dataset, clean: Answers) -> Answers:
    """The same model's answers to the same samples with another trigger."""
    found = query(model, trigger(samples), len(samples.classes))
    return dataclasses.replace(
        clean,
        triggered_prediction=found.argmax(1),
        triggered_probability=found[np.arange(len(samples)), clean.label],
    )


def labelled(answers: Answers, part: str, decoy: int | None = None) -> pa.Table:
    """The answers with the columns that say what was asked."""
    table = answers.table().append_column("asked", pa.array([part] * len(answers)))
    return table.append_column("decoy", pa.array([decoy] * len(answers), pa.int64()))
