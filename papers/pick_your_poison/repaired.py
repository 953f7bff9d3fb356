"""What repairs leave of a backdoor or a watermark, from the answers alone.

A repair passes through several states. Which of them counts is told three ways: the one that a
defender would choose, who holds trusted samples and does not know the trigger (the last one whose
accuracy on the held-out samples is within the budget; a repair without one leaves the suspect as it
was); the last one; and, as the paper's released code does it, the lowest success rate on test data
among all states whose test accuracy is within the budget of the best one seen.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from datadeed.keys.key import Key
from datadeed.verification.proof import Proof
from datadeed.verification.verdict import CLAIM
from papers.base import Case, Lab, Records, Row
from papers.pick_your_poison import judge
from papers.pick_your_poison.repair import SUSPECT, answers_file

REPAIRED, KEYED = 12, 15  # tables
# Among the few repairs that every watermark meets, so that watermarks can be compared:
PICKED = "picked"  # by a defender, who does not know the trigger: see :func:`picked`
BEST = "best"  # the one that leaves the trigger least success on test data, as released
BEST_OF_ALL = "best of all"  # the same among all repairs, of which some watermarks meet more


def stage(case: Case, settings: dict[str, Any]) -> str:
    """The stage of ``dvc.yaml`` that makes a cell's rows."""
    return judge.stage("repaired", case, settings)


def run(lab: Lab, dataset: str, network: str, watermark: str, seed: str) -> list[Row]:
    """The rows of one suspect."""
    case = Case(dataset, network, watermark, int(seed))
    answers = pq.read_table(answers_file(lab, case))
    return rows_of(answers.to_pandas(), case, lab)


@dataclass(frozen=True)
class State:
    """A model at one step of a repair.

    Attributes:
        step: 0 for the suspect.
        accuracy, success: on test data, 0 to 1; of the trigger, without images that already have
            its label.
        held_out: accuracy on the defender's held-out samples.
        n, triggered, own: how many samples each of these rests on.
    """

    step: int
    accuracy: float
    success: float
    held_out: float
    n: int
    triggered: int
    own: int


def rows_of(frame: pd.DataFrame, case: Case, records: Records) -> list[Row]:
    """Rates are shares from 0 to 1; ``steps`` is -1 where no state was within the budget."""
    states = {str(n): states_of(part) for n, part in frame.groupby("scenario", sort=False)}
    (suspect,) = states.pop(SUSPECT)
    budget = records.params("budget")
    rows = [{"scenario": SUSPECT, **row} for row in _rates(suspect, "")]
    few = records.settings("pick_your_poison", "few")
    kept, tried, all_tried = [], [suspect], [suspect]
    for name, found in states.items():
        chosen = choose(found, suspect.held_out - budget)
        if ", then " in name:  # no repair: how a repaired model is after it was trained on
            rows += [{"scenario": name, **row} for row in _rates(found[-1], "")]
            continue
        by_test = released(found, suspect, budget)
        all_tried.append(by_test)
        if name in few:
            tried.append(by_test)
            kept += [chosen] if chosen is not None else []
        made = _rates(chosen or suspect, "") + _rates(found[-1], "_last")
        made += _rates(by_test, "_released")
        made.append({"metric": "steps", "value": chosen.step if chosen else -1, "n": None})
        rows += [{"scenario": name, **row} for row in made]
    chosen_by = {
        PICKED: picked(kept or [suspect]),
        BEST: weakest(tried),
        BEST_OF_ALL: weakest(all_tried),
    }
    for name, state in chosen_by.items():
        rows += [{"scenario": name, **row} for row in _rates(state, "")]
    rows = [{"table": REPAIRED, **row} for row in rows]
    return rows + proof_rows(frame[frame["part"] == "proof"], case, records)


def states_of(frame: pd.DataFrame) -> list[State]:
    """The states of one scenario, in the order of their steps."""
    found = []
    for _, here in frame[frame["part"] != "proof"].groupby("step"):
        test, own = here[here["part"] == "test"], here[here["part"] == "held-out"]
        right = test["clean_prediction"] == test["label"]
        untargeted = test["target"] == -1
        hit = np.where(
            untargeted,
            test["triggered_prediction"] != test["label"],
            test["triggered_prediction"] == test["target"],
        )[untargeted | (test["label"] != test["target"])]
        found.append(
            State(
                step=int(here["step"].iloc[0]),
                accuracy=float(right.mean()),
                success=float(hit.mean()),
                held_out=float((own["clean_prediction"] == own["label"]).mean()),
                n=len(test),
                triggered=len(hit),
                own=len(own),
            )
        )
    return found


def picked(states: list[State]) -> State:
    """The state with most accuracy on the held-out samples; of equal ones, the most tuned."""
    return max(states, key=lambda state: (state.held_out, state.step))


def weakest(states: list[State]) -> State:
    """The state in which the trigger has least success."""
    return min(states, key=lambda state: state.success)


def choose(states: list[State], least: float) -> State | None:
    """The last state with such an accuracy on the held-out samples."""
    return next((state for state in reversed(states) if state.held_out >= least), None)


def released(states: list[State], suspect: State, budget: float) -> State:
    """As the released code chooses: by test data, the trigger's among them."""
    known = [suspect, *states]
    best = max(state.accuracy for state in known)
    return min((s for s in known if s.accuracy >= best - budget), key=lambda s: s.success)


def _rates(state: State, suffix: str) -> list[Row]:
    return [
        {"metric": f"cda{suffix}", "value": state.accuracy, "n": state.n},
        {"metric": f"asr{suffix}", "value": state.success, "n": state.triggered},
    ]


def proof_rows(asked: pd.DataFrame, case: Case, records: Records) -> list[Row]:
    """What a key's proof says of each model that it was put to; none for other watermarks."""
    if asked.empty:
        return []
    key = Key.from_record(records.record(case.dataset, case.watermark)["watermark"]["key"])
    fresh = Proof(key, records.test(case.dataset).labels.numpy())
    rows: list[Row] = []
    for name, said in asked.groupby("scenario", sort=False):
        proof = fresh.fresh()
        for label in said["triggered_prediction"].tolist():
            proof.answer(label)
        log10 = proof.key_layer.log_e_max / math.log(10)
        values = {"log10_e": log10, "claim": float(proof.verdict()[0] == CLAIM)}
        values["hits"] = proof.behaviour_layer.hits / max(1, proof.behaviour_layer.queries)
        rows += [
            {"table": KEYED, "scenario": name, "metric": metric, "value": value, "n": len(said)}
            for metric, value in values.items()
        ]
    return rows
