"""The stages of the clean-label paper, on toys of each modality."""

import json
import sys

import pyarrow.parquet as pq
import pytest
import torch
import yaml

from datadeed.datasets.form.clips import Clips
from datadeed.datasets.form.parquet import read_dataset, write_dataset
from datadeed.datasets.form.texts import Texts
from datadeed.errors import ParameterError, WatermarkError
from tasks import clean, crafting, detect, hide, mark, train
from tests.models.tiny_text import write_encoder

CLEAN = {
    "targets": {"toy": 1, "tones": 1, "reviews": 1},
    "verification": {"m": 10, "repetitions": 8, "certainty": 0.1, "level": 0.05},
    "stealth": {"share": 0.1, "autoencoder": {"width": 2, "code": 4, "epochs": 1}},
    "triggers": {
        "patch": {"method": "clean-label-images"},
        "impulse": {"method": "clean-label-audio"},
        "word": {
            "method": "clean-label-text",
            "pattern": {"kind": "word", "word": "frankly", "place": "start"},
            "similarity": 0.5,
            "max_changes": 0.5,
        },
    },
    "patterns": {
        "toy": {"patch": {"kind": "patch", "size": 2, "colour": 255, "place": "top-left"}},
        "tones": {"impulse": {"kind": "impulse", "start": 0, "length": 10, "amplitude": 900}},
    },
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
    workspace.parameters["clean"] = {
        "crafting": {
            "toy": {"epsilon": 16, "step": 4.0, "steps": 3},
            "tones": {"epsilon": 50, "step": 20.0, "steps": 3},
            "reviews": {},
        }
    }
    workspace.write()
    (workspace.root / "papers/clean-label").mkdir()
    (workspace.root / "papers/clean-label/params.yaml").write_text(yaml.safe_dump(CLEAN))
    for name, make in (("tones", tones), ("reviews", lambda n, seed: reviews(n))):
        for seed, split in enumerate(("train", "test")):
            path = workspace.root / f"data/datasets/{name}/{split}.parquet"
            write_dataset(make(60, seed), path)
    tools = mark.TextTools(lambda texts: torch.ones(len(texts), 1), Table())
    monkeypatch.setattr(mark.TextTools, "load", lambda cache, device: tools)
    return workspace


def record(project, path):
    return json.loads((project.root / "data" / path).read_text())


@pytest.mark.parametrize(("dataset", "trigger"), CASES)
def test_from_the_surrogate_to_what_a_thief_finds(project, dataset, trigger):
    name = f"{trigger}-20"
    train.run(dataset, "surrogate", "none", 0)
    mark.mark(dataset, name)
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
    detect.detect(dataset, "small", name, 1)
    evidence = record(project, f"evidence/{dataset}-small-{name}-1/evidence.json")
    assert (evidence["trigger"], evidence["rate"], evidence["perturbed"]) == (trigger, 0.2, True)
    assert evidence["modality"] == source.modality
    assert evidence["transfer"] is False
    assert evidence["crafting"] == facts
    assert evidence["rows"] == 60
    test = read_dataset(project.root / f"data/datasets/{dataset}/test.parquet")
    for part in ("victim", "benign"):
        assert evidence["models"][part]["ba"]["n"] == len(test)
        assert evidence["models"][part]["tsr"]["n"] == int((test.labels != 1).sum())
        assert evidence["verification"][part]["wdr"]["m"] == 10
    hide.hide(dataset, "small", name, 1)
    found = record(project, f"evidence/{dataset}-small-{name}-1/stealth.json")
    detectors = {"confidence"} if dataset == "reviews" else {"confidence", "autoencoder"}
    assert set(found["search"]) == detectors
    assert ("grammar_rise" in found["metrics"]) is (dataset == "reviews")
    for search in found["search"].values():
        assert (search["n"], search["marks"], search["flagged"]) == (60, len(marks), 6)


def test_a_trigger_alone_needs_no_surrogate(project):
    mark.mark("toy", "patch-20-plain")
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
        mark.mark(dataset, name)
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
    mark.mark("reviews", "word-20-plain")
    for watermark in ("none", "word-20-plain"):
        train.run("reviews", "small", watermark, 1)
    odd = torch.arange(60) % 3 > 0
    monkeypatch.setattr(detect.CleanLabelText, "applies", lambda self, data: odd)
    detect.detect("reviews", "small", "word-20-plain", 1)
    folder = "evidence/reviews-small-word-20-plain-1"
    models = record(project, f"{folder}/evidence.json")["models"]["victim"]
    counts = {name: models[name]["n"] for name in ("ba", "tsr", "tsr_as_published")}
    assert counts == {"ba": 60, "tsr": 20, "tsr_as_published": 60}
    answers = pq.read_table(project.root / "data" / folder / "queries.parquet").to_pandas()
    victim = answers[(answers.asked == "victim") & answers.counted & (answers.label != 1)]
    assert (victim.triggered_prediction == 1).sum() == models["tsr"]["hits"]


def test_a_model_of_another_architecture_is_a_transfer(project):
    project.parameters["models"]["toy"]["wide"] = project.parameters["models"]["toy"]["small"] | {
        "width": 4
    }
    project.write()
    train.run("toy", "surrogate", "none", 0)
    mark.mark("toy", "patch-20")
    for watermark in ("none", "patch-20"):
        train.run("toy", "wide", watermark, 1)
    detect.detect("toy", "wide", "patch-20", 1)
    assert record(project, "evidence/toy-wide-patch-20-1/evidence.json")["transfer"] is True


def test_the_same_command_makes_the_same_marks(project, monkeypatch):
    train.run("tones", "surrogate", "none", 0)
    made = []
    for _ in range(2):
        monkeypatch.setattr(sys, "argv", ["mark", "tones", "impulse-20"])
        mark.main()
        made.append((project.root / "data/watermarked/tones-impulse-20/train.parquet").read_bytes())
    assert made[0] == made[1]
    assert not (project.root / "data/checkpoints/tones-impulse-20").exists()


def test_names():
    assert clean.parse("word-5") == ("word", 0.05, True)
    assert clean.parse("blend-20-plain") == ("blend", 0.2, False)
    for name in ("word", "word-5-", "word-5.5", "Word-5", "word-5-plain-"):
        with pytest.raises(ParameterError, match="names no clean-label watermark"):
            clean.parse(name)


def test_bad_entries_are_one_line(project):
    with pytest.raises(ParameterError, match=r"'triggers\.glow'"):
        mark.mark("toy", "glow-20")
    with pytest.raises(WatermarkError, match=r"marks none: give a rate of at least 0\.05"):
        mark.mark("toy", "patch-1-plain")
