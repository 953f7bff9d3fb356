"""From a finished proof to evidence in its published form."""

import numpy as np
import pytest

from datadeed.keys.key import Beacon, Design, Extent, Key
from datadeed.owner.evidence import build
from datadeed.owner.evidence.build import anchor_of, build_evidence, count_queries, log_anchor
from datadeed.owner.evidence.log import QueryLog, read_parquet
from datadeed.owner.evidence.schema import check_evidence, read_evidence
from datadeed.owner.suspects.base import Answer, failure
from datadeed.verification.proof import Proof
from datadeed.watermarks.keyed import target_label

DESIGN = Design(
    classes=tuple(map(str, range(10))), channels=3, parts=4, alpha_key=1e-3, null_rate=0.4
)
EXTENTS = (Extent(1000, "0d" * 32), Extent(100, "0e" * 32))
KEY = Key(bytes(32), bytes(32), DESIGN, *EXTENTS)


class Named:
    """All that evidence asks of a suspect."""

    name, kind, protocol, endpoint = "somebody", "labels", "local", "models/somebody"
    classes = DESIGN.classes

    def fingerprint(self):
        return "0b" * 32


def proof(key=KEY, suspects=1):
    return Proof(key, np.arange(100) % 10, suspects=suspects)


@pytest.fixture
def log(tmp_path):
    with QueryLog(tmp_path / "evidence", log_anchor(KEY, Named())) as log:
        yield log


def answer_all(made, log, respond):
    log.append(purpose="probe", part=None, row=None, question="00" * 32, answer=Answer((1,), None))
    while (question := made.question()) is not None:
        label = respond(question)
        answer = failure("asleep") if label is None else Answer((label,), None)
        log.append(
            purpose=question.layer,
            part=question.part,
            row=question.row,
            question="00" * 32,
            answer=answer,
        )
        made.answer(label, failed=label is None)
    return made


RESPONSES = {
    "CLAIM": lambda question: target_label(KEY, question.part),
    "NOT SUPPORTED": lambda question: question.row % 10,
    "INCONCLUSIVE": lambda question: None,
}


@pytest.mark.parametrize("word", RESPONSES)
def test_every_verdict_has_its_form(log, word):
    made = answer_all(proof(), log, RESPONSES[word])
    evidence = build_evidence(made, Named(), log, cost=1.5)
    check_evidence(evidence, "evidence")
    assert evidence["verdict"]["word"] == word
    assert {name: evidence[name] for name in made.record()} == made.record()
    queries = evidence["queries"]
    assert queries["probe"] + queries["key"] + queries["behaviour"] == len(log.records)
    assert queries["failed"] == (len(made.curve) if word == "INCONCLUSIVE" else 0)
    assert queries["cost"] == 1.5
    assert evidence["chain"] == {"anchor": log.anchor, "head": log.head, "rows": len(log.records)}
    assert evidence["design"]["parts"] == 4
    assert evidence["key"]["commitment"] == KEY.commitment


def test_a_proof_without_answers_has_its_form_too(log):
    """Checked before the first question, so that none is asked in vain."""
    evidence = build_evidence(proof(), Named(), log)
    check_evidence(evidence, "evidence")
    assert evidence["behaviour_layer"]["rate"] is None
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


def test_the_anchor_ties_a_log_to_key_and_suspect():
    """By hand: printf 'datadeed query log 1 COMMITMENT FINGERPRINT' | sha256sum."""
    assert anchor_of("aa", "bb") == (
        "11dcfcb2754c8b0a16cc1cc076a944d13bfd6bff67804194401978367c1ad863"
    )
    other = Key(b"\1" * 32, bytes(32), DESIGN, *EXTENTS)
    assert log_anchor(KEY, Named()) == anchor_of(KEY.commitment, "0b" * 32)
    assert log_anchor(other, Named()) != log_anchor(KEY, Named())


def test_counts(log):
    answer_all(proof(), log, RESPONSES["INCONCLUSIVE"])
    counts = count_queries(log.records)
    assert counts.pop("failed") == len(log.records) - 1
    assert sum(counts.values()) == len(log.records)
    assert count_queries([]) == {"probe": 0, "key": 0, "behaviour": 0, "failed": 0}


class TestWords:
    def test_grinding_names_the_bound_or_the_beacon(self):
        assert "0.001 N for the key layer" in build.grinding(KEY)
        named = Key(bytes(32), bytes(32), DESIGN, *EXTENTS, Beacon("drand", 12, "00" * 32))
        assert "round 12 of drand" in build.grinding(named)
        assert "0.001 N for the key layer" in build.grinding(named), "the value is only stated"

    @pytest.mark.parametrize("beacon", [None, Beacon("drand", 12, "00" * 32)])
    def test_no_sentence_bounds_the_chance_without_its_premise(self, beacon):
        made = proof(Key(bytes(32), bytes(32), DESIGN, *EXTENTS, beacon))
        for text in (build.grinding(made.key), *build.tested(made)):
            bound = "at most 0.001" in text
            assert not bound or "If the key was drawn once and at random" in text

    def test_levels_are_shared_among_suspects(self):
        one, ten = (" ".join(build.tested(proof(suspects=n))) for n in (1, 10))
        assert "at most 0.001." in one
        assert "at level 0.01." in one
        assert "at most 0.0001." in ten
        assert "at level 0.001." in ten

    @pytest.mark.parametrize(
        ("start", "values"),
        [
            ("When the commitment was made", {"dated": False}),
            ("Innocence", {"word": "NOT SUPPORTED"}),
            ("Innocence", {"word": "INCONCLUSIVE"}),
            ("What hit rate innocent models have", {}),
            ("Whether the owner tried several keys", {}),
            ("How the data reached the model", {}),
            ("Who operates the suspect", {}),
            ("How many suspects were tested under this key: the owner states 3.", {}),
        ],
    )
    def test_what_was_not_tested_is_said(self, start, values):
        chosen = {"word": "CLAIM", "dated": True} | values
        assert any(text.startswith(start) for text in build.not_tested(proof(suspects=3), **chosen))

    def test_what_was_tested_is_not_called_untested(self):
        design = Design(**(vars(DESIGN) | {"null_rate_source": "60 models"}))
        key = Key(bytes(32), bytes(32), design, *EXTENTS, Beacon("drand", 12, "00" * 32))
        said = build.not_tested(proof(key), "CLAIM", dated=True)
        assert len(said) == 4
        assert any("the beacon's value is that of the round" in text for text in said)
        assert not any("Innocence" in text or "commitment was made" in text for text in said)

    def test_warnings_stand_among_what_was_not_tested(self, log):
        evidence = build_evidence(proof(), Named(), log, warnings=["odd answers"])
        assert evidence["verdict"]["not_tested"][-1] == "odd answers"


def test_versions():
    found = build.software()
    assert set(found) == {"python", "datadeed", "torch", "numpy", "scipy"}
    assert found["numpy"] == np.__version__
