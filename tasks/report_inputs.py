"""What the parts of the report's page read: tables, training histories, settings, marks."""

import itertools
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from datadeed.datasets.form.parquet import DatasetFile
from datadeed.errors import DatadeedError
from datadeed.files import read_json
from datadeed.reports.page import Setting
from tasks.common import DATA

HISTORY = ["epoch", "train_loss", "test_accuracy"]


def read_table(path: Path, columns: list[str]) -> pd.DataFrame:
    """A CSV file that has at least these columns.

    Raises:
        DatadeedError: the file is missing, is no CSV, is empty or lacks a column.
    """
    try:
        table = pd.read_csv(path)
    except FileNotFoundError as error:
        raise DatadeedError(f"{path} does not exist: run the stage that writes it") from error
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        reason = str(error).strip().splitlines()[0]
        raise DatadeedError(f"{path} is not a CSV table ({reason}): write it again") from error
    missing = [name for name in columns if name not in table]
    if missing or table.empty:
        what = f"no column {missing[0]!r}" if missing else "no rows"
        raise DatadeedError(f"{path} has {what}: run the stage that writes it again")
    return table


def read_history(model: str) -> pd.DataFrame:
    """Every epoch of a model in ``data/models``."""
    return read_table(DATA / "models" / model / "history.csv", HISTORY)[HISTORY]


def read_histories(grid: dict[str, list[Any]]) -> pd.DataFrame:
    """Every epoch of every model of the grid, honest ones as watermark "none"."""
    parts = []
    for dataset, network, watermark, seed in itertools.product(
        grid["datasets"], grid["networks"], ["none", *grid["watermarks"]], grid["seeds"]
    ):
        table = read_history(f"{dataset}-{network}-{watermark}-{seed}")
        where = {"dataset": dataset, "network": network, "watermark": watermark, "seed": seed}
        parts.append(table.assign(**where))
    return pd.concat(parts, ignore_index=True)


def splits(dataset: str) -> tuple[DatasetFile, DatasetFile]:
    """A dataset's training and test data."""
    folder = DATA / "datasets" / dataset
    return DatasetFile(folder / "train.parquet"), DatasetFile(folder / "test.parquet")


def how_trained(model: str, epochs: int) -> str:
    """Size and training of a model in ``data/models``, for people: "width 16, 3 epochs"."""
    config = read_json(DATA / "models" / model / "model.json").get("config", {})
    sizes = [f"width {config['width']}"] if "width" in config else []
    if "encoder" in config:
        found = config["encoder"]["sizes"]  # of BERT and RoBERTa, or of DistilBERT
        sizes = [f"{found.get('num_hidden_layers', found.get('n_layers'))} layers"]
    return ", ".join([*sizes, f"{epochs} epoch{'s' if epochs != 1 else ''}"])


def settings(grid: dict[str, list[Any]], history: pd.DataFrame) -> list[Setting]:
    """Sizes of the datasets and how long each network was trained."""
    made = []
    for dataset in grid["datasets"]:
        train, test = splits(dataset)
        here = history[history.dataset == dataset]
        networks = {}
        for network in grid["networks"]:
            epochs = here[here.network == network].epoch.max()
            networks[network] = how_trained(f"{dataset}-{network}-none-{grid['seeds'][0]}", epochs)
        sizes = (len(train), len(test), len(test.classes))
        made.append(Setting(dataset, *sizes, networks))
    return made


def marked_positions(path: Path) -> torch.Tensor:
    """Row numbers, (M,) int64 ascending, of the marked rows.

    Raises:
        DatadeedError: the file is missing or damaged.
    """
    try:
        table = pq.read_table(path, columns=["position"])
    except FileNotFoundError as error:
        raise DatadeedError(f"{path} does not exist: run the stage that writes it") from error
    except (pa.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0]
        raise DatadeedError(f"{path} holds no marks ({reason}): write it again") from error
    return torch.tensor(table["position"].to_pylist(), dtype=torch.int64)


def spread(rows: torch.Tensor, count: int) -> torch.Tensor:
    """At most ``count`` of the rows, evenly spaced, from the first on."""
    count = min(count, len(rows))
    return rows[torch.arange(count) * len(rows) // max(count, 1)]
