"""What a killed run finds again: trained models and finished rows, by what decides them.

Files lie in ``data/studies/thieves/``, which DVC does not track, under a digest of all parameters,
of the data and of the code. Comments and docstrings of that code do not count.
"""

import ast
import hashlib
import inspect
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import safetensors.torch
import torch

from datadeed.files import atomic_path, canonical_digest
from datadeed.models.model import Model

ROOT = Path(__file__).parents[2]
ROOMS = ("datadeed", "papers")
# What decides a training besides its recipe, seed and data; networks and augmentations are added
# one by one, so that a new one makes no other training stale.
TRAINING = [
    *(f"datadeed/models/{name}.py" for name in ("classifier", "layers", "model", "resnet", "vgg")),
    *(f"datadeed/models/training/{name}.py" for name in ("augmentation", "loop", "optimiser")),
    "datadeed/thieves/practice/losses.py",
]


def code(files: Iterable[str] = TRAINING, used: Iterable[Callable[..., Any]] = ()) -> str:
    """SHA-256 of source text without its comments and docstrings.

    Args:
        files: paths from the root.
        used: functions and classes, with the numbers that they take from their modules.
    """
    texts = [(ROOT / file).read_text(encoding="utf-8") for file in sorted(files)]
    for each in used:
        names = getattr(getattr(each, "__code__", None), "co_names", ())
        values = {name: getattr(each, "__globals__", {}).get(name) for name in names}
        numbers = {n: v for n, v in sorted(values.items()) if isinstance(v, int | float)}
        texts.append(f"{inspect.getsource(each)}\nNUMBERS = {numbers}")
    sha = hashlib.sha256()
    for text in texts:
        tree = ast.parse(text)
        for node in ast.walk(tree):
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
                node.value.value = None
        sha.update(ast.dump(tree).encode())
    return sha.hexdigest()


def closure(*modules: str) -> set[str]:
    """The files of ours that modules import, themselves and the imports of imports included."""
    todo, found = list(modules), set[str]()
    while todo:
        name = todo.pop()
        for path in (f"{name.replace('.', '/')}.py", f"{name.replace('.', '/')}/__init__.py"):
            if name.split(".")[0] in ROOMS and path not in found and (ROOT / path).is_file():
                found.add(path)
                for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
                    if isinstance(node, ast.ImportFrom) and node.module:
                        todo += [node.module, *(f"{node.module}.{a.name}" for a in node.names)]
    return found


def weights(
    folder: Path, identity: dict[str, Any], new: Callable[[], Model], make: Callable[[Model], Any]
) -> Model:
    """A model that is kept: read if it is there, else made and written.

    Args:
        folder: of the dataset's models.
        identity: JSON values that decide the weights.
        new: gives it with any weights.
        make: gives it its weights, in place.
    """
    path, model = folder / f"{canonical_digest(identity)[:24]}.safetensors", new()
    if path.exists():
        model.load_state_dict(safetensors.torch.load_file(path))
        return model.to(memory_format=torch.channels_last)
    make(model)
    state = {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
    with atomic_path(path) as temporary:
        temporary.write_bytes(safetensors.torch.save(state))
    return model
