"""Each benchmark prints one line, ``name: figure (bound)``, and asserts the bound where it holds.

Run ``make bench`` on a machine that does nothing else. A bound is asserted unless the machine is
busy (then no figure means anything, and the line says so) or lacks what the bound needs. What takes
the processor is measured in its time, of all threads, which others at work change least; bounds are
about twice what was measured.
"""

import os
import time
from collections.abc import Callable

import pytest

BUSY = 1.0  # load average over the last minute, of two cores, above which bounds are not asserted


@pytest.fixture(scope="session")
def idle() -> bool:
    """Whether the machine did little else when the benchmarks began."""
    return os.getloadavg()[0] < BUSY


@pytest.fixture
def processor() -> Callable[..., float]:
    """Gives the least seconds of processor time, of all threads, that a call takes."""

    def least(call: Callable[[], object], *, rounds: int = 5) -> float:
        found = []
        for _ in range(rounds + 1):  # the first one warms up
            start = time.process_time()
            call()
            found.append(time.process_time() - start)
        return min(found[1:])

    return least


@pytest.fixture
def report(idle: bool) -> Callable[..., None]:
    """Prints a figure with its bound, and asserts it."""

    def line(
        name: str,
        figure: float,
        *,
        unit: str,
        least: float | None = None,
        most: float | None = None,
        applies: str = "",
        timing: bool = True,
    ) -> None:
        sign, bound = (">=", least) if least is not None else ("<=", most)
        text = f"bound {sign} {bound:,g}" if bound is not None else "no bound"
        if applies:
            text += f", not applicable: {applies}"
        elif bound is not None and timing and not idle:
            text += ", not asserted: the machine is busy"
        print(f"\n{name}: {figure:,.4g} {unit} ({text})")
        if bound is None or applies or (timing and not idle):
            return
        assert figure >= bound if least is not None else figure <= bound

    return line
