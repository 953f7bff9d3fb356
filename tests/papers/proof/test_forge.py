import math

import numpy as np
import pandas as pd
import pytest
import torch

from datadeed.datasets.form.dataset import Dataset
from datadeed.watermarks.keyed import random_trigger
from papers.base import Case
from papers.proof import forge
from papers.proof.keys import base_key, ground_keys
from papers.proof.trials import PoolAnswers
from tests.papers.proof.conftest import Thief

NAME = Case("toy", "resnet18", "none", 1)


def test_every_attack_has_its_rows(proof_project, lab):
    forge.run(lab)
    rows = pd.read_csv(proof_project.root / "results/forgery.csv")
    assert rows.groupby("attack").size().to_dict() == {
        "ground keys, suspect": 2,  # both benign models
        "optimised trigger, blended": 12,  # four models, three labels
        "optimised trigger, patch": 12,
        "random key": 12,
        "ground keys, surrogate": 6,  # the best key of either, on every model but its own
    }
    shown = rows[rows.attack.str.startswith("optimised")]
    assert not shown.images_match_key.any()
    assert shown[["p_t_test", "p_binomial", "p_mcnemar", "success"]].notna().all(axis=None)
    keyed = rows[~rows.attack.str.startswith("optimised")]
    assert keyed.p_key.to_numpy() == pytest.approx(np.exp(-keyed.log_e_key_max), rel=1e-4)
    summary = pd.read_csv(proof_project.root / "results/forgery-summary.csv")
    assert len(summary) == 2 * (2 * 3 + 3)  # two levels
    assert set(summary.level) == {0.1, 0.05}
    assert "watermark" in rows
    assert "keyed-4" not in set(rows.watermark)


def test_a_trigger_that_works_wins_every_test_of_behaviour():
    test = Dataset(
        torch.zeros(60, 3, 8, 8, dtype=torch.uint8),
        torch.arange(60) % 3,
        torch.arange(60),
        ("a", "b", "c"),
    )

    class Falls:
        def predict(self, images):
            return torch.nn.functional.one_hot((images[:, 0, 0, 0] > 0).long() * 2, 3).float()

    trigger = forge.Trigger(torch.full((2, 2), 255, dtype=torch.uint8), 0, 0, 255)
    rows = np.flatnonzero(test.labels.numpy() != 2)[:20]
    found = forge.behaviour_p_values(forge.answers_on(Falls(), trigger, 2, test, rows), 0.2, 0.25)
    assert (found["clean_rate"], found["success"]) == (0, 1)
    assert found["p_t_test"] == 0
    assert found["p_binomial"] == pytest.approx(0.25**20)
    assert found["p_mcnemar"] == pytest.approx(0.5**20)


def test_the_best_ground_key_is_the_best(lab):
    """A model with the marks of the fifth key that is tried: that key is found."""
    base = base_key(lab, "toy")
    key = list(ground_keys(base, f"ground {NAME}", 9))[4]
    respond = PoolAnswers(Thief(key), lab.test("toy").samples)
    found = forge.best_of(lab, NAME, base, respond, tries=9, batch=4)
    assert found.key.commitment == key.commitment
    assert found.log_e_max == pytest.approx(found.log_e)
    assert found.log_e > math.log(20)


def test_the_summary_counts_wins_at_each_level():
    names = {"dataset": "d", "network": "n", "watermark": "w", "seed": 1}
    rows = pd.DataFrame(
        [
            {"attack": "a", **names, "success": 0.9, "p_t_test": 1e-9, "p_binomial": 0.005},
            {"attack": "a", **names, "success": 0.7, "p_t_test": 0.5, "p_binomial": 1e-7},
            {"attack": "b", **names, "log_e_key_max": 5.0, "p_key": math.exp(-5), "keys_tried": 9},
        ]
    ).reindex(columns=["attack", *names, "success", "log_e_key_max", "keys_tried", *forge.TESTS])
    found = forge.summary(rows, (0.01, 1e-6)).set_index(["attack", "test", "level"])
    t_test, binomial = "published: DVBW t-test", "exact binomial"
    assert found.wins.to_dict() == {
        ("a", t_test, 0.01): 1,
        ("a", t_test, 1e-6): 1,
        ("a", binomial, 0.01): 2,
        ("a", binomial, 1e-6): 1,
        ("b", forge.KEYED, 0.01): 1,
        ("b", forge.KEYED, 1e-6): 0,
    }
    assert found.mean_success["a", t_test, 0.01] == pytest.approx(0.8)
    assert found.largest_e["b", forge.KEYED, 0.01] == pytest.approx(math.exp(5))


def test_a_judge_tells_the_keys_images_from_others(lab):
    key, test = base_key(lab, "toy"), lab.test("toy")
    question = forge.Proof(key, test.labels.numpy()).question()
    own = random_trigger(key, 8, 8, "trigger", question.part)
    assert forge.images_are_the_keys(key, own, test)
    other = forge.Trigger(255 - own.pattern, own.top, own.left, 255)
    assert not forge.images_are_the_keys(key, other, test)


@pytest.mark.parametrize(
    ("form", "box", "alpha"), [("blended", (0, 0, 28, 30), 51), ("patch", (12, 13, 5, 5), 255)]
)
def test_the_two_forms(form, box, alpha):
    assert forge.place(form, (1, 28, 30)) == {"box": box, "alpha": alpha}
