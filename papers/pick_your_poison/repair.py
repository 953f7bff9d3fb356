"""Repair a suspect in every way, and keep every answer of it and of what each repair makes of it.

Writes ``CASE.parquet`` in the folder of studies, a row an answer of a model in one state:

- ``scenario``: "suspect", or the repair's name; ``step``: of the repair, 0 for the suspect;
- ``part``: "test" (with and without the trigger), "held-out" (the defender's own samples, without),
  or "proof" (the questions of a key's proof, in their order; -1: no answer);
- ``label``, ``target``, ``clean_prediction``, ``triggered_prediction``: int16, -1 where there is
  none.

Where a scenario goes on from a repaired model ("NAME, then ..."), it was trained on at the state
that the defender would choose.
"""

import hashlib
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import torch

from datadeed.datasets.form.dataset import Dataset, concatenate
from datadeed.files import atomic_path, canonical_digest
from datadeed.models.model import Model
from datadeed.randomness import generator
from datadeed.thieves.repair.base import Repair
from datadeed.thieves.repair.choice import Watcher, split_trusted
from datadeed.thieves.repair.fine_tuning import FineTuning
from datadeed.verification.proof import Proof
from datadeed.watermarks.keyed import Keyed
from papers.base import Case, Lab
from papers.pick_your_poison.trials import Asked, asked, repairs, samples

SUSPECT = "suspect"
RELEARN = {"clean": "trained on", "marks": "trained on with marks"}


class Recorder:
    """Asks a model in each state that a repair passes through, and keeps what it said."""

    def __init__(self, scenario: str, questions: Asked, held_out: Dataset):
        self.scenario, self._questions, self._held_out = scenario, questions, held_out
        self._tables: list[pa.Table] = []

    def __call__(self, step: int, model: Model) -> None:
        """Ask; an :data:`~datadeed.thieves.repair.base.OnStep`."""
        clean = self._questions.clean
        said = [model.predict(s).argmax(1) for s in (clean.samples, self._questions.triggered)]
        self.add(step, "test", clean.labels, self._questions.target, *said)
        own, none = model.predict(self._held_out.samples).argmax(1), _none(len(self._held_out))
        self.add(step, "held-out", self._held_out.labels, none, own, none)

    def prove(self, step: int, model: Model, proof: Proof, pool: Dataset) -> None:
        """Put a proof's questions to a model until its verdict stands."""
        said = []
        parts = Keyed(key=proof.key).parts
        while (question := proof.question()) is not None:
            image = pool.samples[question.row : question.row + 1]
            answer = int(model.predict(parts[question.part].stamp(image)).argmax())
            proof.answer(answer)
            said.append(answer)
        none = _none(len(said))
        self.add(step, "proof", none, none, none, torch.tensor(said, dtype=torch.int64))

    def add(self, step: int, part: str, *columns: torch.Tensor) -> None:
        """Keep answers: label, target, clean and triggered prediction, each (N,) int64."""
        names = ("label", "target", "clean_prediction", "triggered_prediction")
        n = len(columns[0])
        given = {
            name: pa.array(c.numpy(), pa.int16()) for name, c in zip(names, columns, strict=True)
        }
        words = {"scenario": [self.scenario] * n, "step": pa.array([step] * n, pa.int32())}
        self._tables.append(pa.table({**words, "part": [part] * n, **given}))

    def table(self) -> pa.Table:
        """All of it."""
        return pa.concat_tables(self._tables)


def run(lab: Lab, dataset: str, network: str, watermark: str, seed: str) -> None:
    """Repair in every way; each finished one is kept until all are."""
    case = Case(dataset, network, watermark, int(seed))
    trusted, test = samples(lab, case)
    questions = asked(lab, case, test)
    draw = generator(lab.seed, "held out", str(case))
    own = split_trusted(trusted, lab.params("held_out"), draw)
    todo: dict[str, Repair | None] = {SUSPECT: None, **repairs(lab, case)}
    folder, tables = lab.checkpoints / f"pick-your-poison-{case}" / fingerprint(lab, case), []
    with lab.progress(len(todo), "repairs", f"repair {case}") as tell:
        for done, (name, method) in enumerate(todo.items(), 1):
            kept = folder / f"{name}.parquet"
            if not kept.exists():
                found = Trial(lab, case, questions, *own).run(name, method)
                with atomic_path(kept) as path:
                    pq.write_table(found, path)
            tables.append(pq.read_table(kept))
            tell(done, name)
    with atomic_path(answers_file(lab, case)) as path:
        pq.write_table(pa.concat_tables(tables), path)
    shutil.rmtree(folder.parent)  # also those of runs with other settings, never finished


def fingerprint(lab: Lab, case: Case) -> str:
    """Names all that finished repairs depend on, so that those of another run are not taken."""
    names = ("trusted", "asked", "repairs", "few", "thorough")
    values = {name: lab.settings("pick_your_poison", name) for name in names}
    values |= {name: lab.params(name) for name in ("budget", "held_out", "relearn")}
    values |= {"seed": lab.seed, "threads": torch.get_num_threads()}
    for name in ("model.safetensors", "model.json"):
        values[name] = hashlib.sha256((lab.folder(case) / name).read_bytes()).hexdigest()
    return canonical_digest(values)[:16]


def answers_file(lab: Lab, case: Case) -> Path:
    """Where the answers are."""
    return lab.studies / f"{case}.parquet"


class Trial:
    """One suspect before one defender."""

    def __init__(self, lab: Lab, case: Case, questions: Asked, tuning: Dataset, held_out: Dataset):
        self.lab, self.case, self.questions = lab, case, questions
        self.tuning, self.held_out = tuning, held_out
        self.suspect = lab.model(case)

    def run(self, name: str, method: Repair | None) -> pa.Table:
        """The answers of one scenario, and of those that go on from it."""
        recorder = Recorder(name, self.questions, self.held_out)
        if method is None:
            recorder(0, self.suspect)
            self._prove(recorder, 0, self.suspect)
            return recorder.table()
        correct = self.suspect.predict(self.held_out.samples).argmax(1) == self.held_out.labels
        watcher = Watcher(self.held_out, float(correct.double().mean()) - self.lab.params("budget"))

        def both(step: int, model: Model) -> None:
            recorder(step, model)
            watcher(step, model)

        draw = generator(self.lab.seed, "repair", str(self.case), name)
        made = method(self.suspect, self.tuning, generator=draw, on_step=both)
        if watcher.step is None:
            return recorder.table()
        made.load_state_dict(watcher.state)
        self._prove(recorder, watcher.step, made)
        tables = [recorder.table()]
        if name in self.lab.params("relearn", "after"):
            tables += [self._relearn(made, f"{name}, then {RELEARN[how]}", how) for how in RELEARN]
        return pa.concat_tables(tables)

    def _prove(self, recorder: Recorder, step: int, model: Model) -> None:
        watermark = self.lab.watermark(self.case.dataset, self.case.watermark)
        if isinstance(watermark, Keyed):
            pool = self.lab.test(self.case.dataset)
            recorder.prove(step, model, Proof(watermark.key, pool.labels.numpy()), pool)

    def _relearn(self, model: Model, scenario: str, how: str) -> pa.Table:
        """Train a repaired model on, with benign samples alone or with a handful of marks."""
        values, lab, case = self.lab.params("relearn"), self.lab, self.case
        draw = generator(lab.seed, "relearn", str(case), how)
        source = lab.train(case.dataset)
        order = torch.randperm(len(source), generator=draw)
        data = source.take(order[: values["samples"]].sort().values)
        marks = lab.marks(case.dataset, case.watermark)
        if how == "marks":
            chosen = marks[torch.randperm(len(marks), generator=draw)[: values["marks"]]]
            released = lab.train(case.dataset, case.watermark)
            data = concatenate([data, released.take(chosen.sort().values)])
        recorder = Recorder(scenario, self.questions, self.held_out)
        made = FineTuning(**values["tuning"])(model, data, generator=draw, on_step=recorder)
        self._prove(recorder, values["tuning"]["steps"], made)
        return recorder.table()


def _none(n: int) -> torch.Tensor:
    return torch.full((n,), -1)
