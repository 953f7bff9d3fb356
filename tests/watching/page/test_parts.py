"""The page's parts that need no visitor."""

import math
import os
import socket
from pathlib import Path

import pytest

from datadeed.errors import PageError
from datadeed.files import canonical_digest
from datadeed.watching.page.curve import curve, thinned
from datadeed.watching.page.evidence import EvidencePages
from datadeed.watching.page.guard import Guard, is_loopback
from datadeed.watching.page.readings import POINTS, curves, together
from datadeed.watching.page.serve import guard_for, listener
from datadeed.watching.page.views import page_of
from datadeed.watching.store.store import Store
from tests.watching.page.conftest import EVIDENCE
from tests.watching.page.rows import add, named


class TestCurve:
    def test_it_is_drawn_between_its_lowest_and_the_bar(self) -> None:
        drawn = curve([(1, 0.0), (2, math.log(100.0)), (3, 1e308)], 1e6, width=106, height=26)
        # 310 decimal exponents from 0.01 up to 10^308 on 20 units.
        assert drawn.points == "3,22.9 53,22.7 103,3"
        assert drawn.end == (103.0, 3.0)

    def test_what_is_below_is_at_the_foot(self) -> None:
        drawn = curve([(1, -1e308), (2, 0.0)], 1e6, width=100, height=86)
        assert drawn.points == "3,83 97,63"  # exponents from -2 to 6 on 80 units
        assert (drawn.bar, drawn.one) == (3.0, 63.0)

    def test_one_day_and_none(self) -> None:
        assert curve([(1, 0.0)], 1e6).end == (3.0, curve([], 1e6).one)
        assert curve([], 1e6).end is None

    def test_many_days_keep_both_ends(self) -> None:
        days = [(day, 0.0) for day in range(1, 3651)]
        kept = thinned(days, 400)
        assert len(kept) <= 401
        assert (kept[0], kept[-1]) == (days[0], days[-1])
        assert thinned(days[:3], 400) == days[:3]


class TestReadings:
    def test_curves_of_many_are_thinned_and_end_today(self, tmp_path: Path) -> None:
        with Store.open(f"sqlite:///{tmp_path / 'store.db'}") as store:
            add(store, 1, "old", [day / 1000 for day in range(1, 131)])
            add(store, 2, "new", [1.0, 2.0])
            drawn = curves(store, store.suspects())
        assert len(drawn[named(1)]) <= POINTS + 2
        assert drawn[named(1)][0] == (1, 0.001)
        assert drawn[named(1)][-1] == (130, 0.13)
        assert drawn[named(2)] == [(1, 1.0), (2, 2.0)]

    def test_two_with_evidence_need_less_each(self, tmp_path: Path) -> None:
        bar = math.log(4 / 1e-6)
        half = bar - math.log(2) + 0.01  # enough for two of four, not for one
        with Store.open(f"sqlite:///{tmp_path / 'store.db'}") as store:
            add(store, 1, "a", [half])
            add(store, 2, "b", [0.0])
            alone = together(store.suspects())
            add(store, 3, "c", [half])
            both = together(store.suspects())
        assert [(one.suspects, one.named) for one in alone] == [(4, ())]
        assert [one.suspect.name for one in both[0].named] == ["a", "c"]
        assert both[0].level == pytest.approx(1e-6)

    def test_one_suspect_is_no_group(self, tmp_path: Path) -> None:
        with Store.open(f"sqlite:///{tmp_path / 'store.db'}") as store:
            add(store, 1, "a", [50.0], in_all=1)
            assert together(store.suspects()) == []

    @pytest.mark.parametrize(
        ("given", "found"),
        [("1", (1, 3)), ("3", (3, 3)), ("4", (3, 3)), ("0", (1, 3)), ("٣", (1, 3)), ("", (1, 3))],
    )
    def test_a_page_is_one_that_is_there(self, given: str, found: tuple[int, int]) -> None:
        assert page_of(given, 101, 50) == found
        assert page_of(given, 0, 50) == (1, 1)


class TestEvidencePages:
    def test_links_out_of_the_folder_are_not_followed(self, root: Path, tmp_path: Path) -> None:
        outside = tmp_path / "outside"
        (root / "thief").rename(outside)
        (root / "linked").symlink_to(outside)
        half = root / "half"
        half.mkdir()
        (half / "evidence.json").write_bytes((outside / "evidence.json").read_bytes())
        (half / "report.html").symlink_to(outside / "key.json")
        assert EvidencePages(root).digests() == {}

    def test_what_changed_is_read_again(self, root: Path) -> None:
        pages = EvidencePages(root)
        assert list(pages.digests()) == [canonical_digest(EVIDENCE)]
        path = root / "thief" / "evidence.json"
        path.write_text('{"verdict": "another one"}')
        assert list(pages.digests()) == [canonical_digest({"verdict": "another one"})]
        path.write_text("{")
        assert pages.digests() == {}

    def test_a_page_that_is_a_pipe_holds_nobody_up(self, root: Path) -> None:
        page = root / "thief" / "report.html"
        page.unlink()
        os.mkfifo(page)
        assert EvidencePages(root).page(canonical_digest(EVIDENCE)) is None


class TestWhere:
    @pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
    def test_this_machine_needs_no_token(self, host: str) -> None:
        assert is_loopback(host)
        assert not guard_for(host, None).asks

    @pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "box.example"])
    def test_others_do(self, host: str) -> None:
        with pytest.raises(PageError, match="set DATADEED_PAGE_TOKEN"):
            guard_for(host, None)
        assert guard_for(host, "x" * 32).asks

    def test_a_name_that_is_listened_on_is_ours(self) -> None:
        guard = guard_for("box.example", "x" * 32, ["other.example"])
        ours = ("Box.Example:8321", "other.example.", "localhost", "192.0.2.1")
        assert all(map(guard.is_ours, ours))
        assert not guard.is_ours("example")

    @pytest.mark.parametrize(
        ("token", "line"),
        [("x" * 31, "has 31 characters: give 32 or more"), ("x" * 31 + "é", "beyond ASCII")],
    )
    def test_a_token_that_is_none_is_refused(self, token: str, line: str) -> None:
        with pytest.raises(PageError, match=line):
            Guard(token)

    def test_a_port_that_is_taken_is_told(self) -> None:
        with listener("127.0.0.1", 0) as taken:
            assert isinstance(taken, socket.socket)
            port = taken.getsockname()[1]
            with pytest.raises(PageError, match=f"cannot listen on 127.0.0.1, port {port}"):
                listener("127.0.0.1", port)
        with pytest.raises(PageError, match="--port 99999 is none"):
            listener("127.0.0.1", 99999)
