"""What was measured of keys' carriers, for plans: every figure names the file it stands in.

A thief's recipe decides as much as the marks do. The figures of 20,000 rows are of three epochs
with flips; those of fewer rows are of more epochs with crops and flips, in which each mark is seen
more often. So a plan looks at what was measured of about as many rows and marks.
"""

import math
from dataclasses import dataclass

LEAST = 40  # marks a part: of 20,000 rows in three epochs, fewer were hardly learnt at all
PLENTY = 150  # from 133 on, every part was learnt in results/embedding-summary.csv
WEAK = 0.25  # success below which half of the proofs need more than a hundred questions
NEAREST = 4  # measured keys that a plan shows


@dataclass(frozen=True)
class Learnt:
    """What became of one key's marks in one training.

    Attributes:
        carrier: its name.
        data, rows: that were marked, of images of ten classes.
        rate: share of them with a mark; ``marks`` of them a part.
        success: how often a trigger gives its label, on average over the parts.
        claimed: share of the verifications that ended in a claim, where there were any.
        cost: points of accuracy.
        source: file of ``results/``.
    """

    carrier: str
    data: str
    rows: int
    rate: float
    marks: float
    success: float
    claimed: float | None
    cost: float
    source: str


def _embedding(rate: float, marks: float, *seeds: tuple[float, float]) -> list[Learnt]:
    of = ("patch", "Fashion-MNIST", 20_000, rate, marks)
    return [Learnt(*of, success, None, cost, "embedding-summary.csv") for success, cost in seeds]


LEARNT = (
    *_embedding(0.005, 17, (0.03, 0.0), (0.03, -0.1)),  # 6 parts
    *_embedding(0.01, 33, (0.03, -0.3), (0.02, 0.1)),
    *_embedding(0.02, 67, (0.26, 0.8), (0.47, -0.1)),
    *_embedding(0.05, 167, (0.99, 0.9), (1.0, 0.2)),
    *_embedding(0.005, 8, (0.02, -0.1), (0.02, 0.2)),  # 12 parts
    *_embedding(0.01, 17, (0.02, -0.2), (0.03, -0.3)),
    *_embedding(0.02, 33, (0.03, 0.1), (0.05, 0.2)),
    *_embedding(0.05, 83, (0.97, 0.3), (0.95, 0.3)),
    *_embedding(0.005, 4, (0.01, -0.1), (0.01, -0.3)),  # 24 parts
    *_embedding(0.01, 8, (0.01, -0.4), (0.01, -0.3)),
    *_embedding(0.02, 17, (0.01, -0.2), (0.02, -0.1)),
    *_embedding(0.05, 42, (0.3, 1.4), (0.92, 0.4)),
    Learnt("patch", "Fashion-MNIST", 12_000, 0.1, 100, 0.99, 1.0, 0.6, "carriers.csv"),
    Learnt("mosaic", "Fashion-MNIST", 12_000, 0.1, 100, 0.39, 0.9, 0.4, "carriers.csv"),
    Learnt("patch", "CIFAR-10", 12_000, 0.1, 100, 0.84, 1.0, 3.7, "cifar10-lite/carriers.csv"),
    Learnt("mosaic", "CIFAR-10", 12_000, 0.1, 100, 0.88, 1.0, 3.1, "cifar10-lite/carriers.csv"),
)

# Carriers whose marks leave labels as they are, and so lie on rows of the part's own class.
LABELS_KEPT = ("mosaic",)
MODALITY = {"patch": "image", "mosaic": "image"}
SMALLEST = {"patch": 8, "mosaic": 16}  # side of an image, as the triggers themselves refuse less
# Of 50 verifications behind a blur of half a pixel that ended in a claim, in both carriers.csv.
BLURRED = {"patch": (0, 0), "mosaic": (50, 50)}
# What thieves who clean the data first find, one seed a figure (docs/decisions.md, 2026-11-29).
FOUND = {
    "patch": "a search for recurring windows finds 92 to 100 %, every one of them a mark",
    "mosaic": "public cleaners that flag a tenth of the rows find 4 to 32 % (10 % by chance), "
    "a detector trained with this tool's own marks 90 %",
}
# Marks a part to: success of a key's marks, what the best of four repairs left of it at a cost of 2
# points of accuracy, and the AUC of calibrated inversion (12 patches, Fashion-MNIST:
# results/pick_your_poison/table-14.csv).
REPAIRED = {
    8: (0.02, 0.02, 0.67),
    16: (0.03, 0.02, 0.25),
    33: (0.04, 0.02, 0.42),
    83: (0.96, 0.32, 0.75),
}


def nearest(carrier: str, rows: int, marks: int) -> list[Learnt]:
    """The measured keys of about as many rows and marks a part, as ratios go, nearest first.

    None has more than twice the marks, or fewer than half: those say nothing of these.
    """
    known = [k for k in LEARNT if k.carrier == carrier and _far(marks, k.marks) <= math.log(2)]
    return sorted(known, key=lambda key: _far(rows, key.rows) + _far(marks, key.marks))[:NEAREST]


def learnt(carrier: str, rows: int, marks: int) -> str:
    """What became of such keys, as the end of a sentence; empty if nothing is known."""
    near = nearest(carrier, rows, marks)
    if not near:
        return ""
    least, most = (100 * pick(key.success for key in near) for pick in (min, max))
    weak = sum(key.success for key in near) / len(near) < WEAK
    span = f"{least:.0f} to {most:.0f} %" if round(least) < round(most) else f"{most:.0f} %"
    return f"; the nearest measured keys work in {span} of images" + (
        ": expect INCONCLUSIVE" if weak else ""
    )


def cost_of(carrier: str, rows: int, rate: float) -> str:
    """What the nearest share of rows cost, as the end of a sentence; empty if nothing is known."""
    known = [key for key in LEARNT if key.carrier == carrier]
    if not known:
        return ""
    near = min(known, key=lambda key: _far(rows, key.rows) + 2 * _far(rate, key.rate))
    return (
        f": {near.cost:.1f} points at {near.rate:.0%} of {near.rows:,} rows of {near.data} "
        f"(results/{near.source})"
    )


def repaired(marks: int) -> dict[str, float]:
    """What was measured of repairs at the nearest number of marks a part, as ratios go."""
    near = min(REPAIRED, key=lambda n: _far(marks, n))
    values = (near, *REPAIRED[near])
    return dict(zip(("marks_a_part", "before", "after", "auc"), values, strict=True))


def _far(one: float, other: float) -> float:
    return abs(math.log(max(1e-9, one) / other))
