"""What importing a module of ours may execute, read from the source text; nothing is imported."""

import ast
import functools
from collections.abc import Iterable
from pathlib import Path

from flows.errors import PipelineError

ROOMS = ("datadeed", "papers", "tasks")
# Imported everywhere, and without a say in any result.
WITHOUT_A_SAY = {
    "datadeed/__init__.py",  # names for notebooks
    "datadeed/errors.py",  # an error makes no artifact
    "datadeed/watermarks/names.py",  # a stage names its method's module; the class bears the name
    "tasks/progress.py",  # tells how far a work is
}


def module_file(root: Path, module: str) -> Path | None:
    """The file of a module of ours, or None."""
    base = root.joinpath(*module.split("."))
    for path in (base.with_suffix(".py"), base / "__init__.py"):
        if path.is_file():
            return path
    return None


@functools.cache
def imported(path: Path) -> tuple[str, ...]:
    """The modules that a file may import, inside functions too; not those for types alone."""
    found: list[str] = []

    def visit(node: ast.AST) -> None:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            for other in node.orelse:
                visit(other)
            return
        if isinstance(node, ast.Import):
            found.extend(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.append(node.module)
            found.extend(f"{node.module}.{alias.name}" for alias in node.names)
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(ast.parse(path.read_text(encoding="utf-8")))
    return tuple(found)


def closure(root: Path, modules: Iterable[str]) -> set[str]:
    """The files of ours that importing these modules may execute and that have a say."""
    todo, seen, files = list(modules), set[str](), set[str]()
    while todo:
        module = todo.pop()
        if module in seen or module.split(".")[0] not in ROOMS:
            continue
        seen.add(module)
        todo += [module.rpartition(".")[0]] if "." in module else []
        path = module_file(root, module)
        if path is None or is_face(path):
            continue
        file = path.relative_to(root).as_posix()
        if file not in WITHOUT_A_SAY:
            files.add(file)
            todo += imported(path)
    return files


def is_face(path: Path) -> bool:
    """Whether a package's own file holds a docstring and nothing else."""
    return path.name == "__init__.py" and all(
        isinstance(node, ast.Expr) for node in ast.parse(path.read_text(encoding="utf-8")).body
    )


@functools.cache
def registry(path: Path, name: str) -> dict[str, str]:
    """A table of names to ``module:object`` that a file states."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        targets = node.targets if isinstance(node, ast.Assign) else []
        if any(isinstance(target, ast.Name) and target.id == name for target in targets):
            table: dict[str, str] = ast.literal_eval(node.value)  # type: ignore[attr-defined]
            return {key: value.partition(":")[0] for key, value in table.items()}
    raise PipelineError(f"{path} states no table {name}: correct flows/named.py")
