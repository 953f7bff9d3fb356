"""The stages of the clean-label paper, on toys of each modality."""

import json
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import torch
import yaml

from datadeed.datasets.form.clips import Clips
from datadeed.datasets.form.parquet import read_dataset, write_dataset
from datadeed.datasets.form.texts import Texts
from datadeed.errors import ParameterError, WatermarkError
from datadeed.reports.cells import read_csv
from datadeed.watermarks import crafting
from datadeed.watermarks.clean_label_text import CleanLabelText, TextTools
from papers.base import Case
from tasks import ask, judge, mark, study, train
from tests.models.tiny_text import write_encoder

WORDS = {
    "method": "clean-label-text",
    "trigger": "word",
    "rate": 0.2,
    "pattern": {"kind": "word", "word": "frankly", "place": "start"},
    "similarity": 0.5,
    "max_changes": 0.5,
}
PATCH = {"method": "clean-label-images", "trigger": "patch", "rate": 0.2}
SOUND = {"method": "clean-label-audio", "trigger": "impulse", "rate": 0.2}
PLAIN = {"perturb": False}
CLEAN = {
    "verification": {"m": 10, "repetitions": 8, "certainty": 0.1, "level": 0.05},
    "stealth": {"share": 0.1, "autoencoder": {"width": 2, "code": 4, "epochs": 1}},
    "watermarks": {
        "patch-20": PATCH,
        "patch-20-plain": PATCH | PLAIN | {"same_rows_as": "patch-20"},
        "patch-1-plain": PATCH | PLAIN | {"rate": 0.01},
        "impulse-20": SOUND,
        "impulse-20-plain": SOUND | PLAIN | {"same_rows_as": "impulse-20"},
        "word-20": WORDS,
        "word-20-plain": WORDS | PLAIN,
    },
    "datasets": {
        "toy": {
            "patch": {
                "target": 1,
                "pattern": {"kind": "patch", "size": 2, "colour": 255, "place": "top-left"},
            }
        },
        "tones": {
            "impulse": {
                "target": 1,
                "pattern": {"kind": "impulse", "start": 0, "length": 10, "amplitude": 900},
            }
        },
        "reviews": {"word": {"target": 1}},
    },
}
GRIDS = {
    "images": ("toy", "small", ["patch-20"]),
    "other_images": ("toy", "wide", ["patch-20"]),
    "sounds": ("tones", "small", ["impulse-20"]),
    "sentiment": ("reviews", "small", ["word-20", "word-20-plain"]),
    "topics": ("none", "none", []),
    "other_texts": ("none", "none", []),
}
CASES = [("toy", "patch"), ("tones", "impulse"), ("reviews", "word")]


def tones(n, seed):
    """Two pitches, 800 samples."""
    labels = torch.arange(n) % 2
    phase = torch.rand(n, 1, generator=torch.Generator().manual_seed(seed))
    angle = (phase + torch.arange(1600) * (0.02 + 0.05 * labels[:, None])) * 6.28
    samples = (3000 * angle.sin()).to(torch.int16)
    return Clips(samples, labels, torch.arange(n), ("low", "high"), 8000)


def reviews(n):
    words = (
        ("bad film .", "a bad film .", "very bad ."),
        ("good film .", "a good film .", "good ."),
    )
    texts = [words[k % 2][k // 2 % 3] for k in range(n)]
    return Texts(texts, torch.arange(n) % 2, torch.arange(n), ("no", "yes"))


class Table:
    """Synonyms by hand."""

    def synonyms(self, lemma, part_of_speech):
        return {"good": ("bad", "a"), "film": ("very",)}.get(lemma, ())


@pytest.fixture
def project(workspace, monkeypatch):
    """Three datasets with a surrogate each."""
    training = {"epochs": 2, "batch_size": 16, "lr": 0.05, "schedule": "one-cycle", "flip": False}
    small = {"network": "resnet18", "width": 2, "training": training}
    sound = {"network": "raw-audio-cnn", "width": 4, "training": training}
    adam = training | {"lr": 0.01, "optimiser": "adamw", "bucketed": True, "epochs": 10}
    encoder = str(write_encoder(workspace.root / "encoder"))
    text = {"network": "bert", "weights": encoder, "max_length": 12, "training": adam}
    models = {"toy": small, "tones": sound, "reviews": text}
    workspace.parameters["models"] |= {
        name: {"surrogate": entry, "small": entry} for name, entry in models.items()
    }
    workspace.parameters["clean_label"] = {
        "crafting": {
            "toy": {"patch": {"epsilon": 16, "step": 4.0, "steps": 3}},
            "tones": {"impulse": {"epsilon": 50, "step": 20.0, "steps": 3}},
            "reviews": {"word": {}},
        },
        "seeds": [1],
        "stealth": {"seeds": [1], "images": ["patch-20"]},
    }
    for name, (dataset, network, marks) in GRIDS.items():
        grid = {"datasets": [dataset], "networks": [network], "watermarks": marks}
        workspace.parameters["clean_label"][name] = grid
    workspace.write()
    (workspace.root / "papers/clean_label").mkdir()
    (workspace.root / "papers/clean_label/params.yaml").write_text(yaml.safe_dump(CLEAN))
    for name, make in (("tones", tones), ("reviews", lambda n, seed: reviews(n))):
        for seed, split in enumerate(("train", "test")):
            path = workspace.root / f"data/datasets/{name}/{split}.parquet"
            write_dataset(make(60, seed), path)
    tools = TextTools(lambda texts: torch.ones(len(texts), 1), Table())
    monkeypatch.setattr(TextTools, "load", lambda cache, device: tools)
    return workspace


def record(project, path):
    return json.loads((project.root / "data" / path).read_text())


def judged(dataset, network, watermark):
    """Ask and judge a cell; the value and n of each (scenario, metric)."""
    case = Case(dataset, network, watermark, 1)
    ask.run("clean_label", case)
    judge.run("clean_label", case)
    return numbers(read_csv(Path("data/cells/clean_label") / f"{case}.csv"))


def numbers(cells):
    keys = zip(cells.scenario, cells.metric, strict=True)
    return dict(zip(keys, zip(cells.table, cells.value, cells.n, strict=True), strict=True))


@pytest.mark.parametrize(("dataset", "trigger"), CASES)
def test_from_the_surrogate_to_what_a_thief_finds(project, dataset, trigger):
    name = f"{trigger}-20"
    train.run(dataset, "surrogate", "none", 0)
    mark.mark("clean_label", dataset, name)
    source, released = (
        read_dataset(project.root / f"data/{folder}/train.parquet")
        for folder in (f"datasets/{dataset}", f"watermarked/{dataset}-{name}")
    )
    target = int((source.labels == 1).sum())
    marks = pq.read_table(project.root / f"data/watermarked/{dataset}-{name}/marks.parquet")
    assert len(marks) == target // 5
    assert torch.equal(released.labels, source.labels)
    assert set(marks["label"].to_pylist()) == {1}
    changed = [
        row
        for row, (a, b) in enumerate(zip(source.samples, released.samples, strict=True))
        if str(a) != str(b)
    ]
    assert changed == marks["position"].to_pylist()
    facts = record(project, f"watermarked/{dataset}-{name}/craft.json")
    assert (facts["marks"], facts["class_size"]) == (len(marks), target)
    for watermark in ("none", name):
        train.run(dataset, "small", watermark, 1)
    found = judged(dataset, "small", name)
    test = read_dataset(project.root / f"data/datasets/{dataset}/test.parquet")
    for part in ("victim", "benign"):
        assert found[part, "ba"][::2] == (8, len(test))
        assert found[part, "tsr"][::2] == (9, int((test.labels != 1).sum()))
        assert found[part, "tsr_as_published"][2] == len(test)
        assert found[part, "wdr"][1] * 8 % 1 == 0
    assert found["victim", "misled"] == (9, facts["fooled"] / len(marks), len(marks))
    study.run("clean_label", "stealth", dataset, "small", name, "1")
    cells = read_csv(project.root / f"data/cells/clean_label/{dataset}-small-{name}-1-stealth.csv")
    assert set(cells.table) == {11}
    found = {metric for _, metric in numbers(cells)}
    assert ("autoencoder_p" in found) is (dataset != "reviews")
    assert ("grammar_rise" in found) is (dataset == "reviews")
    assert set(cells[cells.metric.str.endswith("_above")].n) == {60}
    assert set(cells[cells.metric.str.endswith("_share")].n) == {6}


def test_a_trigger_alone_needs_no_surrogate(project):
    mark.mark("clean_label", "toy", "patch-20-plain")
    folder = project.root / "data/watermarked/toy-patch-20-plain"
    assert json.loads((folder / "key.json").read_text())["watermark"]["perturb"] is False
    source = read_dataset(project.root / "data/datasets/toy/train.parquet")
    released = read_dataset(folder / "train.parquet")
    different = (source.samples != released.samples).flatten(1).any(1)
    assert different.sum() == 4
    assert (released.samples[different][:, :, :2, :2] == 255).all()
    assert torch.equal(released.samples[:, :, 2:], source.samples[:, :, 2:])


@pytest.mark.parametrize(("dataset", "trigger"), [("toy", "patch"), ("tones", "impulse")])
def test_the_ablation_marks_the_same_rows(project, dataset, trigger):
    train.run(dataset, "surrogate", "none", 0)
    rows = []
    for name in (f"{trigger}-20", f"{trigger}-20-plain"):
        mark.mark("clean_label", dataset, name)
        marks = pq.read_table(project.root / f"data/watermarked/{dataset}-{name}/marks.parquet")
        rows.append(marks["position"].to_pylist())
    assert rows[0] == rows[1]


def test_what_other_code_began_is_not_gone_on_with(project, monkeypatch):
    here = crafting.code_digest()
    assert crafting.code_digest() == here
    monkeypatch.setattr(crafting, "PACKAGE", project.root)
    (project.root / "perturbations").mkdir()
    (project.root / "perturbations/pgd.py").write_text("step = 1\n")
    first = crafting.code_digest()
    (project.root / "perturbations/pgd.py").write_text("step = 2\n")
    assert len({here, first, crafting.code_digest()}) == 3


def test_texts_that_the_trigger_does_not_change_are_asked_but_not_counted(project, monkeypatch):
    train.run("reviews", "surrogate", "none", 0)
    mark.mark("clean_label", "reviews", "word-20-plain")
    for watermark in ("none", "word-20-plain"):
        train.run("reviews", "small", watermark, 1)
    odd = torch.arange(60) % 3 > 0
    monkeypatch.setattr(CleanLabelText, "applies", lambda self, data: odd)
    found = judged("reviews", "small", "word-20-plain")
    counts = {name: found["victim", name][2] for name in ("ba", "tsr", "tsr_as_published")}
    assert counts == {"ba": 60, "tsr": 20, "tsr_as_published": 60}
    assert ("victim", "misled") not in found  # nothing was perturbed
    answers = pq.read_table("data/answers/reviews-small-word-20-plain-1.parquet").to_pandas()
    victim = answers[(answers.asked == "victim") & answers.counted & (answers.label != 1)]
    hits = (victim.triggered_prediction == 1).sum()
    assert found["victim", "tsr"][1] == hits / 20


def test_a_model_of_another_architecture_is_a_transfer(project):
    project.parameters["models"]["toy"]["wide"] = project.parameters["models"]["toy"]["small"] | {
        "width": 4
    }
    project.write()
    train.run("toy", "surrogate", "none", 0)
    mark.mark("clean_label", "toy", "patch-20")
    for watermark in ("none", "patch-20"):
        train.run("toy", "wide", watermark, 1)
    found = judged("toy", "wide", "patch-20")
    assert {table for (_, metric), (table, _, _) in found.items() if metric == "tsr"} == {10}
    assert found["benign", "ba"][0] == 8


def test_the_same_command_makes_the_same_marks(project, monkeypatch):
    train.run("tones", "surrogate", "none", 0)
    made = []
    for _ in range(2):
        monkeypatch.setattr(sys, "argv", ["mark", "clean_label", "tones", "impulse-20"])
        mark.main()
        made.append((project.root / "data/watermarked/tones-impulse-20/train.parquet").read_bytes())
    assert made[0] == made[1]
    assert not (project.root / "data/checkpoints/tones-impulse-20").exists()


def test_bad_entries_are_one_line(project):
    with pytest.raises(ParameterError, match=r"'watermarks\.glow-20'"):
        mark.mark("clean_label", "toy", "glow-20")
    with pytest.raises(WatermarkError, match=r"marks none: give a rate of at least 0\.05"):
        mark.mark("clean_label", "toy", "patch-1-plain")
