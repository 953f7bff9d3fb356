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
from pathlib import Path
from typing import Any

from flows.errors import PipelineError
from flows.imports import ROOMS, closure, is_face
from flows.named import Names, Stage, read_yaml


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
                    found += [_stage(stage, copy, read_yaml(scale)) for stage in repo.index.stages]
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
    return Stage(definition_of(stage, root), words, deps, scale)


def definition_of(stage: Any, root: Path) -> str:
    """Where one of DVC's stages is defined."""
    file = Path(stage.path).relative_to(root).as_posix()
    name = str(stage.name.partition("@")[0])
    return name if file == "dvc.yaml" else f"{file}:{name}"


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
