"""The league of thieves: ``python -m tasks.study thieves league DATASET``.

Every thief of every kind takes the marked data of a carrier, and the owner verifies what he
serves: by labels and by scores, over several orders of a pool of hard images. Writes a row a thief,
carrier and seed to ``thieves-DATASET.csv`` as soon as it is there. A run that was killed repeats no
finished row and no finished training.
"""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from datadeed.files import canonical_digest, read_json, write_json, write_text
from datadeed.randomness import derive_seed
from datadeed.verification.proof2 import Proof2
from datadeed.verification.repeated import Questions, Verification, asked_otherwise, verify
from datadeed.verification.verdict import CLAIM, NOT_SUPPORTED
from datadeed.watermarks.carriers.registry import CARRIERS
from papers.base import Lab
from papers.thieves import kept
from papers.thieves.corpus import Corpus
from papers.thieves.entries import Entry, Stolen
from papers.thieves.kinds import cleaning, extraction, plain, practice, repair, serving
from papers.thieves.setting import Setting

# In the order in which they are run: those who need no training come first.
KINDS: dict[str, Callable[[Setting], Iterator[Entry]]] = {
    "plain": plain.entries,
    "serving": serving.entries,
    "repair": repair.entries,
    "practice": practice.entries,
    "extraction": extraction.entries,
    "cleaning": cleaning.entries,
}
OFTEN = ("plain", "practice", "serving")  # who take every carrier
WITHIN = 240  # questions: claims in so many are counted
RULES = ("labels", "scores")
COLUMNS = [
    *("dataset", "carrier", "kind", "thief", "seed", "accuracy", "honest_accuracy", "success"),
    *("recall", "precision", "verdict_labels", "questions_labels", "verdict_scores"),
    *("questions_scores", "claimed_labels", "claimed_scores", "not_supported", "findings"),
    *("largest_log10_e", "runs", "stage"),
]


class Panel:
    """How the owner asks the thieves of one release.

    Args:
        setting: the release.
    """

    def __init__(self, setting: Setting):
        self.setting, self._kept = setting, dict[str, list[Verification]]()

    def verifications(self, hosts: str) -> list[Verification]:
        """Both rules over each order of the pool: all of "labels" first."""
        if hosts not in self._kept:
            setting, corpus = self.setting, self.setting.corpus
            pool = corpus.pool if hosts == "hard" else corpus.drawn_pool
            questions = Questions(
                asked_otherwise(setting.key, answers="labels", pool=corpus.extents[hosts]), pool
            )
            seed = derive_seed(setting.lab.seed, "thieves", setting.dataset, "orders")
            rng, runs = np.random.default_rng(seed), setting.lab.params("runs")
            orders = [rng.permutation(len(pool)) for _ in range(runs)]
            keys = [asked_otherwise(questions.key, answers=rule) for rule in RULES]
            self._kept[hosts] = [
                Verification(key, questions, order) for key in keys for order in orders
            ]
        return self._kept[hosts]

    def of_others(self, count: int) -> list[Verification]:
        """Both rules under each of some other keys, over the pool's own order."""
        pool = self.setting.pool
        asked = [Questions(self.setting.other_key(n), pool) for n in range(count)]
        return [
            Verification(asked_otherwise(each.key, answers=rule), each, np.arange(len(pool)))
            for rule in RULES
            for each in asked
        ]

    def proofs(self, entry: Entry, endpoint: Any) -> dict[str, list[Proof2]]:
        """Finished proofs, by the rule of answers."""
        wanted = self.of_others(entry.others) if entry.others else self.verifications(entry.hosts)
        done = verify(endpoint, wanted)
        half = len(done) // 2
        return dict(zip(RULES, (done[:half], done[half:]), strict=True))


def summary(proofs: dict[str, list[Proof2]]) -> dict[str, Any]:
    """What many verifications of an endpoint came to.

    Of each rule: ``verdict``, the most frequent; ``questions``, the median until it ends;
    ``claimed``, the share of verifications that claim within WITHIN questions. ``success`` is the
    share of marked images in blocks that get their part's label, ``not_supported`` and
    ``findings`` the share of verifications by labels that end so.
    """
    found: dict[str, Any] = {}
    for rule, done in proofs.items():
        words, asked = [p.verdict()[0] for p in done], [len(p.curve) for p in done]
        early = [w == CLAIM and n <= WITHIN for w, n in zip(words, asked, strict=True)]
        found[f"verdict_{rule}"] = max(sorted(set(words)), key=words.count)
        found[f"questions_{rule}"] = float(np.median(asked))
        found[f"claimed_{rule}"] = float(np.mean(early))
    by_labels = proofs["labels"]
    hits = sum(int(p.blocks.hits.sum()) for p in by_labels)
    asked_in_blocks = sum(p.blocks.count * len(p.labels.kept) for p in by_labels)
    return found | {
        "success": hits / asked_in_blocks if asked_in_blocks else np.nan,
        "not_supported": float(np.mean([p.verdict()[0] == NOT_SUPPORTED for p in by_labels])),
        "findings": float(np.mean([bool(p.findings()) for p in by_labels])),
        "largest_log10_e": max(p.log_e for done in proofs.values() for p in done) / np.log(10),
        "runs": len(by_labels),
    }


def row_of(setting: Setting, entry: Entry, panel: Panel) -> dict[str, Any]:
    """A thief's row."""
    start, stolen = time.monotonic(), entry.build()
    built = time.monotonic()
    row = {
        "dataset": setting.dataset,
        "carrier": setting.carrier,
        "kind": entry.kind,
        "thief": entry.thief,
        "seed": setting.seed,
        "recall": stolen.recall,
        "precision": stolen.precision,
        "stage": f"papers/thieves/dvc.yaml:league@{setting.dataset}",
        **asked(setting, entry, panel, stolen),
    }
    seconds = f"{built - start:.0f} s to build, {time.monotonic() - built:.0f} s to verify"
    print(f"{setting.carrier} {setting.seed} {entry.kind} {entry.thief}: {seconds}")  # noqa: T201
    return row


def asked(setting: Setting, entry: Entry, panel: Panel, stolen: Stolen) -> dict[str, Any]:
    """What is known of a thief's endpoint once it was asked; nothing, where there is none."""
    endpoint, honest = stolen.endpoint, stolen.honest
    if endpoint is None:
        return {}
    if honest is None:
        honest = setting.honest_accuracy(endpoint.groups)
    found = {"accuracy": setting.accuracy(endpoint), "honest_accuracy": honest}
    return found | summary(panel.proofs(entry, endpoint))


def settings(corpus: Corpus) -> Iterator[tuple[Setting, str]]:
    """Every release and a kind of thieves who take it, in the order in which they are run."""
    scale = corpus.lab.settings("thieves")
    for seed in scale["seeds"]:
        for carrier in scale["carriers"]:
            setting = Setting(corpus, carrier, seed)
            yield from ((setting, kind) for kind in KINDS if in_full(setting) or kind in OFTEN)
    for seed in scale["more_keys"]:
        for carrier in scale["carriers"]:
            yield Setting(corpus, carrier, seed), "plain"


def in_full(setting: Setting) -> bool:
    """Whether every thief takes this carrier."""
    return setting.carrier in setting.lab.settings("thieves", "in_full")


def run(lab: Lab, dataset: str) -> None:
    """Write the table of a dataset."""
    corpus, rows = Corpus(lab, dataset), list[dict[str, Any]]()
    panel: Panel | None = None
    for setting, kind in settings(corpus):
        if panel is None or panel.setting is not setting:
            panel = Panel(setting)
        for path, entry in named(setting, kind):
            if not path.exists():
                write_json(path, _plain(row_of(setting, entry, panel)))
            rows.append(read_json(path))
            _write(lab, dataset, rows)


def named(setting: Setting, kind: str) -> Iterator[tuple[Path, Entry]]:
    """The thieves of a kind who take a release, and where each one's row is kept."""
    lab, corpus = setting.lab, setting.corpus
    marks = lab.params("carriers", setting.carrier)
    carrier, _, _ = CARRIERS[marks["name"]].partition(":")
    modules = (f"papers.thieves.kinds.{kind}", "datadeed.verification.repeated", carrier)
    shared = {name: lab.params(name) for name in ("design", "pool", "runs", "keys")}
    shared |= {
        "kind": lab.params().get(kind),
        "carrier": marks,
        "training": corpus.values,
        "dataset": [setting.dataset, lab.seed],
        "code": kept.code(kept.closure(*modules)),
    }
    for entry in KINDS[kind](setting):
        if entry.main or in_full(setting):
            names = [setting.carrier, setting.seed, entry.kind, entry.thief]
            file = canonical_digest({**shared, "names": names})[:24]
            yield corpus.folder / "rows" / f"{file}.json", entry


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """Missing numbers as JSON has them."""
    return {name: None if pd.isna(value) else value for name, value in row.items()}


def _write(lab: Lab, dataset: str, rows: list[dict[str, Any]]) -> None:
    text = pd.DataFrame(rows, columns=COLUMNS).to_csv(index=False, float_format="%.6g")
    for path in (lab.results / f"thieves-{dataset}.csv", lab.studies / f"tables/{dataset}.csv"):
        write_text(path, text)
