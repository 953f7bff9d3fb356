"""The paper that docs/add-a-paper.md adds, and how tests find it."""

import importlib
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import papers

PAGE = Path(__file__).parents[2] / "docs" / "add-a-paper.md"


def files() -> dict[str, str]:
    """The files that the page shows, by their path."""
    found = re.findall(r"^`([\w/.]+)`\n\n```\w+\n(.*?)^```$", PAGE.read_text(), re.S | re.M)
    assert len(found) == len(dict(found))
    return dict(found)


def scale() -> str:
    """The section of a scale that the page shows."""
    (found,) = re.findall(
        r"scales/lite\.yaml`:\n\n```yaml\n(.*?)^```$", PAGE.read_text(), re.S | re.M
    )
    return str(found)


@contextmanager
def installed(root: Path, *, name: str = "toy", **changed: str) -> Iterator[None]:
    """Write the paper into ``root/papers/NAME``, and let it be found there.

    Args:
        root: beside its folder ``papers`` the stages run.
        name: of the paper's folder.
        changed: text of a module that replaces the page's, by its name.
    """
    for shown, text in files().items():
        path = root / shown.replace("papers/toy", f"papers/{name}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(changed.pop(path.stem, text) if path.suffix == ".py" else text)
    for module, text in changed.items():
        (root / "papers" / name / f"{module}.py").write_text(text)
    before = papers.__path__
    papers.__path__ = [*before, str(root / "papers")]
    importlib.invalidate_caches()
    try:
        yield
    finally:
        papers.__path__ = before
        for module in [m for m in sys.modules if m.split(".")[:2] == ["papers", name]]:
            del sys.modules[module]
