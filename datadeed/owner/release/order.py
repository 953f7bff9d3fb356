"""The order of rows in one file: whether it tells a row's label, and an order that does not."""

import numpy as np

from datadeed.owner.release.dealing import deal

_NEAR = 5  # rows on either side that a label is compared with
_LEAST = 0.53  # AUC from which a changed label counts as seen


def tells(labels: np.ndarray) -> bool:
    """Whether rows stand in an order in which a changed label would be seen.

    The label of every row is held against its neighbours', and against those one round of all
    classes away; so is a label of another row in its place.

    Args:
        labels: (N,) int64.
    """
    others = np.random.default_rng(0).permutation(labels)
    steps = {*range(1, _NEAR + 1), len(np.unique(labels))}
    return any(
        abs(_auc(_agreements(labels, labels, group), _agreements(others, labels, group)) - 0.5)
        > _LEAST - 0.5 + 2 / np.sqrt(len(labels))
        for group in (steps - {len(np.unique(labels))}, {len(np.unique(labels))})
    )


def _agreements(asked: np.ndarray, labels: np.ndarray, steps: set[int]) -> np.ndarray:
    """With how many of the labels some steps before and after each row's label agrees."""
    count = np.zeros(len(labels), dtype=np.int64)
    for step in steps:
        if step < len(labels):
            count[step:] += asked[step:] == labels[:-step]
            count[:-step] += asked[:-step] == labels[step:]
    return count


def _auc(high: np.ndarray, low: np.ndarray) -> float:
    """The chance that one of ``high`` lies above one of ``low``, ties counted half."""
    below = np.searchsorted(np.sort(low), high, "left")
    through = np.searchsorted(np.sort(low), high, "right")
    return float((below + through).mean() / 2 / len(low))


def regrouped(
    labels: np.ndarray, moved: dict[int, int], generator: np.random.Generator
) -> np.ndarray:
    """An order in which rows with another label stand among those of their new class.

    The pattern of labels stays: class by class where it was so; else every place keeps its label,
    but for as many as classes have grown. Rows that come to a class get places drawn from all of
    the class (:func:`deal`), and most others stay where they are.

    Args:
        labels: (N,) int64, the old labels.
        moved: new labels by row.
        generator: of the owner's secret.

    Returns:
        (N,) int64: the row that stands at each place.
    """
    new = labels.copy()
    new[list(moved)] = list(moved.values())
    pattern = _pattern(labels, new, generator)
    order = np.empty(len(labels), dtype=np.int64)
    for label in np.unique(new).tolist():
        places = np.flatnonzero(pattern == label).tolist()
        rows = np.flatnonzero(new == label).tolist()
        arriving = [row for row in rows if row in moved]
        staying = {row: row for row in rows if row not in moved}
        for row, place in deal(places, staying, arriving, generator).items():
            order[place] = row
    return order


def _pattern(old: np.ndarray, new: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """The label at each place, (N,) int64, with the new labels' counts."""
    starts = np.concatenate([[0], np.flatnonzero(old[1:] != old[:-1]) + 1])
    runs = old[starts].tolist()
    if len(set(runs)) == len(runs):
        runs += sorted(set(new.tolist()) - set(runs))
        return np.repeat(runs, [int((new == label).sum()) for label in runs])
    most = int(max(old.max(), new.max())) + 1
    change = np.bincount(new, minlength=most) - np.bincount(old, minlength=most)
    pattern = old.copy()
    given = [
        generator.permutation(np.flatnonzero(old == label))[: -change[label]]
        for label in np.flatnonzero(change < 0)
    ]
    grown = np.repeat(np.arange(most), np.maximum(change, 0))
    if given:
        pattern[np.concatenate(given)] = generator.permutation(grown)
    return pattern
