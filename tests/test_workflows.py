"""The workflows: who may run what where, and their shell, run as far as it goes without a forge."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]
FILES = {path.stem: path for path in sorted((ROOT / ".github/workflows").glob("*.yml"))}
GITLAB = ROOT / ".gitlab-ci.yml"
MAKE_TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))


def load(path: Path) -> dict[str, Any]:
    # "on" is a boolean to YAML 1.1.
    found = yaml.safe_load(path.read_text(encoding="utf-8"))
    return {("on" if key is True else key): value for key, value in found.items()}


def steps(name: str) -> list[dict[str, Any]]:
    return [step for job in load(FILES[name])["jobs"].values() for step in job.get("steps", [])]


def scripts() -> list[str]:
    """All shell, with what the forge fills in left as a word."""
    found = [step["run"] for name in FILES for step in steps(name) if "run" in step]
    for job in load(GITLAB).values():
        if isinstance(job, dict):
            found += [line for key in job if key.endswith("script") for line in job[key]]
    return found


def test_all_are_here() -> None:
    assert set(FILES) == {"reproduce", "tests", "weekly"}
    assert len(scripts()) >= 15


@pytest.mark.parametrize("script", scripts())
def test_shell_is_shell_and_names_what_there_is(script: str) -> None:
    assert "${{" not in script  # whatever a forge fills in comes by the environment, never as code
    subprocess.run(["bash", "-n"], input=script, text=True, check=True)
    for target in re.findall(r"\bmake ([a-z-]+)(?!\S)", script.replace("git make", "")):
        assert target in MAKE_TARGETS
    for module in re.findall(r"python -m (\S+)", script):
        assert (ROOT / f"{module.replace('.', '/')}.py").is_file()


def test_our_own_machine_runs_no_fork() -> None:
    own = {
        name: job
        for name, path in FILES.items()
        for job in load(path)["jobs"].values()
        if "self-hosted" in str(job.get("runs-on"))
    }
    assert list(own) == ["reproduce"]
    asked = " ".join(own["reproduce"]["if"].split())
    assert asked == (
        "github.event_name != 'pull_request' || (github.event.label.name == 'gpu' && "
        "github.event.pull_request.head.repo.full_name == github.repository)"
    )
    assert set(load(FILES["reproduce"])["on"]) == {
        *("pull_request", "workflow_call", "workflow_dispatch")
    }
    assert load(FILES["reproduce"])["on"]["pull_request"] == {"types": ["labeled"]}
    assert "fork == false" in load(FILES["weekly"])["jobs"]["reproduce"]["if"]
    merge = load(GITLAB)["reproduce"]["rules"][1]["if"]
    assert "$CI_MERGE_REQUEST_SOURCE_PROJECT_ID == $CI_PROJECT_ID" in merge


def test_what_forks_may_run_has_no_secret_and_writes_nothing() -> None:
    text = FILES["tests"].read_text(encoding="utf-8")
    assert "secrets" not in text.partition("name:")[2]
    assert load(FILES["tests"])["permissions"] == {"contents": "read"}
    assert "pull_request_target" not in "".join(path.read_text() for path in FILES.values())


def test_the_schedule_has_a_file_of_its_own_and_is_off_the_hour() -> None:
    assert list(load(FILES["weekly"])["on"]) == ["schedule"]
    (schedule,) = load(FILES["weekly"])["on"]["schedule"]
    assert int(schedule["cron"].split()[0]) % 15


def test_a_budget_reaches_the_flow() -> None:
    reproduce = load(FILES["reproduce"])
    for event in ("workflow_dispatch", "workflow_call"):
        assert reproduce["on"][event]["inputs"]["budget"]["default"] == ""
    assert reproduce["jobs"]["reproduce"]["env"]["BUDGET"] == "${{ inputs.budget }}"
    assert load(GITLAB)["reproduce"]["variables"]["BUDGET"] == ""
    assert "--budget 50m" in _reproduce_commands("50m")
    assert "--budget" not in _reproduce_commands("")


def _reproduce_commands(budget: str) -> str:
    """What make would run with that in its environment, as a workflow puts it there."""
    command = ["make", "-n", "reproduce"]
    own = {**os.environ, "BUDGET": budget}
    done = subprocess.run(command, cwd=ROOT, env=own, capture_output=True, text=True, check=True)
    return done.stdout


def run(script: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return subprocess.run(
        ["bash", "-e", "-c", script],
        cwd=folder,
        env={**own, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Of git and DVC, with one stage, and the programs where a workflow expects them."""
    root = tmp_path / "one"
    root.mkdir()
    (root / "dvc.yaml").write_text(
        "stages:\n  make: {cmd: 'date +%N > made', deps: [given], outs: [made]}\n"
    )
    (root / "given").write_text("1\n")
    (root / ".gitignore").write_text(".venv\n")
    _programs(root)
    who = "-c user.name=tests -c user.email=tests@localhost"
    script = f"git init -q && .venv/bin/dvc init -q && git add -A && git {who} commit -qm one"
    done = run(script, root)
    assert done.returncode == 0, done.stderr
    return root


def _programs(root: Path) -> None:
    (root / ".venv/bin").mkdir(parents=True)
    dvc = shutil.which("dvc", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    (root / ".venv/bin/dvc").symlink_to(str(dvc))


def test_what_a_run_made_is_there_for_the_next_one(repository: Path, tmp_path: Path) -> None:
    named = {step.get("name", ""): step for step in steps("reproduce")}
    pull = next(step["run"] for name, step in named.items() if name.startswith("what other runs"))
    push = next(step["run"] for name, step in named.items() if name.startswith("keep what"))
    remote = {"DVC_REMOTE": str(tmp_path / "store"), "GITHUB_ENV": str(tmp_path / "told")}
    first = run(f"{pull}\n.venv/bin/dvc repro -q\n{push}", repository, **remote)
    assert first.returncode == 0, first.stderr
    made = (repository / "made").read_text()
    other = tmp_path / "two"
    assert run(f"git clone -q {repository} {other}", tmp_path).returncode == 0
    _programs(other)
    second = run(f"{pull}\n.venv/bin/dvc repro -q --pull", other, **remote)
    assert second.returncode == 0, second.stderr
    assert (tmp_path / "told").read_text() == "FLAGS=--pull\n" * 2
    assert (other / "made").read_text() == made  # of the run cache: it was not made again
