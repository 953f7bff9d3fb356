"""How long stages took, kept from run to run."""

from pathlib import Path

import pytest

from flows import timings
from flows.graph import Outcome
from flows.timings import SECONDS, keep_seconds, read_seconds, table

TRAIN = "papers/dvbw/dvc.yaml:train@"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder at scale lite."""
    (tmp_path / "params.yaml").write_text("scale: lite\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_what_ran_is_kept_and_the_last_run_counts(root: Path) -> None:
    keep_seconds(root, [Outcome(f"{TRAIN}a", "done", 60.0), Outcome(f"{TRAIN}b", "done", 9.0)])
    again = [Outcome(f"{TRAIN}a", state, 1.0) for state in ("restored", "up to date", "failed")]
    keep_seconds(root, [*again, Outcome(f"{TRAIN}b", "done", 12.5), Outcome("report", "skipped")])
    assert read_seconds(root) == {("lite", f"{TRAIN}a"): 60.0, ("lite", f"{TRAIN}b"): 12.5}
    (root / "params.yaml").write_text("seed: 1\n")
    keep_seconds(root, [Outcome(f"{TRAIN}a", "done", 2.0)])
    assert read_seconds(root)["params.yaml", f"{TRAIN}a"] == 2.0
    assert read_seconds(root)["lite", f"{TRAIN}a"] == 60.0


def test_the_table_sums_a_scale_by_definition(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    took = {f"{TRAIN}a": 60.0, f"{TRAIN}b": 90.0, "report": 8.0}
    keep_seconds(root, [Outcome(name, "done", seconds) for name, seconds in took.items()])
    known = read_seconds(root) | {("paper", "report"): 1e6}
    assert [line.split() for line in table(known, "lite")[1:]] == [
        ["papers/dvbw/dvc.yaml:train", "2", "2", "min", "90", "s"],
        ["report", "1", "8", "s", "8", "s"],
        ["all", "that", "were", "run", "at", "scale", "lite", "3", "3", "min"],
    ]
    timings.main()
    assert "papers/dvbw/dvc.yaml:train" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "message"),
    [("", "is damaged: remove it"), ("scale,stage,seconds\n", "knows no stage of scale lite")],
)
def test_nothing_to_tell_is_one_line(root: Path, text: str, message: str) -> None:
    (root / SECONDS).parent.mkdir(parents=True)
    (root / SECONDS).write_text(text or "scale,stage,seconds\nlite,x,soon\n")
    with pytest.raises(SystemExit, match=rf"^error: .*{message}") as caught:
        timings.main()
    assert "\n" not in str(caught.value)
