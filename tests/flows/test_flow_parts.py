"""The flow's parts, without Prefect and mostly without DVC."""

import json
import os
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path

import pytest

import flows.server
from flows import devices, settings
from flows.devices import Pool, Slot, slots
from flows.display import Board, duration
from flows.errors import Interrupted, PipelineError
from flows.graph import Outcome, Stage, select
from flows.guard import guarded
from flows.locks import heal
from flows.scale import set_scale
from flows.server import ask_directly
from flows.stages import safe_name, verdict
from flows.summary import last_line, table
from tests.owner.suspects.fakes import serve

ADDRESSES = [
    "fetch@cifar",
    "report",
    "papers/dvbw/dvc.yaml:train@cifar-resnet18-1",
    "papers/dvbw/dvc.yaml:train@cifar-vgg-1",
    "papers/ubw/dvc.yaml:train@cifar-resnet18-1",
    "papers/ubw/dvc.yaml:verify@cifar",
    "papers/dvbw/dvc.yaml:tabulate",
    "papers/ubw/dvc.yaml:tabulate",
]


class TestTargets:
    """What a target names."""

    @pytest.mark.parametrize(
        ("target", "places"),
        [
            ("papers/dvbw/dvc.yaml:train@cifar-vgg-1", [3]),
            ("./dvc.yaml:report", [1]),
            ("*:train@*resnet18*", [2, 4]),
            ("train@*", [2, 3, 4]),
            ("*:tabulate", [6, 7]),
            ("verify@cifar", [5]),
            ("train", [2, 3, 4]),
            ("papers/dvbw/dvc.yaml", [2, 3, 6]),
            ("papers/dvbw/dvc.yaml:train", [2, 3]),
            ("papers/ubw/dvc.yaml:train", [4]),
            ("papers/ubw", [4, 5, 7]),
        ],
    )
    def test_names(self, target: str, places: list[int]) -> None:
        assert select(ADDRESSES, [target]) == sorted(ADDRESSES[place] for place in places)

    def test_none_means_the_root_file(self) -> None:
        assert select(ADDRESSES, []) == ADDRESSES[:2]

    def test_unknown_names_the_nearest(self) -> None:
        with pytest.raises(PipelineError, match=r"^no stage is called 'tabulat': .* tabulate"):
            select(ADDRESSES, ["tabulat"])

    def test_nothing_near(self) -> None:
        with pytest.raises(PipelineError, match=r"see `dvc stage list --all`$"):
            select(ADDRESSES, ["zzzz*"])

    def test_one_name_in_two_files(self) -> None:
        with pytest.raises(PipelineError, match=r"is in 2 files: say papers/dvbw/dvc.yaml:train@c"):
            select(ADDRESSES, ["train@cifar-resnet18-1"])


class TestScale:
    """params.yaml as a link."""

    def test_points_the_link_elsewhere(self, tmp_path: Path) -> None:
        (tmp_path / "scales").mkdir()
        for name in ("lite", "paper"):
            (tmp_path / "scales" / f"{name}.yaml").write_text(f"scale: {name}\n")
        (tmp_path / "params.yaml").symlink_to("scales/lite.yaml")
        assert not set_scale(tmp_path, "lite")
        assert set_scale(tmp_path, "paper")
        assert (tmp_path / "params.yaml").read_text() == "scale: paper\n"

    def test_leaves_a_users_file_alone(self, tmp_path: Path) -> None:
        (tmp_path / "scales").mkdir()
        (tmp_path / "scales" / "lite.yaml").touch()
        (tmp_path / "params.yaml").write_text("mine: 1\n")
        with pytest.raises(PipelineError, match="a file of your own"):
            set_scale(tmp_path, "lite")
        assert (tmp_path / "params.yaml").read_text() == "mine: 1\n"


class TestDevices:
    """One slot for each worker."""

    def test_cpu(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
        assert slots("auto", 3, None) == [Slot({})] * 3
        assert slots("cpu", 1, 2)[0].environment == {
            "OMP_NUM_THREADS": "2",
            "MKL_NUM_THREADS": "2",
            "CUDA_VISIBLE_DEVICES": "",
        }

    def test_auto_takes_the_visible_ones(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,3")
        assert [slot.name for slot in slots("auto", None, None)] == ["GPU 2", "GPU 3"]

    def test_a_gpu_named_twice_is_shared(self) -> None:
        made = slots("0,0", None, None)
        assert [slot.environment["CUDA_VISIBLE_DEVICES"] for slot in made] == ["0", "0"]
        assert made[0].lock != made[1].lock

    @pytest.mark.parametrize(
        ("arguments", "line"),
        [
            (("0,1", 3, None), "--workers 3 is more than the 2 GPU"),
            (("0,,1", None, None), "is not auto, cpu or ids"),
            (("cpu", 0, None), "--workers 0 makes no sense"),
        ],
    )
    def test_what_makes_no_sense(
        self, arguments: tuple[str, int | None, int | None], line: str
    ) -> None:
        with pytest.raises(PipelineError, match=line):
            slots(*arguments)

    def test_a_second_flow_waits(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(devices.tempfile, "gettempdir", lambda: str(tmp_path))
        first, second = Pool(slots("0", None, None)), Pool(slots("0", None, None))
        stop, waits = threading.Event(), []
        with first.take(stop, waits.append) as (slot, locks):
            assert slot.environment["CUDA_VISIBLE_DEVICES"] == "0"
            assert len(locks) == 1
            stop.set()
            with pytest.raises(Interrupted), second.take(stop, waits.append):
                pass
        assert waits == ["GPU 0"]
        with second.take(stop, waits.append):
            pass


class TestGuard:
    """A command that ends with its flow."""

    def _start(self, folder: Path, script: str) -> "subprocess.Popen[bytes]":
        with (folder / "log").open("wb") as log:
            return guarded(
                [sys.executable, "-c", script], env=dict(os.environ), stdout=log, cwd=folder
            )

    @pytest.mark.parametrize(
        ("script", "code"),
        [("raise SystemExit(3)", 3), ("import os; os.kill(os.getpid(), 9)", 137)],
    )
    def test_ends_as_the_command_does(self, tmp_path: Path, script: str, code: int) -> None:
        with self._start(tmp_path, script) as guard:
            assert guard.wait(30) == code

    def test_closing_the_pipe_ends_it(self, tmp_path: Path) -> None:
        with self._start(tmp_path, "import time; time.sleep(100)") as guard:
            assert guard.stdin is not None
            guard.stdin.close()
            assert guard.wait(30) != 0


class TestHealing:
    """What a kill leaves behind."""

    def test_entries_of_the_dead_and_half_files(self, tmp_path: Path) -> None:
        folder = tmp_path / ".dvc" / "tmp"
        folder.mkdir(parents=True)
        # This process lives, but is no DVC: its number was taken over from one that was.
        mine = {"pid": os.getpid() if "dvc" not in " ".join(sys.argv) else 2**30, "cmd": "dvc"}
        held = {"write": {"/a": mine}, "read": {"/b": [mine]}}
        (folder / "rwlock").write_text(json.dumps(held))
        (tmp_path / "dvc.lock").write_text("schema: '2.0'\nstages:\n  a:\n    cmd: [")
        said: list[str] = []
        heal(tmp_path, said.append)
        assert json.loads((folder / "rwlock").read_text()) == {"write": {}, "read": {}}
        assert len(said) == 1
        assert not (tmp_path / "dvc.lock").exists()
        (folder / "rwlock").write_text('{"write": {"/a"')
        heal(tmp_path, said.append)
        assert not (folder / "rwlock").exists()


class TestSettings:
    """Whose Prefect server it is."""

    def test_a_profile_with_a_server_is_the_users(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in ("PREFECT_API_URL", "PREFECT_PROFILE", "PREFECT_PROFILES_PATH"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("PREFECT_HOME", str(tmp_path))
        assert not settings.users_server()
        (tmp_path / "profiles.toml").write_text(
            'active = "lab"\n[profiles.lab]\nPREFECT_API_URL = "http://lab:4200/api"\n'
        )
        assert settings.users_server()

    def test_what_the_user_has_set_stays(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PREFECT_LOGGING_LEVEL", "DEBUG")
        settings.quiet()
        assert os.environ["PREFECT_LOGGING_LEVEL"] == "DEBUG"

    def test_our_own_server_is_asked_directly(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Whichever spelling a client reads, and what the user has said of other hosts stays."""
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, "http://127.0.0.1:9")
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.setenv("NO_PROXY", "corp.example, localhost")
        ask_directly("127.0.0.1", "localhost")
        for name in ("no_proxy", "NO_PROXY"):
            assert os.environ[name] == "corp.example,localhost,127.0.0.1"
        assert urllib.request.proxy_bypass("127.0.0.1:4200")
        assert not urllib.request.proxy_bypass("host.example")

    def test_its_health_is_asked_past_a_proxy(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        with serve(lambda handler, seen: handler.reply(b"ok")) as server:
            request = urllib.request.Request(server.url, data=b"")
            assert flows.server._direct.open(request, timeout=5).read() == b"ok"


class TestWords:
    """What is said."""

    def test_durations(self) -> None:
        assert [duration(s) for s in (0.4, 41, 700, 11_100)] == [
            "0 s",
            "41 s",
            "12 min",
            "3 h 05 min",
        ]

    def test_file_names(self) -> None:
        assert safe_name("papers/dvbw/dvc.yaml:train@a-1") == "papers-dvbw-train@a-1"
        assert "/" not in safe_name("../odd name/data.dvc")

    def test_the_stages_own_error_counts(self) -> None:
        assert verdict("x\nerror: no labels\nERROR: failed to reproduce\n") == "error: no labels"
        assert verdict("x\nERROR: is busy\nmore\n") == "ERROR: is busy"
        assert verdict("") == "no output"

    def test_tables(self) -> None:
        assert table([["a", "b"], ["1|2", "3"]]) == "| a | b |\n| --- | --- |\n| 1\\|2 | 3 |"
        assert "and 50 more rows" in table([["a"]] + [["1"]] * 250)

    def test_last_line(self) -> None:
        done = Outcome("a", "done", 3.0)
        assert last_line([done], 65.0).startswith("1 done in 65 s: ")
        assert last_line([done, Outcome("b@1", "failed")], 1.0) == (
            "error: 1 done, 1 failed: first b@1: see data/logs/b@1.log"
        )

    def test_time_left(self, tmp_path: Path) -> None:
        board = Board([Stage("t@1"), Stage("t@2"), Stage("t@3"), Stage("v@1")], workers=1)
        assert board.seconds_left() is None
        board.ended(Outcome("t@1", "done", 10.0))
        assert board.seconds_left() == pytest.approx(30.0)
        status = tmp_path / "status.json"
        status.write_text('{"fraction": 0.9, "text": "acc 0.8", "seconds_left": 1.0}')
        board.started("t@2", status)
        assert board.seconds_left() == pytest.approx(21.0)
        assert board.totals() == "1 done, 3 left"
