import json
from xml.etree import ElementTree

import pandas as pd
import pytest

from datadeed.errors import ParameterError, WatermarkError
from papers.ubw.variant import Variant
from tasks import study
from tasks.lab import Lab

MODELS = ["victim", "last-surrogate", "benign-retraining", "benign"]


@pytest.fixture
def studied(ubw_project):
    """A study of three variants."""
    ubw_project.parameters["ubw"]["study"] = {
        "base": {},
        "bare": {"retrainings": 0, "weight": 0.0, "rate": 0.125},
        "small": {"width": 2, "epochs": 2, "iterations": 1, "retrainings": 1},
    }
    ubw_project.write()
    return ubw_project


def test_a_variant_changes_what_it_names_and_nothing_else(studied):
    base, bare, small = (
        Variant.read(Lab("ubw"), "toy", name) for name in ("base", "bare", "small")
    )
    before, after = base.watermark.record(), bare.watermark.record()
    assert {key for key in before if before[key] != after[key]} == {"matching", "weight", "rate"}
    assert after["matching"] == before["matching"] | {"retrainings": 0}
    assert (after["weight"], after["rate"]) == (0.0, 0.125)
    assert (base.width, base.epochs) == (None, None)
    assert (small.width, small.epochs) == (2, 2)


def test_the_table_has_every_model_of_every_variant(studied):
    for name in ("base", "bare", "small"):
        study.run("ubw", "variant", name)
    (studied.root / "results").mkdir(exist_ok=True)
    study.run("ubw", "variants")
    table = pd.read_csv(studied.root / studied.parameters["results"] / "ubw-c-study.csv")
    found = table.groupby("variant", sort=False)["model"].agg(list).to_dict()
    assert found == {"base": MODELS, "bare": ["victim", "benign"], "small": MODELS}
    marked = table.groupby("variant")["marked"].first()
    assert (marked["base"], marked["bare"]) == (15, 7)  # of 60 rows
    assert table["ba"].between(0, 1).all()
    drawn = (studied.root / studied.parameters["results"] / "ubw-c-study.svg").read_text()
    assert ElementTree.fromstring(drawn).tag == "{http://www.w3.org/2000/svg}svg"
    names = ("base", "bare", "small", "last-surrogate", "victim, no trigger", "benign-retraining")
    assert all(f">{name}<" in drawn for name in names)
    assert not (studied.root / "data/checkpoints").exists() or not list(
        (studied.root / "data/checkpoints").iterdir()
    )
    record = json.loads((studied.root / "data/studies/ubw/toy-bare.json").read_text())
    row = table[(table.variant == "bare") & (table.model == "victim")].iloc[0]
    assert row.asr_a_all == pytest.approx(record["models"]["victim"]["all"]["asr_a"]["value"])


def test_bad_variants_are_refused(studied):
    with pytest.raises(ParameterError, match=r"ubw\.study\.nothing"):
        Variant.read(Lab("ubw"), "toy", "nothing")
    studied.parameters["ubw"]["study"]["odd"] = {"iterations": 0}
    studied.write()
    with pytest.raises(WatermarkError, match="iterations"):
        Variant.read(Lab("ubw"), "toy", "odd")
