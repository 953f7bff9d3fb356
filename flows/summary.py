"""What a run leaves for reading later: a file, and Prefect artifacts that show the same."""

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

import yaml

from flows.display import duration
from flows.graph import Outcome
from flows.stages import log_file

SUMMARY = Path("data") / "logs" / "reproduce-summary.csv"
ROWS_SHOWN = 200


def write_summary(root: Path, outcomes: Iterable[Outcome]) -> Path:
    """The stages of a run as CSV: stage, state, seconds, note."""
    path = root / SUMMARY
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["stage", "state", "seconds", "note"])
        for outcome in outcomes:
            writer.writerow(
                [outcome.address, outcome.state, f"{outcome.seconds:.1f}", outcome.note]
            )
    return path


def last_line(outcomes: Sequence[Outcome], seconds: float) -> str:
    """One line for the whole run."""
    states = [outcome.state for outcome in outcomes]
    counts = ", ".join(f"{states.count(state)} {state}" for state in sorted(set(states)))
    if set(states) <= {"up to date"}:
        return f"everything is up to date ({len(states)} stages)"
    if "failed" not in states and {"kept", "left"} & set(states):
        done = states.count("done") + states.count("restored")
        return (
            f"stopped at its budget: {done} stages done, {states.count('kept')} running kept, "
            f"{states.count('left')} left; the same command goes on"
        )
    if "failed" not in states:
        return f"{counts} in {duration(seconds)}: {SUMMARY}"
    first = next(outcome for outcome in outcomes if outcome.state == "failed")
    return f"error: {counts}: first {first.address}: see {log_file(first.address)}"


def table(rows: Sequence[Sequence[str]]) -> str:
    """Rows, the first a header, as a Markdown table."""
    cells = [[cell.replace("|", "\\|").replace("\n", " ") for cell in row] for row in rows]
    if not cells:
        return "(empty)"
    lines = [cells[0], ["---"] * len(cells[0]), *cells[1 : ROWS_SHOWN + 1]]
    more = len(cells) - 1 - ROWS_SHOWN
    tail = [f"\n... and {more} more rows in the file"] if more > 0 else []
    return "\n".join([*("| " + " | ".join(line) + " |" for line in lines), *tail])


def results_folder(root: Path) -> Path:
    """Where the tables are: the ``results`` entry of params.yaml, or ``results``."""
    try:
        parameters = yaml.safe_load((root / "params.yaml").read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError):
        parameters = None
    named = parameters.get("results") if isinstance(parameters, dict) else None
    return root / (named if isinstance(named, str) else "results")


def publish(root: Path, outcomes: Iterable[Outcome]) -> None:
    """Give the running flow two artifacts: the results' tables, and how each stage ended."""
    from prefect.artifacts import create_markdown_artifact

    parts, results = [], results_folder(root)
    papers = [path.parent.name for path in root.glob("papers/*/dvc.yaml")]
    folders = [results, *(results / paper for paper in papers)]
    for path in sorted(path for folder in folders for path in folder.glob("*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            parts.append(f"## {path.relative_to(root)}\n\n{table(list(csv.reader(file)))}\n")
    create_markdown_artifact(
        "\n".join(parts) or "no tables yet", key="results-tables", description="The tables in git"
    )
    rows = [["stage", "state", "seconds"]]
    rows += [[outcome.address, outcome.state, f"{outcome.seconds:.1f}"] for outcome in outcomes]
    create_markdown_artifact(table(rows), key="stage-summary", description="How each stage ended")
