"""A hard limit on what a suspect may cost."""

import threading

from datadeed.owner.suspects.base import BudgetSpent
from datadeed.owner.suspects.config import Limits


class Budget:
    """Counts every request that reaches the network, and allows no more than the limit.

    Before a set of questions is sent, each of them gets one request set aside, so that repeated
    attempts at one question never eat up another's only one.

    Args:
        limits: on queries and cost; what one query costs.
    """

    def __init__(self, limits: Limits):
        self.limit = limits.queries
        if limits.cost is not None and limits.cost_per_query is not None:
            # A hair more, as 0.3 / 0.1 is 2.9999999999999996.
            self.limit = min(self.limit, int(limits.cost / limits.cost_per_query * (1 + 1e-9)))
        self.cost_per_query = limits.cost_per_query
        self.spent = 0
        self._reserved = 0
        self._lock = threading.Lock()

    @property
    def cost(self) -> float | None:
        """What was spent, in the currency of ``cost_per_query``; None if that was not given."""
        return None if self.cost_per_query is None else self.spent * self.cost_per_query

    @property
    def left(self) -> int:
        """Requests neither spent nor set aside."""
        return max(0, self.limit - self.spent - self._reserved)

    def spend_earlier(self, requests: int) -> None:
        """Count requests of an earlier run, as a query log tells."""
        with self._lock:
            self.spent += requests

    def reserve(self, questions: int) -> None:
        """Set one request aside for each question.

        Raises:
            BudgetSpent: there are not so many left; nothing is set aside.
        """
        with self._lock:
            if questions > self.left:
                raise BudgetSpent(
                    f"{questions} more queries would exceed the budget ({self.spent} of "
                    f"{self.limit} requests are spent): raise limits in the suspect's file"
                )
            self._reserved += questions

    def release(self) -> None:
        """Return what was set aside and not spent."""
        with self._lock:
            self._reserved = 0

    def spend(self, *, reserved: bool) -> bool:
        """Count one request; False, and nothing counted, if it was not set aside and none is left.

        Args:
            reserved: it is the first attempt at its question.
        """
        with self._lock:
            if reserved:
                self._reserved -= 1
            elif not self.left:
                return False
            self.spent += 1
            return True

    def refund(self) -> None:
        """Take back a request that never reached the network."""
        with self._lock:
            self.spent -= 1
