"""DVC's graph, read once: which stages there are, what each waits for, which are up to date."""

import difflib
import fnmatch
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import networkx

from flows.errors import PipelineError


@dataclass(frozen=True)
class Stage:
    """One stage of DVC's.

    Args:
        address: as ``dvc stage list --all`` prints it: ``papers/dvbw/dvc.yaml:judge@a-b-1``.
        upstream: addresses of the stages whose outputs it reads.
        current: certainly up to date, like everything upstream of it.
        chain: stages in the longest chain that waits for it, itself included.
    """

    address: str
    upstream: tuple[str, ...] = ()
    current: bool = False
    chain: int = 1

    @property
    def name(self) -> str:
        """Without the file: ``judge@a-b-1``."""
        return self.address.rpartition(":")[2]

    @property
    def group(self) -> str:
        """Without the matrix's keys: ``judge``."""
        return self.name.partition("@")[0]

    @property
    def file(self) -> str:
        """The file that states it: ``papers/dvbw/dvc.yaml``."""
        return self.address.rpartition(":")[0] or "dvc.yaml"


@dataclass(frozen=True)
class Outcome:
    """How a stage ended.

    Args:
        address: the stage.
        state: ``done``, ``restored`` (by DVC's run-cache), ``up to date``, ``failed``, ``skipped``;
            when the budget was spent ``kept`` (it ran, and goes on the next time) and ``left``.
        seconds: how long it took, its last attempt only.
        note: why it failed or was skipped.
    """

    address: str
    state: str
    seconds: float = 0.0
    note: str = ""


def plan(root: Path, targets: list[str], *, force: bool = False) -> list[Stage]:
    """The targets' stages and everything upstream, each after what it waits for.

    Args:
        root: the repository, which must be the working directory.
        targets: addresses, globs, names, groups or files; none means all of the root dvc.yaml.
        force: take nothing for up to date.

    Raises:
        PipelineError: the pipeline cannot be read, or a target names nothing in it.
    """
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        with Repo(str(root), _wait_for_lock=True) as repo:
            graph = repo.index.graph
            found = {node.addressing: node for node in graph}
            wanted = select(sorted(found), targets)
            closure = set(wanted).union(
                *(
                    {node.addressing for node in networkx.descendants(graph, found[address])}
                    for address in wanted
                )
            )
            part = graph.subgraph([found[address] for address in closure])
            current = set() if force else _up_to_date(repo, part)
            return _ordered(part, current)
    except DvcException as error:
        first = str(error).strip().splitlines() or ["no reason given"]
        raise PipelineError(
            f"DVC cannot read the pipeline: {first[0]}: try `dvc status`"
        ) from error


def _ordered(graph: Any, current: set[str]) -> list[Stage]:
    """The nodes as stages, in an order that is always the same."""
    downstream_first = list(networkx.lexicographical_topological_sort(graph, _address))
    chain: dict[str, int] = {}
    for node in downstream_first:  # DVC's edges go from a stage to what it reads
        waiting = [chain[above.addressing] for above in graph.predecessors(node)]
        chain[node.addressing] = 1 + max(waiting, default=0)
    order = networkx.lexicographical_topological_sort(graph.reverse(), _address)
    return [
        Stage(
            node.addressing,
            tuple(sorted(below.addressing for below in graph.successors(node))),
            node.addressing in current,
            chain[node.addressing],
        )
        for node in order
    ]


def _address(node: Any) -> str:
    return str(node.addressing)


def _up_to_date(repo: Any, graph: Any) -> set[str]:
    """The stages that DVC has nothing to say about, and nothing about what is upstream.

    A DVC process takes some 2 s to find that out for one stage; this takes milliseconds.
    """
    from dvc.exceptions import DvcException

    current: set[str] = set()
    with repo.lock:
        for node in networkx.lexicographical_topological_sort(graph.reverse(), _address):
            if any(below.addressing not in current for below in graph.successors(node)):
                continue
            try:
                status = node.status()
            except DvcException:  # say, a user's own `dvc repro` is writing there: let DVC decide
                continue
            if not status:
                current.add(node.addressing)
    return current


def select(addresses: list[str], targets: list[str]) -> list[str]:
    """The addresses that the targets name.

    Raises:
        PipelineError: a target names none, or names one stage in several files.
    """
    stages = [Stage(address) for address in addresses]
    if not targets:
        return [stage.address for stage in stages if stage.file == "dvc.yaml"]
    return sorted({address for target in targets for address in _match(stages, target)})


def _match(stages: list[Stage], target: str) -> list[str]:
    """What one target names: the first reading that finds something counts."""
    plain = target.removeprefix("./").removeprefix("dvc.yaml:")
    if any(letter in plain for letter in "*?["):
        named = [s for s in stages if _like(s.address, plain) or _like(s.name, plain)]
    else:
        named = [s for s in stages if s.address == plain] or [
            s
            for s in stages
            if plain in (s.name, s.group, f"{s.file}:{s.group}", s.file, str(Path(s.file).parent))
        ]
    files = sorted({stage.file for stage in named if stage.name == plain})
    if "@" in plain and len(files) > 1 and len(files) == len(named):
        options = " or ".join(f"{file}:{plain}" for file in files)
        raise PipelineError(f"{target!r} is in {len(files)} files: say {options}")
    if not named:
        raise PipelineError(_unknown(stages, target))
    return [stage.address for stage in named]


def _like(text: str, pattern: str) -> bool:
    return fnmatch.fnmatchcase(text, pattern)


def _unknown(stages: list[Stage], target: str) -> str:
    """A line with the names nearest to a target that is none."""
    names = {name for stage in stages for name in (stage.address, stage.name, stage.group)}
    near = difflib.get_close_matches(target, sorted(names), n=3, cutoff=0.5)
    near = [name for name in near if "@" not in name or Stage(name).group not in near]
    hint = f"did you mean {' or '.join(near)}?" if near else "see `dvc stage list --all`"
    return f"no stage is called {target!r}: {hint}"
