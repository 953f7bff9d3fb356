"""What registries import for the names in a stage's command and parameters."""

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from flows.imports import closure, registry

THIEVES = {
    "datadeed/thieves/repair/registry.py": "REPAIRS",
    "datadeed/thieves/cleaning/registry.py": "CLEANERS",
}


@dataclass(frozen=True)
class Stage:
    """One stage of one scale.

    Attributes:
        definition: its file and its name without the matrix's keys: ``papers/ubw/dvc.yaml:train``.
        command: its words after ``python -m``.
        deps: paths from the root.
        scale: all parameters in force.
    """

    definition: str
    command: tuple[str, ...]
    deps: tuple[str, ...]
    scale: dict[str, Any]


class Names:
    """What the names in a command make the registries import.

    Args:
        root: the repository.
        stage: whose command it is.
    """

    def __init__(self, root: Path, stage: Stage):
        self._root, self._stage = root, stage
        self._room = root / "datadeed"

    def modules(self) -> Iterator[str]:
        """Modules, by what the command does."""
        module, *words = self._stage.command
        yield module
        kind = module.removeprefix("tasks.")
        if kind == "fetch":
            yield from self._source(words[0])
        elif kind == "train":
            yield from self._network(words[0], words[1])
        elif kind in ("mark", "ask", "judge", "study"):
            yield from self._of_paper(kind, *words)
        elif kind == "mark_second":
            yield from self._carriers("proof", module, tuple(words))
        elif kind == "tabulate":
            yield from self._tabulated(words[0])
        elif kind == "report":
            for tables in sorted((self._root / "papers").glob("*/tables.py")):
                paper = tables.parent.name
                yield from (*self._tabulated(paper), f"papers.{paper}.section")

    def _of_paper(self, kind: str, paper: str, *words: str) -> Iterator[str]:
        if kind != "mark":
            yield f"papers.{paper}.{words[0] if kind == 'study' else kind}"
        if kind == "judge":
            return
        if kind == "mark":
            yield from self._needed_to_mark(paper, words[1])
        cell = words[1:] if kind == "study" else words
        for name in cell:
            yield from self._watermark(paper, name)
        for dep in self._stage.deps:
            yield from self._stored(dep)
        if kind == "study":
            yield from self._thieves(f"papers.{paper}.{words[0]}")
        entry = f"papers.{paper}.{words[0]}" if kind == "study" else f"tasks.{kind}"
        yield from self._carriers(paper, entry, words)

    def _thieves(self, study: str) -> Iterator[str]:
        """All repairs and cleaners, for a study that makes them by their names."""
        for file, table in THIEVES.items():
            if file in closure(self._root, [study]):
                yield from registry(self._root / file, table).values()

    def _carriers(self, paper: str, entry: str, words: tuple[str, ...]) -> Iterator[str]:
        """What keys of the second generation mark with: as the paper's parameters name it.

        Those of the entries of ``keys2`` that a command names, or of all; those in the list
        ``carriers`` of the section that bears the study's name; and those that ``carriers`` of the
        whole file describes.
        """
        table = "datadeed/watermarks/carriers/registry.py"
        if table not in closure(self._root, [entry]):
            return
        params = read_yaml(self._root / "papers" / paper / "params.yaml")
        keys = params.get("keys2", {})
        named = [keys[word] for word in words if word in keys] or list(keys.values())
        named += [
            {"carrier": each} for each in params.get("carriers", {}).values() if "name" in each
        ]
        names = [each.get("carrier", {}).get("name", "patch") for each in named]
        known = registry(self._root / table, "CARRIERS")
        for name in (*names, *params.get(words[0], {}).get("carriers", [])):
            yield known[name]

    def _needed_to_mark(self, paper: str, name: str) -> Iterator[str]:
        """What ``tasks/mark.py`` asks for by name, for the methods that need it."""
        for method in self._watermark(paper, name):
            files = closure(self._root, [method])
            if "datadeed/watermarks/crafted.py" in files:
                yield "tasks.crafting"
            if "datadeed/watermarks/keyed.py" in files:
                yield from (f"papers.{paper}.keys", "tasks.records")

    def _tabulated(self, paper: str) -> tuple[str, ...]:
        return tuple(f"papers.{paper}.{name}" for name in ("judge", "tables", "claims"))

    def _stored(self, dep: str) -> Iterator[str]:
        """The networks of the models, and the watermarks of the sets, that a path may hold."""
        parts = Path(dep).parts
        if parts[:2] == ("data", "models"):
            name = parts[2] if len(parts) > 2 else ""
            for dataset, networks in self._stage.scale["models"].items():
                for network in networks:
                    if f"{name}-".startswith(f"{dataset}-{network}-") or not name:
                        yield from self._network(dataset, network)
        elif parts[:2] == ("data", "watermarked"):
            for paper in sorted((self._root / "papers").glob("*/params.yaml")):
                for watermark in read_yaml(paper).get("watermarks", {}):
                    if len(parts) == 2 or parts[2].endswith(f"-{watermark}"):
                        yield from self._watermark(paper.parent.name, watermark)

    def _watermark(self, paper: str, name: str) -> Iterator[str]:
        """The method's module, and that of a watermark whose trigger is asked beside it."""
        params = read_yaml(self._root / "papers" / paper / "params.yaml")
        entries = params.get("watermarks", {})
        table = registry(self._room / "watermarks/names.py", "WATERMARKS")
        for each in (name, params.get("independent_triggers", {}).get(name)):
            if each in entries:
                yield table[entries[each]["method"]]

    def _network(self, dataset: str, name: str) -> Iterator[str]:
        network = self._stage.scale["models"][dataset][name].get("network")
        if network is None:  # settings to train another one again
            return
        models = self._room / "models"
        images = registry(models / "classifier.py", "NETWORKS")
        kinds = registry(models / "registry.py", "MODELS")
        if network in images:
            yield from (kinds["image"], images[network])
        else:
            yield kinds["audio" if network == "raw-audio-cnn" else "text"]

    def _source(self, dataset: str) -> Iterator[str]:
        source = self._stage.scale["datasets"][dataset]["source"]
        yield f"datadeed.datasets.sources.{source.replace('-', '_')}"


@functools.cache
def read_yaml(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))
