"""How long stages take here: ``python -m flows.timings`` prints a table of the scale in force.

Every run of ``flows.reproduce`` that ends adds the stages that it really ran to
``data/logs/seconds.csv``, in place of what was known of them; a stage that was restored or up to
date says nothing new. The seconds are those of the wall, with as many stages side by side as there
were workers, and include DVC's own start.
"""

import csv
import sys
from collections.abc import Iterable
from pathlib import Path

from flows.display import duration
from flows.errors import PipelineError
from flows.graph import Outcome
from flows.scale import scale_of

SECONDS = Path("data") / "logs" / "seconds.csv"
HEAD = ["scale", "stage", "seconds"]
Known = dict[tuple[str, str], float]  # by scale and stage


def read_seconds(root: Path) -> Known:
    """What is known; nothing, if no run has ended yet.

    Raises:
        PipelineError: the file is damaged.
    """
    path = root / SECONDS
    if not path.exists():
        return {}
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        return {(row["scale"], row["stage"]): float(row["seconds"]) for row in rows}
    except (KeyError, TypeError, ValueError) as error:
        raise PipelineError(f"{path} is damaged: remove it; the next run writes another") from error


def keep_seconds(root: Path, outcomes: Iterable[Outcome]) -> None:
    """Remember how long the stages took that a run finished."""
    scale = scale_of(root)
    new = {(scale, one.address): one.seconds for one in outcomes if one.state == "done"}
    known = sorted({**read_seconds(root), **new}.items())
    path = root / SECONDS
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerows([HEAD, *([*key, f"{seconds:.1f}"] for key, seconds in known)])


def table(known: Known, scale: str) -> list[str]:
    """A line a definition of stages, the longest first, and the sum; the scale's alone."""
    sums: dict[str, list[float]] = {}
    for (its, address), seconds in known.items():
        if its == scale:
            sums.setdefault(address.partition("@")[0], []).append(seconds)
    lines = [
        f"{name:52}{len(each):7}  {duration(sum(each)):>12}  {duration(max(each)):>12}"
        for name, each in sorted(sums.items(), key=lambda item: -sum(item[1]))
    ]
    every = [seconds for each in sums.values() for seconds in each]
    total = f"{f'all that were run at scale {scale}':52}{len(every):7}  {duration(sum(every)):>12}"
    return [f"{'stage':52}{'stages':>7}  {'sum':>12}  {'longest':>12}", *lines, total]


def main() -> None:
    """Command line."""
    root = Path.cwd()
    try:
        known, scale = read_seconds(root), scale_of(root)
    except PipelineError as error:
        sys.exit(f"error: {error}")
    if not any(its == scale for its, _ in known):
        sys.exit(f"error: {SECONDS} knows no stage of scale {scale}: run make reproduce first")
    sys.stdout.write("\n".join(table(known, scale)) + "\n")


if __name__ == "__main__":
    main()
