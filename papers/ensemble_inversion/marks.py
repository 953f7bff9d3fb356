"""Does a watermark show in pictures that are inverted from a thief's model?

A key's part is a patch of random cells at a place of its own, with a label of its own. In the
pictures of that label, the mean picture at that place is correlated with the patch; the mean over
the parts is ranked among the same for patches that the key did not draw. The patches are random and
known to the owner alone, so for an honest model the rank is uniform. Who has no key has the
pictures alone: ``papers/ensemble_inversion/DATASET-WATERMARK-SEED.png``, a column a part.
"""

import dataclasses
from typing import Any

import numpy as np
import torch

from datadeed.files import atomic_path
from datadeed.keys.key import Key
from datadeed.randomness import generator
from datadeed.reports.figures import sheet_png
from datadeed.thieves.inversion.ensemble import Ensemble
from datadeed.thieves.inversion.invert import EnsembleInversion
from datadeed.thieves.inversion.pictures import Pictures, draw
from datadeed.triggers.image import Trigger
from datadeed.watermarks.keyed import KeyPart, random_trigger, target_label
from papers.base import Case, Lab, Row


def run(lab: Lab, dataset: str, network: str, watermark: str, seed: str) -> list[Row]:
    """The rows of a thief's model and of an honest one, for the page; and the figure."""
    case = Case(dataset, network, watermark, int(seed))
    key = Key.from_record(lab.record(dataset, watermark)["watermark"]["key"])
    suspects = {"thief": case, "honest": dataclasses.replace(case, watermark="none")}
    rows: list[Row] = []
    pictures = {}
    for name, suspect in suspects.items():
        pictures[name] = invert(lab, suspect, key.design.classes)
        rows += [{"scenario": name, **row} for row in judged(key, pictures[name], lab)]
    with atomic_path(lab.figures / f"{dataset}-{watermark}-{seed}.png") as path:
        path.write_bytes(sheet(key, pictures))
    return [{"table": None, **row} for row in rows]


def invert(lab: Lab, suspect: Case, classes: tuple[str, ...]) -> Pictures:
    """Pictures of every class from one model, without auxiliary images."""
    values = {**lab.params("weights"), **lab.settings("ensemble_inversion", "inversion")}
    ensemble = Ensemble([lab.model(suspect)], names=[str(suspect)])
    names = (lab.seed, "marks", str(suspect))
    made = EnsembleInversion(**values)(ensemble, generator=generator(*names, "train"))
    count = lab.params("per_class")
    return draw(
        made, ensemble, per_class=count, classes=classes, generator=generator(*names, "draw")
    )


def judged(key: Key, pictures: Pictures, lab: Lab) -> list[Row]:
    """How well the patches of all parts fit, and the rank of that among patches of nobody."""
    shape = pictures.data.shape[1:]
    parts = [random_trigger(key, *shape, "trigger", part) for part in range(key.design.parts)]
    places = [place(key, part, trigger, pictures) for part, trigger in enumerate(parts)]
    own = fit(places, [trigger.pattern for trigger in parts])
    count = lab.params("decoys")
    others = [
        fit(places, [random_trigger(key, *shape, "decoy", n, p).pattern for p in range(len(parts))])
        for n in range(count)
    ]
    rank = (1 + sum(other >= own for other in others)) / (count + 1)
    values: dict[str, Any] = {"fit": own, "p": rank}
    return [{"metric": name, "value": value, "n": len(parts)} for name, value in values.items()]


def place(key: Key, part: int, trigger: Trigger, pictures: Pictures) -> torch.Tensor:
    """The mean picture of a part's label where its patch would be, (h, w) float."""
    height, width = trigger.pattern.shape
    mine = pictures.data.samples[pictures.data.labels == target_label(key, part)]
    grey = mine.double().mean((0, 1))
    return grey[trigger.top : trigger.top + height, trigger.left : trigger.left + width]


def fit(places: list[torch.Tensor], patterns: list[torch.Tensor]) -> float:
    """Mean correlation of places with patterns, -1 to 1; a flat one of either counts 0."""
    found = []
    for here, pattern in zip(places, patterns, strict=True):
        x, y = (v.double().flatten() - v.double().mean() for v in (here, pattern))
        scale = float(x.norm() * y.norm())
        found.append(float(x @ y) / scale if scale > 0 else 0.0)
    return float(np.mean(found))


def sheet(key: Key, pictures: dict[str, Pictures]) -> bytes:
    """A PNG: for each part its patch on black, and the first picture of its label of each model."""
    shape = next(iter(pictures.values())).data.samples.shape[1:]
    black = torch.zeros(1, *shape, dtype=torch.uint8)
    parts = range(key.design.parts)
    rows = [torch.cat([KeyPart(key, part).stamp(black) for part in parts])]
    first = torch.tensor([target_label(key, part) for part in parts])  # classes come in turn
    rows += [its.data.samples[first] for its in pictures.values()]
    return sheet_png([(row, None) for row in rows])[0]
