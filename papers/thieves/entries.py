"""What a kind of thieves gives the league."""

from collections.abc import Callable
from dataclasses import dataclass

from datadeed.thieves.served import Endpoint

PLAIN = "crop and flip"  # the thief whom all others are held against


@dataclass(frozen=True, eq=False)
class Stolen:
    """A thief's endpoint, and what is known of it besides what the league measures.

    Attributes:
        endpoint: what the owner can ask; None of a search that nobody trains a model after.
        honest: the accuracy of the same made of unmarked data; None: that of the honest model of
            crops and flips, whose classes are merged or left out as the endpoint's are.
        recall, precision: of a search for marks in the release.
    """

    endpoint: Endpoint | None
    honest: float | None = None
    recall: float | None = None
    precision: float | None = None


@dataclass(frozen=True, eq=False)
class Entry:
    """A row of the league's table.

    Attributes:
        kind: "honest", "practice", "serving", "extraction", "repair" or "cleaning".
        thief: a name, without the carrier's.
        build: makes it; called only if the row is not there yet.
        hosts: which images are asked about: "hard" ones, or "drawn" as they come.
        others: under how many other keys it is verified, each over the pool's own order; 0: under
            the owner's, over several orders.
        main: whether he takes every carrier, not only those that the scale tries in full.
    """

    kind: str
    thief: str
    build: Callable[[], Stolen]
    hosts: str = "hard"
    others: int = 0
    main: bool = True
