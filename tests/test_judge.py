"""``examples/judge.py``, which shares no line with datadeed, agrees with ``reveal --check``."""

import ast
import json
import runpy
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from datadeed.files import write_json
from datadeed.keys.generation2 import CARRIERS, Design2, Key2
from datadeed.keys.key import Beacon, Extent
from datadeed.owner.asking import OutOfReach
from datadeed.owner.evidence.records import read_record
from datadeed.owner.verify import verify
from datadeed.watermarks.carriers.registry import pool_images
from datadeed.watermarks.keyed2 import KeyPart2
from tests.cli.world import data
from tests.conftest import toy
from tests.datasets.formats.writers import write
from tests.judge_toys import (
    CASES,
    JUDGE,
    POOL,
    Say,
    Toy,
    both,
    filters,
    honest,
    judge,
    new_key,
    run,
    thief,
    weak,
)


@pytest.fixture(autouse=True)
def _no_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("datadeed.owner.evidence.report.render_proof", lambda *_, **__: "<p></p>")
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Holds the pool."""
    root = tmp_path_factory.mktemp("judge")
    write(POOL, root / "pool.npz", format="npz")
    write(data(100, seed=2), root / "other.npz", format="npz")
    return root


@pytest.mark.parametrize("name", CASES)
def test_they_agree_on_a_folder(name: str, place: Path) -> None:
    folder = place / name
    key, evidence = run(name, folder)
    assert CASES[name][0] in ("", evidence["verdict"]["word"])
    assert evidence["effect"]["excluded"] or name != "signs"
    assert both(key, folder, place / "pool.npz") == [6, 6]


def test_they_agree_on_several_suspects_and_keys(place: Path) -> None:
    key, evidence = run("thief", place / "several", suspects=3, keys=7)
    assert evidence["key_layer"]["bar"] == 3 * 7 / 1e-6
    assert both(key, place / "several", place / "pool.npz") == [6, 6]


@pytest.mark.parametrize("away", [range(20, 32), range(22, 40), range(50, 90)])
def test_they_agree_on_a_suspect_that_was_out_of_reach(away: range, place: Path) -> None:
    key = new_key(budget=100)
    suspect = Toy(key, weak, away=away)
    folder = place / f"away {away}"
    for _ in range(30):
        try:
            evidence = verify(suspect, key, POOL, folder).evidence
            break
        except OutOfReach:
            pass
    assert evidence["queries"]["in_vain"] > 0
    assert both(key, folder, place / "pool.npz") == [6, 6]


def test_they_agree_on_a_key_with_a_beacon(place: Path) -> None:
    key = new_key(Beacon("drand quicknet", 10**7, "ab" * 48))
    verify(Toy(key, thief), key, POOL, place / "beacon")
    assert both(key, place / "beacon", place / "pool.npz") == [6, 6]


def test_they_agree_on_a_pool_of_a_few_images(place: Path) -> None:
    pool = data(12, seed=5)
    write(pool, place / "few.npz", format="npz")
    key = new_key(pool=pool)
    verify(Toy(key, weak, pool=pool), key, pool, place / "few")
    assert both(key, place / "few", place / "few.npz") == [6, 6]


def test_they_agree_on_a_suspect_that_has_no_part_s_target(place: Path) -> None:
    key = new_key(parts=2)
    groups = tuple((k,) for k in range(10) if k not in (key.target(0), key.target(1)))
    verify(Toy(key, honest, groups=groups), key, POOL, place / "none")
    assert both(key, place / "none", place / "pool.npz") == [6, 6]


@pytest.mark.parametrize("say", [thief, weak, filters])
@pytest.mark.parametrize("name", ["mosaic", "grating", "cutout", "mixed"])
def test_they_agree_on_other_carriers(name: str, say: Say, place: Path) -> None:
    pool = toy(100, classes=10, shape=(3, 16, 17))
    write(pool, place / "larger.npz", format="npz")
    key = new_key(pool=pool, carrier={"name": name}, parts=12)
    verify(Toy(key, say, pool=pool), key, pool, place / f"{name} {say.__name__}")
    assert both(key, place / f"{name} {say.__name__}", place / "larger.npz") == [6, 6]


@pytest.mark.parametrize(
    ("name", "parts"),
    [("mosaic", 12), ("mosaic", 48), ("grating", 7), ("cutout", 12), ("mixed", 12), ("mixed", 20)],
)
def test_it_draws_grey_images(name: str, parts: int) -> None:
    design = Design2(POOL.classes, 1, tuple(range(10)), parts, carrier={"name": name})
    key = Key2(bytes(32), bytes(32), design, Extent(9, ""), Extent(70, ""))
    pool, row = toy(70, classes=10, shape=(1, 28, 30)).samples, 4
    made = runpy.run_path(str(JUDGE.with_name("judge_carriers.py")))["Drawing"]
    images = pool.permute(0, 2, 3, 1).numpy()
    drawing = made(lambda count, *name: key.words(*name, count=count), images, parts)
    image = pool[row].numpy().astype(int)
    for part in range(parts):
        one = KeyPart2(key, part, pool_images(key, pool))
        asked = {
            ("trigger", part): one.stamp(pool[[row]]),
            ("decoy", part, row): one.decoy(pool[[row]], row),
        }
        for words, seen in asked.items():
            assert np.array_equal(getattr(drawing, name)(image, *words), seen[0].numpy())


Change = Callable[[dict[str, Any], list[dict[str, Any]]], None]


def word(evidence: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    evidence["verdict"]["word"] = "CLAIM"


def log_e(evidence: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    evidence["key_layer"]["log_e"] += 1e-6


def effect(evidence: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    evidence["effect"]["high"] -= 1e-6


def bar(evidence: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    evidence["multiplicity"]["keys"] += 1


def findings(evidence: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    evidence["findings"].append("It refuses.")


def design(evidence: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    evidence["design"]["alpha"] = 0.5


def counts(evidence: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    evidence["queries"]["pair"] += 1


def record(evidence: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    rows[30]["labels"] = [(rows[30]["labels"][0] + 1) % 10]


def answer(evidence: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    for place, row in enumerate(rows[17:29]):
        row["labels"] = [place % 10]
    chain(evidence, rows)


def dropped(evidence: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    del rows[29:31]
    chain(evidence, rows)
    evidence["queries"]["pair"] -= 1
    evidence["queries"]["decoy"] -= 1


def repeated(evidence: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    rows.append(dict(rows[-1]))
    chain(evidence, rows)
    evidence["queries"][rows[-1]["purpose"]] += 1


def cut(evidence: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    del rows[-1]


def probes(evidence: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    rows[3]["question"] = rows[4]["question"]
    chain(evidence, rows)


def chain(evidence: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    """Chain the log anew, as a forger would."""
    head = evidence["chain"]["anchor"]
    for seq, row in enumerate(rows):
        made = replace(read_record(row | {"seq": seq, "previous": head}), hash="")
        head = made.digest()
        row |= {"seq": seq, "previous": made.previous, "hash": head}
    evidence["chain"] |= {"head": head, "rows": len(rows)}


CHANGES = (word, log_e, effect, bar, findings, design, counts, record, answer, dropped)
CHANGES += (repeated, cut, probes)


@pytest.fixture(scope="module")
def world(place: Path) -> tuple[Key2, Path]:
    """An honest suspect's folder, to be altered."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("datadeed.owner.evidence.report.render_proof", lambda *_, **__: "<p></p>")
        return run("honest", place / "world")[0], place / "world"


@pytest.mark.parametrize("change", CHANGES)
def test_both_refuse_what_was_altered(change: Change, world: tuple[Key2, Path]) -> None:
    key, made = world
    folder = made.with_name(f"altered {change.__name__}")
    shutil.copytree(made, folder)
    evidence = json.loads((folder / "evidence.json").read_text())
    rows = [json.loads(line) for line in (folder / "queries.jsonl").read_text().splitlines()]
    change(evidence, rows)
    write_json(folder / "evidence.json", evidence)
    lines = [json.dumps(row, sort_keys=True, separators=(",", ":")) + "\n" for row in rows]
    (folder / "queries.jsonl").write_text("".join(lines))
    schema = pq.read_schema(folder / "queries.parquet")
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), folder / "queries.parquet")
    assert both(key, folder, made.with_name("pool.npz")) == [1, 1]


def test_both_refuse_another_pool_and_another_key(world: tuple[Key2, Path]) -> None:
    key, folder = world
    assert both(key, folder, folder.with_name("other.npz")) == [1, 1]
    other = Key2(b"x" * 32, key.salt, key.design, key.data, key.pool)
    assert both(other, folder, folder.with_name("pool.npz")) == [1, 1]


def test_the_judge_reads_the_published_commitment(world: tuple[Key2, Path]) -> None:
    key, folder = world
    pool, opening = folder.with_name("pool.npz"), folder.with_suffix(".opening.json")
    published = folder.with_suffix(".commitment.json")
    write_json(opening, {"form": "datadeed/opening/1", "key": key.record()})
    write_json(published, key.public())
    assert judge(folder, opening, pool, "--commitment", published) == 6
    write_json(published, key.public() | {"commitment": "ab" * 32})
    assert judge(folder, opening, pool, "--commitment", published) == 1


def test_it_says_what_it_found_and_needs_numpy_alone(
    world: tuple[Key2, Path], tmp_path: Path
) -> None:
    key, folder = world
    opening = tmp_path / "opening.json"
    write_json(opening, {"form": "datadeed/opening/1", "key": key.record()})
    line = [sys.executable, JUDGE, folder, opening, folder.with_name("pool.npz")]
    done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (6, "")
    words = [line.split()[0] for line in done.stdout.splitlines()]
    assert words == ["passed"] * 6 + ["missing", "stated"]
    write_json(opening, {"form": "datadeed/opening/1", "key": key.record() | {"salt": "ab" * 32}})
    done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.startswith("FAILED")


def test_it_is_short_and_imports_nothing_of_datadeed() -> None:
    texts = [JUDGE.read_text(), JUDGE.with_name("judge_carriers.py").read_text()]
    assert all(len(text.splitlines()) < most for text, most in zip(texts, (165, 130), strict=True))
    nodes = [node for text in texts for node in ast.walk(ast.parse(text))]
    named = {a.name.split(".")[0] for n in nodes if isinstance(n, ast.Import) for a in n.names}
    named |= {str(n.module).split(".")[0] for n in nodes if isinstance(n, ast.ImportFrom)}
    assert named <= {*sys.stdlib_module_names, np.__name__}


def test_they_take_the_same_share_of_right_answers_for_a_filter() -> None:
    shares = {name: kind.kept for name, kind in CARRIERS.items() if kind.modality == "image"}
    (kept,) = (
        ast.literal_eval(node.value)
        for node in ast.parse(JUDGE.read_text(encoding="utf-8")).body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "KEPT"
    )
    assert {name: kept.get(name, 1) for name in shares} == shares
