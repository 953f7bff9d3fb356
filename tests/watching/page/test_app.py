"""What a visitor sees, and what no visitor can do."""

import re
import sqlite3
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from datadeed.files import canonical_digest
from datadeed.watching.page.guard import COOKIE
from datadeed.watching.store.store import Store
from tests.watching.page.conftest import EVIDENCE, HOSTILE
from tests.watching.page.rows import add, named

TOKEN = "0123456789abcdef" * 2
Visit = Callable[..., TestClient]


class Seen(HTMLParser):
    """The tags of a page, and the cells of its tables by row."""

    def __init__(self, text: str):
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.rows: list[list[str]] = []
        self._in_cell = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
            self._in_cell = True

    def handle_endtag(self, tag: str) -> None:
        self._in_cell = self._in_cell and tag not in ("td", "th")

    def handle_data(self, data: str) -> None:
        if self._in_cell:
            self.rows[-1][-1] += data

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


class TestOverview:
    def test_what_wants_attention_comes_first(self, visit: Visit) -> None:
        seen = Seen(visit().get("/").text)
        shown = [(row[0], row[1]) for row in seen.rows[1:5]]
        assert shown == [
            ("thief", "EVIDENCE"),
            (HOSTILE.replace("\u202e", "\ufffd"), "COULD NOT TEST"),
            ("never there", "COULD NOT TEST"),
            ("honest", "NO EVIDENCE"),
        ]

    def test_a_row_has_what_the_store_has(self, visit: Visit) -> None:
        seen = Seen(visit().get("/").text)
        thief, away, never, _ = seen.rows[1:5]
        assert thief[2] == "4.8\xa0×\xa010⁸ of 4,000,000"
        assert thief[4:] == [
            "3",
            "CLAIM",
            "2026-01-03 03:00",
            "–",
            "48",
            "0.75",
        ]
        assert away[6:8] == ["2026-05-30 03:00", "2026-05-31 03:00"]
        assert never[6:8] == ["–", "2026-01-01 03:00"]

    def test_curves_end_where_e_does(self, visit: Visit) -> None:
        lines = [line["points"] for line in Seen(visit().get("/").text).named("polyline")]
        assert len(lines) == 3  # who never answered has none
        # Exponents 0, 4.34 and 8.69 on a scale from -2 to 8.69, in 26 of 32 units.
        assert lines[0] == "3,24.1 60,13.6 117,3"

    def test_e_bh_names_who_has_evidence(self, visit: Visit) -> None:
        *_, row = Seen(visit().get("/").text).rows
        assert row == [
            "abababababababab…",
            "1\xa0×\xa010⁻⁶",
            "4",
            "thief",
        ]

    def test_pages_of_suspects(self, visit: Visit, tmp_path: Path) -> None:
        url = f"sqlite:///{tmp_path / 'many.db'}"
        with Store.open(url) as store:
            for number in range(1, 53):
                add(store, number, f"s{number:02}", [0.0])
        visitor = visit(url)
        first, second = (Seen(visitor.get(f"/?page={page}").text) for page in (1, 2))
        assert [row[0] for row in second.rows[1:3]] == ["s51", "s52"]
        assert first.rows[1][0] == "s01"
        for nonsense, like in (("0", first), ("x", first), ("-1", first), ("9", second)):
            assert Seen(visitor.get("/", params={"page": nonsense}).text).rows == like.rows

    def test_an_empty_store_says_what_fills_it(self, visit: Visit, tmp_path: Path) -> None:
        url = f"sqlite:///{tmp_path / 'empty.db'}"
        Store.open(url).close()
        found = visit(url).get("/")
        assert (found.status_code, "datadeed watch --store" in found.text) == (200, True)


class TestSuspect:
    def test_days_runs_and_verdicts(self, visit: Visit) -> None:
        seen = Seen(visit().get(f"/suspects/{named(2)}").text)
        assert ["2026-03-01 09:00", "CLAIM"] in [row[:2] for row in seen.rows]
        runs = [row for row in seen.rows if row[1:2] == ["EVIDENCE"]]
        assert runs == [
            ["2026-01-03 03:00", "EVIDENCE", "16", "1", "17", "2.5", "0.25", "–", "so it is"]
        ]
        assert ["3", "2026-01-03", "12", "2", "1", "4.8\xa0×\xa010⁸"] in seen.rows

    def test_days_come_a_page_at_a_time(self, visit: Visit) -> None:
        visitor = visit()

        def days(page: int) -> list[str]:
            seen = Seen(visitor.get(f"/suspects/{named(3)}?page={page}").text)
            start = seen.rows.index(["Day", "Date", "Questions", "Hits", "Failed", "E after it"])
            return [row[0] for row in seen.rows[start + 1 :] if row[0].isdecimal()]

        assert days(1) == [str(day) for day in range(150, 50, -1)]
        assert days(2) == [str(day) for day in range(50, 0, -1)]

    def test_who_never_answered_has_a_page(self, visit: Visit) -> None:
        found = visit().get(f"/suspects/{named(4)}")
        assert "No day is complete yet." in found.text

    def test_a_stranger_is_not_found(self, visit: Visit) -> None:
        assert visit().get("/suspects/x").status_code == 404


class TestHostile:
    @pytest.mark.parametrize("path", ["/", f"/suspects/{named(3)}"])
    def test_names_and_reasons_stay_text(self, visit: Visit, path: str) -> None:
        found = visit().get(path)
        seen = Seen(found.text)
        assert not seen.named("script")
        assert not seen.named("b")
        assert "\u202e" not in found.text
        assert all(not name.startswith("on") for _, attributes in seen.tags for name in attributes)

    def test_a_browser_is_told_to_load_and_run_nothing(self, visit: Visit) -> None:
        for path in ("/", "/style.css", "/nothing"):
            headers = visit().get(path).headers
            policy = headers["content-security-policy"]
            assert policy.startswith("default-src 'none'; style-src 'self'; img-src data:;")
            assert "unsafe" not in policy
            assert "frame-ancestors 'none'" in policy
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["cache-control"] == "no-store"

    @pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
    @pytest.mark.parametrize("path", ["/", f"/suspects/{named(1)}", "/login", "/evidence/x"])
    def test_it_is_only_read(self, visit: Visit, method: str, path: str) -> None:
        assert visit().request(method, path).status_code in (404, 405)

    def test_head_answers_as_get_does(self, visit: Visit) -> None:
        assert visit().head("/").status_code == 200

    def test_no_description_of_itself(self, visit: Visit) -> None:
        for path in ("/docs", "/redoc", "/openapi.json"):
            assert visit().get(path).status_code == 404

    @pytest.mark.parametrize(
        ("host", "status"),
        [
            ("127.0.0.1:8321", 200),
            ("localhost", 200),
            ("LOCALHOST:1", 200),
            ("[::1]:8321", 200),
            ("evil.example", 421),
            ("127.0.0.1.evil.example", 421),
            ("", 421),
            ("[", 421),
        ],
    )
    def test_another_s_name_is_refused(self, visit: Visit, host: str, status: int) -> None:
        assert visit().get("/", headers={"host": host}).status_code == status


class TestToken:
    def test_nobody_without_it(self, visit: Visit) -> None:
        visitor = visit(token=TOKEN)
        for path in ("/", f"/suspects/{named(1)}", "/evidence/x", "/nothing"):
            found = visitor.get(path)
            assert (found.status_code, found.headers["www-authenticate"]) == (401, "Bearer")
            assert "thief" not in found.text
        wrong = {"authorization": f"Bearer {TOKEN[:-1]}"}
        assert visitor.get("/", headers=wrong).status_code == 401
        assert visitor.get("/", params={"token": TOKEN}).status_code == 401
        assert visitor.get("/", cookies={COOKIE: TOKEN}).status_code == 401

    def test_a_program_sends_it(self, visit: Visit) -> None:
        headers = {"authorization": f"Bearer {TOKEN}"}
        assert visit(token=TOKEN).get("/", headers=headers).status_code == 200

    def test_a_person_gives_it_once(self, visit: Visit) -> None:
        visitor = visit(token=TOKEN)
        wrong = visitor.post("/login", data={"token": "0" * 32})
        assert wrong.status_code == 401
        assert "That is not the token." in wrong.text
        right = visitor.post("/login", data={"token": TOKEN})
        assert (right.status_code, right.headers["location"]) == (303, "/")
        cookie = right.headers["set-cookie"]
        assert TOKEN not in cookie
        assert {"HttpOnly", "SameSite=strict", "Path=/"} <= set(cookie.split("; "))
        assert visitor.get("/").status_code == 200

    @pytest.mark.parametrize(
        ("body", "status"),
        [(b"x" * 5000, 413), (b"token=&token=", 401), (b"token=%ff", 401), (b"", 401)],
    )
    def test_a_wrong_form_is_refused(self, visit: Visit, body: bytes, status: int) -> None:
        assert visit(token=TOKEN).post("/login", content=body).status_code == status


class TestEvidence:
    def test_its_page_is_linked_and_shown_without_rights(self, visit: Visit, root: Path) -> None:
        visitor = visit(evidence=root)
        digest = canonical_digest(EVIDENCE)
        links = Seen(visitor.get(f"/suspects/{named(2)}").text).named("a")
        assert f"/evidence/{digest}" in [link.get("href") for link in links]
        found = visitor.get(f"/evidence/{digest}")
        assert found.text == "<title>the evidence</title>"
        assert found.headers["content-security-policy"].startswith("sandbox; default-src 'none'")

    def test_nothing_else_is_shown(self, visit: Visit, root: Path) -> None:
        visitor = visit(evidence=root)
        digest = canonical_digest(EVIDENCE)
        for path in (
            "/evidence/thief/key.json",
            "/evidence/../root/thief/key.json",
            "/evidence/..%2Fthief%2Fkey.json",
            f"/evidence/{digest}/../key.json",
            f"/evidence/{digest}%2F..%2Fkey.json",
            f"/evidence/{digest}.json",
        ):
            found = visitor.get(path)
            assert (found.status_code, "s3cret" in found.text) == (404, False)

    def test_without_a_folder_there_is_none(self, visit: Visit) -> None:
        visitor = visit()
        digest = canonical_digest(EVIDENCE)
        assert visitor.get(f"/evidence/{digest}").status_code == 404
        assert digest not in str(Seen(visitor.get(f"/suspects/{named(2)}").text).named("a"))


class TestStoreGone:
    def told(self, visit: Visit, url: str) -> str:
        found = visit(url).get("/")
        assert found.status_code == 503
        assert "Traceback" not in found.text
        match = re.search(r'<p class="headline">(.*)</p>', found.text)
        assert match is not None
        return match[1]

    def test_absent(self, visit: Visit, tmp_path: Path) -> None:
        path = tmp_path / "none.db"
        assert "there is no store" in self.told(visit, f"sqlite:///{path}")
        assert not path.exists()

    def test_damaged(self, visit: Visit, tmp_path: Path) -> None:
        path = tmp_path / "bad.db"
        path.write_bytes(b"no database" * 1000)
        assert "move it away and run" in self.told(visit, f"sqlite:///{path}")

    def test_locked(self, visit: Visit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        from datadeed.watching.store import engine

        path = tmp_path / "store.db"
        Store.open(f"sqlite:///{path}").close()
        monkeypatch.setattr(engine, "WAIT", 0.01)
        holder = sqlite3.connect(path, isolation_level=None)
        try:
            holder.execute("PRAGMA locking_mode = EXCLUSIVE")
            holder.execute("BEGIN EXCLUSIVE")
            holder.execute("CREATE TABLE held (one)")
            assert "is locked by another program" in self.told(visit, f"sqlite:///{path}")
        finally:
            holder.close()

    def test_a_fault_of_ours_is_a_page_without_its_traceback(
        self, visit: Visit, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from datadeed.watching.page import app

        def fails(*_: object) -> None:
            raise RuntimeError("s3cret")

        monkeypatch.setattr(app, "overview", fails)
        visitor = TestClient(visit().app, "http://127.0.0.1", raise_server_exceptions=False)
        found = visitor.get("/")
        assert (found.status_code, "s3cret" in found.text) == (500, False)
        assert found.headers["x-frame-options"] == "DENY"


class TestReach:
    """What a keyboard and a screen reader need."""

    @pytest.mark.parametrize("path", ["/", f"/suspects/{named(3)}", "/nothing"])
    def test_landmarks_names_and_scopes(self, visit: Visit, path: str) -> None:
        seen = Seen(visit().get(path).text)
        first = next(attributes for tag, attributes in seen.tags if tag == "a")
        assert first == {"class": "skip", "href": "#main"}
        assert [part.get("id") for part in seen.named("main")] == ["main"]
        assert len(seen.named("h1")) == 1
        assert all("scope" in cell for cell in seen.named("th"))
        scrolled = [part for _, part in seen.tags if str(part.get("class")).startswith("scroll")]
        ids = {part.get("id") for _, part in seen.tags}
        for part in scrolled:
            assert (part["role"], part["tabindex"]) == ("region", "0")
            assert part.get("aria-label") or part["aria-labelledby"] in ids
        for svg in seen.named("svg"):
            assert svg.get("aria-hidden") == "true" or svg.get("role") == "img"
        assert all("style" not in part for _, part in seen.tags)  # the policy would ignore it
