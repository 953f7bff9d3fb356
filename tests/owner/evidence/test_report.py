"""The evidence report says what the evidence says, to everyone, and nothing in it is believed."""

import functools
import html
import json
import math
import re
import textwrap
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from datadeed.owner.evidence import report_text
from datadeed.owner.evidence.contradictions import contradictions
from datadeed.owner.evidence.log import QueryLog
from datadeed.owner.evidence.report import render_proof
from datadeed.owner.evidence.schema import check_evidence
from datadeed.owner.suspects.base import Answer
from tests.owner.evidence import samples
from tests.owner.evidence.samples import SAMPLES
from tests.owner.evidence.test_report_text import spaced
from tests.owner.evidence.test_summary import printed

HOSTILE = '"><img src=x onerror=alert(1)>{{7*7}}[red]\x1b[31m\x00\ud800\u202eevil'
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
    said = f"{evidence['verdict']['word']} {report_text.meaning(evidence)}"
    assert spaced(said) in words(page)
    assert "contradicts itself" not in page


def test_page_states_null_premises_digests_and_what_was_not_tested() -> None:
    evidence = samples.claim()
    text = spaced(words(rendered(samples.claim)))
    for stated in (
        "CLAIM If the premises below hold, the suspect’s answers depend on the labels",
        evidence["key_layer"]["null"],
        *evidence["verdict"]["tested"],
        *evidence["verdict"]["not_tested"],
        evidence["key"]["commitment"],
        evidence["key"]["grinding"],
        evidence["chain"]["head"],
        evidence["suspect"]["fingerprint"],
        "keymissingno beacon was usedAnybody",
        "pool stated16 of 16 clean answers are right".replace(" ", "", 1),
        "E is 9.7 × 10⁹; needed is 1,000,000.",
        "blocks: the part’s own trigger1212100.0 %",
        "blocks: another part’s trigger on the same sample, as a decoy01140.0 %",
        "No pair that counts was asked",
        "declared: input.mean[0.5, 0.4]",
        "It has a label of its own for each of the key’s 10 classes.",
        "1 suspect and 1 key were tried in all",
        "Timestamp: none.",
        "Beacon: none.",
        "this is no legal advice",
        "NOT SUPPORTED is not “innocent”",
        "a filter that touches nothing but the mark cannot be told from",
        "python examples/judge.py FOLDER OPENING POOL.npz",
    ):
        assert stated in text


def test_an_excluded_effect_is_told_with_its_bounds() -> None:
    effect, text = samples.not_supported()["effect"], spaced(words(rendered(samples.not_supported)))
    bounds = spaced(report_text.points(effect["low"], effect["high"]))
    assert f"it lies from {bounds}, and each bound holds with 95 %." in text
    assert "The least effect that matters, 20.0 %, is excluded." in text
    assert "through this endpoint, as it pre-processes its inputs. That is not innocence." in text
    assert "is not excluded." in spaced(words(rendered(samples.undecided)))


@pytest.mark.parametrize("status", ["verified", "stated", "missing", None])
def test_no_bound_without_its_premise(status: str | None) -> None:
    """Only a key that was shown to be drawn at random bounds the chance of a claim."""
    evidence = samples.claim()
    if status is None:
        del evidence["premises"][0]
    else:
        evidence["premises"][0]["status"] = status
    text = words(render_proof(evidence))
    bounded = [part for part in text.split(". ") if "at most 1 in 1,000,000" in part]
    verified, ours = status == "verified", "If the key was drawn once and at random"
    assert len(bounded) == 2, "the page's own sentence, and that of the evidence"
    assert sum(ours in part for part in bounded) == (1 if verified else 2)
    assert ("That premise is" in text) == (not verified)
    assert any("If so, and if the other premises hold, " in part for part in bounded) == verified
    assert "1 in 1,000,000" not in printed(evidence)


def test_every_look_stands_beside_the_bar() -> None:
    evidence, page = samples.undecided(), rendered(samples.undecided)
    looks = evidence["key_layer"]["looks"]
    assert len(looks) > 3
    table = re.search(r'aria-label="E after each look">(.*?)</table>', page, flags=re.S)[1]  # type: ignore[index]
    rows = [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in table.split("<tr>")[2:]]
    last = report_text.e_value(evidence["key_layer"]["log_e"])
    assert [int(row[0]) for row in rows] == [images for images, _ in looks]
    assert rows[0][1] == "12"
    assert rows[-1][3:] == [last, "1,000,000"]


def test_a_class_map_that_merges_is_told_by_name() -> None:
    text = words(rendered(samples.merging))
    assert "One label for: 0 plane, 1 car" in text
    assert "A label of its own for each of: 2 bird, 5 dog" in text
    assert "No label, by the accuser’s word, for: 6 frog" in text
    assert "no: the suspect lacks the label" in text
    assert "no: the suspect lacks the label" not in rendered(samples.claim)


def test_beacon_timestamp_and_multiplicity_are_told() -> None:
    evidence = samples.claim()
    evidence["key"]["beacon"] = {"source": "drand quicknet", "round": 123, "value": "be" * 32}
    evidence["key"]["timestamp"] = {
        "authority": "Time & Co",
        "time": "2026-01-02T03:04:05.000Z",
        "token_sha256": "70" * 32,
    }
    evidence["multiplicity"] |= {"suspects": 3, "keys": 2, "bar": 6e6}
    evidence["key_layer"]["bar"] = 6e6
    assert contradictions(evidence) == []
    text = words(render_proof(evidence))
    assert "drand quicknet, round 123" in text
    assert "Time & Co signed that the commitment existed at 2026-01-02" in text
    assert "3 suspects and 2 keys were tried in all" in text
    assert "needed is 6,000,000" in text
    assert "at most 1 in 6,000,000" in text


def test_findings_stand_at_the_top_and_failures_with_their_reasons() -> None:
    evidence = samples.refusing()
    page = words(render_proof(evidence, records=samples.records(evidence, error="HTTP 503")))
    assert page.index("The suspect refuses or filters marked samples.") < page.index("The premises")
    assert evidence["findings"][0] in page
    assert "HTTP 503" in page
    assert f"failed{evidence['queries']['failed']}of all of these" in page
    assert "finding: The suspect gave no answer" in printed(evidence)
    assert "refuses or filters marked samples" not in words(rendered(samples.claim))


def test_without_questions_there_is_no_figure() -> None:
    page = rendered(samples.empty)
    assert "<figure" not in page
    assert "so there is no E" in page
    assert "none: no image was asked" in printed(samples.empty())


def test_figures_have_texts_for_those_who_cannot_see_them() -> None:
    huge, page = spaced(rendered(samples.huge)), spaced(rendered(samples.not_supported))
    assert "After 12 counted questions E is ≥ 10³⁰⁸; 1,000,000 is needed." in huge
    pairs, effect = samples.not_supported()["queries"]["pair"], samples.not_supported()["effect"]
    bounds = spaced(report_text.points(effect["low"], effect["high"]))
    assert f"After {pairs} pairs the bounds of the effect, 95 % each, are {bounds}; " in page
    for name in re.findall(r'aria-labelledby="([^"]+)"', page):
        assert all(f'id="{part}"' in page for part in name.split())


@pytest.mark.parametrize("sample", [samples.undecided, samples.refusing, samples.empty])
def test_hostile_text_stays_text(sample: Callable[[], dict[str, Any]]) -> None:
    evidence = hostile(sample())
    for point, original in zip(evidence["curve"], sample()["curve"], strict=True):
        point["step"] = original["step"]  # chosen from three words by the schema
    evidence["suspect"]["declared"] = {HOSTILE: {HOSTILE: [HOSTILE]}, "output": HOSTILE}
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


def test_a_finding_forbids_not_supported() -> None:
    evidence = samples.not_supported()
    evidence["findings"] = ["it refuses marked images"]
    assert contradictions(evidence) == ["the rule gives INCONCLUSIVE, not NOT SUPPORTED"]
    page = words(render_proof(evidence))
    assert page.index("Do not rely on it") < page.index("The premises")


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
            log.append(purpose="block", part=0, row=row, question="ab" * 32, answer=answer)
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


def test_signs_of_the_key_forbid_not_supported() -> None:
    evidence = samples.not_supported()
    evidence["key_layer"]["log_e"] = evidence["curve"][-1]["log_e"] = math.log(21)
    evidence["key_layer"]["p_value"] = 1 / 21
    assert contradictions(evidence) == ["the rule gives INCONCLUSIVE, not NOT SUPPORTED"]
    evidence["verdict"]["word"] = "INCONCLUSIVE"
    assert contradictions(evidence) == []
    assert "signs of the key, but too few" in words(render_proof(evidence))
