"""Thieves of marked sound: ``python -m tasks.study thieves sounds DATASET``.

The first half second of each clip is marked by each carrier of sound, labels kept. A thief trains a
network on mel spectra, or the house's on the waveform; what he serves is verified by labels and by
scores, over several orders of the test set, and an honest model under other keys. The loudness of
the marks was chosen with seed 0, before any row here was seen. Writes ``thieves-sounds.csv``, a row
a thief, as the league does; rows that are there are not made again.
"""

import hashlib
from collections.abc import Callable, Iterator
from functools import cached_property, partial
from typing import Any

import numpy as np
import pandas as pd
import torch

from datadeed.datasets.form.clips import Clips
from datadeed.datasets.form.dataset import Dataset, stratified_subset
from datadeed.files import write_text
from datadeed.keys.extent import extent_of
from datadeed.keys.generation2 import Design2, Key2
from datadeed.models.audio import AudioClassifier
from datadeed.models.model import Model
from datadeed.models.training.config import TrainingConfig
from datadeed.models.training.loop import train
from datadeed.randomness import derive_seed, generator
from datadeed.thieves.served import Endpoint, Served, View, accuracy, own_classes
from datadeed.verification.repeated import Questions, Verification, asked_otherwise, verify
from datadeed.watermarks.keyed2 import Keyed2
from datadeed.watermarks.marking import mark_dataset
from papers.base import Lab
from papers.thieves.league import COLUMNS, RULES, summary
from papers.thieves.listener import Listener
from papers.thieves.sound_changes import low_passed, moved, narrowed, noisy

CARRIERS = ("tones", "chirps", "bands")
HEARD, LEVEL = 500, 100  # ms; percent of a clip's loudness
PARTS, MARKS = 8, 60  # marks a part
RUNS, KEYS = 20, 20  # orders of the test set; keys of an honest model
EPOCHS = 12
COPIES = 4  # of the data, each moved otherwise, for a quarter of the epochs
Row = dict[str, Any]


class Sounds:
    """What the owner has, and the ends of his keys.

    Args:
        lab: of this paper.
        dataset: the name of clips at one rate.
    """

    def __init__(self, lab: Lab, dataset: str):
        self.lab, self.dataset = lab, dataset
        source = lab.train(dataset).read()
        self.data, self.pool = beginning(source), beginning(lab.test(dataset))
        self.extents = extent_of(self.data), extent_of(self.pool)
        self._models: dict[str, Model] = {}

    def key(self, carrier: str, name: str) -> Key2:
        """A public test key; the same parameters always give the same one."""
        own = {"hertz": self.data.rate, "milliseconds": HEARD, "level": LEVEL, "relabels": 0}
        design = Design2(
            classes=self.data.classes,
            channels=0,
            targets=tuple(range(len(self.data.classes))),
            parts=PARTS,
            rate=PARTS * MARKS / len(self.data),
            carrier={"name": carrier, **own},
        )
        text = f"public test key 2 {self.lab.seed} {self.dataset} sounds {carrier} {name}"
        secret, salt = (
            hashlib.sha256(f"{text} {role}".encode()).digest() for role in ("secret", "salt")
        )
        return Key2(secret, salt, design, *self.extents)

    def released(self, carrier: str, seed: int) -> Clips:
        """The marked data."""
        key = self.key(carrier, f"seed {seed}")
        marked, _ = mark_dataset(Keyed2(key=key, data=self.data), self.data, torch.Generator())
        return as_clips(marked)

    def listener(self, name: str, data: Clips, seed: int, epochs: int = EPOCHS) -> Model:
        """A network on mel spectra; made once a name."""
        if name not in self._models:
            drawn = derive_seed(self.lab.seed, "sounds", self.dataset, seed)
            model = Listener.new(
                "listener",
                form=data.form,
                classes=len(data.classes),
                generator=generator(drawn, "weights"),
            )
            self._models[name] = self._fit(model, name, data, drawn, lr=0.05, epochs=epochs)
        return self._models[name]

    def waveform(self, name: str, data: Clips, seed: int) -> Model:
        """The house's network on the waveform, as the clean-label study trains it."""
        drawn = derive_seed(self.lab.seed, "sounds", self.dataset, seed)
        model = AudioClassifier.new(
            "raw-audio-cnn",
            form=data.form,
            classes=len(data.classes),
            generator=generator(drawn, "weights"),
            width=16,
        )
        return self._fit(model, name, data, drawn, lr=0.02, epochs=EPOCHS)

    def _fit(
        self, model: Model, name: str, data: Clips, seed: int, *, lr: float, epochs: int
    ) -> Model:
        config = TrainingConfig(
            epochs=epochs, batch_size=32, lr=lr, schedule="one-cycle", flip=False
        )
        with self.lab.progress(epochs * len(data), "clips", f"train {name}") as tell:
            train(
                model,
                data,
                config,
                generator=generator(seed, "order"),
                device=self.lab.device,
                on_progress=lambda done, note, _: tell(done, note),
            )
        return model

    @cached_property
    def honest(self) -> Model:
        """Of the data as they were."""
        return self.listener("honest", self.data, 1)


def beginning(data: Dataset) -> Clips:
    """The first HEARD milliseconds of each clip."""
    clips = as_clips(data)
    return as_clips(
        clips.replace(
            samples=clips.samples[:, : clips.rate * HEARD // 1000].clone(), labels=clips.labels
        )
    )


def as_clips(data: Dataset) -> Clips:
    """The same, for whoever needs its rate."""
    assert isinstance(data, Clips)
    return data


VIEWS: dict[str, View] = {
    "inputs at half the rate": narrowed,
    "inputs without the highest quarter": low_passed,
    "inputs with noise": noisy,
}


def thieves(
    sounds: Sounds, carrier: str, seed: int
) -> Iterator[tuple[str, str, Callable[[], Any]]]:
    """Kind, name and what makes the endpoint of each."""
    groups = own_classes(len(sounds.data.classes))

    def plain() -> Model:
        return sounds.listener(f"{carrier} {seed}", sounds.released(carrier, seed), seed)

    def half() -> Model:
        data = sounds.released(carrier, seed)
        rows = stratified_subset(data.labels, len(data) // 2, generator(seed, "half"))
        return sounds.listener(f"{carrier} {seed} half", as_clips(data.take(rows)), seed)

    def shaken() -> Model:
        data = moved(sounds.released(carrier, seed), COPIES, seed)
        return sounds.listener(f"{carrier} {seed} moved", data, seed, EPOCHS // COPIES)

    def house() -> Model:
        return sounds.waveform(f"{carrier} {seed} waveform", sounds.released(carrier, seed), seed)

    yield "practice", "plain", lambda: Served(plain(), groups)
    for name, view in VIEWS.items():
        yield "serving", name, partial(lambda view: Served(plain(), groups, view), view)
    yield "practice", "time shift, gain, noise", lambda: Served(shaken(), groups)
    yield "practice", "half of the release", lambda: Served(half(), groups)
    yield "practice", "network on the waveform", lambda: Served(house(), groups)


def panel(sounds: Sounds, carrier: str, seed: int) -> list[Verification]:
    """Both rules over each order of the test set: all of "labels" first."""
    key = asked_otherwise(sounds.key(carrier, f"seed {seed}"), answers="labels")
    questions = Questions(key, sounds.pool)
    rng = np.random.default_rng(derive_seed(sounds.lab.seed, "sounds", sounds.dataset, "orders"))
    orders = [rng.permutation(len(sounds.pool)) for _ in range(RUNS)]
    keys = [asked_otherwise(key, answers=rule) for rule in RULES]
    return [Verification(each, questions, order) for each in keys for order in orders]


def of_others(sounds: Sounds, carrier: str) -> list[Verification]:
    """Both rules under each of some keys that marked nothing."""
    order = np.arange(len(sounds.pool))
    asked = [Questions(sounds.key(carrier, f"other {n}"), sounds.pool) for n in range(KEYS)]
    return [
        Verification(asked_otherwise(each.key, answers=rule), each, order)
        for rule in RULES
        for each in asked
    ]


def row_of(sounds: Sounds, names: Row, endpoint: Endpoint, asked: list[Verification]) -> Row:
    """What the verifications of an endpoint came to."""
    done = verify(endpoint, asked)
    half = len(done) // 2
    honest = Served(sounds.honest, own_classes(len(sounds.data.classes)))
    return {
        **names,
        "accuracy": accuracy(endpoint, sounds.pool),
        "honest_accuracy": accuracy(honest, sounds.pool),
        **summary(dict(zip(RULES, (done[:half], done[half:]), strict=True))),
        "stage": f"tasks.study thieves sounds {sounds.dataset}",
    }


def rows_of(sounds: Sounds, made: list[Row]) -> Iterator[Row]:
    """A row a thief that is not made yet: of each carrier the first ones, then the rest."""
    known = {(row["carrier"], row["thief"], row["seed"]) for row in made}

    def names(kind: str, carrier: str, thief: str, seed: int) -> Row:
        found = {"dataset": sounds.dataset, "carrier": carrier, "kind": kind}
        return {**found, "thief": thief, "seed": seed}

    for carrier in CARRIERS:
        thief = f"{KEYS} other keys"
        if (carrier, thief, 1) not in known:
            served = Served(sounds.honest, own_classes(len(sounds.data.classes)))
            of = names("honest", carrier, thief, 1)
            yield row_of(sounds, of, served, of_others(sounds, carrier))
    for seed, most in ((1, 4), (2, 4), (1, 7)):  # the plain thief and his servers come first
        for carrier in CARRIERS:
            asked = panel(sounds, carrier, seed)
            for kind, thief, build in list(thieves(sounds, carrier, seed))[:most]:
                if (carrier, thief, seed) not in known:
                    known.add((carrier, thief, seed))
                    yield row_of(sounds, names(kind, carrier, thief, seed), build(), asked)


def run(lab: Lab, dataset: str) -> None:
    """Write the table, a row at a time."""
    path = lab.results / "thieves-sounds.csv"
    kept: Any = pd.read_csv(path).to_dict("records") if path.exists() else []
    rows: list[Row] = list(kept)
    for row in rows_of(Sounds(lab, dataset), rows):
        rows.append(row)
        text = pd.DataFrame(rows, columns=COLUMNS).to_csv(index=False, float_format="%.6g")
        write_text(path, text)
        print(row)  # noqa: T201
