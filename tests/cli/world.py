"""A small owner's world: data, a pool, a key, and suspects whose answers are known in advance."""

import contextlib
import dataclasses
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import torch

from datadeed.cli import main
from datadeed.datasets.form.dataset import Dataset
from datadeed.datasets.formats.registry import read
from datadeed.keys.generation2 import Key2, key_from_record
from datadeed.keys.sealing import read_secret
from datadeed.owner.evidence.log import read_parquet
from datadeed.owner.evidence.records import QUESTIONS, Record
from datadeed.owner.suspects.base import question_digest
from datadeed.verification.proof2 import Proof2
from datadeed.watermarks.keyed2 import KeyPart2
from tests.conftest import toy
from tests.datasets.formats.writers import write

CLASSES, ROWS, POOL = 10, 200, 100
# Six parts of ten classes that all bring their labels about: E is above 1000 after one image. A
# toy's suspects know the key, so that ten marks are enough for them.
DESIGN = ("--parts", "6", "--alpha", "1e-3", "--rate", "0.05", "--few-marks")
FILES = {"npz": "data.npz", "imagefolder": "folder", "huggingface": "parquet"}

DECOY = -1  # in place of a part; None is a clean image
Respond = Callable[[Key2, int | None, int], int | str]  # (key, part, true label) to a label


@dataclass(frozen=True)
class Result:
    """What a command left: its exit code and what it printed."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        return json.loads(self.out)


def run(*arguments: object) -> Result:
    """Run a command as a shell would, here in this process."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as error:  # argparse
            code = int(error.code or 0)
    return Result(code, out.getvalue(), err.getvalue())


def data(n: int = ROWS, seed: int = 0, classes: int = CLASSES, size: int = 12) -> Dataset:
    """(N, 3, size, size) images, all different."""
    return toy(n, classes=classes, shape=(3, size, size), seed=seed)


def thief(key: Key2, part: int | None, label: int) -> int:
    """Says the target whenever there is a trigger of the key."""
    return label if part in (None, DECOY) else key.target(part)


def honest(key: Key2, part: int | None, label: int) -> int:
    """Is always right."""
    return label


@dataclass(frozen=True)
class World:
    """A folder with ``data``, a pool and what commands put beside them."""

    root: Path
    format: str = "npz"
    carrier: tuple[str, ...] = ("--carrier", "patch")  # for images below 16 pixels
    size: int = 12

    @property
    def source(self) -> Path:
        return self.root / FILES[self.format]

    @property
    def pool(self) -> Path:
        return self.root / "pool.npz"

    @property
    def key_file(self) -> Path:
        return self.root / "safe/key.json"

    @property
    def out(self) -> Path:
        return self.root / "evidence"

    def make(self) -> "World":
        """Write the data and the pool."""
        split = "train" if self.format == "huggingface" else None
        write(data(size=self.size), self.source, format=self.format, split=split)
        write(data(POOL, seed=1, size=self.size), self.pool, format="npz")
        return self

    def commit(self, *more: object) -> Result:
        where = ("--key", self.key_file, "--pool", self.pool)
        return run("commit", self.source, *where, *DESIGN, *self.carrier, *more)

    def watermark(self, *more: object) -> Result:
        released = self.root / f"released{self.source.suffix}"
        where = ("--key", self.key_file, "--pool", self.pool, "--out", released)
        return run("watermark", self.source, *where, *DESIGN, *self.carrier, *more)

    def verify(self, suspect: Path, *more: object, out: Path | None = None) -> Result:
        where = ("--key", self.key_file, "--pool", self.pool, "--out", out or self.out)
        return run("verify", "--suspect", suspect, *where, *more)

    def open(self) -> Result:
        return run("reveal", "--key", self.key_file, "--opening", self.root / "opening.json")

    def check(self, *more: object, pool: Path | None = None, out: Path | None = None) -> Result:
        where = ("--check", out or self.out, "--pool", pool or self.pool)
        return run("reveal", "--opening", self.root / "opening.json", *where, *more)

    def key(self, passphrase: str | None = None) -> Key2:
        key = key_from_record(read_secret(self.key_file, passphrase))
        assert isinstance(key, Key2)
        return key

    def records(self, out: Path | None = None) -> list[Record]:
        anchor = self.evidence(out)["chain"]["anchor"]
        return read_parquet((out or self.out) / "queries.parquet", anchor)

    def evidence(self, out: Path | None = None) -> dict[str, Any]:
        return json.loads(((out or self.out) / "evidence.json").read_text())

    def answers(self, respond: Respond) -> dict[str, int | str]:
        """The digest of every image that could be asked about, and what ``respond`` says to it."""
        key, pool = self.key(), read(self.pool)
        table: dict[str, int | str] = {}
        for part in (None, *range(key.design.parts)):
            images = pool.samples if part is None else KeyPart2(key, part).stamp(pool.samples)
            for image, label in zip(images, pool.labels.tolist(), strict=True):
                table[question_digest(image)] = respond(key, part, label)
        for part, row in Proof2(key, pool.labels.numpy()).pairs.tolist():
            image = KeyPart2(key, part).decoy(pool.samples[row : row + 1], row)[0]
            table[question_digest(image)] = respond(key, DECOY, int(pool.labels[row]))
        return table

    def recorded(self, respond: Respond, name: str = "suspect") -> Path:
        """A suspect whose answers were recorded; "fail" is no answer."""
        rows = [
            {"question": question, "error": "asleep"}
            if label == "fail"
            else {"question": question, "labels": [label]}
            for question, label in self.answers(respond).items()
        ]
        log = self.root / f"{name}.jsonl"
        log.write_text("".join(json.dumps(row) + "\n" for row in rows))
        suspect = self.root / f"{name}.yaml"
        suspect.write_text(f"protocol: log\npath: {log.name}\noutput: {{kind: labels}}\n")
        return suspect

    def served(self, url: str, *, kind: str = "labels", token: str = "", **limits: object) -> Path:
        """A suspect behind a server that takes uint8 pixels as JSON; ``token`` names a variable."""
        values: dict[str, Any] = {
            "name": "served",
            "protocol": "json",
            "url": url,
            "request": {"x": "{{image}}"},
            "input": {"channels": 3, "height": 12, "width": 12, "dtype": "uint8"},
            "output": {"kind": kind},
            "limits": {"retries": 0, **limits},
        }
        if token:
            values["authorisation"] = {"environment": token}
        path = self.root / "served.yaml"
        path.write_text(json.dumps(values))
        return path


def pixels_digest(body: Any) -> str:
    """The digest of the image in a request's body."""
    return question_digest(torch.tensor(body["x"], dtype=torch.uint8).reshape(-1, 12, 12))


def files_under(folder: Path) -> Iterator[Path]:
    """Every file, with hidden ones."""
    return (path for path in folder.rglob("*") if path.is_file())


def forge(world: World, change: Callable[[list[Record]], list[Record]]) -> None:
    """Rewrite the log, chained anew as a forger would, and the head that the evidence states."""
    evidence, records = world.evidence(), []
    head = evidence["chain"]["anchor"]
    for record in change(world.records()):
        forged = dataclasses.replace(record, seq=len(records), previous=head)
        forged = dataclasses.replace(forged, hash=forged.digest())
        records.append(forged)
        head = forged.hash
    schema = pq.read_schema(world.out / "queries.parquet")
    table = pa.Table.from_pylist([record.values() for record in records], schema=schema)
    pq.write_table(table, world.out / "queries.parquet")
    evidence["chain"] |= {"head": head, "rows": len(records)}
    for purpose in QUESTIONS:
        evidence["queries"][purpose] = sum(record.purpose == purpose for record in records)
    (world.out / "evidence.json").write_text(json.dumps(evidence))
