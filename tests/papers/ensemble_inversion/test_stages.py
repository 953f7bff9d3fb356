"""The paper's stages on toy images: members, inversions in rows, figure, page."""

from pathlib import Path

import pandas as pd
import pytest
import yaml
from PIL import Image

from datadeed.reports.cells import read_csv
from datadeed.reports.page import draw_section
from papers.ensemble_inversion import section as module
from papers.ensemble_inversion.names import PICKS
from papers.ensemble_inversion.tables import TABLES
from tasks import study
from tasks.cells import read_cells
from tasks.lab import Lab
from tests.conftest import Project

PAPER = "ensemble_inversion"
CASE = ("toy", "small", "none", "1")
PARAMS = Path(__file__).parents[3] / "papers" / PAPER
CELLS = f"data/cells/{PAPER}/toy-small-none-1-invert.csv"
GRID = {"datasets": ["toy"], "networks": ["small"], "watermarks": ["none"], "seeds": [1]}
NONE = GRID | {"seeds": []}


@pytest.fixture
def project(workspace: Project) -> Project:
    """Three copies and three architectures, hardly trained and inverted."""
    training = {"epochs": 1, "batch_size": 8, "lr": 0.003, "optimiser": "adamw", "flip": False}
    workspace.parameters[PAPER] = {
        "training": training,
        "judging": training | {"rotation": 20},
        "inversion": {"iterations": 2, "batch_size": 4, "noise": 3, "width": 2},
        "auxiliary": "toy",
        "grids": {"aided": GRID, "alone": NONE, "figure": GRID, "marks": NONE},
    }
    workspace.write()
    paper = yaml.safe_load((PARAMS / "params.yaml").read_text())
    few = ("lenet", "conv3-gelu", "mlp-relu")
    paper |= {"architectures": {name: paper["architectures"][name] for name in few}}
    paper |= {"copies": 3, "sizes": [2, 3], "per_class": 2}
    paper["choice"] |= {"count": 2, "starts": 2, "probes": 5}
    (workspace.root / "papers" / PAPER).mkdir(parents=True)
    (workspace.root / "papers" / PAPER / "params.yaml").write_text(yaml.safe_dump(paper))
    study.run(PAPER, "members", *CASE)
    study.run(PAPER, "invert", *CASE)
    return workspace


def test_from_models_to_the_page(project: Project) -> None:
    found = read_cells(PAPER)
    scenarios = {table: set(found[found["table"] == table]["scenario"]) for table in TABLES}
    aided = {f"single {name}, auxiliary" for name in ("lenet-1", "conv3-gelu", "mlp-relu")}
    assert scenarios[17] >= aided | {"single lenet-2", "same 2", "same 3", "diverse 3, auxiliary"}
    assert len(scenarios[18]) == 5
    assert {name.partition(":")[0] for name in scenarios[19]} == set(PICKS)
    assert "test images" in scenarios[20]
    assert set(found["stage"]) == {f"papers/{PAPER}/dvc.yaml:invert-aided@toy-small-none-1"}
    counts = found[(found["table"] == 17) & (found["metric"] == "accuracy")]["n"]
    assert set(counts) == {6}
    study.run(PAPER, "figure", *CASE)
    with Image.open(f"papers/{PAPER}/toy.png") as image:
        assert image.width < image.height  # three classes; six rows
    shown = module.section(found, Lab(PAPER))
    assert shown is not None
    assert shown["pictures"][0]["rows"][0] == "one model"
    html = draw_section(PARAMS / "section.html", shown)
    assert "Table 20." in html
    assert "farthest" in html


def test_the_same_parameters_give_the_same_rows(project: Project) -> None:
    before = Path(CELLS).read_bytes()
    assert len(list(Path("data/studies").rglob("model.safetensors"))) == 6
    study.run(PAPER, "members", *CASE)
    study.run(PAPER, "invert", *CASE)
    assert Path(CELLS).read_bytes() == before


def test_without_auxiliary_images(project: Project) -> None:
    grids = project.parameters[PAPER]["grids"]
    grids["alone"], grids["aided"] = grids["aided"], grids["alone"]
    project.write()
    study.run(PAPER, "invert", *CASE)
    found: pd.DataFrame = read_csv(Path(CELLS))
    assert not found["scenario"].str.contains("auxiliary").any()
    assert set(found["stage"]) == {f"papers/{PAPER}/dvc.yaml:invert-alone@toy-small-none-1"}
