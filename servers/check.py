"""Verify a thief and an honest model behind real servers: ``python -m servers.check [NAME ...]``.

Each server gets an environment of its own, which is built once, and serves each model in turn; the
command ``datadeed verify`` asks it over HTTP as an owner would. The thief must give CLAIM, the
honest model must not. The models and the public test key are those of the pipeline.
"""

import argparse
import csv
import datetime
import json
import os
import signal
import string
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from datadeed.errors import DatadeedError
from servers.running import HERE, Server, ServerError, build, running

SERVERS = (
    Server("kserve", "/v2/health/ready", ("v1", "v2", "v2-binary")),
    Server("mlflow", "/ping", ("mlflow",)),
    Server("litserve", "/health", ("json",)),
)
DATASET = "fashion-mnist"
MODELS = {"thief": f"{DATASET}-resnet18-keyed2-12-50-1", "honest": f"{DATASET}-resnet18-none-1"}
MARKED = f"{DATASET}-keyed2-12-50"
RESULTS = HERE.parent / "results" / "servers.csv"
VERIFY_SECONDS = 600


@dataclass(frozen=True)
class Row:
    """One verification. ``seconds`` are those of the whole command; ``queries`` include probes."""

    server: str
    version: str
    protocol: str
    model: str
    verdict: str
    queries: int
    seconds: float
    date: str

    @property
    def as_expected(self) -> bool:
        """Whether the verdict is right for the model."""
        return (self.verdict == "CLAIM") == (self.model == "thief")


@dataclass(frozen=True)
class Case:
    """What every server is checked with: ONNX files by model, the secret key, the pool."""

    folder: Path
    models: dict[str, Path]
    key: Path
    pool: Path


def main() -> int:
    """The command; returns its exit status: 0 if every verdict is right."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    names = [server.name for server in SERVERS]
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(names)}; all")
    parser.add_argument("--data", type=Path, default=HERE.parent / "data", help="the pipeline's")
    options = parser.parse_args()
    if unknown := set(options.names) - set(names):
        parser.error(f"no server {sorted(unknown)[0]!r}: choose of {', '.join(names)}")
    chosen = [server for server in SERVERS if server.name in (options.names or names)]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that servers are stopped then too
    rows: list[Row] = []
    faults: list[str] = []
    try:
        with tempfile.TemporaryDirectory(prefix="datadeed-servers-") as folder:
            case = prepare(options.data, Path(folder))
            for server in chosen:
                check(server, case, rows, faults)
    except DatadeedError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("interrupted: all servers are stopped")
    for row in rows:
        if not row.as_expected:
            faults.append(f"{row.server} {row.protocol}: {row.model} gave {row.verdict}")
    show(rows, faults)
    if not faults and len(chosen) == len(SERVERS):
        write(rows)
    return 1 if faults else 0


def prepare(data: Path, folder: Path) -> Case:
    """Export the models, and write the key and the pool as the command line wants them.

    Raises:
        DatadeedError: the pipeline has not made one of them yet.
    """
    import numpy as np

    from datadeed.datasets.form.parquet import read_dataset
    from datadeed.files import read_json
    from datadeed.keys.generation2 import Key2
    from datadeed.keys.sealing import write_secret
    from servers.export import export

    missing = [name for name in MODELS.values() if not (data / "models" / name).is_dir()]
    if missing:
        stages = " ".join(f"papers/proof/dvc.yaml:train-second@{name}" for name in missing)
        raise ServerError(f"{data} lacks models: run python -m flows.reproduce {stages}")
    say("exporting the models")
    models = {}
    for model, name in MODELS.items():
        models[model] = folder / f"{model}.onnx"
        export(data / "models" / name, models[model])
    record = read_json(data / "watermarked" / MARKED / "key.json")["watermark"]["key"]
    write_secret(folder / "key", Key2.from_record(record).record(), None)
    pool = read_dataset(data / "datasets" / DATASET / "test.parquet")
    pixels = pool.samples.permute(0, 2, 3, 1).numpy()
    np.savez_compressed(folder / "pool.npz", x=pixels, y=pool.labels.numpy())
    return Case(folder, models, folder / "key", folder / "pool.npz")


def check(server: Server, case: Case, rows: list[Row], faults: list[str]) -> None:
    """Verify every model by every protocol; what goes wrong joins ``faults``."""
    try:
        say(f"{server.name} {server.version}: its environment")
        python = build(server)
    except ServerError as error:
        faults.append(str(error))
        return
    for model, path in case.models.items():
        try:
            with running(server, python, path, case.folder / f"{server.name}-{model}") as url:
                for protocol in server.protocols:
                    rows.append(verify(server, protocol, model, url, case))
                    say(f"{server.name} {protocol}: {model} gives {rows[-1].verdict}")
        except ServerError as error:
            faults.append(str(error))


def verify(server: Server, protocol: str, model: str, url: str, case: Case) -> Row:
    """Run ``datadeed verify`` against a server.

    Raises:
        ServerError: it came to no verdict, or a query failed.
    """
    name = f"{server.name}-{protocol}-{model}"
    suspect = case.folder / f"{name}.yaml"
    text = (server.folder / f"{protocol}.yaml").read_text(encoding="utf-8")
    suspect.write_text(string.Template(text).substitute(url=url), encoding="utf-8")
    options = ["--suspect", suspect, "--out", case.folder / name]
    options += ["--key", case.key, "--pool", case.pool]
    started = time.monotonic()
    evidence = datadeed_verify(name, list(map(str, options)))
    seconds = round(time.monotonic() - started, 1)
    from datadeed.owner.evidence.records import QUESTIONS

    asked = evidence["queries"]
    queries = sum(asked[purpose] for purpose in QUESTIONS)
    if asked["failed"]:
        raise ServerError(f"{name}: {asked['failed']} of {queries} queries failed")
    word, today = evidence["verdict"]["word"], datetime.date.today().isoformat()
    return Row(server.name, server.version, protocol, model, word, queries, seconds, today)


def datadeed_verify(name: str, options: list[str]) -> dict[str, Any]:
    """The evidence that the command makes.

    Raises:
        ServerError: it came to no verdict.
    """
    command = [str(Path(sys.executable).with_name("datadeed")), "verify", "--json", *options]
    # The test key is not sealed, whatever the user's own keys are.
    environment = {k: v for k, v in os.environ.items() if k != "DATADEED_PASSPHRASE"}
    try:
        done = subprocess.run(
            command,
            env=environment,
            capture_output=True,
            text=True,
            timeout=VERIFY_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ServerError(f"{name}: no verdict within {VERIFY_SECONDS} s") from error
    if done.returncode not in (0, 3, 4):
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise ServerError(f"{name}: datadeed verify ended with {done.returncode}: {reason}")
    evidence: dict[str, Any] = json.loads(done.stdout)
    return evidence


def show(rows: list[Row], faults: list[str]) -> None:
    """The table, and what went wrong."""
    table = Table("server", "version", "protocol", "model", "verdict", "queries", "seconds")
    for row in rows:
        *cells, _ = map(str, asdict(row).values())
        table.add_row(*cells, style=None if row.as_expected else "red")
    Console().print(table)
    for fault in faults:
        say(f"error: {fault}")


def write(rows: list[Row]) -> None:
    """Keep the figures of a run in which everything went well."""
    from datadeed.files import atomic_path

    with atomic_path(RESULTS) as path, path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Row)], lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(row) for row in rows)


def say(line: str) -> None:
    """A line for the user."""
    sys.stderr.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main())
