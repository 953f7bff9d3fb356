"""The real pipeline on small data: every stage, run once in the order that DVC finds."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import networkx
import pandas as pd
import pytest
import torch
import yaml
from PIL import Image

from datadeed.reports.cells import read_csv
from papers.ensemble_inversion.names import PICKS
from tests.datasets.formats.writers import write
from tests.papers.conftest import ROOT, stripes
from tests.papers.stages import run

PAPER = "papers/ensemble_inversion"
SINGLES = [f"single {name}" for name in ("lenet-1", "lenet-2", "lenet-3", "conv3-gelu", "mlp-relu")]
TOGETHER = [f"{kind} {size}" for kind in ("same", "diverse") for size in (2, 3)]
RANKS = ["best single", "median single", "worst single"]
AIDED = [f"{name}, auxiliary" for name in (SINGLES[0], *SINGLES[3:], *RANKS)]
LARGEST = ["same 3, auxiliary", "diverse 3, auxiliary"]
LOOKS = {"deviation", "spread", "nearest", "frechet"}


def scale(source: Path) -> dict[str, Any]:
    """Letters help with one data set and not with the other; one key's thief is looked at."""
    training = {"epochs": 1, "batch_size": 32, "lr": 0.003, "optimiser": "adamw", "flip": False}
    stripes = {"source": "folder", "path": str(source), "format": "npz"}
    tiny = {"network": "resnet18", "width": 4}
    tiny["training"] = {**training, "lr": 0.05, "optimiser": "sgd"}

    def of(dataset: str, network: str, watermark: str, *seeds: int) -> dict[str, Any]:
        names = {"datasets": dataset, "networks": network, "watermarks": watermark}
        return {name: [value] for name, value in names.items()} | {"seeds": list(seeds)}

    thief = of("stripes", "tiny", "keyed-6-200", 1)
    return {
        **{"scale": "tiny", "results": "results", "seed": 5, "threads": 1},
        "datasets": {
            **{"stripes": stripes | {"train_size": 240}, "alone": stripes | {"train_size": 160}},
            "letters": {"source": "letters", "size": 12, "copies": 1},
        },
        "models": {"stripes": {"tiny": tiny}},
        "fetched": ["stripes", "alone", "letters"],
        "grid": thief | {"watermarks": []},
        "proof": thief,
        "second": thief | {"watermarks": []},
        "ensemble_inversion": {
            "training": training,
            "judging": training | {"epochs": 2, "rotation": 20},
            "inversion": {"iterations": 2, "batch_size": 4, "noise": 3, "width": 2},
            "auxiliary": "letters",
            "grids": {
                "aided": of("stripes", "small", "none", 1, 2),
                "alone": of("alone", "small", "none", 1),
                "figure": of("alone", "small", "none", 1),
                "marks": thief,
            },
        },
    }


def parameters(paper: str) -> dict[str, Any]:
    """A paper's own ones, smaller."""
    made: dict[str, Any] = yaml.safe_load((ROOT / f"papers/{paper}/params.yaml").read_text())
    if paper == "proof":
        made["design"] |= {"alpha_key": 0.01, "null_rate": 0.4, "budget": 200}
        made["watermarks"] = {"keyed-6-200": {"method": "keyed", "parts": 6, "rate": 0.2}}
        return made
    few = ("lenet", "conv3-gelu", "mlp-relu")
    made["architectures"] = {name: made["architectures"][name] for name in few}
    made["choice"] |= {"count": 2, "starts": 2, "probes": 5}
    return made | {"copies": 3, "sizes": [2, 3], "per_class": 5, "decoys": 19}


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A repository in which the paper's stages, and those they wait for, were run."""
    from dvc.repo import Repo  # a second that other tests need not wait for

    folder = tmp_path_factory.mktemp("inversion")
    source = folder / "source.npz"
    write(stripes(300, 1), source, format="npz", split="train")
    write(stripes(60, 2), source, format="npz", split="test")
    shutil.copy(ROOT / "dvc.yaml", folder)
    for paper in ("proof", "ensemble_inversion"):
        (folder / "papers" / paper).mkdir(parents=True)
        shutil.copy(ROOT / f"papers/{paper}/dvc.yaml", folder / "papers" / paper)
        text = yaml.safe_dump(parameters(paper))
        (folder / f"papers/{paper}/params.yaml").write_text(text)
    (folder / "params.yaml").write_text(yaml.safe_dump(scale(source)))
    threads = torch.get_num_threads()
    with pytest.MonkeyPatch.context() as patch, Repo.init(str(folder), no_scm=True) as repo:
        patch.chdir(folder)
        patch.setenv("DATADEED_DEVICE", "cpu")
        patch.delenv("DATADEED_PROGRESS", raising=False)
        graph = repo.index.graph
        mine = {stage for stage in graph if stage.addressing.startswith(PAPER)}
        needed = mine.union(*(networkx.descendants(graph, stage) for stage in mine))
        for stage in reversed(list(networkx.topological_sort(graph))):
            if stage in needed:
                run(stage, folder, patch)
        yield folder
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def cells(pipeline: Path) -> pd.DataFrame:
    """The paper's cells."""
    return read_csv(pipeline / "results/ensemble_inversion/cells.csv")


def table(pipeline: Path, number: int) -> pd.DataFrame:
    path = pipeline / f"results/ensemble_inversion/table-{number}.csv"
    return pd.read_csv(path, keep_default_na=False)


def scenarios(found: pd.DataFrame, dataset: str) -> list[str]:
    return sorted(found[found["dataset"] == dataset]["scenario"])


def filled(found: pd.DataFrame, metric: str) -> set[str]:
    return set(found[found[metric] != ""]["scenario"])


class TestEnsembleInversionPipeline:
    """From raw data to tables."""

    def test_no_cell_is_missing(self, cells: pd.DataFrame) -> None:
        assert cells["value"].notna().all()
        counts = cells.groupby(["dataset", "seed", "table"]).size().unstack()
        assert set(counts.index) == {("stripes", 1), ("stripes", 2), ("alone", 1)}
        data_free = len(SINGLES) + len(TOGETHER)
        looked = 7 * data_free + 4
        # 1 for the evaluator, 1 for each model on real images; 4 metrics of 3 picks from 2 starts.
        expected = [1 + len(SINGLES) + data_free, 5 * 5, 4 * 3 * 2, looked]
        assert counts.loc["alone", 1].tolist() == expected
        aided = [expected[0] + 3 + 2, *expected[1:3], looked + 7 * 2]
        assert counts.loc["stripes", 1].tolist() == counts.loc["stripes", 2].tolist() == aided

    def test_accuracies(self, pipeline: Path) -> None:
        found = table(pipeline, 17)
        assert set(found) == {"dataset", "scenario", "accuracy", "test accuracy"}
        alone = ["evaluator", *SINGLES, *TOGETHER, *RANKS]
        assert scenarios(found, "alone") == sorted(alone)
        assert scenarios(found, "stripes") == sorted([*alone, *AIDED, *LARGEST])
        assert filled(found, "accuracy") == {*alone, *AIDED, *LARGEST} - {"evaluator"}
        assert filled(found, "test accuracy") == {"evaluator", *SINGLES}
        assert found[found["dataset"] == "stripes"]["accuracy"].str.contains("±").sum() > 15

    def test_losses_and_choices(self, pipeline: Path) -> None:
        losses, choice = table(pipeline, 18), table(pipeline, 19)
        assert set(losses) == {"dataset", "scenario", "accuracy", *LOOKS}
        for dataset in ("stripes", "alone"):
            assert len(scenarios(losses, dataset)) == 5
            assert scenarios(choice, dataset) == sorted(PICKS)
        metrics = {"accuracy", "members", "best member", "apart", "gain"}
        assert set(choice) == {"dataset", "scenario", *metrics}
        assert not (losses == "").to_numpy().any()
        assert not (choice == "").to_numpy().any()

    def test_quality(self, pipeline: Path) -> None:
        found = table(pipeline, 20)
        judged = {"accuracy", "filtered", "agreement"}
        assert set(found) == {"dataset", "scenario", *judged, *LOOKS}
        alone = [*SINGLES, *TOGETHER, *RANKS, "test images"]
        assert scenarios(found, "alone") == sorted(alone)
        assert scenarios(found, "stripes") == sorted([*alone, *LARGEST])
        for name in LOOKS:
            assert filled(found, name) == {*alone, *LARGEST}
        for name in judged:
            assert filled(found, name) == {*alone, *LARGEST} - {"test images"}

    def test_claims_are_held_against_the_cells(self, pipeline: Path) -> None:
        found = pd.read_csv(pipeline / "results/ensemble_inversion/claims.csv").set_index("claim")
        untested = set(found.index[found["holds"].isna()])
        # Of digits and of faces, which are not among these data.
        assert untested == {f"inversion-gain-{x}" for x in ("data-free", "auxiliary", "faces")}
        assert len(found) == 10

    def test_a_figure_and_the_marks(self, pipeline: Path) -> None:
        with Image.open(pipeline / PAPER / "alone.png") as image:
            assert image.height == image.width  # four classes; one, two and three models, real ones
        with Image.open(pipeline / PAPER / "stripes-keyed-6-200-1.png") as image:
            assert image.width > image.height  # six parts; patches, thief, honest model
        name = "stripes-tiny-keyed-6-200-1-marks"
        rows = read_csv(pipeline / f"data/cells/ensemble_inversion/{name}.csv")
        values = rows.set_index(["scenario", "metric"])["value"].unstack()
        assert set(values.index) == {"thief", "honest"}
        assert values["fit"].between(-1, 1).all()
        assert values["p"].between(1 / 20, 1).all()
        assert rows["table"].isna().all()
