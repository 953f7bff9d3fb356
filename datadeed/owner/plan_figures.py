"""What was measured of keys' carriers, for plans: every figure names the file it stands in.

A thief's recipe decides as much as the marks do. The figures of 20,000 rows are of three epochs
with flips; those of fewer rows are of more epochs with crops and flips, in which each mark is seen
more often. So a plan looks at what was measured of about as many rows and marks.
"""

import math
from dataclasses import dataclass

USUAL_ANSWERS = "scores"  # where a suspect gives them; labels alone take a tenth more questions
LEAST = 40  # marks a part: of 20,000 rows in three epochs, fewer were hardly learnt at all
PLENTY = 150  # from 133 on, every part was learnt in results/embedding-summary.csv
SPARE = 1.5  # times the parts that must agree, for parts that were learnt badly
# Of carriers that mix images and keep labels a part fails where its class shows nonetheless: twice
# as many parts, with half the marks each, are claimed where fewer are not (docs/decisions.md).
PLENTY_MIXED, SPARE_MIXED = 80, 3.0
RELABELLED = frozenset({"patch"})  # carriers whose marked rows get their part's label, always
WEAK = 0.25  # success below which half of the proofs need more than a hundred questions
NEAREST = 4  # measured keys that a plan shows


@dataclass(frozen=True)
class Learnt:
    """What became of one key's marks in one training.

    Attributes:
        carrier: its name.
        data, rows: that were marked, of ten classes.
        parts, rate: of the key; ``marks`` rows a part.
        success: how often a trigger gives its label, on average over the parts.
        claimed: share of its verifications (alpha 1e-6, budget 400) that ended in a claim, and
            ``questions`` of half of them; None where there were none.
        cost: points of accuracy, of one training beside another.
        source: file of ``results/``.
        earlier: whether the carrier's marks have another design since.
    """

    carrier: str
    data: str
    rows: int
    parts: int
    rate: float
    marks: float
    success: float
    claimed: float | None
    questions: float | None
    cost: float
    source: str

    @property
    def earlier(self) -> bool:
        """See the class."""
        return (self.carrier, self.source) == ("mosaic", "cifar10-lite/carriers.csv")


def _embedding(parts: int, rate: float, *seeds: tuple[float, float]) -> list[Learnt]:
    marks = round(20_000 * rate / parts, 1)
    of = ("patch", "Fashion-MNIST", 20_000, parts, rate, marks)
    rest = (None, None), "embedding-summary.csv"
    return [Learnt(*of, success, *rest[0], cost, rest[1]) for success, cost in seeds]


def _verified(
    source: str,
    data: str,
    rows: int,
    rate: float,
    *keys: tuple[str, int, float, float, float, float],
) -> list[Learnt]:
    """Of keys by carrier, parts, success, claims, questions and cost."""
    return [
        Learnt(*key[:1], data, rows, key[1], rate, round(rows * rate / key[1], 1), *key[2:], source)
        for key in keys
    ]


LEARNT = (
    *_embedding(6, 0.005, (0.03, 0.0), (0.03, -0.1)),
    *_embedding(6, 0.01, (0.03, -0.3), (0.02, 0.1)),
    *_embedding(6, 0.02, (0.26, 0.8), (0.47, -0.1)),
    *_embedding(6, 0.05, (0.99, 0.9), (1.0, 0.2)),
    *_embedding(12, 0.005, (0.02, -0.1), (0.02, 0.2)),
    *_embedding(12, 0.01, (0.02, -0.2), (0.03, -0.3)),
    *_embedding(12, 0.02, (0.03, 0.1), (0.05, 0.2)),
    *_embedding(12, 0.05, (0.97, 0.3), (0.95, 0.3)),
    *_embedding(24, 0.005, (0.01, -0.1), (0.01, -0.3)),
    *_embedding(24, 0.01, (0.01, -0.4), (0.01, -0.3)),
    *_embedding(24, 0.02, (0.01, -0.2), (0.02, -0.1)),
    *_embedding(24, 0.05, (0.3, 1.4), (0.92, 0.4)),
    *_verified(
        *("carriers.csv", "Fashion-MNIST", 12_000, 0.1),
        ("patch", 12, 1.0, 1.0, 12, 1.2),
        ("mosaic", 15, 0.68, 1.0, 30, 0.3),
    ),
    *_verified(
        *("cifar10-lite/carriers.csv", "CIFAR-10", 12_000, 0.1),
        ("patch", 12, 0.84, 1.0, 12, 3.7),
        ("mosaic", 12, 0.88, 1.0, 12, 3.1),
    ),
    *_verified(
        *("small.csv", "Fashion-MNIST", 600, 0.25),
        ("patch", 8, 0.92, 1.0, 36, 4.5),
        ("mosaic", 8, 0.62, 0.35, 396, 6.4),
        ("patch", 12, 0.8, 1.0, 12, 2.6),
        ("mosaic", 12, 0.6, 1.0, 42, 3.5),
    ),
    *_verified(
        *("small.csv", "Fashion-MNIST", 2000, 0.25),
        ("patch", 8, 0.99, 1.0, 16, 4.2),
        ("mosaic", 8, 0.88, 0.95, 32, 1.1),
    ),
    *_verified(
        *("thieves-fashion-mnist-60k.csv", "Fashion-MNIST", 20_000, 0.1),
        ("mosaic", 24, 0.68, 1, 24, 0.6),
        ("mosaic", 24, 0.90, 1, 24, 0.3),
        ("mosaic", 24, 0.79, 1, 24, 0.8),
    ),
    *_verified(
        *("cifar10-lite/thieves-cifar10-50k.csv", "CIFAR-10", 12_000, 0.1),
        ("mosaic", 15, 0.97, 1, 15, 2.0),
        ("mosaic", 15, 1.00, 1, 15, 3.1),
        ("mosaic", 15, 0.99, 1, 15, 3.4),
    ),
    *_verified(
        *("thieves-sounds.csv", "FSDD", 2700, 480 / 2700),
        ("chirps", 8, 0.93, 1.0, 8, 0.3),
        ("tones", 8, 0.80, 1.0, 40, 0.0),
        ("bands", 8, 0.67, 0.95, 48, 0.0),
    ),
)

MIXED = (
    "mosaic",
    "grating",
    "cutout",
    "mixed",
)  # carriers that mix marked images with others, which takes one size of all
SMALLEST = {
    "patch": 8,
    "mosaic": 16,
    "grating": 16,
    "cutout": 16,
    "mixed": 16,
}  # side of an image, as the triggers themselves refuse less
# Of 50 verifications behind a blur of half a pixel that ended in a claim, in both carriers.csv.
BLURRED = {"patch": (0, 0), "mosaic": (50, 50)}
# What thieves who clean the data first find, one key a figure (docs/inspect.md).
FOUND = {
    "patch": "a search for recurring windows finds 92 to 100 %, every one of them a mark",
    "mosaic": "public cleaners that flag a tenth of the rows find 0 to 40 % (10 % by chance), "
    "a detector trained with this tool's own marks finds 89 to 99 %",
    "clauses": "a search for words that come with one label ranks nearly all marks first: who "
    "drops a quarter of the rows by it drops every one, and few others",
}
# What a stranger's own network learnt of one key, with the planner's defaults (docs/walks.md).
TRIED = {
    "mosaic": "5,000 photos of 50 classes, 6 parts: CLAIM after 6 questions",
    "chirps": "2,700 spoken digits, 12 parts of 56 marks, two keys: a network that keeps a place "
    "for each pitch is claimed after 96 and 72 questions, 36 by scores, one that averages over all "
    "pitches is INCONCLUSIVE",
    "clauses": "6,920 sentences of two classes, 38 parts of 45 marks, two keys: a fine-tuned "
    "MiniLM is claimed after 38 questions",
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


def plenty(carrier: str) -> int:
    """Marks a part that are proposed."""
    return PLENTY_MIXED if carrier in MIXED else PLENTY


def spare(carrier: str) -> float:
    """How many parts are proposed, in numbers of parts that must agree."""
    return SPARE_MIXED if carrier in MIXED else SPARE


def nearest(carrier: str, rows: int, marks: int) -> list[Learnt]:
    """The measured keys of about as many rows and marks a part, as ratios go, nearest first.

    Those of an earlier design of marks come last.

    None has more than twice the marks, or fewer than half: those say nothing of these.
    """
    known = [k for k in LEARNT if k.carrier == carrier and _far(marks, k.marks) <= math.log(2)]
    near = sorted(known, key=lambda k: (k.earlier, _far(rows, k.rows) + _far(marks, k.marks)))
    return near[:NEAREST]


def learnt(carrier: str, rows: int, marks: int) -> str:
    """What became of such keys, as the end of a sentence; empty if nothing is known."""
    near = nearest(carrier, rows, marks)
    if not near:
        return ""
    least, most = (100 * pick(key.success for key in near) for pick in (min, max))
    span = f"{least:.0f} to {most:.0f} %" if round(least) < round(most) else f"{most:.0f} %"
    shares = [float(key.success >= WEAK) if key.claimed is None else key.claimed for key in near]
    end = ": expect INCONCLUSIVE" if sum(shares) < len(shares) / 2 else ""
    return f"; the nearest measured keys work in {span} of samples{end}"


def cost_of(carrier: str, rows: int, rate: float) -> str:
    """What the nearest share of rows cost, as the end of a sentence; empty if nothing is known."""
    known = [k for k in LEARNT if k.carrier == carrier and _far(rate, k.rate) <= math.log(2)]
    if not known:
        return ""
    near = min(known, key=lambda key: _far(rows, key.rows) + _far(rate, key.rate))
    alike = [
        k.cost for k in known if (k.source, k.rows, k.rate) == (near.source, near.rows, near.rate)
    ]
    span = " to ".join(f"{cost:.1f}" for cost in sorted({min(alike), max(alike)}))
    return (
        f": {span} points at {near.rate:.0%} of {near.rows:,} rows of {near.data} "
        f"(results/{near.source})"
    )


def repaired(carrier: str, marks: int) -> dict[str, float]:
    """What was measured of repairs at the nearest number of marks a part, as ratios go.

    Nothing but for patches.
    """
    if carrier != "patch":
        return {}
    near = min(REPAIRED, key=lambda n: _far(marks, n))
    values = (near, *REPAIRED[near])
    return dict(zip(("marks_a_part", "before", "after", "auc"), values, strict=True))


def _far(one: float, other: float) -> float:
    return abs(math.log(max(1e-9, one) / other))
