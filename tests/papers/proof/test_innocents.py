import math

import numpy as np
import pandas as pd
import pytest
import torch

from datadeed.errors import ParameterError
from datadeed.verification.keylabels import part_e_value
from datadeed.verification.proof import Proof
from datadeed.watermarks.keyed import target_label
from papers.proof import innocents
from papers.proof.keys import base_key, other_key
from tests.papers.proof.conftest import THIEF, Thief


def test_every_model_is_asked_under_keys_of_its_own(proof_project, lab, monkeypatch):
    seen = []
    original = innocents.Proof

    def spy(key, labels):
        seen.append(key.commitment)
        return original(key, labels)

    monkeypatch.setattr(innocents, "Proof", spy)
    innocents.run(lab)
    rows = pd.read_csv(proof_project.root / "results/innocents.csv")
    assert len(rows) == len(set(seen)) == 5 * 2
    assert rows.groupby("watermark").size().to_dict() == {
        "none": 4,
        "badnets-line": 4,
        "keyed-4": 2,
    }
    assert set(rows.family) == {"toy resnet18 none", "toy resnet18 badnets", "toy resnet18 keyed"}
    assert (rows.pairs == 30).all()
    assert rows.rate.between(0, 1).all()
    assert (rows.log_e_key_max >= rows.log_e_key.clip(lower=0) - 1e-9).all()
    assert (rows.queries >= rows.n).all()


def test_a_thief_is_found_where_it_is_one(lab, monkeypatch):
    """The same measurement on a model that did see the key's marks: it claims, as it should."""
    base = base_key(lab, "toy")
    monkeypatch.setattr(lab, "model", lambda _: Thief(other_key(base, f"{THIEF} 0")))
    (own,) = innocents.rows_of(lab, THIEF, base, 1, 30)
    assert (own["word"], own["rate"]) == ("CLAIM", 1)
    assert own["log_e_key_max"] == pytest.approx(6 * math.log(part_e_value(np.eye(3)[0] * 2, 0)))


def test_hit_rates_count_the_first_pairs(lab):
    key, pool = base_key(lab, "toy"), lab.test("toy")
    proof = Proof(key, pool.labels.numpy())
    works = 2
    respond = innocents.PoolAnswers(Thief(key, lambda part: part == works), pool.samples)
    found = innocents.hit_rates(proof, respond, 40)
    parts = proof.behaviour_layer.pairs[:40, 0]
    zero = [part for part in range(6) if target_label(key, part) == 0]
    hits = np.isin(parts, [works, *zero])
    assert found["rate"] == hits.mean()
    enough = [part for part in range(6) if (parts == part).sum() >= innocents.ENOUGH]
    assert found["parts_seen"] == len(enough)
    assert found["parts_above_half"] == len(set(enough) & {works, *zero})


def table(log_e, words, rates, families):
    n = len(log_e)
    names = {"dataset": "d", "network": "n", "watermark": families, "seed": 1}
    return pd.DataFrame(
        {
            **names,
            "family": families,
            "key": 0,
            "log_e_key_max": log_e,
            "word": words,
            "rate": rates,
        },
        index=range(n),
    )


def test_the_summary_counts_what_reaches_each_bound():
    log_e = [0, math.log(20), math.log(99), math.log(1e6) + 1e-9]
    rows = table(log_e, ["CLAIM", "INCONCLUSIVE", "x", "x"], 0.1, list("abcd"))
    found = innocents.summary(rows)
    everything = found[found.scope == "all"]
    assert everything["count"].tolist() == [3, 1, 1, 1]
    assert everything.bound.tolist() == [0.05, 0.01, 1e-6, 1e-6]
    assert (everything.runs == 4).all()
    assert (everything.models == 4).all()
    assert set(found.scope) == {"all", "d n"}


def test_the_null_rate_takes_the_model_as_the_unit():
    rows = table([0] * 4, "x", [0.1, 0.3, 0.2, 0.05], list("abcd"))
    more = rows.assign(key=1, rate=[0.12, 0.0, 0.25, 0.05])
    rate, families = innocents.supported_null_rate(pd.concat([rows, more]))
    assert (rate.rate, rate.models, rate.source) == (0.3, 4, "nominal")
    by_family = families.set_index("family")
    assert by_family.largest_rate.to_dict() == {
        "a": 0.12,
        "b": 0.3,
        "c": 0.25,
        "d": 0.05,
        "all": 0.3,
    }
    assert by_family.above_all_others["b"] == pytest.approx(0.05)
    assert by_family.confidence["all"] == pytest.approx(1 - 0.95**4)
    assert by_family.models_wanted["all"] == 59


def test_the_same_bytes_again_and_summaries_of_several_files(proof_project, lab):
    with pytest.raises(ParameterError, match=r"innocents\.csv does not exist"):
        innocents.run(lab, "summary")
    innocents.run(lab)
    source = proof_project.root / "results/innocents.csv"
    first = source.read_bytes()
    torch.rand(3)  # the global state of generators decides nothing
    innocents.run(lab)
    assert source.read_bytes() == first
    other = proof_project.root / "other.csv"
    other.write_text(source.read_text().replace("toy", "other"))
    innocents.run(lab, "summary", str(source), str(other))
    found = pd.read_csv(proof_project.root / "results/innocents-summary.csv")
    assert found[found.scope == "all"].models.unique().tolist() == [10]
    assert set(found.scope) == {"all", "toy resnet18", "other resnet18"}
    assert pd.read_csv(proof_project.root / "results/null-rate.csv").family.iloc[-1] == "all"
    assert (proof_project.root / "papers/proof/innocents.png").read_bytes().startswith(b"\x89PNG")


def test_other_words_are_one_line(lab):
    with pytest.raises(ParameterError, match="innocents 'sumary': give nothing, or summary"):
        innocents.run(lab, "sumary")
