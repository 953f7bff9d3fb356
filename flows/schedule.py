"""The Prefect flow: which stage next, how many at once.

Prefect's settings are read when it is imported: import this module after a server is known.
"""

import contextlib
import heapq
import queue
from dataclasses import dataclass, field
from typing import Any

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.futures import PrefectFuture
from prefect.task_runners import ThreadPoolTaskRunner

from flows.budget import Budget
from flows.display import Board
from flows.errors import StageFailed, TransientFault
from flows.graph import Outcome, Stage
from flows.stages import RETRY_DELAYS, Runner
from flows.summary import publish


def may_pass(_task: Any, _run: Any, state: Any) -> bool:
    """Prefect asks whether to try a failed task again: only after a fault that may pass."""
    return isinstance(state.result(raise_on_failure=False), TransientFault)


@dataclass
class Order:
    """Stages whose upstream has ended well, the one with the longest chain behind it first.

    Args:
        plan: every stage after what it waits for.
    """

    plan: list[Stage]
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    _ready: list[tuple[int, int]] = field(default_factory=list)
    _seen: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._below: dict[str, list[int]] = {stage.address: [] for stage in self.plan}
        for place, stage in enumerate(self.plan):
            for address in stage.upstream:
                self._below[address].append(place)
        for place, stage in enumerate(self.plan):
            if stage.current:
                self.outcomes[stage.address] = Outcome(stage.address, "up to date")
            else:
                self._offer(place)

    def next(self) -> Stage | None:
        """The stage to start now, or None while there is nothing ready."""
        return self.plan[heapq.heappop(self._ready)[1]] if self._ready else None

    def ends(self) -> list[Outcome]:
        """How each stage ended, in the plan's order; what never began is left."""
        addresses = [stage.address for stage in self.plan]
        return [self.outcomes.get(address, Outcome(address, "left")) for address in addresses]

    def end(self, outcome: Outcome) -> list[Outcome]:
        """A stage has ended: offer what waited for it, or give what will be skipped."""
        self.outcomes[outcome.address] = outcome
        skipped = []
        for place in self._below[outcome.address]:
            address = self.plan[place].address
            if outcome.state not in ("failed", "skipped"):
                self._offer(place)
            elif address not in self.outcomes:
                cause = outcome.address if outcome.state == "failed" else outcome.note.split()[1]
                below = Outcome(address, "skipped", note=f"because {cause} failed")
                skipped += [below, *self.end(below)]
        return skipped

    def _offer(self, place: int) -> None:
        stage = self.plan[place]
        if stage.address in self._seen:
            return
        ends = [self.outcomes.get(above) for above in stage.upstream]
        if all(end is not None and end.state not in ("failed", "skipped") for end in ends):
            self._seen.add(stage.address)
            heapq.heappush(self._ready, (-stage.chain, place))


def run(
    plan: list[Stage], runner: Runner, board: Board, shown: dict[str, Any], budget: Budget
) -> list[Outcome]:
    """Run the plan as one Prefect flow; returns how each stage ended, in the plan's order.

    ``shown`` are the flow's parameters, for Prefect's records only.
    """

    # DVC's cache is the only one: one of Prefect's beside it could disagree.
    @task(
        name="stage",
        task_run_name="{address}",
        persist_result=False,
        cache_policy=NO_CACHE,
        retries=len(RETRY_DELAYS),
        retry_condition_fn=may_pass,
    )
    def stage(address: str) -> str:
        return runner.run(address)

    ended: list[Outcome] = []

    @flow(
        name="reproduce",
        task_runner=ThreadPoolTaskRunner(max_workers=board.workers),  # type: ignore[arg-type]
        persist_result=False,
        validate_parameters=False,
    )
    def reproduce(targets: list[str], devices: str, force: bool, pull: bool) -> None:
        try:
            ended.extend(drive(plan, stage.submit, runner, board, budget))
        except BaseException:
            runner.stop()  # before Prefect waits for the workers
            raise
        publish(runner.root, ended)
        _raise_failures(ended)

    with contextlib.suppress(StageFailed):
        reproduce(**shown)
    return ended


def _raise_failures(ended: list[Outcome]) -> None:
    """Give the flow its state in Prefect; the user is told by the caller."""
    failed = sum(outcome.state == "failed" for outcome in ended)
    if failed:
        raise StageFailed(f"{failed} of {len(ended)} stages failed")


def drive(
    plan: list[Stage], submit: Any, runner: Runner, board: Board, budget: Budget
) -> list[Outcome]:
    """Submit each stage when its upstream has ended, never more than there are workers.

    A task submitted earlier would sit in a worker while it waits, and enough of them would leave
    no worker to those they wait for. When the budget is spent, what runs is asked to end.
    """
    order = Order(plan)
    futures: dict[str, PrefectFuture[str]] = {}
    # Addresses of tasks that are over; None: time is up. A signal handler may put into this kind.
    done: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    running = 0
    for outcome in list(order.outcomes.values()):
        board.ended(outcome)
    with budget.watched(lambda: done.put(None)):
        while True:
            while _room(running, runner, board) and (stage := order.next()) is not None:
                above = [futures[address] for address in stage.upstream if address in futures]
                future = submit(stage.address, wait_for=above)
                future.add_done_callback(lambda _, address=stage.address: done.put(address))
                futures[stage.address] = future
                running += 1
            if not running:
                return order.ends()
            if (address := done.get()) is None:
                runner.stop()
                continue
            running -= 1
            outcome = _outcome(address, futures[address], runner)
            for end in [outcome, *order.end(outcome)]:
                board.ended(end)


def _room(running: int, runner: Runner, board: Board) -> bool:
    return running < board.workers and not runner.stopped


def _outcome(address: str, future: PrefectFuture[str], runner: Runner) -> Outcome:
    """How a task ended: as its stage did, or by a fault of Prefect's own."""
    future.wait()  # it is over: this reads its state
    known = runner.outcomes.get(address)
    if known is not None and (future.state.is_completed() or known.state == "failed"):
        return known
    if runner.stopped:
        return Outcome(address, "kept")
    return Outcome(address, "failed", note=f"Prefect could not run it: {future.state.message}")
