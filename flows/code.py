"""Which code can decide a stage's bytes, and whether its stage says so: ``python -m flows.code``.

A stage is a command, ``python -m tasks.KIND ...``. What it imports, and what that imports, is read
from the source text; what registries import by a name is looked up for the names in the command and
in the parameters. The result must be exactly the stage's code dependencies in its ``dvc.yaml``,
else a result could be stale unnoticed, or made again for nothing.

A stage's definition holds for every scale, so its code is what any of the scales needs.
``--write`` puts the lists into the ``dvc.yaml`` files.
"""

import argparse
import functools
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from flows.errors import PipelineError
from flows.imports import ROOMS, closure, is_face, registry


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
        elif kind in ("tabulate", "report"):
            for folder in sorted((self._root / "papers").glob("*/")):
                yield from self._of_folder(folder, kind)

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

    def _needed_to_mark(self, paper: str, name: str) -> Iterator[str]:
        """What ``tasks/mark.py`` asks for by name, for the methods that need it."""
        for method in self._watermark(paper, name):
            files = closure(self._root, [method])
            if "datadeed/watermarks/crafted.py" in files:
                yield "tasks.crafting"
            if "datadeed/watermarks/keyed.py" in files:
                yield from (f"papers.{paper}.keys", "tasks.records")

    def _of_folder(self, folder: Path, kind: str) -> Iterator[str]:
        names = ("judge", "tables", "claims") + (("section",) if kind == "report" else ())
        for name in names:
            if (folder / f"{name}.py").exists():
                yield f"papers.{folder.name}.{name}"

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
                for watermark in _read(paper).get("watermarks", {}):
                    if len(parts) == 2 or parts[2].endswith(f"-{watermark}"):
                        yield from self._watermark(paper.parent.name, watermark)

    def _watermark(self, paper: str, name: str) -> Iterator[str]:
        """The method's module, and that of a watermark whose trigger is asked beside it."""
        params = _read(self._root / "papers" / paper / "params.yaml")
        entries = params.get("watermarks", {})
        table = registry(self._room / "watermarks/registry.py", "WATERMARKS")
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
def _read(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def stages(root: Path) -> list[Stage]:
    """Every stage of every scale, as DVC multiplies them out.

    Raises:
        PipelineError: DVC cannot read a file.
    """
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    found = []
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch) / "pipeline"
        for path in [root / ".dvc/config", root / "dvc.yaml", *root.glob("papers/*/*.yaml")]:
            place = copy / path.relative_to(root)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, place)
        for scale in sorted((root / "scales").glob("*.yaml")):
            shutil.copy(scale, copy / "params.yaml")
            try:
                with Repo(str(copy), uninitialized=True) as repo:
                    found += [_stage(stage, copy, _read(scale)) for stage in repo.index.stages]
            except DvcException as error:
                raise PipelineError(f"scale {scale.stem}: {error}: correct it") from error
    return found


def _stage(stage: Any, root: Path, scale: dict[str, Any]) -> Stage:
    paths = (Path(dep.fs_path) for dep in stage.deps if hasattr(dep, "fs_path"))
    deps = tuple(
        sorted({path.relative_to(root).as_posix() for path in paths if path.suffix != ".yaml"})
    )
    command = stage.cmd if isinstance(stage.cmd, str) else stage.cmd[0]
    words = tuple(command.split())[2:]
    file = Path(stage.path).relative_to(root).as_posix()
    name = stage.name.partition("@")[0]
    return Stage(name if file == "dvc.yaml" else f"{file}:{name}", words, deps, scale)


def is_code(dep: str) -> bool:
    """Whether a dependency is a file or folder of ours."""
    return dep.split("/", maxsplit=1)[0] in ROOMS


def expected(root: Path, every: Iterable[Stage]) -> dict[str, set[str]]:
    """By definition, the files that can decide the bytes of one of its stages.

    Definitions that share one list of dependencies, by a YAML merge, share what any of them needs.
    """
    found: dict[str, set[str]] = {}
    for stage in every:
        modules = frozenset(Names(root, stage).modules())
        found.setdefault(stage.definition, set()).update(_closure(root, modules))
    if "report" in found:
        found["report"] |= _templates(root)
    shared: dict[int, set[str]] = {}
    lists = {definition: id(body["deps"]) for definition, body in bodies(root)}
    for definition, files in found.items():
        shared.setdefault(lists[definition], set()).update(files)
    return {definition: shared[lists[definition]] for definition in found}


@functools.cache
def pipeline(root: Path, file: str) -> Any:
    """A ``dvc.yaml``, whose comments and anchors are kept when it is written again."""
    return _codec().load((root / file).read_text(encoding="utf-8"))


def _codec() -> Any:
    from ruamel.yaml import YAML

    codec = YAML()
    codec.width, codec.preserve_quotes = 200, True
    codec.indent(mapping=2, sequence=4, offset=2)
    return codec


def bodies(root: Path) -> Iterator[tuple[str, Any]]:
    """Every definition with what it says."""
    for path in [root / "dvc.yaml", *sorted(root.glob("papers/*/dvc.yaml"))]:
        file = path.relative_to(root).as_posix()
        for name, body in pipeline(root, file)["stages"].items():
            definition = name if file == "dvc.yaml" else f"{file}:{name}"
            yield definition, body.get("do", body)


@functools.cache
def _closure(root: Path, modules: frozenset[str]) -> set[str]:
    return closure(root, modules)


def _templates(root: Path) -> set[str]:
    """What the page is filled into."""
    folders = ("datadeed/reports", "papers")
    return {
        path.relative_to(root).as_posix()
        for folder in folders
        for path in (root / folder).rglob("*")
        if path.suffix in (".html", ".css")
    }


def shortest(root: Path, files: set[str]) -> list[str]:
    """The same files as folders, where all that has a say in a folder is among them."""
    left, named = set(files), []
    folders = sorted({parent.as_posix() for file in files for parent in Path(file).parents})
    for folder in folders:
        if "/" not in folder:
            continue
        inside = {
            path.relative_to(root).as_posix()
            for path in (root / folder).rglob("*")
            if path.is_file() and "__pycache__" not in path.parts and not is_face(path)
        }
        if inside and inside <= left and len(inside) > 1:
            named.append(folder)
            left -= inside
    return sorted([*named, *left])


def covered(root: Path, deps: Iterable[str]) -> set[str]:
    """The files that code dependencies name."""
    found: set[str] = set()
    for dep in filter(is_code, deps):
        path = root / dep
        paths = path.rglob("*") if path.is_dir() else [path]
        found |= {
            each.relative_to(root).as_posix()
            for each in paths
            if each.is_file() and "__pycache__" not in each.parts and not is_face(each)
        }
    return found


def faults(root: Path, every: list[Stage]) -> list[str]:
    """A line for each definition whose code dependencies are not its code."""
    lines = []
    named: dict[str, set[str]] = {}
    for stage in every:
        named.setdefault(stage.definition, set()).update(covered(root, stage.deps))
    for definition, files in expected(root, every).items():
        missing, idle = files - named[definition], named[definition] - files
        if missing or idle:
            lines.append(
                f"{definition}: add {' '.join(sorted(missing)) or 'nothing'}; "
                f"remove {' '.join(sorted(idle)) or 'nothing'}"
            )
    return lines


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m flows.code", description=__doc__)
    parser.add_argument("--write", action="store_true", help="put the lists into the dvc.yaml")
    root = Path.cwd()
    if parser.parse_args().write:
        write(root)
    if lines := faults(root, stages(root)):
        sys.exit("\n".join(["error: code dependencies are not true:", *lines]))


def write(root: Path) -> None:
    """Replace the code dependencies of every definition; comments and order of the rest stay."""
    files = expected(root, stages(root))
    for definition, body in bodies(root):
        data = [dep for dep in body["deps"] if not is_code(dep)]
        body["deps"][:] = data + shortest(root, files[definition])
    for path in [root / "dvc.yaml", *root.glob("papers/*/dvc.yaml")]:
        text = pipeline(root, path.relative_to(root).as_posix())
        with path.open("w", encoding="utf-8") as stream:
            _codec().dump(text, stream)
    pipeline.cache_clear()


if __name__ == "__main__":
    main()
