import json

import pytest
import torch
from torch.nn import functional as F

from datadeed.errors import CheckpointError, WatermarkError
from datadeed.models.classifier import build
from datadeed.models.training import loop as training
from datadeed.models.training.config import TrainingConfig
from datadeed.models.training.loop import train
from datadeed.perturbations import resume
from datadeed.randomness import derive_seed, generator
from datadeed.watermarks.crafted import Surrogate
from datadeed.watermarks.dispersibility import sample_wise_dispersibility
from datadeed.watermarks.marking import mark_dataset
from datadeed.watermarks.registry import build_watermark, watermark_from_record

CELLS = [[0, 0, 255], [0, 255, 0], [255, 0, 255]]
COMMON = {"rate": 0.1, "source": 0, "sources": 8, "cells": CELLS, "size": 3, "seed": 3}
OWN = {"sleeper-agent": {"target": 1}, "ubw-c": {"weight": 2.0}}
QUICK = {"iterations": 3, "retrainings": 1, "batch_size": 2, "precision": "fp32"}
QUICK |= {"last_retraining": True}


def make(method="ubw-c", **values):
    values["matching"] = {**QUICK, **values.get("matching", {})}
    return build_watermark(method, **{**COMMON, **OWN[method], **values})


@pytest.fixture(scope="module")
def data(toy_dataset):
    return toy_dataset(31)


@pytest.fixture(scope="module")
def surrogate(tiny_model, data):
    config = TrainingConfig(epochs=2, lr=0.02, batch_size=16, precision="fp32", shift=1.0)
    model = tiny_model()
    train(model, data, config, generator=generator(1))
    return Surrogate(model, config)


@pytest.fixture(scope="module")
def craft(data, surrogate):
    """Crafts; returns the watermark, the released data and the marks."""

    def run(watermark, seed=5, data=data, **values):
        watermark.craft(data, surrogate, generator(seed), **values)
        return watermark, *mark_dataset(watermark, data, generator(0))

    return run


@pytest.fixture(scope="module")
def made(craft):
    """One crafting of each method."""
    return {method: craft(make(method)) for method in OWN}


def lengths(surrogate, data):
    """Of each sample's gradient over the weights, by backward()."""
    model, found = surrogate.model.eval(), []
    for x, y in zip(data.samples, data.labels, strict=True):
        model.zero_grad()
        F.cross_entropy(model(x[None]), y[None]).backward()
        found.append(sum(float(p.grad.double().square().sum()) for p in model.parameters()))
    model.zero_grad(set_to_none=True)
    return torch.tensor(found)


@pytest.mark.parametrize("method", list(OWN))
class TestMarking:
    def test_labels_stay_the_share_is_exact_and_the_bound_holds(self, data, made, method):
        watermark, released, marks = made[method]
        assert len(marks) == 3  # floor(0.1 * 31)
        assert torch.equal(released.labels, data.labels)
        assert torch.equal(released.index, data.index)
        change = (released.samples.int() - data.samples.int()).abs().amax((1, 2, 3))
        assert change.nonzero().squeeze(1).tolist() == marks.position.tolist()
        assert int(change.max()) <= 16
        assert len(watermark.losses) == 3

    def test_the_same_seed_gives_the_same_bytes_whatever_the_global_state(
        self, data, craft, made, method
    ):
        data_before = data.digest()
        with torch.random.fork_rng():
            torch.manual_seed(99)
            before = torch.random.get_rng_state()
            same, released, _ = craft(make(method))
            assert torch.equal(torch.random.get_rng_state(), before)
        assert data.digest() == data_before
        assert released.digest() == made[method][1].digest() != craft(make(method), 6)[1].digest()
        states = [one.last_surrogate.state_dict() for one in (same, made[method][0])]
        assert all(torch.equal(states[0][name], value) for name, value in states[1].items())

    def test_the_longest_gradients_among_the_candidates(self, data, surrogate, made, method):
        marks, norms = made[method][2], lengths(surrogate, data)
        if method == "sleeper-agent":
            norms[data.labels != 1] = -1
            assert set(marks.label.tolist()) == {1}
        assert marks.position.tolist() == norms.topk(3).indices.sort().values.tolist()

    def test_the_last_surrogate_is_trained_on_what_is_released(self, craft, surrogate, method):
        watermark, released, _ = craft(make(method, matching={"retrainings": 2}))
        wanted = build_again(surrogate, 2)
        draw = generator(3, "retrain", 2, "order")
        train(wanted, released, surrogate.training, generator=draw)
        found = watermark.last_surrogate.state_dict()
        assert all(torch.equal(found[name], value) for name, value in wanted.state_dict().items())
        assert craft(make(method, matching={"retrainings": 0}))[0].last_surrogate is None
        before = {"retrainings": 1, "last_retraining": False}
        other, same, _ = craft(make(method, matching=before))
        assert other.last_surrogate is None  # none was trained on what is released
        assert same.digest() == released.digest()  # a retraining after the end changes no sample

    def test_the_record_gives_the_trigger_again(self, data, method):
        watermark = make(method, source=2, size=5)
        again = watermark_from_record(json.loads(json.dumps(watermark.record())))
        assert type(again) is type(watermark)
        assert torch.equal(again.trigger(data), watermark.trigger(data))


def build_again(surrogate, number):
    """A surrogate before its training number 1, 2, ..."""
    config = surrogate.model.config
    values = {key: config[key] for key in config if key != "shape"}
    draw = generator(3, "retrain", number, "weights")
    return build(shape=tuple(config["shape"]), generator=draw, **values)


class TestChoice:
    def test_all_candidates_need_no_order(self, craft, data, monkeypatch):
        monkeypatch.setattr("datadeed.watermarks.matched.gradient_norms", None)
        _, _, marks = craft(make("sleeper-agent", rate=10 / 31))
        assert marks.position.tolist() == (data.labels == 1).nonzero().squeeze(1).tolist()

    def test_ubw_c_objective(self, data, surrogate):
        """Descending it raises the cross-entropy, and the dispersibility twice as much."""
        logits = torch.randn(6, 3, generator=generator(1))
        labels = torch.tensor([0, 1, 2, 0, 1, 2])
        scattered = sample_wise_dispersibility(logits.softmax(1))
        wanted = -F.cross_entropy(logits, labels) - 2 * scattered
        assert make()._loss(logits, labels).item() == pytest.approx(wanted.item())

    def test_sleeper_agents_objective_is_the_target(self):
        logits = torch.randn(4, 3, generator=generator(1))
        found = make("sleeper-agent")._loss(logits, torch.tensor([0, 2, 0, 2]))
        assert found.item() == pytest.approx(-logits.log_softmax(1)[:, 1].mean().item())

    @pytest.mark.parametrize(
        "case",
        [
            ("ubw-c", 0, {0}, 8),
            ("ubw-c", None, {0, 1, 2}, 31),
            ("sleeper-agent", 2, {2}, 8),
            ("sleeper-agent", None, {0, 2}, 21),
        ],
    )
    def test_the_objective_is_of_triggered_source_rows(self, data, craft, monkeypatch, case):
        (method, source, classes, count), seen = case, []

        def objective(model, images, loss, labels):
            seen.append((images, labels, loss))
            raise KeyboardInterrupt  # the rest is not needed

        monkeypatch.setattr("datadeed.watermarks.matched.objective_gradient", objective)
        watermark = make(method, source=source, sources=count)
        with pytest.raises(KeyboardInterrupt):
            craft(watermark)
        images, labels, loss = seen[0]
        assert set(labels.tolist()) == classes
        assert len(labels) == count
        assert loss == watermark._loss
        triggered = {row.numpy().tobytes() for row in watermark.trigger(data).contiguous()}
        assert len({row.numpy().tobytes() for row in images.contiguous()} & triggered) == count

    def test_crafting_turns_the_marks_gradients_towards_the_objective(self, data, surrogate):
        watermark = make(
            rate=0.3,
            matching={
                "iterations": 8,
                "shift": 0,
                "flip": False,
                "retrainings": 0,
                "batch_size": 9,
            },
        )
        watermark.craft(data, surrogate, generator(5))
        assert watermark.losses[-1] < watermark.losses[0] - 0.1


class TestTrigger:
    def test_each_sample_has_its_place_in_any_batch(self, data):
        watermark = make(size=4)
        whole = watermark.trigger(data)
        rows = torch.tensor([20, 3, 17])
        assert torch.equal(watermark.trigger(data.take(rows)), whole[rows])
        changed = (whole != data.samples).any(1).nonzero()
        assert len(set(map(tuple, changed[:, 1:].tolist()))) > 15

    def test_cells_as_pixels_and_enlarged(self):
        assert make().patch.pattern.tolist() == CELLS
        large = make(cells=[[0, 255]], size=4).patch.pattern
        assert large.tolist() == [[0, 64, 191, 255]] * 4  # bilinear

    def test_decoys_are_of_the_family_and_never_the_true_one(self, data):
        watermark = make(size=4)
        true, images = watermark.trigger(data), set()
        for decoy in watermark.decoys(99, 7):
            asked = decoy(data)
            assert not torch.equal(asked, true)
            images.add(asked.numpy().tobytes())
            assert decoy.args[0].seed == watermark.patch.seed == derive_seed(3, "place")
            assert decoy.args[0].pattern.shape == (4, 4)
        assert len(images) == 99

    def test_all_other_patterns_of_a_family(self, data):
        watermark = make(cells=[[0, 255], [255, 0]], size=2)
        patterns = [decoy.args[0].pattern.flatten().tolist() for decoy in watermark.decoys(15, 1)]
        assert len(set(map(tuple, patterns))) == 15
        assert [0, 255, 255, 0] not in patterns

    def test_the_seed_decides_the_decoys(self, data):
        one, same, other = (
            [decoy(data).numpy().tobytes() for decoy in make().decoys(5, seed)]
            for seed in (1, 1, 2)
        )
        assert one == same != other


class TestCheckpoint:
    """Three iterations, each with a retraining of two epochs."""

    @pytest.fixture
    def start(self, tmp_path, start_anywhere):
        return lambda *values, **named: start_anywhere(*values, **{"checkpoint": tmp_path, **named})

    @pytest.fixture(scope="class")
    def whole(self, start_anywhere):
        """What an uninterrupted crafting without any state gives."""
        return start_anywhere(checkpoint=None)

    @pytest.fixture(scope="class")
    def start_anywhere(self, craft):
        def run(fingerprint="one", **values):
            watermark = make(matching={"retrainings": 3})
            _, released, marks = craft(watermark, fingerprint=fingerprint, **values)
            last = watermark.last_surrogate.state_dict().values()
            parts = [part.contiguous().numpy().tobytes() for part in last]
            return released.digest(), marks.position.tolist(), watermark.losses, parts

        return run

    @pytest.mark.parametrize("dies", [1, 4, 6])
    def test_killed_in_a_retraining(self, monkeypatch, start, whole, dies):
        """Before the n-th epoch of all retrainings: the epochs before it are not done again."""
        done, real = [], training._epoch

        def epoch(run, number):
            done.append(number)
            if len(done) == dies:
                raise KeyboardInterrupt
            return real(run, number)

        monkeypatch.setattr(training, "_epoch", epoch)
        with pytest.raises(KeyboardInterrupt):
            start()
        assert start() == whole
        assert len(done) == 6 + 1

    def test_killed_between_the_surrogate_and_the_state(self, monkeypatch, start, whole):
        real = resume.save_model

        def die(*values):
            real(*values)
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(resume, "save_model", die)
            with pytest.raises(KeyboardInterrupt):
                start()
        assert start() == whole

    def test_progress(self, start):
        told = []

        def report(done, total, note, resumed):
            told.append((done, total, note.split()[0], resumed))

        start(on_progress=report)
        assert told[:31] == [(0, 3, "gradient", False)] * 31
        steps = [line for line in told[31:] if line[2] != "retraining"]
        assert steps == [(i, 3, "1", False) for i in (1, 2, 3)]
        assert {line[:2] for line in told if line[2] == "retraining"} <= {(0, 3), (1, 3), (2, 3)}
        assert [line[0] for line in told] == sorted(line[0] for line in told)
        told.clear()
        start(on_progress=report)
        assert told == [(3, 3, "resumed", True)]  # the rows are kept too

    def test_another_craftings_state_is_refused_and_kept(self, tmp_path, start):
        start()
        before = contents(tmp_path)
        with pytest.raises(CheckpointError, match="belongs to another run") as caught:
            start("two")
        assert "\n" not in str(caught.value)
        assert contents(tmp_path) == before

    def test_a_damaged_state_is_refused_and_kept(self, tmp_path, start):
        start()
        path = tmp_path / "matching/perturbation.safetensors"
        path.write_bytes(path.read_bytes()[:-100])
        before = contents(tmp_path)
        with pytest.raises(CheckpointError, match="is damaged") as caught:
            start()
        assert "\n" not in str(caught.value)
        assert contents(tmp_path) == before


def contents(folder):
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.parametrize(
    ("method", "values", "words"),
    [
        ("ubw-c", {"matching": {"epsilon": 0}}, "epsilon is 0"),
        ("ubw-c", {"matching": {"epsilon": 16 / 255}}, "whole number of 255ths"),
        ("ubw-c", {"matching": {"epsilom": 16}}, "matching: got an unexpected .*'epsilom'"),
        ("ubw-c", {"sources": 0}, "0 sources: the objective needs 1 or more"),
        ("ubw-c", {"sources": 2.5}, "2.5 sources"),
        ("ubw-c", {"cells": [[0, 128]]}, "must be 0 .black. or 255"),
        ("ubw-c", {"cells": [[0, 255], [0]]}, "rows of one length"),
        ("ubw-c", {"cells": []}, "rows of one length"),
        ("ubw-c", {"cells": [[]]}, "rows of one length"),
        ("ubw-c", {"size": 2}, "size is 2; give at least 3 pixels"),
        ("ubw-c", {"size": 4.0}, "size is 4.0"),
        ("ubw-c", {"weight": -1}, "weight -1 of the dispersibility"),
        ("ubw-c", {"weight": float("nan")}, "weight nan"),
        ("ubw-c", {"target": 1}, "'target'"),
        ("ubw-c", {"rate": 0}, "out of range"),
        ("sleeper-agent", {"source": 1}, "source and target are both 1: they must differ"),
        ("sleeper-agent", {"pattern": {}}, "unexpected .*'pattern'"),
    ],
)
def test_bad_parameters_are_one_line(method, values, words):
    with pytest.raises(WatermarkError, match=words) as caught:
        make(method, **values)
    assert "\n" not in str(caught.value)


class TestRefusals:
    def refused(self, craft, watermark, words, **values):
        with pytest.raises(WatermarkError, match=words) as caught:
            craft(watermark, **values)
        assert "\n" not in str(caught.value)

    @pytest.mark.parametrize("method", list(OWN))
    def test_a_source_class_that_does_not_exist(self, craft, method):
        self.refused(craft, make(method, source=3), "source class 3 does not exist: .* 0 to 2")

    @pytest.mark.parametrize("method", list(OWN))
    def test_a_source_class_without_rows(self, craft, data, method):
        without = data.take(data.labels != 2)
        words = "no row has the source class 2: choose classes that occur"
        self.refused(craft, make(method, source=2), words, data=without)

    def test_no_row_but_the_targets(self, craft, data):
        words = "no row has another label than the target"
        alone = data.take(data.labels == 1)
        self.refused(craft, make("sleeper-agent", source=None), words, data=alone)

    def test_two_classes_cannot_scatter(self, toy_dataset):
        with pytest.raises(WatermarkError, match="but there are 2: it needs 3 or more") as caught:
            make().check("image", toy_dataset(10, classes=2).classes)
        assert "\n" not in str(caught.value)

    def test_more_marks_than_the_target_class_has(self, craft):
        self.refused(craft, make("sleeper-agent", rate=0.5), "only 10 rows have the target label")

    def test_a_patch_larger_than_the_images(self, craft):
        self.refused(craft, make(size=9), "9x9 pixels does not fit into images of 8x8")

    def test_no_surrogate_and_another_one(self, data, tiny_model):
        for model, words in (
            (None, "none was given"),
            (tiny_model(shape=(1, 8, 8)), r"takes samples of \(1, 8, 8\)"),
            (tiny_model(classes=4), "and 4 classes"),
        ):
            config = TrainingConfig(epochs=1, lr=0.1)
            given = None if model is None else Surrogate(model, config)
            with pytest.raises(WatermarkError, match=words):
                make().craft(data, given, generator(1))

    def test_nothing_crafted_yet(self, data):
        with pytest.raises(WatermarkError, match="craft them against a surrogate first"):
            mark_dataset(make(), data, generator(1))
