"""What the proof of the second generation makes of real models: thieves, and honest ones.

``tasks.study proof second D M W S`` asks the model that learnt a key's marks, the same model served
with its classes merged by twos or its inputs rotated, and the honest model of the same recipe. Each
is verified many times: a thief over the pool in another order each time, under its own key; an
honest model under another key each time. Writes a row a suspect to ``data/studies/proof/second/``;
``tasks.study proof second_table`` puts them together.
"""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2.functional import rotate

from datadeed.datasets.form.dataset import Dataset
from datadeed.files import write_text
from datadeed.keys.generation2 import Key2
from datadeed.models.model import Model
from datadeed.randomness import derive_seed
from datadeed.verification.layers import Question
from datadeed.verification.proof2 import Proof2
from datadeed.verification.verdict import CLAIM, NOT_SUPPORTED
from datadeed.watermarks.carriers.registry import pool_images
from datadeed.watermarks.keyed2 import KeyPart2
from papers.base import Case, Lab
from papers.proof.keys2 import key2_of, public_test_key2

CLEAN = 16  # clean questions, as an owner's verification asks
ROTATED = 5  # degrees


class Suspect:
    """A model that answers questions about a pool.

    Args:
        model: asked for probabilities.
        pool: of images.
        merged: whether each of its labels stands for two classes.
        degrees: by up to how many each image is rotated before the model sees it.
    """

    def __init__(self, model: Model, pool: Dataset, *, merged: bool = False, degrees: float = 0):
        self._model, self.pool, self._degrees = model, pool, degrees
        self._rng = np.random.default_rng(1)
        classes = range(len(pool.classes))
        pairs = [[k for k in classes if k // 2 == g] for g in range((len(classes) + 1) // 2)]
        self.groups = pairs if merged else [[k] for k in classes]

    def answers(self, images: torch.Tensor) -> list[tuple[list[int], list[float]]]:
        """The labels of (N, C, H, W) uint8 images, best first, and their probabilities."""
        if self._degrees:
            angles = self._rng.uniform(-self._degrees, self._degrees, len(images))
            turned = [
                rotate(image, float(angle), InterpolationMode.BILINEAR)
                for image, angle in zip(images, angles, strict=True)
            ]
            images = torch.stack(turned)
        found = self._model.predict(images).double()
        grouped = torch.stack([found[:, group].sum(1) for group in self.groups], 1)
        scores, order = grouped.sort(dim=1, descending=True, stable=True)
        labels = [[self.groups[g][0] for g in row] for row in order.tolist()]
        return list(zip(labels, scores.clamp(max=1.0).tolist(), strict=True))

    def asked(
        self, key: Key2, questions: list[Question], order: np.ndarray
    ) -> list[tuple[list[int], list[float]]]:
        """The answers to a step's questions over the pool in another order."""
        images, pool = [], pool_images(key, self.pool.samples)
        for question in questions:
            row = int(order[question.row])
            image, part = self.pool.samples[row : row + 1], KeyPart2(key, question.part, pool)
            shown = part.decoy(image, question.row) if question.layer == "decoy" else None
            images.append(part.stamp(image) if shown is None else shown)
        return self.answers(torch.cat(images))


def verified(suspect: Suspect, key: Key2, order: np.ndarray) -> Proof2:
    """A finished proof over the pool in the order given."""
    labels = suspect.pool.labels.numpy()[order]
    proof = Proof2(key, labels, groups=suspect.groups)
    clean = order[key.permutation("probe", count=len(order))[:CLEAN]]
    said = suspect.answers(suspect.pool.samples[torch.from_numpy(clean)])
    first = {member: group[0] for group in suspect.groups for member in group}
    true = suspect.pool.labels[torch.from_numpy(clean)].tolist()
    right = sum(first[label] == given[0] for label, (given, _) in zip(true, said, strict=True))
    proof.clean = (right, len(clean), len(clean))
    while step := proof.step():
        for labels_given, scores in suspect.asked(key, step, order):
            proof.answer(labels_given, scores)
    return proof


def row_of(name: str, case: Case, proofs: list[Proof2]) -> dict[str, Any]:
    """What many verifications of a suspect came to."""
    words = [proof.verdict()[0] for proof in proofs]
    questions = np.array([len(proof.curve) for proof in proofs])
    hits = np.array([[int(p.blocks.hits.sum()), p.blocks.count * p.design.parts] for p in proofs])
    return {
        "suspect": name,
        "dataset": case.dataset,
        "network": case.network,
        "watermark": case.watermark,
        "answers": proofs[0].design.answers,
        "seed": case.seed,
        "runs": len(proofs),
        "claims": words.count(CLAIM),
        "not_supported": words.count(NOT_SUPPORTED),
        "findings": sum(bool(proof.findings()) for proof in proofs),
        "median_questions": float(np.median(questions)),
        "questions_95": float(np.quantile(questions, 0.95, method="higher")),
        "block_hit_rate": float(hits[:, 0].sum() / hits[:, 1].sum()),
        "largest_log10_e": max(proof.log_e for proof in proofs) / math.log(10),
        "stage": f"papers/proof/dvc.yaml:second@{case}",
    }


def proofs_of(lab: Lab, case: Case, pool: Dataset) -> Iterator[tuple[str, list[Proof2]]]:
    """Verifications of each suspect, by its name."""
    runs, thief = lab.params("experiments", "second", "runs"), lab.model(case)
    honest = lab.model(Case(case.dataset, case.network, "none", case.seed))
    key, rng = key2_of(lab, case), np.random.default_rng(derive_seed(lab.seed, "second", str(case)))
    orders = [rng.permutation(len(pool)) for _ in range(runs)]
    served: dict[str, dict[str, Any]] = {
        "thief": {},
        "thief, classes merged by twos": {"merged": True},
        f"thief, inputs rotated by up to {ROTATED} degrees": {"degrees": ROTATED},
    }
    for name, how in served.items():
        suspect = Suspect(thief, pool, **how)
        yield name, [verified(suspect, key, order) for order in orders]
    keys = [public_test_key2(lab, case.dataset, case.watermark, f"other {n}") for n in range(runs)]
    suspect = Suspect(honest, pool)
    yield "honest", [verified(suspect, other, np.arange(len(pool))) for other in keys]


def run(lab: Lab, dataset: str, network: str, watermark: str, seed: str) -> None:
    """Write the rows of a thief and its honest counterpart."""
    case = Case(dataset, network, watermark, int(seed))
    rows = []
    with lab.progress(4, "suspects", f"second {case}") as update:
        for name, proofs in proofs_of(lab, case, lab.test(dataset)):
            rows.append(row_of(name, case, proofs))
            update(len(rows), name)
    write_text(folder(lab) / f"{case}.csv", pd.DataFrame(rows).to_csv(index=False))


def folder(lab: Lab) -> Path:
    """Where the rows of single models are."""
    return lab.studies / "second"
