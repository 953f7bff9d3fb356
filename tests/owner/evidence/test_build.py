"""From a finished proof to evidence in its published form."""

import numpy as np
import pytest

from datadeed.keys.generation2 import Key2
from datadeed.keys.key import Beacon
from datadeed.owner.evidence import build, sentences
from datadeed.owner.evidence.build import anchor_of, build_evidence, count_queries, log_anchor
from datadeed.owner.evidence.log import QueryLog, read_parquet
from datadeed.owner.evidence.schema import check_evidence, read_evidence
from datadeed.owner.suspects.base import Answer, failure
from datadeed.verification.verdict import CLAIM, INCONCLUSIVE
from tests.owner.evidence.samples import ALONE, EXTENTS, ignores, make_key, make_proof, obeys

KEY = make_key(parts=6, alpha=1e-3, budget=60)
BEACON = Beacon("drand", 12, "00" * 32)


class Named:
    """All that evidence asks of a suspect."""

    name, kind, protocol, endpoint = "somebody", "labels", "local", "models/somebody"
    classes, groups = KEY.design.classes, tuple(map(tuple, ALONE))

    def __init__(self):
        self.declared = {"output": {"kind": "logits"}}

    def fingerprint(self):
        return "0b" * 32


def proof(key=KEY, **numbers):
    return make_proof(key, **numbers)


@pytest.fixture
def log(tmp_path):
    with QueryLog(tmp_path / "evidence", log_anchor(KEY, Named())) as log:
        yield log


def answer_all(made, log, respond):
    log.append(purpose="probe", part=None, row=None, question="00" * 32, answer=Answer((1,), None))
    while step := made.step():
        question = step[0]
        label = respond(made, question)
        answer = failure("asleep") if label is None else Answer((label,), None)
        log.append(
            purpose=question.layer,
            part=question.part,
            row=question.row,
            question="00" * 32,
            answer=answer,
        )
        made.answer(answer.labels, failed=label is None)
    return made


RESPONSES = {
    "CLAIM": obeys,
    "NOT SUPPORTED": ignores,
    "INCONCLUSIVE": lambda made, question: None,
}


@pytest.mark.parametrize("word", RESPONSES)
def test_every_verdict_has_its_form(log, word):
    made = answer_all(proof(), log, RESPONSES[word])
    evidence = build_evidence(made, Named(), log, stated={"cost": 1.5})
    check_evidence(evidence, "evidence")
    assert evidence["verdict"]["word"] == word
    assert {name: evidence[name] for name in made.record()} == made.record()
    queries = evidence["queries"]
    asked = sum(queries[name] for name in ("probe", "block", "pair", "decoy"))
    assert asked == len(log.records) == len(made.curve) + 1
    assert queries["failed"] == (len(made.curve) if word == "INCONCLUSIVE" else 0)
    assert (queries["cost"], queries["in_vain"], queries["budget"]) == (1.5, 0, 60)
    assert evidence["chain"] == {"anchor": log.anchor, "head": log.head, "rows": len(log.records)}
    assert evidence["design"]["parts"] == 6
    assert evidence["key"]["commitment"] == KEY.commitment
    assert evidence["suspect"]["groups"] == ALONE
    assert evidence["suspect"]["declared"] == Named().declared


def test_a_proof_without_answers_has_its_form_too(log):
    """Checked before the first question, so that none is asked in vain."""
    evidence = build_evidence(proof(), Named(), log)
    check_evidence(evidence, "evidence")
    assert evidence["key_layer"]["looks"] == []
    assert evidence["verdict"]["word"] == "INCONCLUSIVE"


def test_the_folder(log, monkeypatch):
    import datadeed.owner.evidence.report as module

    seen = {}
    monkeypatch.setattr(
        module, "render_proof", lambda evidence, records: seen.update(records=records) or "<p>"
    )
    made = answer_all(proof(), log, RESPONSES["CLAIM"])
    evidence = build_evidence(made, Named(), log)
    build.write_folder(log.folder, evidence, log)
    assert read_evidence(log.folder / "evidence.json") == evidence
    assert read_parquet(log.folder / "queries.parquet", log.anchor) == log.records
    assert (log.folder / "report.html").read_text() == "<p>"
    assert seen["records"] == log.records
    modes = {path.name: path.stat().st_mode & 0o777 for path in log.folder.iterdir()}
    assert modes == dict.fromkeys(
        ("queries.jsonl", "queries.parquet", "evidence.json", "report.html"), 0o600
    )
    secrets = (KEY.secret.hex(), "secret")
    assert not any(text in (log.folder / "evidence.json").read_text() for text in secrets)


def test_the_anchor_ties_a_log_to_key_suspect_and_class_map():
    """By hand: printf 'datadeed query log 1 COMMITMENT FINGERPRINT' | sha256sum, and so on."""
    assert anchor_of("aa", "bb") == (
        "11dcfcb2754c8b0a16cc1cc076a944d13bfd6bff67804194401978367c1ad863"
    )
    assert anchor_of("aa", "bb", [[0, 1], [2]]) == (
        "977d169ed0542cddff432458b5e050308eda0676ff5ae5efef6ca7d788d21382"
    )
    other = Key2(b"\1" * 32, bytes(32), KEY.design, *EXTENTS)
    assert log_anchor(KEY, Named()) == anchor_of(KEY.commitment, "0b" * 32, ALONE)
    assert log_anchor(other, Named()) != log_anchor(KEY, Named())


def test_counts(log):
    made = answer_all(proof(), log, RESPONSES["INCONCLUSIVE"])
    counts = count_queries(log.records)
    assert counts.pop("failed") == len(made.curve)
    assert sum(counts.values()) == len(log.records)
    assert count_queries([]) == {"probe": 0, "block": 0, "pair": 0, "decoy": 0, "failed": 0}


class TestWords:
    def test_grinding_names_the_bound_or_the_beacon(self):
        assert "N in 1,000" in sentences.grinding(KEY)
        named = Key2(bytes(32), bytes(32), KEY.design, *EXTENTS, BEACON)
        assert "round 12 of drand" in sentences.grinding(named)
        assert "N in 1,000" in sentences.grinding(named), "the value is only stated"

    @pytest.mark.parametrize("beacon", [None, BEACON])
    def test_no_sentence_bounds_the_chance_without_its_premise(self, beacon):
        made = proof(Key2(bytes(32), bytes(32), KEY.design, *EXTENTS, beacon))
        said = [sentences.grinding(made.key), *sentences.tested(made)]
        bounds = [text for text in said if "at most 1 in 1,000" in text]
        assert len(bounds) == 1
        assert "If the key was drawn once and at random" in bounds[0]

    def test_the_level_is_shared_among_suspects_and_keys(self):
        assert "at most 1 in 1,000." in sentences.tested(proof())[0]
        assert "at most 1 in 20,000." in sentences.tested(proof(suspects=10, keys=2))[0]

    def test_an_effect_is_told_once_pairs_were_asked(self, log):
        made = answer_all(proof(), log, RESPONSES["NOT SUPPORTED"])
        assert len(sentences.tested(proof())) == 1
        assert f"{made.effect.n} pairs of a part and an image" in sentences.tested(made)[1]

    @pytest.mark.parametrize(
        ("start", "values"),
        [
            ("When the commitment was made", {"dated": False}),
            ("Innocence", {"word": "NOT SUPPORTED"}),
            ("Innocence", {"word": INCONCLUSIVE}),
            ("Whether the owner tried several keys", {}),
            ("How the data reached the model", {}),
            ("Who operates the suspect", {}),
            ("How many suspects and keys were tried: the owner states 3 suspects and 2 keys", {}),
        ],
    )
    def test_what_was_not_tested_is_said(self, start, values):
        chosen = {"word": CLAIM, "dated": True} | values
        said = sentences.not_tested(proof(suspects=3, keys=2), chosen.pop("word"), **chosen)
        assert any(text.startswith(start) for text in said)

    def test_what_was_tested_is_not_called_untested(self):
        key = Key2(bytes(32), bytes(32), KEY.design, *EXTENTS, BEACON)
        said = sentences.not_tested(proof(key), CLAIM, dated=True)
        assert len(said) == 4
        assert any("the beacon's value is that of the round" in text for text in said)
        assert not any("Innocence" in text or "commitment was made" in text for text in said)

    def test_warnings_stand_among_what_was_not_tested(self, log):
        evidence = build_evidence(proof(), Named(), log, stated={"warnings": ["odd answers"]})
        assert evidence["verdict"]["not_tested"][-1] == "odd answers"


def test_versions():
    found = build.software()
    assert set(found) == {"python", "datadeed", "torch", "numpy", "scipy"}
    assert found["numpy"] == np.__version__
