"""The evidence report says what the evidence says, to everyone, and nothing in it is believed."""

import functools
import html
import io
import json
import re
import textwrap
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rich.console import Console

from datadeed.owner.evidence import report_text as proof_text
from datadeed.owner.evidence.log import QueryLog
from datadeed.owner.evidence.report import MEANING, contradictions, render_proof, summary
from datadeed.owner.evidence.schema import check_evidence
from datadeed.owner.suspects.base import Answer
from tests.owner.evidence.test_report_text import spaced
from tests.reports import evidence_samples as samples

HOSTILE = '"><img src=x onerror=alert(1)>{{7*7}}[red]\x1b[31m\x00\ud800\u202eevil'
SAMPLES = [samples.claim, samples.not_supported, samples.empty, samples.huge]
VOID = {"meta", "link", "br", "img"}


class Shape(HTMLParser):
    """Checks that tags are closed in order, and collects tags, ids and addresses."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.ids: list[str] = []
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.ids += [value or "" for name, value in attrs if name == "id"]
        self.addresses += [v or "" for name, v in attrs if name in ("src", "href", "xlink:href")]
        assert not any(name.startswith("on") for name, _ in attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@functools.cache
def rendered(sample: Callable[[], dict[str, Any]]) -> str:
    """A sample's page, made once for all tests."""
    return render_proof(sample())


def shape(page: str) -> Shape:
    found = Shape()
    found.feed(page)
    assert found.open == []
    return found


def words(page: str) -> str:
    """The page's text with single spaces, styles left out."""
    page = re.sub(r"<style>.*?</style>", "", page, flags=re.S)
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", page)))


def printed(evidence: dict[str, Any], width: int = 80) -> str:
    stream = io.StringIO()
    Console(file=stream, width=width, color_system=None).print(summary(evidence))
    return stream.getvalue()


def hostile(value: Any) -> Any:
    """The same form with every text replaced."""
    if isinstance(value, str):
        return HOSTILE
    if isinstance(value, dict):
        return {key: hostile(item) for key, item in value.items()}
    return [hostile(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("sample", SAMPLES)
def test_samples_are_evidence_and_agree_with_themselves(
    sample: Callable[[], dict[str, Any]],
) -> None:
    evidence = sample()
    check_evidence(evidence, "sample")
    assert contradictions(evidence) == []


@pytest.mark.parametrize("sample", SAMPLES)
def test_page_is_whole_and_fetches_nothing(sample: Callable[[], dict[str, Any]]) -> None:
    evidence, page = sample(), rendered(sample)
    found = shape(page)
    assert not found.tags & {"script", "img", "iframe", "object", "a", "form"}
    assert len(found.ids) == len(set(found.ids))
    assert all(address.startswith(("#", "data:")) for address in found.addresses)
    assert "default-src 'none'" in page
    assert f"{evidence['verdict']['word']} {MEANING[evidence['verdict']['word']]}" in words(page)
    assert "contradicts itself" not in page


def test_page_states_nulls_bounds_digests_and_what_was_not_tested() -> None:
    evidence = samples.claim()
    text = words(rendered(samples.claim))
    for stated in (
        evidence["key_layer"]["null"],
        evidence["behaviour_layer"]["null"],
        *evidence["verdict"]["tested"],
        *evidence["verdict"]["not_tested"],
        evidence["key"]["commitment"],
        evidence["key"]["grinding"],
        evidence["chain"]["head"],
        evidence["suspect"]["fingerprint"],
        "E is 3.9 × 10⁶; needed is 1,000,000",
        "at most 1 in 1,000,000, if the key was drawn once and at random",
        "8 of 8 parts asked hit; the key has 12",
        "Timestamp: none.",
        "Nominal means",
        "this is no legal advice",
        "NOT SUPPORTED is not “innocent”",
    ):
        assert stated in text


def test_beacon_timestamp_and_multiplicity_are_told() -> None:
    evidence = samples.claim()
    evidence["key"]["beacon"] = {"source": "drand quicknet", "round": 123, "value": "be" * 32}
    evidence["key"]["timestamp"] = {
        "authority": "Time & Co",
        "time": "2026-01-02T03:04:05.000Z",
        "token_sha256": "70" * 32,
    }
    evidence["multiplicity"] |= {"suspects": 3, "threshold_key": 3e6, "threshold_behaviour": 300}
    text = words(render_proof(evidence))
    assert "drand quicknet, round 123" in text
    assert "Time & Co signed that the commitment existed at 2026-01-02" in text
    assert "3 suspects were tested with this key" in text
    assert "needed is 3,000,000" in text
    assert "not picked among many" not in text


def test_failed_queries_stand_at_the_top_with_their_reasons() -> None:
    evidence = samples.not_supported()
    failed = evidence["behaviour_layer"]["failed"]
    assert failed > 0
    page = words(render_proof(evidence, records=samples.records(evidence, error="HTTP 503")))
    assert page.index("failed:") < page.index("What was tested")
    assert f"{failed} of {evidence['behaviour_layer']['n']} in the behaviour layer" in page
    assert "HTTP 503" in page
    assert "No query failed." in rendered(samples.claim)


def test_without_queries_there_is_no_figure() -> None:
    page = rendered(samples.empty)
    assert "<svg" not in page
    assert "nothing to draw" in page
    assert "No part was asked." in page


def test_figures_have_texts_for_those_who_cannot_see_them() -> None:
    evidence, page = samples.huge(), spaced(rendered(samples.huge))
    n = evidence["curve"][-1]["query"]
    assert f"After {n} counted queries: key layer 3.9 × 10⁶ of 1,000,000 needed; " in page
    assert "behaviour layer ≥ 10³⁰⁸ of 100 needed." in page
    for name in re.findall(r'aria-labelledby="([^"]+)"', page):
        assert all(f'id="{part}"' in page for part in name.split())


@pytest.mark.parametrize("sample", [samples.claim, samples.empty])
def test_hostile_text_stays_text(sample: Callable[[], dict[str, Any]]) -> None:
    evidence = hostile(sample())
    for point, original in zip(evidence["curve"], sample()["curve"], strict=True):
        point["layer"] = original["layer"]  # chosen from two words by the schema
    log = samples.records(evidence, error=HOSTILE) if evidence["curve"] else []
    page = render_proof(evidence, records=log)
    found = shape(page)
    assert not found.tags & {"img", "script"}
    page.encode("utf-8")
    shown = printed(evidence)
    for text in (page, shown):
        assert not set(text) & {"\x1b", "\x00", "\ud800", "\u202e"}
        assert "{{7*7}}[red]" in text.replace("\n", "")


def test_long_names_are_cut_or_wrapped() -> None:
    evidence = samples.claim()
    evidence["suspect"]["name"] = "n" * 1000
    page = render_proof(evidence)
    assert "n" * 1000 in page
    assert "n" * 100 not in re.search(r"<h1>.*</h1>", page)[0]  # type: ignore[index]
    assert max(map(len, printed(evidence).splitlines())) <= 80


@pytest.mark.parametrize("sample", SAMPLES)
def test_summary_fits_a_terminal_and_names_the_figures(
    sample: Callable[[], dict[str, Any]],
) -> None:
    evidence = sample()
    text = printed(evidence)
    assert max(map(len, text.splitlines())) <= 80
    assert text.startswith(f"{evidence['verdict']['word']}  thief\n")
    key, behaviour = evidence["key_layer"], evidence["behaviour_layer"]
    assert f"{key['hits']}/{key['parts_asked']} parts" in text
    assert f"{behaviour['hits']}/{behaviour['n']} " in text
    assert proof_text.e_value(behaviour["log_e"]) in text
    assert f"budget {evidence['queries']['budget']}" in text
    assert "contradiction" not in text


@pytest.mark.parametrize(
    ("layer", "change", "told"),
    [
        ("verdict", {"word": "NOT SUPPORTED"}, "the rule gives CLAIM, not NOT SUPPORTED"),
        ("key_layer", {"log_e": 20.0, "log_e_max": 20.0}, "not the product of its parts"),
        ("key_layer", {"log_e_max": 13.0}, "its E is below its bar"),
        ("key_layer", {"hits": 7}, "hits are not those of its parts"),
        ("behaviour_layer", {"passed": False}, "the rule gives INCONCLUSIVE, not CLAIM"),
        ("multiplicity", {"suspects": 2}, "bar is lower than 2,000,000"),
        ("multiplicity", {"threshold_behaviour": 1e4}, "its E is below its bar"),
        ("design", {"alpha_behaviour": 1e-4}, "bar is lower than 10,000"),
    ],
)
def test_evidence_at_odds_with_itself_is_called_so(
    layer: str, change: dict[str, Any], told: str
) -> None:
    evidence = samples.claim()
    evidence[layer] |= change
    assert any(told in line for line in contradictions(evidence))
    assert "contradiction: " in printed(evidence)


def test_a_factor_of_nought_is_a_contradiction_and_no_crash() -> None:
    evidence = samples.claim()
    evidence["key_layer"]["parts"][0]["factor"] = 0
    assert any("product" in line for line in contradictions(evidence))
    page = words(render_proof(evidence))
    assert page.index("Do not rely on it") < page.index("What was tested")


def test_the_same_evidence_gives_the_same_bytes() -> None:
    assert render_proof(samples.claim()) == rendered(samples.claim)


def test_the_printed_check_of_the_chain_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (Path(__file__).parents[3] / "docs" / "evidence.md").read_text(encoding="utf-8")
    check = textwrap.dedent(re.search(r"```python\n(.*?)```", page, flags=re.S)[1])  # type: ignore[index]
    monkeypatch.chdir(tmp_path)
    with QueryLog(tmp_path, "a0" * 32) as log:
        for row in range(3):
            answer = Answer(labels=(row,), scores=(0.1 + row / 7,), error="", seconds=1e-5)
            log.append(purpose="key", part=0, row=row, question="ab" * 32, answer=answer)
        log.write_parquet()
    stated = {"chain": {"anchor": log.anchor, "head": log.head}}
    Path("evidence.json").write_text(json.dumps(stated))
    exec(check, {})
    stated["chain"]["head"] = log.records[1].hash
    Path("evidence.json").write_text(json.dumps(stated))
    with pytest.raises(AssertionError, match="missing at the end"):
        exec(check, {})
    table = pq.read_table("queries.parquet").to_pylist()
    table[1]["labels"] = [9]
    pq.write_table(pa.Table.from_pylist(table), "queries.parquet")
    with pytest.raises(AssertionError, match="row 1 was changed"):
        exec(check, {})
