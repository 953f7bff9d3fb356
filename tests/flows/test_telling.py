"""What an address is told, once each, and that nothing of it fails a run."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from flows import telling
from flows.errors import PipelineError
from flows.suspects import COULD_NOT_TEST, Finding
from flows.telling import Known, check_address, news_of, tell
from tests.flows.hook import Hook

NOTHING, EVIDENCE = Finding("a", "NO EVIDENCE", note="few"), Finding("a", "EVIDENCE", note="many")
AWAY = Finding("a", COULD_NOT_TEST, note="HTTP status 500: what a server wrote")


def words(hook: Hook) -> list[tuple[str, str, str]]:
    return [(body["suspect"], body["before"], body["after"]) for _, body in hook.posted]


def on(day: int) -> datetime:
    return datetime(2026, 11, day, 3, tzinfo=UTC)


class TestNews:
    def test_only_a_new_word_is_news(self) -> None:
        assert news_of(NOTHING, Known(), away=3) is None
        assert news_of(EVIDENCE, Known("EVIDENCE"), away=3) is None
        found = news_of(EVIDENCE, Known(), away=3, now=on(8))
        assert found == telling.News(
            "a", "NO EVIDENCE", "EVIDENCE", "many", "2026-11-08T03:00:00+00:00"
        )

    def test_out_of_reach_is_news_after_some_days_and_so_is_the_return(self) -> None:
        known = Known()
        assert [news_of(AWAY, known, away=3, now=on(day)) for day in (1, 2, 3)] == [None] * 3
        found = news_of(AWAY, known, away=3, now=on(4))
        assert found is not None
        assert (found.before, found.after) == ("NO EVIDENCE", "COULD NOT TEST")
        assert found.reason == "not tested since 2026-11-01: see its log"  # no word of the server's
        known.word = found.after
        assert news_of(AWAY, known, away=3, now=on(9)) is None
        back = news_of(NOTHING, known, away=3, now=on(10))
        assert back is not None
        assert (back.before, back.after, known.away_since) == ("COULD NOT TEST", "NO EVIDENCE", "")

    def test_a_day_that_could_be_tested_ends_the_count(self) -> None:
        known = Known()
        for day, found in ((1, AWAY), (3, NOTHING), (4, AWAY), (6, AWAY)):
            assert news_of(found, known, away=3, now=on(day)) is None
        assert known.away_since == "2026-11-04"

    def test_a_reason_is_one_short_line(self) -> None:
        found = news_of(Finding("a", "EVIDENCE", note="x\n\x1b" + 400 * "y"), Known(), away=3)
        assert found is not None
        assert found.reason == "x  " + 297 * "y"


class TestTold:
    def test_each_change_is_told_once(self, hook: Hook, tmp_path: Path) -> None:
        other = Finding("b", "NO EVIDENCE")
        assert tell(hook.url, [NOTHING, other], tmp_path, away=3) == []
        assert tell(hook.url, [EVIDENCE, other], tmp_path, away=3) == [
            "told: a: NO EVIDENCE to EVIDENCE"
        ]
        assert tell(hook.url, [EVIDENCE, other], tmp_path, away=3) == []
        ((path, body),) = hook.posted
        assert path == "/hook?of=me"
        assert sorted(body) == ["after", "before", "reason", "suspect", "time"]
        assert words(hook) == [("a", "NO EVIDENCE", "EVIDENCE")]

    @pytest.mark.parametrize("status", [500, 302])
    def test_what_was_not_told_is_told_next_time(
        self, hook: Hook, tmp_path: Path, status: int
    ) -> None:
        hook.status, hook.location = status, "/elsewhere" if status == 302 else ""
        (line,) = tell(hook.url, [EVIDENCE], tmp_path, away=3)
        assert line.startswith("not told, the next run tries again: a: NO EVIDENCE to EVIDENCE: ")
        assert f"status {status}" in line
        hook.status = 200
        assert tell(hook.url, [EVIDENCE], tmp_path, away=3) == ["told: a: NO EVIDENCE to EVIDENCE"]
        assert [path for path, _ in hook.posted] == ["/hook?of=me"] * 2  # nobody went elsewhere

    def test_one_refusal_stops_no_other(
        self, hook: Hook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        errors = iter(["no", ""])
        monkeypatch.setattr(
            telling, "_post_all", lambda url, bodies: [next(errors) for _ in bodies]
        )
        other = Finding("b", "EVIDENCE")
        lines = tell(hook.url, [EVIDENCE, other], tmp_path, away=3)
        assert [line.split(":")[0] for line in lines] == [
            "not told, the next run tries again",
            "told",
        ]
        known = json.loads((tmp_path / "told.json").read_text())["suspects"]
        assert {name: entry["word"] for name, entry in known.items()} == {
            "a": "NO EVIDENCE",
            "b": "EVIDENCE",
        }

    def test_nobody_there_or_too_slow_is_a_line(
        self, hook: Hook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (line,) = tell("http://127.0.0.1:9/", [EVIDENCE], tmp_path, away=3)
        assert line.endswith("the address cannot be reached (ConnectError)")
        monkeypatch.setattr(telling, "SECONDS", 0.0)
        (line,) = tell(hook.url, [EVIDENCE], tmp_path, away=3)
        assert line.endswith("the address did not answer within 0 s")

    @pytest.mark.parametrize(
        "text", ["{", "[]", '{"suspects": {"a": {"away_since": "x"}}}', '{"suspects": {"a": 1}}']
    )
    def test_a_lost_memory_tells_twice_rather_than_never(
        self, hook: Hook, tmp_path: Path, text: str
    ) -> None:
        (tmp_path / "told.json").write_text(text)
        first, second = tell(hook.url, [EVIDENCE], tmp_path, away=3)
        assert first.endswith("begins anew: what was told may be told again")
        assert second == "told: a: NO EVIDENCE to EVIDENCE"

    def test_no_log_has_the_address(
        self, hook: Hook, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        with caplog.at_level("DEBUG"):
            lines = tell(hook.url, [EVIDENCE], tmp_path, away=3)
        assert "of=me" not in caplog.text + " ".join(lines)
        assert "127.0.0.1" not in caplog.text


class TestAddress:
    @pytest.mark.parametrize(
        "url",
        ["https://example.org/x", "http://127.0.0.1:1/x", "http://[::1]:8/", "http://localhost"],
    )
    def test_https_or_this_machine(self, url: str) -> None:
        check_address(url)

    @pytest.mark.parametrize(
        "url",
        [
            "http://example.org/s3cret",
            "ftp://127.0.0.1",
            "s3cret",
            "https://",
            "https://a:x/s3cret",
        ],
    )
    def test_others_are_refused_and_not_quoted(self, url: str, tmp_path: Path) -> None:
        with pytest.raises(PipelineError, match="--tell is no address that can be told") as caught:
            check_address(url)
        assert "s3cret" not in str(caught.value)
        (line,) = tell(url, [EVIDENCE], tmp_path, away=3)
        assert line.startswith("nobody was told: ")

    def test_credentials_are_refused(self) -> None:
        with pytest.raises(PipelineError, match="a name or a password") as caught:
            check_address("https://me:s3cret@example.org/")
        assert "s3cret" not in str(caught.value)
