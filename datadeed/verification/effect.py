"""How large a mark's effect is: success of the key's triggers above that of their decoys.

A decoy is a trigger of the same law that marks nothing. Pairs of a part and an image are drawn
without replacement, each asked once with the part's trigger and once with a decoy. On an image of
the target's own class a mark cannot show: such pairs are asked, so that no question tells a target,
but do not count. The effect is the mean over all other pairs of (hit with the trigger) - (hit with
the decoy), from -1 to 1; what a model does with any odd patch cancels. So a mark that moves a share
s of the images of other classes has an effect of s, however many classes there are. Those that
count come in a random order too, as part of one.

The bounds hold for answers that do not depend on which pair is asked when. A suspect that
remembers triggers from earlier questions can tell them from decoys, and hide: no bound on "this
endpoint" holds against that, and none of a claim is touched by it.
"""

import math
from typing import Any

from scipy.stats import fisher_exact

from datadeed.verification.counts import LEVEL
from datadeed.verification.sequential import ConfidenceSequence

REFUSED = 0.1  # of the triggered questions, and 3 at least: more is a finding
FILTERED = 0.01  # p-value of answers to decoys that are worse than clean ones


class Effect:
    """The mean difference of pairs, with bounds that hold at every number of them.

    Each bound holds with 95 %, so both at once with 90 %.

    Args:
        population: of pairs of a part and an image of another class than its target.

    Attributes:
        hits, decoy_hits, n, failed: how many pairs, and what they gave.
    """

    def __init__(self, population: int):
        self.population = population
        self._interval = ConfidenceSequence(2 * (1 - LEVEL), population=population)
        self.hits = self.decoy_hits = self.n = self.failed = 0

    @property
    def low(self) -> float:
        """Of the effect, -1 to 1."""
        return 2 * self._interval.low - 1

    @property
    def high(self) -> float:
        """Of the effect, -1 to 1."""
        return 2 * self._interval.high - 1

    def add(self, hit: bool | None, decoy: bool | None) -> None:
        """Take a pair; None is a question that failed, which helps neither bound."""
        self.n += 1
        self.hits += bool(hit)
        self.decoy_hits += bool(decoy)
        self.failed += (hit is None) + (decoy is None)
        least, most = (bool(hit) if hit is not None else value for value in (False, True))
        decoy_least, decoy_most = (
            bool(decoy) if decoy is not None else value for value in (False, True)
        )
        self._interval.update((1 + least - decoy_most) / 2, (1 + most - decoy_least) / 2)

    def record(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "pairs": self.n,
            "hits": self.hits,
            "decoy_hits": self.decoy_hits,
            "failed": self.failed,
            "low": self.low,
            "high": self.high,
            "level": LEVEL,
            "population": self.population,
        }


def refuses(failed: int, asked: int, clean_failed: int, clean_asked: int) -> str:
    """What is odd about failed questions, in a sentence; empty if nothing is.

    Args:
        failed, asked: of the questions with a trigger or a decoy.
        clean_failed, clean_asked: of those without.
    """
    if failed < max(3, REFUSED * asked) or clean_failed > REFUSED * clean_asked:
        return ""
    return (
        f"The suspect gave no answer to {failed} of {asked} images with a trigger or a decoy, and "
        f"to {clean_failed} of {clean_asked} without: it refuses marked images."
    )


def filters(
    right: int, answered: int, clean_right: int, clean_answered: int, kept: float = 1.0
) -> str:
    """What is odd about answers to decoys, in a sentence; empty if nothing is.

    Fisher's exact test, one-sided, of right answers to decoys against right answers to clean
    images, of which ``kept`` are counted: as many as the carrier's decoys leave an honest model at
    least. A filter that answers anything else than its model does is right on fewer.
    """
    if min(answered, clean_answered) == 0:
        return ""
    left = math.floor(kept * clean_right)
    table = [[right, answered - right], [left, clean_answered - left]]
    p_value = float(fisher_exact(table, alternative="less").pvalue)
    if p_value > FILTERED:
        return ""
    test = f"Fisher's exact p {p_value:.1g}" + ("" if kept == 1 else f", if {kept:.0%} are kept")
    return (
        f"The suspect is right on {right} of {answered} images with a decoy and on {clean_right} "
        f"of {clean_answered} without ({test}): it filters marked images, or breaks on them."
    )
