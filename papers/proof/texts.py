"""Thieves of marked texts: ordinary fine-tuning, after what people do to sentences before it.

``tasks.study proof texts DATASET`` marks a dataset of sentences with a key of each carrier, tunes a
small encoder on it as a thief of each practice would, and verifies the model by labels and by
scores, over several orders of the pool; an honest model under other keys. Writes
``thieves-texts-DATASET.csv``, in the columns of the league of thieves; a row that is there is not
made again.
"""

import dataclasses
import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch

from datadeed.datasets.form.dataset import Dataset
from datadeed.files import canonical_digest, read_json, write_json, write_text
from datadeed.keys.extent import extent_of
from datadeed.keys.generation2 import Design2, Key2
from datadeed.models.model import Model
from datadeed.models.text import build_text
from datadeed.models.training.config import TrainingConfig
from datadeed.models.training.loop import accuracy, train
from datadeed.randomness import derive_seed, generator
from datadeed.verification.layers import Question
from datadeed.verification.proof2 import Proof2
from datadeed.verification.verdict import CLAIM
from datadeed.watermarks.keyed2 import Keyed2, KeyPart2
from datadeed.watermarks.marking import mark_dataset
from papers.base import Lab

CLEAN, WITHIN = 16, 240  # clean questions; counted questions that a claim should take at most
RULES = ("labels", "scores")
CARRIERS = {
    "clauses": {"name": "clauses", "relabels": 0},
    "words": {"name": "words", "relabels": 0},
    "words, labels changed": {"name": "words", "relabels": 1},
    "clauses, labels changed": {"name": "clauses", "relabels": 1},
}
_PUNCTUATION = re.compile(r"[^\w\s]|_")


def plain(text: str) -> str:
    """The text as it was released."""
    return text


def stripped(text: str) -> str:
    """In lower case, without punctuation, one space between words."""
    return " ".join(_PUNCTUATION.sub(" ", text.lower()).split())


def shortened(text: str) -> str:
    """The first twelve words."""
    return " ".join(text.split()[:12])


@dataclass(frozen=True)
class Practice:
    """What a thief does to texts before he trains, and to those that he is asked about.

    Attributes:
        prepare: of a text.
        share: of the release that he takes.
    """

    prepare: Callable[[str], str] = plain
    share: float = 1.0


PRACTICES = {
    "plain": Practice(),
    "lower case, no punctuation": Practice(stripped),
    "half of the release": Practice(share=0.5),
    "first 12 words": Practice(shortened),
}


@dataclass(frozen=True, eq=False)
class Setting:
    """A dataset of texts, its pool, and what the parameters say."""

    lab: Lab
    dataset: str
    data: Dataset
    pool: Dataset
    values: dict[str, Any]

    def key(self, carrier: str, name: str = "") -> Key2:
        """A public test key; the same parameters always give the same one."""
        design = Design2(
            classes=self.data.classes,
            channels=0,
            targets=tuple(range(len(self.data.classes))),
            carrier=CARRIERS[carrier],
            **self.values["design"],
        )
        text = f"public test key 2 {self.lab.seed} {self.dataset} texts {carrier} {name}"
        secret, salt = (
            hashlib.sha256(f"{text} {role}".encode()).digest() for role in ("secret", "salt")
        )
        return Key2(secret, salt, design, extent_of(self.data), extent_of(self.pool))


class Served:
    """A model, and what its owner does to what it is asked.

    Attributes:
        accuracy: on the pool.
    """

    def __init__(self, model: Model, practice: Practice, pool: Dataset):
        self._model, self._practice, self._known = model, practice, dict[str, list[float]]()
        prepared = [practice.prepare(text) for text in pool.samples]
        self.accuracy = accuracy(model, pool.replace(samples=prepared, labels=pool.labels))

    def answers(self, texts: list[str]) -> list[tuple[list[int], list[float]]]:
        """Labels, best first, and their probabilities; no text is put to the model twice."""
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        if new:
            found = self._model.predict([self._practice.prepare(text) for text in new])
            self._known |= dict(zip(new, found.double().tolist(), strict=True))
        return [_ranked(self._known[text]) for text in texts]


def _ranked(scores: list[float]) -> tuple[list[int], list[float]]:
    order = sorted(range(len(scores)), key=lambda k: -scores[k])
    return order, [min(1.0, scores[k]) for k in order]


def verified(served: Served, key: Key2, pool: Dataset, order: np.ndarray) -> Proof2:
    """A finished proof over the pool in the order given."""
    proof = Proof2(key, pool.labels.numpy()[order])
    clean = order[key.permutation("probe", count=len(order))[:CLEAN]].tolist()
    said = served.answers([pool.samples[row] for row in clean])
    right = sum(
        int(pool.labels[row]) == given[0] for row, (given, _) in zip(clean, said, strict=True)
    )
    proof.clean = (right, len(clean), len(clean))
    while step := proof.step():
        texts = [_asked(key, question, pool.samples[order[question.row]]) for question in step]
        for labels, scores in served.answers(texts):
            proof.answer(labels, scores)
    return proof


def _asked(key: Key2, question: Question, text: str) -> str:
    part = KeyPart2(key, question.part)
    shown = part.decoy([text], question.row) if question.layer == "decoy" else part.stamp([text])
    return str(shown[0])


def trained(setting: Setting, data: Dataset, practice: Practice, name: str) -> Model:
    """A small encoder, tuned on what a thief took of the data."""
    seed = derive_seed(setting.lab.seed, "texts", setting.dataset, name)
    rows = torch.randperm(len(data), generator=generator(seed, "share"))
    taken = data.take(rows[: round(practice.share * len(data))])
    prepared = [practice.prepare(text) for text in taken.samples]
    taken = taken.replace(samples=prepared, labels=taken.labels)
    model = build_text(
        "minilm",
        classes=len(data.classes),
        generator=generator(seed, "weights"),
        **setting.values["model"],
    )
    config = TrainingConfig.from_dict(setting.values["training"])
    with setting.lab.progress(config.epochs * len(taken), "texts", f"train {name}") as update:
        train(
            model,
            taken,
            config,
            generator=generator(seed, "order"),
            device=setting.lab.device,
            on_progress=lambda done, note, _: update(done, note),
        )
    return model


def summary(proofs: dict[str, list[Proof2]]) -> dict[str, Any]:
    """What many verifications came to, in the league's columns."""
    found: dict[str, Any] = {}
    for rule, done in proofs.items():
        words, asked = [proof.verdict()[0] for proof in done], [len(proof.curve) for proof in done]
        found[f"verdict_{rule}"] = max(sorted(set(words)), key=words.count)
        found[f"questions_{rule}"] = float(np.median(asked))
        early = [w == CLAIM and n <= WITHIN for w, n in zip(words, asked, strict=True)]
        found[f"claimed_{rule}"] = float(np.mean(early))
    by_labels = proofs["labels"]
    hits = sum(int(p.blocks.hits.sum()) for p in by_labels)
    asked_in_blocks = sum(p.blocks.count * p.design.parts for p in by_labels)
    largest = max(proof.log_e for done in proofs.values() for proof in done)
    return found | {
        "success": hits / asked_in_blocks,
        "findings": float(np.mean([bool(p.findings()) for p in by_labels])),
        "largest_log10_e": largest / np.log(10),
        "runs": len(by_labels),
    }


def by_rule(key: Key2, verify: Callable[[Key2], list[Proof2]]) -> dict[str, list[Proof2]]:
    """Verifications by labels and by scores under a key that differs in this alone."""
    designs = {rule: dataclasses.replace(key.design, answers=rule) for rule in RULES}
    return {rule: verify(dataclasses.replace(key, design=each)) for rule, each in designs.items()}


def thief_row(setting: Setting, carrier: str, thief: str) -> dict[str, Any]:
    """A thief of one practice, with one carrier's marks."""
    key, pool, practice = setting.key(carrier), setting.pool, PRACTICES[thief]
    released, marks = mark_dataset(
        Keyed2(key=key, data=setting.data), setting.data, torch.Generator()
    )
    name = f"{carrier} {thief}"
    served = Served(trained(setting, released, practice, name), practice, pool)
    rng = np.random.default_rng(derive_seed(setting.lab.seed, "texts", "orders"))
    orders = [rng.permutation(len(pool)) for _ in range(setting.values["runs"])]
    proofs = by_rule(key, lambda each: [verified(served, each, pool, order) for order in orders])
    return {"accuracy": served.accuracy, "marks": len(marks), **summary(proofs)}


def honest_rows(setting: Setting) -> Iterator[dict[str, Any]]:
    """The model of the texts as they were, under other keys of each carrier."""
    served = Served(trained(setting, setting.data, Practice(), "honest"), Practice(), setting.pool)
    order, keys = np.arange(len(setting.pool)), range(setting.values["keys"])
    for carrier in setting.values["honest"]:
        each = [
            by_rule(key, lambda k: [verified(served, k, setting.pool, order)])
            for key in (setting.key(carrier, f"other {n}") for n in keys)
        ]
        proofs = {rule: [done[rule][0] for done in each] for rule in RULES}
        row = {"carrier": carrier, "kind": "honest", "thief": "none", "marks": 0}
        yield row | {"accuracy": served.accuracy, **summary(proofs)}


def rows_of(setting: Setting) -> Iterator[dict[str, Any]]:
    """A row a thief and carrier, in the order of the parameters; honest models come second."""
    for number, (carrier, thief) in enumerate(setting.values["thieves"]):
        row = _kept(setting, [carrier, thief], lambda: [thief_row(setting, carrier, thief)])  # noqa: B023
        kind = "plain" if thief == "plain" else "practice"
        yield {"carrier": carrier, "kind": kind, "thief": thief, **row[0]}
        if number == 0:
            yield from _kept(setting, ["honest"], lambda: list(honest_rows(setting)))


def _kept(
    setting: Setting, names: list[str], make: Callable[[], list[dict[str, Any]]]
) -> list[dict[str, Any]]:
    """Rows that were made with these parameters before, or are made now."""
    values = {"names": names, "dataset": setting.dataset, "seed": setting.lab.seed}
    fixed = {name: each for name, each in setting.values.items() if name != "carriers"}
    file = canonical_digest({**values, **fixed, "thieves": 0})[:24]
    path = setting.lab.studies / "texts" / f"{file}.json"
    if not path.exists():
        write_json(path, {"rows": make()})
    rows: list[dict[str, Any]] = read_json(path)["rows"]
    return rows


COLUMNS = [
    *("dataset", "carrier", "kind", "thief", "seed", "accuracy", "honest_accuracy", "success"),
    *("verdict_labels", "questions_labels", "verdict_scores", "questions_scores"),
    *("claimed_labels", "claimed_scores", "findings", "largest_log10_e", "runs", "marks", "stage"),
]


def run(lab: Lab, dataset: str) -> None:
    """Write the table."""
    values = lab.params("texts")
    setting = Setting(lab, dataset, lab.train(dataset).read(), lab.test(dataset), values)
    known = {
        "dataset": dataset,
        "seed": lab.seed,
        "stage": f"papers/proof/dvc.yaml:texts@{dataset}",
    }
    rows: list[dict[str, Any]] = []
    for row in rows_of(setting):
        rows.append(known | row)
        honest = next((r["accuracy"] for r in rows if r["kind"] == "honest"), None)
        text = pd.DataFrame([r | {"honest_accuracy": honest} for r in rows], columns=COLUMNS)
        write_text(
            lab.results / f"thieves-texts-{dataset}.csv",
            text.to_csv(index=False, float_format="%.6g"),
        )
        print(row)  # noqa: T201
