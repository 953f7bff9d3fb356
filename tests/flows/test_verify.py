"""Many suspects at once, and the same on a schedule."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from datadeed.owner.evidence.schema import write_evidence
from flows.commands import Ended
from flows.errors import PipelineError
from flows.server import Server
from flows.suspects import e_value, suspects_by_name
from flows.verify import finding, parser, run
from tests.flows import toys
from tests.flows.hook import Hook
from tests.flows.toys import wait_for
from tests.owner.evidence.samples import evidence

WATCH = """
import sys
import flows.commands
flows.commands.DATADEED = (sys.executable, "toy.py")
from flows.watch import watch
for names in sys.argv[2:]:
    suspects = {name: name + ".yaml" for name in names.split()}
    state = watch(suspects, "out", ["--key", "k"], tell=sys.argv[1], return_state=True)
    print(state.type.name, state.name, state.message, sep=" | ")
"""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a toy program and suspects called after what they do."""
    monkeypatch.chdir(tmp_path)
    toys.write_toys(tmp_path)
    write_evidence(tmp_path / "sample.json", evidence())
    for name in ("thief", "stranger", "away", "slow"):
        (tmp_path / f"{name}.yaml").write_text(name)
    return tmp_path


def arguments(*names: str) -> list[str]:
    named = [part for name in names for part in ("--suspect", f"{name}.yaml")]
    return [*named, "--key", "k", "--pool", "p", "--out", "out"]


class TestMany:
    def test_a_failure_stops_no_other(self, root: Path, prefect_server: Server) -> None:
        prefect_server.wait()
        more = ("--suspects", "9", "--pool-split", "test")
        names = ("away", "thief", "stranger")
        code, out, said = toys.run(root, "flows.verify", *arguments(*names), *more)
        assert (code, said) == (5, "")
        lines = [line.rstrip() for line in out.splitlines()]
        assert lines[0].split() == ["suspect", "verdict", "evidence", "queries", "note"]
        assert lines[1].split(maxsplit=4) == ["away", "COULD", "NOT", "TEST", "nobody answers"]
        sample = evidence()
        reached, asked = e_value(sample["key_layer"]["log_e"]), str(len(sample["curve"]))
        found = "CLAIM", reached, asked, sample["verdict"]["reason"]
        assert [line.split(maxsplit=4) for line in lines[2:]] == [
            ["thief", *found],
            ["stranger", *found],
        ]
        with (root / "out/verdicts.csv").open(newline="") as file:
            assert list(csv.reader(file))[2] == ["thief", *found]
        ran = (root / "count").read_text()
        assert f"verify --suspect {root}/thief.yaml --out out/thief --key k --pool p" in ran
        assert ran.count("--suspects 9 --pool-split test\n") == 3
        assert "nobody answers" in (root / "out/logs/away.log").read_text()

    def test_an_interrupted_flow_leaves_nothing_running(
        self, root: Path, prefect_server: Server
    ) -> None:
        prefect_server.wait()
        flow = toys.start(root, "flows.verify", *arguments("slow"))
        pid = wait_for(root / "pid")
        flow.send_signal(signal.SIGINT)
        _, said = flow.communicate(timeout=60)
        assert flow.returncode == 130
        assert said == "interrupted: the same command goes on where it stopped\n"
        with pytest.raises(ProcessLookupError):
            _until_gone(pid)

    def test_a_finding_without_its_evidence_is_no_finding(self, tmp_path: Path) -> None:
        found = finding("a", tmp_path, Ended(0, ""))
        assert found.verdict == "COULD NOT TEST"
        assert "evidence.json cannot be read" in found.note


class TestWords:
    @pytest.mark.parametrize(
        ("more", "line"),
        [
            (["--suspects", "1"], "--suspects 1 is less than the 2 named here"),
            (["--workers", "0"], "--workers 0 makes no sense: give 1 or more"),
            (["--sign", "new.pem"], "new.pem does not exist: make it with one `datadeed verify`"),
            (["--suspect", "gone.yaml"], "gone.yaml does not exist"),
            (["--blocks", "5"], "--blocks is for --serve"),
            (["--tell", "https://example.org"], "--tell is for --serve"),
            (["--serve", "0 3 * * *", "--tell", "http://example.org"], "--tell is no address"),
            (["--serve", "0 3 * * *", "--tell-away", "0"], "--tell-away 0 makes no sense"),
            (["--serve", "0 3 * * *", "--roots", "r"], "--serve signs nothing"),
            (["--store", "sqlite:///s.db"], "--store is for --serve"),
            (["--serve", "0 3 * * *", "--store", "postgresql://a:b@h/d"], "holds a password"),
            (
                ["--serve", "0 3 * * *", "--store", "postgresql://h/d?password=b"],
                "holds a password",
            ),
        ],
    )
    def test_wrong_ones_are_told_in_a_line(self, root: Path, more: list[str], line: str) -> None:
        with pytest.raises(PipelineError, match=line.replace("*", r"\*")):
            run(parser().parse_args([*arguments("thief", "away"), *more]))

    def test_two_of_one_name_are_refused(self, root: Path) -> None:
        (root / "more").mkdir()
        (root / "more/thief.yaml").touch()
        with pytest.raises(PipelineError, match="both called thief: rename one"):
            suspects_by_name([root / "thief.yaml", root / "more/thief.yaml"])

    @pytest.mark.parametrize(
        ("log_e", "text"),
        [
            (0.0, "1e0.0"),
            (14.2, "1e6.1"),
            (-1.0, "1e-0.5"),
            (1e308, "above 1e300"),
            (-1e308, "below 1e-300"),
        ],
    )
    def test_e_is_rounded_towards_nothing(self, log_e: float, text: str) -> None:
        assert e_value(log_e) == text


class TestSchedule:
    def test_the_state_says_what_came_of_the_day(
        self, root: Path, prefect_server: Server, hook: Hook
    ) -> None:
        prefect_server.wait()

        ran = subprocess.run(
            [sys.executable, "-P", "-c", WATCH, hook.url, "thief away", "thief stranger", "thief"],
            cwd=root,
            env=os.environ | {"PYTHONPATH": str(toys.SOURCE)},
            capture_output=True,
            text=True,
            check=True,
        )
        so = "EVIDENCE: so it is"
        assert ran.stdout.splitlines() == [
            f"FAILED | Could not test | thief: {so}; away: COULD NOT TEST: nobody answers",
            f"COMPLETED | Evidence | thief: {so}; stranger: NO {so}",
            f"COMPLETED | Evidence | thief: {so}",
        ]
        today = f"{datetime.now(UTC):%Y-%m-%d}"
        assert ran.stderr.splitlines() == [
            f"{today} thief: {so}",
            f"{today} away: COULD NOT TEST: nobody answers",
            "told: thief: NO EVIDENCE to EVIDENCE",
            f"{today} thief: {so}",
            f"{today} stranger: NO {so}",
            f"{today} thief: {so}",
            "every watch is over: the schedule is paused, and this process may be stopped",
        ]
        with (root / "out/watch.csv").open(newline="") as file:
            assert list(csv.reader(file))[1] == ["thief", "EVIDENCE", "1e2.0", "30", "so it is"]

        ((_, told),) = hook.posted  # once in three runs
        assert (told["suspect"], told["after"], told["reason"]) == ("thief", "EVIDENCE", "so it is")

    def test_runs_of_an_earlier_day_do_nothing(self, prefect_server: Server) -> None:
        from flows.watch import missed

        now = datetime(2026, 11, 22, 1, tzinfo=UTC)
        assert missed(now - timedelta(hours=2), now)
        assert not missed(now - timedelta(minutes=59), now)
        east = timezone(timedelta(hours=9))
        assert not missed(datetime(2026, 11, 22, 9, 30, tzinfo=east), now)

    def test_a_schedule_needs_a_server_that_stays(
        self, root: Path, prefect_server: Server, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from flows import watch

        monkeypatch.setattr(watch, "users_server", lambda: False)
        with pytest.raises(PipelineError, match="--serve needs a Prefect server that stays"):
            run(parser().parse_args([*arguments("thief"), "--serve", "0 3 * * *"]))

    def test_each_watch_is_told_of_the_store(self, root: Path, prefect_server: Server) -> None:
        from flows.watch import passed_on

        words = [*arguments("thief"), "--suspects", "5", "--serve", "0 3 * * *"]
        told = ["--key", str(root / "k"), "--pool", str(root / "p"), "--blocks", "1"]
        told += ["--suspects", "5"]
        assert passed_on(parser().parse_args(words)) == told
        store = ["--store", "postgresql://h/d"]
        assert passed_on(parser().parse_args([*words, *store])) == [*told, *store]

    def test_nonsense_is_no_schedule(self, root: Path, prefect_server: Server) -> None:
        with pytest.raises(PipelineError, match="--serve 'daily' is no schedule: give five fields"):
            run(parser().parse_args([*arguments("thief"), "--serve", "daily"]))

    def test_a_state_that_cannot_be_read_is_no_result(
        self, tmp_path: Path, prefect_server: Server
    ) -> None:
        from flows.watch import finding

        (tmp_path / "watch.json").write_text(json.dumps({"word": "EVIDENCE"}))
        found, over = finding("a", tmp_path, Ended(0, ""))
        assert (found.verdict, over) == ("COULD NOT TEST", False)


def _until_gone(pid: int) -> None:
    """Ask for a process until it is no more, for some seconds."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        os.kill(pid, 0)
        time.sleep(0.05)
