"""What a run did to the tables: those in the working tree beside those of a commit, as Markdown.

``python -m tasks.changes [COMMIT]`` compares every CSV file under ``results/`` with its state in
``COMMIT`` (HEAD by default): claims that hold otherwise, rows that are new or gone, and the cells
that moved most. It ends with status 1 if a claim that held does not hold any more, or is gone: so a
change that breaks one does not pass unseen.
"""

import argparse
import io
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from datadeed.errors import ParameterError
from tasks.common import stage

RESULTS = "results"
CLAIMS = "claims.csv"
SHOWN = 5  # cells of a table that moved most


@dataclass(frozen=True)
class Held:
    """A claim whose verdict is another one: "True", "False", "" (no cells), or "-" (no such claim).

    Attributes:
        file: the table of claims.
        claim: its name.
        before, after: whether it holds.
    """

    file: str
    claim: str
    before: str
    after: str

    @property
    def broken(self) -> bool:
        """Whether it held, and does not any more."""
        return self.before == "True"


def committed(root: Path, commit: str) -> dict[str, pd.DataFrame]:
    """The tables of a commit, by their paths.

    Raises:
        ParameterError: this is no repository, or it has no such commit.
    """
    listed = _git(root, "ls-tree", "-r", "--name-only", "-z", commit, "--", RESULTS)
    names = [name for name in listed.split("\0") if name.endswith(".csv")]
    return {name: _table(_git(root, "show", f"{commit}:{name}")) for name in names}


def present(root: Path) -> dict[str, pd.DataFrame]:
    """The tables of the working tree, by their paths."""
    paths = sorted((root / RESULTS).rglob("*.csv"))
    return {
        path.relative_to(root).as_posix(): _table(path.read_text(encoding="utf-8"))
        for path in paths
    }


def claims(before: dict[str, pd.DataFrame], after: dict[str, pd.DataFrame]) -> list[Held]:
    """The claims whose verdict changed, new ones too."""
    found = []
    for file in sorted({*before, *after}):
        if Path(file).name == CLAIMS:
            old, new = _holds(before.get(file)), _holds(after.get(file))
            states = [(name, old.get(name, "-"), new.get(name, "-")) for name in {**old, **new}]
            found += [Held(file, *state) for state in states if state[1] != state[2]]
    return found


def moved(before: pd.DataFrame, after: pd.DataFrame) -> tuple[list[str], int, int]:
    """Cells that differ, as lines, those that moved most first; how many rows are new and gone.

    Rows are the same if all columns without fractions agree, in the order in which they come.
    """
    keys = [
        column
        for column in after.columns
        if column in before and not any(_fractions(table[column]) for table in (before, after))
    ]
    old, new = _keyed(before, keys), _keyed(after, keys)
    cells = []
    for name in new.index.intersection(old.index):
        for column in (c for c in new.columns if c in old and c not in keys):
            was, now = (float(table[column].loc[name]) for table in (old, new))
            if was != now and not (pd.isna(was) and pd.isna(now)):
                size = abs(now - was) / max(abs(was), 1e-12)
                where = ", ".join(str(part) for part in name[:-1] if not pd.isna(part))
                cells.append((size, f"{where}: {column} {was:.4g} -> {now:.4g}"))
    cells.sort(key=lambda cell: (pd.isna(cell[0]), -cell[0]))
    lines = [line for _, line in cells]
    return lines, len(new.index.difference(old.index)), len(old.index.difference(new.index))


def report(
    before: dict[str, pd.DataFrame], after: dict[str, pd.DataFrame], held: list[Held]
) -> list[str]:
    """Markdown lines: claims that :func:`claims` found first, then tables."""
    lines = ["## Claims", ""]
    lines += [
        f"- **{each.file} {each.claim}**: {each.before or 'open'} -> {each.after or 'open'}"
        for each in held
    ]
    lines += [] if held else ["All as before."]
    lines += ["", "## Tables", ""]
    count = len(lines)
    for file in sorted({*before, *after}):
        if file not in before or file not in after:
            lines.append(f"- `{file}`: {'new' if file in after else 'gone'}")
        elif not before[file].equals(after[file]):
            cells, new, gone = moved(before[file], after[file])
            lines.append(f"- `{file}`: {len(cells)} cells moved, {new} rows new, {gone} gone")
            lines += [f"  - {cell}" for cell in cells[:SHOWN]]
    return lines if len(lines) > count else [*lines, "All as before."]


def _holds(table: pd.DataFrame | None) -> dict[str, str]:
    if table is None:
        return {}
    values = table["holds"].map(lambda value: "" if pd.isna(value) else str(value))
    return dict(zip(table["claim"].astype(str), values, strict=True))


def _fractions(column: pd.Series) -> bool:
    return pd.api.types.is_float_dtype(column)


def _keyed(table: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Indexed by its keys, and by a number that tells equal ones apart."""
    number = table.groupby(keys, dropna=False).cumcount() if keys else pd.Series(range(len(table)))
    return table.set_index([*(table[key] for key in keys), number])


def _table(text: str) -> pd.DataFrame:
    return pd.read_csv(io.StringIO(text)) if text.strip() else pd.DataFrame()


def _git(root: Path, *words: str) -> str:
    done = subprocess.run(
        ["git", *words], cwd=root, capture_output=True, text=True, encoding="utf-8", check=False
    )
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["no reason given"])[0]
        raise ParameterError(f"git {words[0]} gives no tables ({said}): name a commit of this one")
    return done.stdout


@stage
def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("commit", nargs="?", default="HEAD")
    commit, root = parser.parse_args().commit, Path.cwd()
    before, after = committed(root, commit), present(root)
    changed = claims(before, after)
    print("\n".join(report(before, after, changed)))  # noqa: T201
    broken = [held for held in changed if held.broken]
    if broken:
        names = ", ".join(f"{held.claim} ({held.file})" for held in broken[:SHOWN])
        sys.exit(f"error: {len(broken)} claims that held do not any more: {names}")


if __name__ == "__main__":
    main()
