"""How many questions a proof asks of what; also for those who plan one, and load no tests."""

import math

FIRST_BLOCKS = 10  # before pairs, at most
COUNTED_PAIRS = 45  # on average, at most
POOL_LIMIT = 10_000  # images of the pool that are used; more would only cost memory
LEVEL = 0.95  # of each bound of the effect


def most_pairs(classes: int) -> int:
    """How many pairs are asked at most: of so many, 45 count on average.

    Those of images of the target's own class do not, one in K of K classes.
    """
    return math.ceil(COUNTED_PAIRS * classes / (classes - 1))


def most_blocks(budget: int, parts: int, classes: int, pool: int) -> int:
    """How many images are asked in blocks at most: as the budget leaves beside the pairs.

    Evidence has a share at a look after each number of them, and one that is never reached is lost.

    Args:
        budget: counted questions.
        parts, classes: of the key, and those that its labels are drawn among.
        pool: images in it; half of those that are used are for pairs.
    """
    first = min(FIRST_BLOCKS, budget // parts)
    most = max(first, (budget - 2 * most_pairs(classes)) // parts)
    return min(most, min(pool, POOL_LIMIT) // 2)
