"""Where stages run: one slot for each worker, holding a GPU or none."""

import contextlib
import fcntl
import os
import queue
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from flows.errors import Interrupted, PipelineError


@dataclass(frozen=True)
class Slot:
    """Room for one stage.

    Args:
        environment: what the stage's process is told.
        lock: the file that flows of this machine lock to have the GPU, or nothing.
        name: what to call it in a message.
    """

    environment: dict[str, str]
    lock: Path | None = None
    name: str = "the CPU"


def cuda_devices() -> list[str]:
    """The GPUs this process may use, found without torch: their numbers, or their UUIDs."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return [] if visible.strip() in ("", "-1", "NoDevFiles") else visible.split(",")
    if shutil.which("nvidia-smi") is None:
        return []
    listing = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=False)
    found = [line for line in listing.stdout.splitlines() if line.startswith("GPU ")]
    return [str(number) for number in range(len(found))]


def slots(devices: str, workers: int | None, threads: int | None) -> list[Slot]:
    """One slot per worker.

    Args:
        devices: ``auto``, ``cpu``, or GPU ids with commas; an id given twice has two slots.
        workers: how many stages at once; by default one per GPU, or two on a CPU.
        threads: threads of each stage; by default what the stages take from params.yaml.

    Raises:
        PipelineError: more workers than there is room for, or a number below 1.
    """
    for option, value in (("--workers", workers), ("--threads", threads)):
        if value is not None and value < 1:
            raise PipelineError(f"{option} {value} makes no sense: give 1 or more")
    count = {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)} if threads else {}
    ids = cuda_devices() if devices == "auto" else devices.split(",") if devices != "cpu" else []
    if not ids:
        # Only an explicit "cpu" hides GPUs: nvidia-smi may be missing where torch sees one.
        hidden = {"CUDA_VISIBLE_DEVICES": ""} if devices == "cpu" else {}
        return [Slot(count | hidden)] * (workers or min(2, os.cpu_count() or 1))
    if not all(id_.strip() for id_ in ids):
        raise PipelineError(f"--devices {devices!r} is not auto, cpu or ids such as 0,1")
    if workers is not None and workers > len(ids):
        raise PipelineError(
            f"--workers {workers} is more than the {len(ids)} GPU(s) of --devices {devices}: "
            f"to share a GPU, name it twice, as in --devices {ids[0]},{ids[0]}"
        )
    return [_gpu(ids, place, count) for place in range(workers or len(ids))]


def _gpu(ids: list[str], place: int, count: dict[str, str]) -> Slot:
    id_ = ids[place].strip()
    nth = ids[:place].count(ids[place])
    safe = "".join(letter if letter.isalnum() or letter == "-" else "_" for letter in id_)
    name = f"datadeed-gpu-{safe}{f'-{nth}' if nth else ''}.lock"
    # The system's folder, not the repository's: another clone shares the GPU all the same.
    return Slot(
        count | {"CUDA_VISIBLE_DEVICES": id_}, Path(tempfile.gettempdir()) / name, f"GPU {id_}"
    )


@contextlib.contextmanager
def file_lock(
    path: Path, stop: threading.Event, on_wait: Callable[[], None] = lambda: None
) -> Iterator[int]:
    """Hold a lock among the processes of this machine; gives its file descriptor.

    A process that inherits the descriptor holds the lock too, until it ends.

    Raises:
        Interrupted: ``stop`` was set while waiting.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
    try:
        waited = False
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not waited:
                    on_wait()
                waited = True
            if stop.wait(0.25):
                raise Interrupted(f"ended while waiting for {path}")
        yield descriptor
    finally:
        os.close(descriptor)


class Pool:
    """Slots, handed out one stage at a time."""

    def __init__(self, slots: list[Slot]):
        self._free: queue.SimpleQueue[Slot] = queue.SimpleQueue()
        for slot in slots:
            self._free.put(slot)

    @contextlib.contextmanager
    def take(
        self, stop: threading.Event, on_wait: Callable[[str], None]
    ) -> Iterator[tuple[Slot, tuple[int, ...]]]:
        """A slot, and the descriptors of its lock; there are as many slots as workers."""
        slot = self._free.get()
        try:
            if slot.lock is None:
                yield slot, ()
            else:
                with file_lock(slot.lock, stop, lambda: on_wait(slot.name)) as descriptor:
                    yield slot, (descriptor,)
        finally:
            self._free.put(slot)
