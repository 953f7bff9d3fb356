"""What sections of the page have in common to read: sizes, trainings, rows to show."""

from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd
import torch

from datadeed.files import read_json
from datadeed.reports.cells import read_table
from papers.base import Case, Records

HISTORY = ["epoch", "train_loss", "test_accuracy"]


@dataclass(frozen=True)
class Setting:
    """What was run on one dataset: sizes, class count and the networks with their trainings."""

    dataset: str
    train_size: int
    test_size: int
    classes: int
    networks: dict[str, str]


def settings(records: Records, cases: Iterable[Case]) -> list[Setting]:
    """One for each dataset; a network is told by the first of its cases."""
    networks: dict[str, dict[str, str]] = {}
    for case in cases:
        mine = networks.setdefault(case.dataset, {})
        if case.network not in mine:
            mine[case.network] = how_trained(records, case)
    made = []
    for dataset, found in networks.items():
        train, test = records.train(dataset), records.test_file(dataset)
        made.append(Setting(dataset, len(train), len(test), len(test.classes), found))
    return made


def how_trained(records: Records, case: Case) -> str:
    """Size and training of a model, for people: "width 16, 3 epochs"."""
    config = read_json(records.folder(case) / "model.json").get("config", {})
    sizes = [f"width {config['width']}"] if "width" in config else []
    if "encoder" in config:
        found = config["encoder"]["sizes"]  # of BERT and RoBERTa, or of DistilBERT
        sizes = [f"{found.get('num_hidden_layers', found.get('n_layers'))} layers"]
    epochs = int(history(records, case).epoch.max())
    return ", ".join([*sizes, f"{epochs} epoch{'s' if epochs != 1 else ''}"])


def history(records: Records, case: Case) -> pd.DataFrame:
    """Every epoch of a model."""
    return read_table(records.folder(case) / "history.csv", HISTORY)[HISTORY]


def histories(records: Records, cases: Iterable[Case]) -> pd.DataFrame:
    """Every epoch of several models, with their names."""
    parts = [history(records, case).assign(**vars(case)) for case in cases]
    return pd.concat(parts, ignore_index=True)


def spread(rows: torch.Tensor, count: int) -> torch.Tensor:
    """At most ``count`` of the rows, evenly spaced, from the first on."""
    count = min(count, len(rows))
    return rows[torch.arange(count) * len(rows) // max(count, 1)]
