"""One flow at a time in a repository, and what a killed one leaves behind put right.

DVC drops a dead process's entry from its rwlock file when it meets it, but takes another process
with the same number, which small containers soon hand out again, for the owner; and a kill while it
writes leaves half a file, which it then refuses for good.
"""

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml

from flows.devices import file_lock


@contextlib.contextmanager
def one_flow(root: Path, say: Callable[[str], None]) -> Iterator[int]:
    """Hold the repository's flow lock, waiting for another flow, or the remains of one, to end."""
    folder = root / ".dvc" / "tmp"
    folder.mkdir(parents=True, exist_ok=True)

    def tell() -> None:
        say("waiting for another reproduce in this repository to end")

    with file_lock(folder / "datadeed-flow.lock", threading.Event(), tell) as descriptor:
        yield descriptor


def heal(root: Path, say: Callable[[str], None]) -> None:
    """Clear what a killed run left, while holding the flow lock."""
    _heal_rwlock(root / ".dvc" / "tmp")
    for path in [root / "dvc.lock", *sorted(root.glob("papers/*/dvc.lock"))]:
        if path.exists() and not _readable(path):
            aside = path.with_name("dvc.lock.damaged")
            path.replace(aside)
            say(
                f"{path.relative_to(root)} was cut short by a kill: moved to {aside.name}; "
                "finished stages come back from DVC's run-cache (or: git restore it)"
            )


def _readable(path: Path) -> bool:
    """Whether DVC would accept a lock file; half a file may still be good YAML."""
    from dvc.schema import COMPILED_LOCKFILE_SCHEMA
    from voluptuous import Invalid

    try:
        content = yaml.load(path.read_bytes(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        COMPILED_LOCKFILE_SCHEMA(content)
    except (yaml.YAMLError, UnicodeDecodeError, Invalid):
        return False
    return True


def _heal_rwlock(folder: Path) -> None:
    """Drop the entries of processes that are gone, or that are not DVC's."""
    from dvc.lock import make_lock

    path = folder / "rwlock"
    if not path.exists():
        return
    with make_lock(str(folder / "rwlock.lock"), tmp_dir=str(folder), wait=True):
        try:
            held = json.loads(path.read_text(encoding="utf-8"))
            write = {name: info for name, info in held.get("write", {}).items() if _alive(info)}
            read = {
                name: kept
                for name, infos in held.get("read", {}).items()
                if (kept := [info for info in infos if _alive(info)])
            }
        except (ValueError, AttributeError, TypeError, KeyError):
            path.unlink()
            return
        path.write_text(json.dumps({"write": write, "read": read}), encoding="utf-8")


def _alive(info: dict[str, Any]) -> bool:
    """Whether the process that made an entry still runs, and is DVC."""
    if not Path("/proc/self").exists():  # not Linux: leave it to DVC
        return True
    try:
        return b"dvc" in Path(f"/proc/{int(info['pid'])}/cmdline").read_bytes()
    except OSError:
        return False
