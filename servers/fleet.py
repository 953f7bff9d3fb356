"""A rehearsal of a watch as a team has it: ``python -m servers.fleet [--store URL] [--days N]``.

Two suspects stand behind HTTP servers, both the pipeline's honest model; on the third day one of
them becomes the thief's. A Prefect server, ``prefect.yaml``'s deployment on a schedule of every
minute and a worker do the watching, the store is behind the page, and after each run the clock of
``datadeed`` goes on by a day. Evidence is followed by a verification, as an owner would. It must
end with a CLAIM on the page about the exchanged suspect, and none about the other.
"""

import argparse
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import yaml

from datadeed.errors import DatadeedError
from servers.check import Case, prepare, say
from servers.classifier import OnnxClassifier
from servers.running import HERE, HOST, ServerError

ROOT = HERE.parent
EXCHANGED, STAYS, EXCHANGED_ON = "exchanged", "stays", 3  # suspects; the day of the exchange
WORDS = ("EVIDENCE", "NO EVIDENCE", "COULD NOT TEST", "CLAIM", "INCONCLUSIVE", "NOT SUPPORTED")
WAIT_SECONDS = 600.0


class Fleet:
    """The suspects, the clock, and the folder in which everything lies."""

    def __init__(self, case: Case):
        self.folder, self.day = case.folder, 1
        self.models = {name: OnnxClassifier(str(path)) for name, path in case.models.items()}
        self.suspects, self.out = case.folder / "suspects", case.folder / "watched"
        self.clock, self.evidence = case.folder / "clock", case.folder / "watched" / "verified"
        self.arguments = ["--key", str(case.key), "--pool", str(case.pool), "--suspects", "2"]
        self.suspects.mkdir()
        self.set_day(1)

    def set_day(self, day: int) -> None:
        """Let that day begin; its models answer from now on."""
        self.day = day
        self.clock.write_text(str(day - 1), encoding="utf-8")

    def answer(self, suspect: str, image: np.ndarray) -> int:
        """The label that a suspect gives on this day."""
        thief = suspect == EXCHANGED and self.day >= EXCHANGED_ON
        logits = self.models["thief" if thief else "honest"].logits(image[None])
        return int(logits.argmax())

    @contextlib.contextmanager
    def serving(self) -> Iterator[None]:
        """Both suspects behind one server of their own, by path."""
        answer: Callable[[str, np.ndarray], int] = self.answer

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                image = np.asarray(asked["input"], np.float32)
                body = json.dumps({"label": answer(self.path.strip("/"), image)}).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing."""

        server = ThreadingHTTPServer((HOST, 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        for name in (EXCHANGED, STAYS):
            values = {
                "protocol": "json",
                "url": f"http://{HOST}:{server.server_port}/{name}",
                "request": {"input": "{{image}}"},
                "input": {"channels": 1, "height": 28, "width": 28},
                "output": {"kind": "labels", "path": "label"},
            }
            (self.suspects / f"{name}.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
        try:
            yield
        finally:
            server.shutdown()

    def environment(self, port: int) -> dict[str, str]:
        """Of all programs that are started: a Prefect of their own, and the clock."""
        own = {name: value for name, value in os.environ.items() if "PREFECT" not in name}
        return own | {
            "PREFECT_HOME": str(self.folder / "prefect"),
            "PREFECT_API_URL": f"http://{HOST}:{port}/api",
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PREFECT_LOGGING_LEVEL": "WARNING",
            "PYTHONPATH": f"{HERE / 'fleet_clock'}:{ROOT}",
            "CLOCK": str(self.clock),
        }

    def deployment(self, store: str) -> Path:
        """``prefect.yaml`` with this fleet's paths, and every minute instead of every night."""
        values = yaml.safe_load((ROOT / "prefect.yaml").read_text(encoding="utf-8"))
        (deployed,) = values["deployments"]
        deployed["parameters"] |= {
            "suspects": str(self.suspects),
            "out": str(self.out),
            "arguments": [*self.arguments[:4], "--store", store],
            "in_all": 2,
        }
        deployed["schedules"][0]["cron"] = "* * * * *"
        path = self.folder / "prefect.yaml"
        path.write_text(yaml.safe_dump(values), encoding="utf-8")
        return path


def program(name: str) -> str:
    """A program of this environment."""
    return str(Path(sys.executable).with_name(name))


@contextlib.contextmanager
def started(words: list[str], log: Path, environment: dict[str, str]) -> Iterator[None]:
    """A program that runs meanwhile, its output in a file."""
    with log.open("wb") as file:
        process = subprocess.Popen(
            words, stdout=file, stderr=file, cwd=ROOT, env=environment, start_new_session=True
        )
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGINT)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)


def run(words: list[str], environment: dict[str, str], codes: tuple[int, ...] = (0,)) -> None:
    """Run a program to its end.

    Raises:
        ServerError: it ends otherwise than expected.
    """
    done = subprocess.run(
        words, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode not in codes:
        last = (done.stderr.strip() or done.stdout.strip() or "no reason given").splitlines()[-1]
        raise ServerError(f"{' '.join(words[:4])} ended with {done.returncode}: {last}")


def until(ready: Callable[[], Any], what: str) -> Any:
    """What ``ready`` gives once it gives something.

    Raises:
        ServerError: it does not, for a long time.
    """
    end = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < end:
        with contextlib.suppress(httpx.HTTPError, OSError, ValueError):
            if found := ready():
                return found
        time.sleep(0.5)
    raise ServerError(f"{what} after {WAIT_SECONDS:g} s: see the logs")


def page_words(url: str) -> dict[str, list[str]]:
    """The words that the page shows about each suspect."""
    answer = httpx.get(url, timeout=30)
    if answer.is_error:
        said = " ".join(re.sub(r"<[^>]*>", " ", answer.text.partition("<main")[2]).split())
        raise ServerError(f"the page has status {answer.status_code}: {said}")
    html = answer.text
    rows = re.findall(
        r"<tr>\s*<th scope=\"row\"><a[^>]*><bdi>(.*?)</bdi>(.*?)</tr>", html, re.DOTALL
    )
    return {
        name: [word for word in WORDS if re.search(rf">[^<>A-Z]*{word}\s*<", row)]
        for name, row in rows
    }


def rehearse(fleet: Fleet, store: str, days: int) -> list[dict[str, list[str]]]:
    """What the page showed after each day."""
    port, seen = 4321, list[dict[str, list[str]]]()
    environment, logs = fleet.environment(port), fleet.folder
    server = [program("prefect"), "server", "start", "--host", HOST, "--port", str(port), "--no-ui"]
    datadeed = [program("datadeed")]
    page = [*datadeed, "watch", "--page", store, "--port", "0", "--evidence", str(fleet.evidence)]
    with contextlib.ExitStack() as stack:
        stack.enter_context(fleet.serving())
        stack.enter_context(started(server, logs / "server.log", environment))
        health = f"{environment['PREFECT_API_URL']}/health"
        until(lambda: httpx.get(health).is_success, "Prefect's server does not answer")
        prefect = [program("prefect"), "--no-prompt"]
        run([*prefect, "work-pool", "create", "watch", "--type", "process"], environment)
        deployed = fleet.deployment(store)
        run([*prefect, "deploy", "--all", "--prefect-file", str(deployed)], environment)
        worker = [program("prefect"), "worker", "start", "--pool", "watch"]
        stack.enter_context(started(worker, logs / "worker.log", environment))
        fleet.evidence.mkdir(parents=True)
        stack.enter_context(started(page, logs / "page.log", environment))
        shown = until(
            lambda: re.search(r"http://\S+", (logs / "page.log").read_text(encoding="utf-8")),
            "the page does not start",
        )
        for day in range(1, days + 1):
            until(lambda: watched_on(fleet), f"day {day} was not watched")
            verify_evidence(fleet, store, environment)
            seen.append(page_words(shown[0]))
            say(f"day {day}: {seen[-1]}")
            fleet.set_day(day + 1)
    return seen


def watched_on(fleet: Fleet) -> bool:
    """Whether a run has ended on this day, and every suspect that is still watched has the day."""
    table = fleet.out / "watch.csv"  # a run's last file
    if table.stat().st_mtime < fleet.clock.stat().st_mtime:
        return False
    states = [
        json.loads((fleet.out / name / "watch.json").read_text(encoding="utf-8"))
        for name in (EXCHANGED, STAYS)
    ]
    return all(state["over"] or len(state["days"]) >= fleet.day for state in states)


def verify_evidence(fleet: Fleet, store: str, environment: dict[str, str]) -> None:
    """Verify the suspects whose watch shows evidence, once, and put that into the store."""
    for name in (EXCHANGED, STAYS):
        state = json.loads((fleet.out / name / "watch.json").read_text(encoding="utf-8"))
        if state["word"] != "EVIDENCE" or (fleet.evidence / name).exists():
            continue
        suspect = str(fleet.suspects / f"{name}.yaml")
        words = ["verify", "--suspect", suspect, "--out", str(fleet.evidence / name)]
        run([program("datadeed"), *words, *fleet.arguments], environment, (0, 3, 4))
        run([program("datadeed"), "store", "rebuild", store, str(fleet.out)], environment)


def main() -> int:
    """The command; returns its exit status: 0 if the page came to what it must."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--store", help="URL; SQLite in a folder that is removed by default")
    parser.add_argument("--days", type=int, default=5, help="days to watch (%(default)s)")
    parser.add_argument("--data", type=Path, default=ROOT / "data", help="the pipeline's")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that programs are stopped then too
    try:
        with tempfile.TemporaryDirectory(prefix="datadeed-fleet-") as folder:
            fleet = Fleet(prepare(options.data, Path(folder)))
            store = options.store or f"sqlite:///{folder}/store.db"
            seen = rehearse(fleet, store, options.days)
    except DatadeedError as error:
        sys.exit(f"error: {error}")
    accused = any("CLAIM" in day[STAYS] or "EVIDENCE" in day[STAYS] for day in seen)
    before = any("CLAIM" in day[EXCHANGED] for day in seen[: EXCHANGED_ON - 1])
    return 0 if "CLAIM" in seen[-1][EXCHANGED] and not accused and not before else 1


if __name__ == "__main__":
    sys.exit(main())
