"""Commit, timestamp, watermark: each once, whatever stops them."""

import json
import sys
from pathlib import Path

import pytest

import flows.commands
from datadeed.owner.evidence import timestamp
from flows.errors import PipelineError
from flows.protect import Protection, StepFailed, parser
from flows.server import Server
from tests.flows.toys import run, write_toys


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_toys(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(flows.commands, "DATADEED", (sys.executable, "toy.py"))
    return tmp_path


def protection(*more: str) -> Protection:
    arguments = ["data", "--out", "marked", "--key", "key.json", *more]
    return Protection(*parser().parse_known_args(arguments))


def counted(root: Path) -> list[str]:
    return (root / "count").read_text().splitlines()


def test_the_flow_ends_as_its_command_does(root: Path, prefect_server: Server) -> None:
    prefect_server.wait()
    (root / "full").touch()
    command = ("flows.protect", "data", "--out", "marked", "--key", "key.json", "--parts", "6")
    code, _, said = run(root, *command)
    assert code == 7, said
    assert said == ("commit: done\ntimestamp: left out: no --timestamp URL\nerror: no space left\n")
    assert counted(root) == [
        "commit data --key key.json --commitment commitment.json --parts 6",
        "watermark data --key key.json --out marked",
    ]
    assert protection("--parts", "6").commit() == "done before"


class TestSteps:
    def test_a_finished_release_is_not_made_again(self, root: Path) -> None:
        steps = protection("--split", "train", "--beacon-value", "ab")
        assert (steps.commit(), steps.watermark()) == ("done", "done")
        assert (steps.commit(), steps.watermark()) == ("done before", "done before")
        assert counted(root)[1:] == [
            "watermark data --key key.json --split train --out marked --beacon-value ab"
        ]

    def test_a_file_of_somebody_elses_is_not_taken_for_the_release(self, root: Path) -> None:
        steps = protection()
        steps.commit()
        (root / "marked").write_text("another")
        with pytest.raises(StepFailed, match=r"^exists$"):
            steps.watermark()

    def test_a_key_is_never_taken_for_one_of_another_design(self, root: Path) -> None:
        protection("--parts", "6").commit()
        assert protection().commit() == "done before"
        with pytest.raises(
            PipelineError, match=r"key\.json was made otherwise than with --parts 7"
        ):
            protection("--parts", "7").commit()
        assert len(counted(root)) == 1

    def test_a_design_that_was_refused_may_be_corrected(self, root: Path) -> None:
        with pytest.raises(StepFailed, match=r"^parts make no sense$") as refused:
            protection("--parts", "six").commit()
        assert refused.value.code == 1
        assert protection("--parts", "6").commit() == "done"

    def test_the_commitment_is_stamped_once(
        self, root: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked: list[tuple[str, str]] = []

        def stamp(commitment: str, url: str) -> bytes:
            asked.append((commitment, url))
            return b"token"

        monkeypatch.setattr(timestamp, "request_timestamp", stamp)
        steps = protection("--timestamp", "http://authority.example")
        steps.commit()
        assert (steps.timestamp(), steps.timestamp()) == ("done", "done before")
        assert asked == [("ab" * 32, "http://authority.example")]
        assert (root / "commitment.tsr").read_bytes() == b"token"

    def test_a_strange_state_is_refused(self, root: Path) -> None:
        (root / "key.json.protect.json").write_text(json.dumps({"form": "mine"}))
        with pytest.raises(PipelineError, match="is not what this command wrote: remove it"):
            protection().commit()
