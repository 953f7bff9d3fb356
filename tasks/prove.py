"""Put a keyed watermark's proof to the thief's model and to an honest one, and show the verdicts.

Writes a folder of evidence for each (``thief``, ``honest``), with the published test of the same
watermark beside it (``published.json``). Evidence is dated, so this is no stage of DVC's: the same
models give other bytes every time.
"""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from datadeed.datasets.form.dataset import Dataset
from datadeed.datasets.form.parquet import read_dataset
from datadeed.datasets.formats.registry import read
from datadeed.files import read_json, write_json
from datadeed.keys.generation2 import Key2
from datadeed.models.model import Model
from datadeed.models.stored import load_model
from datadeed.owner.evidence.report_text import e_value, p_value, percent
from datadeed.owner.evidence.schema import read_evidence
from datadeed.owner.verify import verify
from datadeed.randomness import derive_seed
from datadeed.verification import published
from datadeed.verification.answers import ask
from datadeed.watermarks.carriers.registry import pool_images
from datadeed.watermarks.keyed2 import KeyPart2
from tasks.common import DATA, model_arguments, parameters, set_threads, stage
from tasks.progress import Progress

SUSPECTS = ("thief", "honest")
M, TAU = 100, 0.2  # of the published test


def prove(dataset: str, network: str, watermark: str, seed: int) -> None:
    """Verify both models and write their evidence."""
    set_threads()
    marked = DATA / "watermarked" / f"{dataset}-{watermark}"
    own = marked / "pool.parquet"  # else the test set
    test = read(own) if own.exists() else read_dataset(DATA / "datasets" / dataset / "test.parquet")
    record = read_json(marked / "key.json")
    key = Key2.from_record(record["watermark"]["key"])
    name = f"{dataset}-{network}-{watermark}-{seed}"
    models = {"thief": name, "honest": f"{dataset}-{network}-none-{seed}"}
    progress = Progress(len(models), "suspects", f"prove {name}")
    for done, (who, model) in enumerate(models.items(), 1):
        folder = DATA / "proofs" / name / who
        shutil.rmtree(folder, ignore_errors=True)
        place = DATA / "models" / model
        verify(place, key, test, folder)
        rng = np.random.default_rng(derive_seed(parameters("seed"), "prove", name, who))
        write_json(folder / "published.json", published_test(load_model(place), key, test, rng))
        progress.update(done, who)
    progress.close()


def published_test(
    suspect: Model, key: Key2, pool: Dataset, rng: np.random.Generator
) -> dict[str, Any]:
    """DVBW's probability test with the key's first part as its only trigger."""
    part = KeyPart2(key, 0, pool_images(key, pool.samples))
    assert part.target is not None
    rows = published.draw_rows(pool.labels.numpy(), target=part.target, m=M, rng=rng)
    answers = ask(suspect, part, pool.take(torch.from_numpy(rows)))
    return {
        "delta_p": published.delta_p(answers),
        "p_value": published.dvbw_probability_test(answers, TAU),
        "queries": 2 * M,
    }


def verdicts(folder: Path) -> Table:
    """Both suspects' verdicts, for a terminal of 80 columns.

    Hits are of the key's triggers; decoys, of other parts' triggers on the same images.
    """
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("suspect", no_wrap=True)
    for name in ("E", "hits", "decoys", "effect", "questions"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    for who in SUSPECTS:
        evidence = read_evidence(folder / who / "evidence.json")
        effect = evidence["effect"]
        texts = (
            who,
            e_value(evidence["key_layer"]["log_e"]),
            f"{effect['block_hits']}/{effect['block_asked']}",
            f"{effect['other_hits']}/{effect['other_asked']}",
            f"< {percent(max(effect['high'], 0.0), up=True)}" if effect["pairs"] else "",
            str(len(evidence["curve"])),
            evidence["verdict"]["word"],
        )
        table.add_row(*map(Text, texts))
    return table


@stage
def main() -> None:
    """Command line."""
    names = model_arguments(__doc__)
    prove(*names)
    name = "-".join(map(str, names))
    folder = DATA / "proofs" / name
    console = Console()
    console.print(Text(name))
    found = {who: read_json(folder / who / "published.json")["p_value"] for who in SUSPECTS}
    said = ", ".join(f"{who} p {p_value(p)}" for who, p in found.items())
    console.print(Text(f"published t-test, {2 * M} queries: {said}; ours:"))
    console.print(verdicts(folder))
    for who in SUSPECTS:
        console.print(str(folder / who / "report.html"), markup=False, highlight=False)


if __name__ == "__main__":
    main()
