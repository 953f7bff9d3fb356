"""What the proof says of models that never saw the key's data.

``tasks.study proof innocents`` asks every model of the scale in force under keys of its own: benign
models, models with other watermarks, and models with other keys. It writes ``innocents.csv``, a row
a model and key. ``tasks.study proof innocents summary [FILE ...]`` makes of that file, or of
several scales' files, ``innocents-summary.csv``, ``null-rate.csv`` and ``innocents.png``.

What is exact: keys are drawn anew for every model, so that the runs are independent of each other,
whatever the models are. The number of runs that reach an e-value of 1/alpha is then at most
binomial with that rate, and the interval beside it is exact. The hit rates are no such thing: they
say what these models do, and the model is the unit.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from datadeed.errors import ParameterError
from datadeed.files import atomic_path, write_text
from datadeed.keys.key import Key
from datadeed.verification.layers import Question
from datadeed.verification.metrics import Rate
from datadeed.verification.population import NullRate, tolerance_null_rate
from datadeed.verification.proof import Proof
from datadeed.verification.verdict import CLAIM
from papers.base import Case, Lab
from papers.proof.keys import base_key, other_key
from papers.proof.models import family, grid_models, keyed_models
from papers.proof.trials import PoolAnswers, full_key_layer, run_together

LEVELS = (0.05, 0.01, 1e-6)  # the e-value is compared with one over each
ENOUGH = 5  # questions to a part before its hit rate is looked at


def rows_of(lab: Lab, case: Case, base: Key, keys: int, pairs: int) -> list[dict[str, Any]]:
    """Ask one model under ``keys`` keys of its own.

    Args:
        lab: where it lies.
        case: who is asked.
        base: the keys are of its design.
        keys: how many keys.
        pairs: pairs of a part and an image that its hit rate under a key is measured on; more
            than the behaviour layer asks, as that stops early.

    Returns:
        One row a key.
    """
    pool = lab.test(case.dataset)
    drawn = [other_key(base, f"{case} {n}") for n in range(keys)]
    proofs = [Proof(key, pool.labels.numpy()) for key in drawn]
    respond = PoolAnswers(lab.model(case), pool.samples)
    full = [full_key_layer(proof) for proof in proofs]
    run_together(full, respond)
    run_together(proofs, respond)
    return [
        {
            **asdict(case),
            "family": family(case),
            "key": n,
            "log_e_key": layer.log_e,
            "log_e_key_max": layer.log_e_max,
            "word": proof.verdict()[0],
            "hits": proof.behaviour_layer.hits,
            "n": proof.behaviour_layer.queries,
            "queries": len(proof.curve),
            **hit_rates(proof, respond, pairs),
        }
        for n, (proof, layer) in enumerate(zip(proofs, full, strict=True))
    ]


def hit_rates(proof: Proof, respond: PoolAnswers, pairs: int) -> dict[str, Any]:
    """The share of the first ``pairs`` pairs that are hits; parts that hit more often than not."""
    layer = proof.behaviour_layer
    chosen = layer.pairs[:pairs]
    asked = [(proof.key, Question("behaviour", int(p), int(row))) for p, row in chosen]
    hits = np.array(respond(asked)) == layer.targets[chosen[:, 0]]
    parts = proof.key.design.parts
    asked_of, hits_of = (np.bincount(x, minlength=parts) for x in (chosen[:, 0], chosen[hits, 0]))
    enough = asked_of >= ENOUGH
    return {
        "pairs": len(chosen),
        "rate": hits.mean(),
        "parts_seen": int(enough.sum()),
        "parts_above_half": int((2 * hits_of > asked_of)[enough].sum()),
    }


def summary(rows: pd.DataFrame) -> pd.DataFrame:
    """How often the innocent are accused, in all and by dataset and network, against the bounds."""
    events = [(f"key layer reaches {1 / level:g}", level) for level in LEVELS]
    reached = {name: rows.log_e_key_max >= -math.log(level) for name, level in events}
    reached["CLAIM"] = rows.word == CLAIM
    scope = rows.dataset + " " + rows.network
    return pd.DataFrame(
        {
            "event": event,
            "scope": where,
            "models": rows[inside].groupby(["dataset", "network", "watermark", "seed"]).ngroups,
            "runs": int(inside.sum()),
            "count": int(happened[inside].sum()),
            **dict(zip(("rate", "low", "high"), _rate(happened[inside]), strict=True)),
            "bound": bound,
        }
        for where in ("all", *sorted(scope.unique()))
        for inside in [(scope == where) | (where == "all")]
        for (event, happened), bound in zip(reached.items(), (*LEVELS, LEVELS[-1]), strict=True)
    )


def _rate(happened: pd.Series) -> tuple[float, float, float]:
    found = Rate(int(happened.sum()), len(happened))
    return found.value, *found.interval


def supported_null_rate(rows: pd.DataFrame) -> tuple[NullRate, pd.DataFrame]:
    """The null rate that the models support, and it as a table: a row a family, and all."""
    names = ["dataset", "network", "watermark", "seed"]
    by_key = rows.pivot_table(index=[*names, "family"], columns="key", values="rate", sort=False)
    families = by_key.index.get_level_values("family").tolist()
    found = tolerance_null_rate(by_key.to_numpy(), families)
    mean = by_key.mean(axis=1).groupby(level="family").mean()
    table = [
        {
            "family": family,
            "models": families.count(family),
            "mean_rate": mean[family],
            "largest_rate": largest,
            "above_all_others": found.left_out.get(family),
        }
        for family, largest in found.by_family.items()
    ]
    whole = {"family": "all", "models": found.models, "mean_rate": by_key.mean(axis=1).mean()}
    whole |= {"largest_rate": found.rate, "source": found.source}
    whole |= {"models_wanted": found.models_wanted}
    whole["confidence"] = 1 - found.coverage**found.models
    return found, pd.DataFrame([*table, whole]).astype({"models_wanted": "Int64"})


def plot(rows: pd.DataFrame, path: Path) -> None:
    """E-values against Markov's bound on the left, hit rates by family on the right."""
    from matplotlib.figure import Figure  # half a second to import

    figure = Figure(figsize=(9, 3.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    log10 = np.sort(rows.log_e_key_max.to_numpy()) / math.log(10)
    left.step(log10, 1 - np.arange(len(log10)) / len(log10), where="pre", label="innocent models")
    grid = np.linspace(0, 6, 50)
    left.plot(grid, 10**-grid, "--", color="0.4", label="bound: 1/e")
    left.set(yscale="log", xlim=(0, 6.2), ylim=(1e-6, 1.5))
    left.set(xlabel="e-value of the key layer, log10", ylabel=f"share of {len(rows)} runs")
    left.axvline(6, color="C3", linewidth=1)
    left.text(5.9, 0.5, "claim", color="C3", ha="right")
    left.legend(loc="lower left", frameon=False)
    families = sorted(rows.family.unique(), reverse=True)
    spread = [rows.rate[rows.family == family].to_numpy() for family in families]
    right.boxplot(spread, orientation="horizontal", whis=(0, 100), widths=0.6)
    right.set_yticks(range(1, len(families) + 1), families, fontsize=7)
    right.axvline(0.25, color="C3", linewidth=1)
    right.text(0.245, len(families) + 0.55, "granted", color="C3", ha="right", va="bottom")
    right.set(
        xlim=(0, max(0.3, 1.05 * rows.rate.max())), xlabel="hit rate of random triggers under a key"
    )
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=110, format=path.suffix[1:])


def ask_all(lab: Lab) -> None:
    """Ask every model; write ``innocents.csv``."""
    values = lab.params("experiments", "innocents")
    models = [*grid_models(lab), *keyed_models(lab)]
    base = {dataset: base_key(lab, dataset) for dataset in {case.dataset for case in models}}
    rows = []
    with lab.progress(len(models), "models", "innocents") as update:
        for done, case in enumerate(models, 1):
            rows += rows_of(lab, case, base[case.dataset], values["keys"], values["pairs"])
            update(done, str(case))
    table = pd.DataFrame(rows).to_csv(index=False, float_format="%.6g")
    write_text(lab.results / "innocents.csv", table)
    claims = sum(row["word"] == CLAIM for row in rows)
    print(f"{claims} claims in {len(rows)} runs on {len(models)} models")  # noqa: T201


def summarise(lab: Lab, files: Sequence[Path]) -> None:
    """Write both summaries and the plot of all files."""
    try:
        rows = pd.concat([pd.read_csv(file) for file in files or [lab.results / "innocents.csv"]])
    except FileNotFoundError as error:
        raise ParameterError(f"{error.filename} does not exist: run innocents first") from error
    null_rate, families = supported_null_rate(rows)
    for name, table in (("innocents-summary", summary(rows)), ("null-rate", families)):
        text = table.to_csv(index=False, float_format="%.6g")
        write_text(lab.results / f"{name}.csv", text)
    plot(rows, lab.figures / "innocents.png")
    print(f"{null_rate.models} models: {null_rate.rate:.3f}, {null_rate.source}")  # noqa: T201


def run(lab: Lab, *words: str) -> None:
    """No words: ask every model. ``summary FILE ...``: tables and plot of what was asked.

    Raises:
        ParameterError: other words, or a file is missing.
    """
    if not words:
        ask_all(lab)
    elif words[0] == "summary":
        summarise(lab, [Path(word) for word in words[1:]])
    else:
        raise ParameterError(f"innocents {words[0]!r}: give nothing, or summary and tables")
