"""Repairs of the plain thief's model with trusted data, and repaired models that are trained on."""

import copy
from collections.abc import Iterator
from functools import partial
from typing import Any

from datadeed.datasets.form.dataset import Dataset, stratified_subset
from datadeed.models.classifier import Classifier
from datadeed.models.model import Model
from datadeed.randomness import derive_seed, generator
from datadeed.thieves.repair.choice import repair
from datadeed.thieves.repair.registry import REPAIRS, build_repair
from papers.thieves import kept
from papers.thieves.entries import Entry, Stolen
from papers.thieves.setting import Setting

LEAST = 4  # trusted samples of a class, so that one can be held out
CODE = ("datadeed.thieves.repair.choice", *(path.split(":")[0] for path in REPAIRS.values()))


def entries(setting: Setting) -> Iterator[Entry]:
    """Every repair with each amount of trusted data; then some of them, trained on."""
    values = setting.lab.params("repair")
    for share in values["trusted"]:
        for method in values["methods"]:
            yield Entry("repair", title(method, share), partial(served, setting, method, share))
    for method in values["relearn"]["after"]:
        for where in ("the release", "clean data"):
            name = f"{title(method, values['relearn']['trusted'])}, then trained on {where}"
            yield Entry("repair", name, partial(relearnt, setting, method, where))


def title(method: str, share: float) -> str:
    """What a repair is called."""
    return f"{method}, {100 * share:g} % trusted"


def served(setting: Setting, method: str, share: float) -> Stolen:
    """A repaired model."""
    return Stolen(setting.served(repaired(setting, method, share)))


def relearnt(setting: Setting, method: str, where: str) -> Stolen:
    """A repaired model that was trained on."""
    values = setting.lab.params("repair", "relearn")
    start = repaired(setting, method, values["trusted"])
    recipe = setting.recipe.but(epochs=values["epochs"], lr=values["lr"])
    clean = setting.other.slice(0, len(setting.data))
    data = setting.released if where == "the release" else clean
    return Stolen(setting.served(setting.train(data, recipe, f"{method}, on {where}", start=start)))


def trusted(setting: Setting, share: float) -> Dataset:
    """Clean data that the thief's model has not seen: a share of the release's size.

    At least LEAST of a class, if classes are of the same size.
    """
    count = max(round(share * len(setting.data)), LEAST * len(setting.data.classes))
    draw = generator(setting.lab.seed, "thieves", setting.dataset, "trusted", share, setting.seed)
    return setting.other.take(stratified_subset(setting.other.labels, count, draw))


def repaired(setting: Setting, method: str, share: float) -> Classifier:
    """The last state of a repair that keeps to the budget, made once and kept.

    It is the thief's model itself where none does: he would keep that.
    """
    lab, data, start = setting.lab, trusted(setting, share), setting.plain_thief()
    values: dict[str, Any] = lab.params("repair", "methods", method)
    chosen = {name: lab.params("repair", name) for name in ("budget", "held_out")}
    names = (setting.dataset, setting.carrier, setting.seed, method, share)
    seed = derive_seed(lab.seed, "thieves", "repair", *names)

    def make(model: Model) -> None:
        how = build_repair(values.get("method", method), **_parameters(values))
        made = repair(model, data, how, generator=generator(seed), **chosen)
        model.load_state_dict(made.model.state_dict())

    identity = {
        "release": setting.released.digest(),
        "recipe": setting.recipe.record(),
        "thief": setting.seed,
        "trusted": data.digest(),
        "repair": {"name": method, **values, **chosen},
        "seed": seed,
        "repairs": kept.code(kept.closure(*CODE)),
    }
    model: Classifier = setting.keep(identity, lambda: copy.deepcopy(start), make)
    return model


def _parameters(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name != "method"}
