"""What a terminal says of evidence, and that evidence at odds with itself is called so."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from datadeed.errors import EvidenceError
from datadeed.owner.evidence.contradictions import contradictions
from datadeed.owner.evidence.summary import summary
from datadeed.owner.report import report
from tests.owner.evidence import samples
from tests.owner.evidence.samples import SAMPLES


def printed(evidence: dict[str, Any], width: int = 80) -> str:
    stream = io.StringIO()
    Console(file=stream, width=width, color_system=None).print(summary(evidence))
    return stream.getvalue()


@pytest.mark.parametrize("sample", SAMPLES)
def test_summary_fits_a_terminal_and_names_the_figures(
    sample: Callable[[], dict[str, Any]],
) -> None:
    evidence = sample()
    lines = printed(evidence).splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0] == f"{evidence['verdict']['word']}  thief"
    text, effect = " ".join(" ".join(lines).split()), evidence["effect"]
    assert f"{effect['block_hits']} of {effect['block_asked']} with a part's trigger; " in text
    assert ("no pair that counts was asked" in text) == (effect["pairs"] == 0)
    assert f"counted of a budget of {evidence['queries']['budget']}" in text
    assert "premises key missing, pool stated, numbers stated, suspect stated" in text
    assert "missing no beacon was used" in text
    assert "contradiction" not in text


@pytest.mark.parametrize(
    ("section", "change", "told"),
    [
        ("verdict", {"word": "NOT SUPPORTED"}, "the rule gives CLAIM, not NOT SUPPORTED"),
        ("key_layer", {"passed": False}, "is said not to pass, and its E is above its bar"),
        ("key_layer", {"passed": False}, "the rule gives INCONCLUSIVE, not CLAIM"),
        ("key_layer", {"log_e": 13.0}, "is said to pass, and its E is below its bar"),
        ("key_layer", {"log_e": 20.0}, "the last E of the course is not the key layer’s"),
        ("key_layer", {"p_value": 1e-12}, "the p-value is not 1 / E"),
        ("key_layer", {"bar": 1e5}, "the bar is 100,000, but"),
        ("key_layer", {"images": 2}, "not one for each image and part"),
        ("multiplicity", {"suspects": 2}, "the suspects and the keys give 2,000,000"),
        ("multiplicity", {"keys": 3}, "the suspects and the keys give 3,000,000"),
        ("multiplicity", {"bar": 1e7}, "the bar is 10,000,000, but"),
        ("design", {"alpha": 1e-4}, "the suspects and the keys give 10,000"),
        ("design", {"least_effect": 0.3}, "is not the one that was committed"),
        ("effect", {"block_hits": 11}, "do not add up to those of the blocks"),
        ("effect", {"other_hits": 115}, "more hits than questions"),
        ("effect", {"hits": 1}, "more hits than questions"),
        ("effect", {"high": 0.1}, "does not follow from the bounds"),
    ],
)
def test_evidence_at_odds_with_itself_is_called_so(
    section: str, change: dict[str, Any], told: str
) -> None:
    evidence = samples.claim()
    evidence[section] |= change
    assert any(told in line for line in contradictions(evidence))
    assert "contradiction: " in printed(evidence)


@pytest.mark.parametrize("place", range(4))
def test_a_premise_that_nothing_here_can_verify_is_a_contradiction(place: int) -> None:
    evidence = samples.claim()
    premise = evidence["premises"][place]
    premise["status"] = "verified"
    told = [f"nothing here could verify the premise {premise['name']}"]
    assert contradictions(evidence) == told
    evidence["key"]["beacon"] = {"source": "drand quicknet", "round": 12, "value": "be" * 32}
    evidence["key"]["timestamp"] = {"authority": "a", "time": "t", "token_sha256": "70" * 32}
    assert contradictions(evidence) == (told if place else [])


def test_evidence_of_the_first_generation_keeps_its_page(tmp_path: Path) -> None:
    first = {"form": "datadeed/evidence/1"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("datadeed.owner.report.read_evidence", lambda path: first)
        with pytest.raises(EvidenceError, match="check it with datadeed reveal --check") as raised:
            report(tmp_path)
    assert "\n" not in str(raised.value)
    assert list(tmp_path.iterdir()) == []
