"""The scale in force: ``params.yaml`` is a link to one of the files under ``scales/``."""

import os
from pathlib import Path

import yaml

from flows.errors import PipelineError


def scale_of(root: Path) -> str:
    """What ``params.yaml`` calls its scale; "params.yaml" where it gives no name."""
    try:
        parameters = yaml.safe_load((root / "params.yaml").read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError):
        parameters = None
    named = parameters.get("scale") if isinstance(parameters, dict) else None
    return named if isinstance(named, str) else "params.yaml"


def set_scale(root: Path, name: str) -> bool:
    """Point ``params.yaml`` at ``scales/NAME.yaml``, at once; false where it does already.

    Raises:
        PipelineError: there is no such scale, or ``params.yaml`` is a file of the user's own.
    """
    known = sorted(path.stem for path in (root / "scales").glob("*.yaml"))
    if name not in known:
        raise PipelineError(f"no scale {name!r} in scales/: choose {' or '.join(known) or 'none'}")
    link = root / "params.yaml"
    if link.exists() and not link.is_symlink():
        raise PipelineError(
            "params.yaml is a file of your own, not a link to a scale: "
            f"move it to scales/ under a name, or remove it, before --scale {name}"
        )
    target = Path("scales") / f"{name}.yaml"
    if link.is_symlink() and Path(os.readlink(link)) == target:
        return False
    temporary = root / ".params.yaml.new"
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(target)
    os.replace(temporary, link)
    return True
