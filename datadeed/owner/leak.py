"""What models give away of their training data, before they are published.

Each model is inverted alone, and all of them together; pictures and figures make a page.
"""

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from datadeed.datasets.form.dataset import Dataset
from datadeed.errors import DatasetError, ModelError, ParameterError
from datadeed.files import canonical_digest, write_json, write_text
from datadeed.models.devices import choose_device
from datadeed.models.model import Model
from datadeed.owner.data import Progress, Source, silent
from datadeed.owner.leak_classes import Names, in_one_order
from datadeed.owner.leak_files import Bare, digest, images, keep, kept, opened_model
from datadeed.owner.leak_report import page
from datadeed.randomness import generator
from datadeed.thieves.inversion import metrics
from datadeed.thieves.inversion.ensemble import Ensemble
from datadeed.thieves.inversion.invert import EnsembleInversion
from datadeed.thieves.inversion.pictures import Pictures, draw, strongest

ADVERSARIAL = 0.2  # weight of auxiliary images
KEPT = 0.2  # share of the pictures that filtering by activation keeps
ALL = "all together"
COMPARED = 500  # real images, at most


@dataclass(frozen=True, eq=False)
class Inverted:
    """One inversion.

    Attributes:
        name: the model's, or :data:`ALL`.
        figures: ``accuracy`` by the evaluator, ``filtered`` of the pictures that are kept,
            ``agreement`` of the members, ``spread`` within a class and, where training images were
            given, ``nearest``: the distance to the nearest of them.
        pictures: what the generator drew.
    """

    name: str
    figures: dict[str, float]
    pictures: Pictures


@dataclass(frozen=True, eq=False)
class Leak:
    """What was found.

    Attributes:
        classes: names, in label order.
        inverted: each model alone, then all together if there are several.
        usual: distance of a training image to the nearest other one; None without any.
        page: where the report is.
        notes: lines that the user should read.
    """

    classes: tuple[str, ...]
    inverted: list[Inverted]
    usual: float | None
    page: Path
    notes: tuple[str, ...]

    def record(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "classes": list(self.classes),
            "chance": 1 / len(self.classes),
            "models": {found.name: found.figures for found in self.inverted},
            "usual_nearest": self.usual,
            "page": str(self.page),
            "notes": list(self.notes),
        }


def leak(
    models: Sequence[str | Path],
    evaluator: str | Path,
    *,
    out: str | Path,
    bare: Bare | None = None,
    classes: Sequence[str] | None = None,
    orders: Mapping[str, Sequence[str]] | None = None,
    training: Source | None = None,
    auxiliary: Source | None = None,
    how: EnsembleInversion | None = None,
    per_class: int = 20,
    seed: int = 0,
    device: str = "auto",
    progress: Progress = silent,
) -> Leak:
    """Invert models, alone and together, and write a report.

    Args:
        models: folders of ours (``model.safetensors``, ``model.json``), or files of safetensors
            with a network's weights under its own names.
        evaluator: a model of the same classes that was trained on other images, and better is of
            another architecture; it says what the pictures show.
        out: the folder of the report; an inversion that it holds already is not repeated.
        bare: of files of bare weights.
        classes: names in label order, for models that do not say them.
        orders: the same of single models, by the path that names them; above what a model says.
            Models whose names stand in another order than the first one's are brought into that.
        training: images that the models were trained on, to look for copies.
        auxiliary: images that look somewhat like them; helps the attack.
        how: the attack; the default has auxiliary images' weight where there are any.
        per_class: pictures of each class.
        seed: of all draws.
        device: where to compute.
        progress: is told of every step.

    Raises:
        ModelError: a model cannot be read or inverted, or differs from the others in input size
            or in classes, or its classes' order is not known.
        DatasetError: images cannot be read, or are of another size.
        ParameterError: a number makes no sense.
    """
    if per_class < 1:
        raise ParameterError(f"{per_class} pictures a class: give 1 or more")
    names = [str(path) for path in models]
    if len(set(names)) < len(names):
        raise ModelError("a model is named twice: name each once")
    given = Names(classes, orders)
    given.check([*names, str(evaluator)])
    opened = [
        opened_model(path, bare, given, choose_device(device)) for path in (*models, evaluator)
    ]
    every, own = zip(*opened, strict=True)
    titles = [*names, "the evaluator"]
    said, reordered = in_one_order(titles, every, own)
    checked = Ensemble(every, names=titles, classes=said)
    labels = tuple(said[0] or map(str, range(checked.classes)))
    helping = None if auxiliary is None else images(auxiliary, checked.shape)
    reference = None if training is None else _Reference(images(training, checked.shape), seed)
    chosen = how or EnsembleInversion(adversarial=0.0 if helping is None else ADVERSARIAL)
    attack = _Attack(chosen, labels, per_class, seed, helping, Path(out))
    found = [
        Inverted(name, _figures(pictures, every[-1], reference), pictures)
        for name, pictures in _inversions(attack, dict(zip(names, every, strict=False)), progress)
    ]
    usual = None if reference is None else reference.usual
    notes = (*reordered, *_notes(names, evaluator, found))
    done = Leak(labels, found, usual, Path(out) / "report.html", notes)
    write_json(Path(out) / "leak.json", done.record())
    write_text(done.page, page(done))
    return done


@dataclass(frozen=True, eq=False)
class _Attack:
    """What all inversions of a report have in common."""

    how: EnsembleInversion
    classes: tuple[str, ...]
    per_class: int
    seed: int
    auxiliary: Dataset | None
    out: Path

    def pictures(self, ensemble: Ensemble, on_step: Any) -> Pictures:
        """Those that an earlier run kept, or new ones, which are kept."""
        about = {
            "how": vars(self.how),
            "per_class": self.per_class,
            "seed": self.seed,
            "classes": list(self.classes),
            "models": [digest(model) for model in ensemble.members],
            "auxiliary": None if self.auxiliary is None else self.auxiliary.digest(),
        }
        name = canonical_digest(about)[:16]
        if (found := kept(self.out / "inversions" / name)) is not None:
            return found
        network = self.how(
            ensemble,
            generator=generator(self.seed, "leak", name),
            auxiliary=self.auxiliary,
            on_step=on_step,
        )
        made = draw(
            network,
            ensemble,
            per_class=self.per_class,
            classes=self.classes,
            generator=generator(self.seed, "leak", name, "draw"),
        )
        keep(made, self.out / "inversions" / name)
        return made


def _inversions(
    attack: _Attack, models: dict[str, Model], progress: Progress
) -> Iterator[tuple[str, Pictures]]:
    """The pictures of each model, then of all together if there are several."""
    parts = {name: [name] for name in models}
    if len(models) > 1:
        parts[ALL] = list(models)
    steps = attack.how.iterations
    with progress("invert", steps * sum(map(len, parts.values()))) as advance:
        before = 0
        for name, part in parts.items():
            ensemble = Ensemble([models[each] for each in part], names=part)
            tell = functools.partial(_tell, advance, before, len(part))
            yield name, attack.pictures(ensemble, tell)
            before += steps * len(part)
            advance(before)


def _tell(advance: Callable[[int], None], before: int, members: int, done: int) -> None:
    """A step of the whole work is one iteration of one member."""
    advance(before + done * members)


class _Reference:
    """Training images in two parts: how near is one of the first to the nearest of the second?"""

    def __init__(self, data: Dataset, seed: int):
        if len(data) < 2:
            raise DatasetError("one training image has no other beside it: give more")
        order = torch.randperm(len(data), generator=generator(seed, "leak", "training"))
        first = min(COMPARED, len(data) // 2)
        self.rest = data.take(order[first:])
        self.usual = metrics.nearest(data.take(order[:first]), self.rest)


def _figures(
    pictures: Pictures, evaluator: Model, reference: _Reference | None
) -> dict[str, float]:
    data = pictures.data
    found = {
        "accuracy": metrics.accuracy(evaluator, data),
        "filtered": metrics.accuracy(evaluator, strongest(pictures, KEPT).data),
        "agreement": float(pictures.agreement.mean()),
        "spread": metrics.spread(data),
    }
    if reference is not None:
        found["nearest"] = metrics.nearest(data, reference.rest)
    return found


def _notes(names: list[str], evaluator: str | Path, found: list[Inverted]) -> tuple[str, ...]:
    notes = []
    if str(evaluator) in names:
        notes.append("the evaluator is one of the models: it will recognise what itself was asked")
    if any(one.figures["agreement"] < 0.9 for one in found):
        notes.append(
            "a generator has not convinced its models (agreement below 90 %): give more iterations"
        )
    return tuple(notes)
