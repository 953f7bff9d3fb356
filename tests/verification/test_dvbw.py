import json

import numpy as np
import pytest

from datadeed.errors import VerificationError
from datadeed.verification.dvbw import SCENARIOS, Settings, verify_dvbw


@pytest.fixture
def simulate(make_answers):
    """Makes answers of a model that answers the target on this share of triggered samples."""

    def run(success, *, n=600, accuracy=0.9, target=5, seed=1):
        draw = np.random.default_rng(seed)
        label = np.arange(n) % 10
        wrong = draw.integers(0, 10, n)
        clean = np.where(draw.random(n) < accuracy, label, wrong)
        triggered = np.where(draw.random(n) < success, target, clean)
        before = np.where(clean == target, 0.95, draw.random(n) * 0.02)
        after = np.where(triggered == target, 0.95, draw.random(n) * 0.02)
        return make_answers(
            triggered, clean=clean, label=label, target=target, before=before, after=after
        )

    return run


def verify(answers, seed=3, **values):
    return verify_dvbw(
        answers, classes=10, settings=Settings(**values), rng=np.random.default_rng(seed)
    )


def test_a_stolen_dataset_is_found(simulate):
    found = verify(simulate(1.0))
    assert found["verdict"]["word"] == "CLAIM"
    assert found["probability"]["p_published"] < 1e-10
    assert found["probability"]["delta_p"] > 0.8
    assert found["label_only"]["value_released"] == 0
    assert found["label_only"]["value_released_renumbered"] == {"min": 0, "median": 0, "max": 0}
    assert found["label_only"]["p_described"] < 1e-6
    assert found["rates"]["watermark_success"]["value"] == 1


def test_an_independent_model_is_not(simulate):
    found = verify(simulate(0.0))
    assert found["verdict"]["word"] == "NOT SUPPORTED"
    assert found["probability"]["p_published"] > 0.99
    assert abs(found["probability"]["delta_p"]) < 0.01
    assert found["label_only"]["value_released"] > 0.99
    for part in ("probability", "label_only"):
        assert found[part]["binomial"]["p_value"] > 0.5
        assert found[part]["mcnemar"]["p_value"] > 0.4


def test_the_released_value_misses_what_the_exact_tests_find(simulate):
    found = verify(simulate(0.9))
    assert found["label_only"]["value_released"] > 0.05
    assert found["verdict"]["word"] == "CLAIM"


def test_counts_add_up(simulate):
    answers = simulate(0.5)
    found = verify(answers)
    for part in ("probability", "label_only"):
        hits = found[part]["hits"]
        cells = [hits[name] for name in ("both", "clean_only", "triggered_only", "neither")]
        assert sum(cells) == found[part]["n"] == found[part]["binomial"]["n"] == 100
        assert hits["both"] + hits["triggered_only"] == found[part]["binomial"]["successes"]
        assert hits["triggered_only"] == found[part]["mcnemar"]["successes"]
        assert hits["clean_only"] + hits["triggered_only"] == found[part]["mcnemar"]["n"]
        assert hits["triggered_rate"]["n"] == 100
    assert found["rates"]["benign_accuracy"]["n"] == 600
    assert found["rates"]["watermark_success"]["n"] == 540
    assert found["rates"]["watermark_success_as_released"]["n"] == 600
    assert found["verdict"]["p_value"] == max(
        found["probability"][test]["p_value"] for test in ("binomial", "mcnemar")
    )


def test_the_seed_decides_and_the_result_is_json(simulate):
    answers = simulate(0.5)
    text = json.dumps(verify(answers), allow_nan=False)
    assert json.loads(text) == json.loads(json.dumps(verify(answers)))
    assert text != json.dumps(verify(answers, seed=4))


def test_settings_are_in_force(simulate):
    answers = simulate(0.5)
    found = verify(answers, m=30, tau=0.4, first_classes=4, alpha=0.05, renumberings=3)
    assert found["probability"]["n"] == found["label_only"]["n"] == 30
    assert found["probability"]["tau"] == found["verdict"]["null_rate"] == 0.4
    assert found["verdict"]["alpha"] == 0.05
    assert (
        verify(answers, tau=0.1)["probability"]["p_published"] < found["probability"]["p_published"]
    )


@pytest.mark.parametrize("values", [{"m": 541}, {"m": 121, "first_classes": 2}])
def test_too_few_samples_are_one_line(simulate, values):
    with pytest.raises(VerificationError, match="give a larger test set or a smaller m"):
        verify(simulate(1.0), **values)


def test_the_scenarios_have_names():
    assert SCENARIOS == ("steal", "independent-trigger", "independent-model")
