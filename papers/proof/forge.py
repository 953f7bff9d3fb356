"""A false accuser, who knows an innocent model, against each test.

- ``optimised trigger``: for each innocent model and label, a trigger made to measure. The published
  test and the exact tests of behaviour ask whether it works, and it does.
- ``random key``: the best he can do against the key layer with a beacon: commit, and hope.
- ``ground keys, suspect`` and ``ground keys, surrogate``: without a beacon he can try keys before
  he commits, against the suspect itself or against another model, and commit to the best.

Writes ``forgery.csv`` (a row an attempt) and ``forgery-summary.csv`` (a row an attack and test).
"""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd
import torch

from datadeed.datasets.form.dataset import Dataset
from datadeed.files import write_text
from datadeed.keys.key import Key
from datadeed.models.model import Model
from datadeed.randomness import derive_seed, generator
from datadeed.triggers.image import Trigger, stamp
from datadeed.verification import published
from datadeed.verification.answers import Answers
from datadeed.verification.exact import binomial_test, mcnemar_test
from datadeed.verification.metrics import Rate
from datadeed.verification.proof import Proof
from datadeed.watermarks.keyed import KeyPart
from papers.base import Case, Lab
from papers.proof.forgery import optimise_trigger
from papers.proof.keys import base_key, ground_keys, other_key
from papers.proof.models import grid_models
from papers.proof.trials import (
    FullKeyLayer,
    PoolAnswers,
    answers_on,
    full_key_layer,
    run_together,
)

FORMS = ("blended", "patch")
KEYED = "key layer"
TESTS = {
    "p_t_test": "published: DVBW t-test",
    "p_binomial": "exact binomial",
    "p_mcnemar": "exact McNemar",
    "p_key": KEYED,
}


def place(form: str, shape: tuple[int, ...]) -> dict[str, Any]:
    """Box and opacity: over the whole image at a fifth, or an opaque patch in its middle.

    They are DVBW's Blended and the size of a key's own patch.
    """
    _, height, width = shape
    if form == "blended":
        return {"box": (0, 0, height, width), "alpha": 51}
    return {"box": (height // 2 - 2, width // 2 - 2, 5, 5), "alpha": 255}


def behaviour_p_values(answers: Answers, tau: float, null_rate: float) -> dict[str, float]:
    """How well the trigger works, and the p-values of the tests that ask for nothing else."""
    return {
        "clean_rate": float((answers.clean_prediction == answers.target).mean()),
        "success": float((answers.triggered_prediction == answers.target).mean()),
        "p_t_test": published.dvbw_probability_test(answers, tau),
        "p_binomial": binomial_test(answers, null_rate).p_value,
        "p_mcnemar": mcnemar_test(answers).p_value,
    }


def images_are_the_keys(key: Key, trigger: Trigger, test: Dataset) -> bool:
    """Whether a judge who opens the key finds the triggered images in place of the key's own.

    He derives the first question's image from the key and compares it with the logged one.
    """
    question = Proof(key, test.labels.numpy()).question()
    assert question is not None
    image = test.samples[question.row : question.row + 1]
    return torch.equal(stamp(image, trigger), KeyPart(key, question.part).stamp(image))


def optimised(
    lab: Lab, case: Case, model: Model, base: Key, values: dict[str, Any]
) -> Iterator[dict[str, Any]]:
    """One attempt for each form of trigger and each label."""
    test, train = lab.test(case.dataset), lab.train(case.dataset).read()
    settings, null_rate = lab.params("published"), lab.params("design", "null_rate")
    for form, target in itertools.product(FORMS, range(len(test.classes))):
        seed = lab.seed, "forge", str(case), form, target
        trigger = optimise_trigger(
            model,
            train.samples[: values["images"]],
            target,
            **place(form, test.shape),
            steps=values["steps"],
            batch_size=values["batch_size"],
            generator=generator(*seed),
        )
        rng = np.random.default_rng(derive_seed(*seed, "rows"))
        labels = test.labels.numpy()
        rows = published.draw_rows(labels, target=target, m=settings["m"], rng=rng)
        answers = answers_on(model, trigger, target, test, rows)
        key = other_key(base, f"random {case} {target}")
        yield {
            "attack": f"optimised trigger, {form}",
            **asdict(case),
            "target": target,
            **behaviour_p_values(answers, settings["tau"], null_rate),
            "images_match_key": images_are_the_keys(key, trigger, test),
        }


def key_layers(keys: list[Key], respond: PoolAnswers, labels: np.ndarray) -> list[FullKeyLayer]:
    """The key layer under each key, asked to its last part."""
    layers = [full_key_layer(Proof(key, labels)) for key in keys]
    run_together(layers, respond)
    return layers


def key_row(attack: str, case: Case, layer: FullKeyLayer, tries: int = 1) -> dict[str, Any]:
    """What an accuser gets from a key that he committed to as the best of ``tries``."""
    p_value = float(np.exp(-layer.log_e_max))
    row = {"attack": attack, **asdict(case), "keys_tried": tries}
    return row | {"log_e_key_max": layer.log_e_max, "p_key": p_value}


def random_keys(lab: Lab, case: Case, base: Key, respond: PoolAnswers) -> Iterator[dict[str, Any]]:
    """As many attempts as there are labels, each under a random key, as a beacon enforces."""
    test = lab.test(case.dataset)
    keys = [other_key(base, f"random {case} {n}") for n in range(len(test.classes))]
    for layer in key_layers(keys, respond, test.labels.numpy()):
        yield key_row("random key", case, layer)


def best_of(
    lab: Lab, case: Case, base: Key, respond: PoolAnswers, *, tries: int, batch: int = 50
) -> FullKeyLayer:
    """The ground key with the largest e-value on this model."""
    labels = lab.test(case.dataset).labels.numpy()
    keys = list(ground_keys(base, f"ground {case}", tries))
    found = (key_layers(keys[i : i + batch], respond, labels) for i in range(0, tries, batch))
    return max((layer for layers in found for layer in layers), key=lambda layer: layer.log_e_max)


def summary(rows: pd.DataFrame, levels: Sequence[float]) -> pd.DataFrame:
    """How often each attack wins each test that it is an attack on, at each level."""
    table = []
    for attack, attempts in rows.groupby("attack", sort=False):
        for (column, test), level in itertools.product(TESTS.items(), levels):
            p_values = attempts[column].dropna()
            if not len(p_values):
                continue
            won = Rate(int((p_values <= level).sum()), len(p_values))
            low, high = won.interval
            table.append(
                {
                    "attack": attack,
                    "test": test,
                    "level": level,
                    "attempts": won.n,
                    "wins": won.hits,
                    "rate": won.value,
                    "low": low,
                    "high": high,
                    "mean_success": attempts.success.mean(),
                    "keys_tried": attempts.keys_tried.max(),
                    "largest_e": np.exp(attempts.log_e_key_max.max()),
                }
            )
    return pd.DataFrame(table).astype({"keys_tried": "Int64"})


def attempts(lab: Lab) -> pd.DataFrame:
    """Every attack on every innocent model: a row an attempt."""
    values = lab.params("experiments", "forgery")
    models, tries = grid_models(lab), values["keys_tried"]
    grinders = [case for case in models if case.watermark == "none"][:: values["grind_every"]]
    base = {dataset: base_key(lab, dataset) for dataset in {case.dataset for case in models}}
    rows: list[dict[str, Any]] = []
    best: dict[Case, FullKeyLayer] = {}
    with lab.progress(len(models) + len(grinders), "models", "forge") as update:
        for done, case in enumerate(grinders, 1):
            respond = PoolAnswers(lab.model(case), lab.test(case.dataset).samples)
            best[case] = best_of(lab, case, base[case.dataset], respond, tries=tries)
            rows.append(key_row("ground keys, suspect", case, best[case], tries))
            update(done, f"{tries} keys against {case}")
        for done, case in enumerate(models, len(grinders) + 1):
            model, test = lab.model(case), lab.test(case.dataset)
            respond = PoolAnswers(model, test.samples)
            rows += optimised(lab, case, model, base[case.dataset], values)
            rows += random_keys(lab, case, base[case.dataset], respond)
            keys = [best[c].key for c in best if c != case and c.dataset == case.dataset]
            layers = key_layers(keys, respond, test.labels.numpy())
            rows += [key_row("ground keys, surrogate", case, layer, tries) for layer in layers]
            update(done, str(case))
    return pd.DataFrame(rows).astype({"target": "Int64", "keys_tried": "Int64"})


def run(lab: Lab) -> None:
    """Every attack; write both tables."""
    table, design = attempts(lab), lab.params("design")
    counted = summary(table, (design["alpha_behaviour"], design["alpha_key"]))
    for name, found in (("forgery", table), ("forgery-summary", counted)):
        write_text(lab.results / f"{name}.csv", found.to_csv(index=False, float_format="%.6g"))
    won = counted[counted.level == design["alpha_key"]].groupby("test").wins.sum()
    print(f"wins at {design['alpha_key']:g}: {won.to_dict()}")  # noqa: T201
