import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import safetensors.torch
import torch
from safetensors import safe_open

from datadeed.errors import CheckpointError
from datadeed.models.stored import load_model
from datadeed.models.training.optimiser import SGD
from datadeed.models.training.state import load_tensor, restore_state, save_state, save_tensor
from tasks import train as task

HISTORY = [{"epoch": 1, "train_loss": 0.1 + 0.2}]


def parts(tiny_model, seed=0, steps=0):
    """Tensors of a model and its optimiser, and a generator, after so many steps."""
    model, generator = tiny_model(seed), torch.Generator().manual_seed(seed)
    model.to(memory_format=torch.channels_last)
    optimiser = SGD(model.named_parameters(), momentum=0.9, weight_decay=5e-4)
    for _ in range(steps):
        x = torch.rand(4, 3, 8, 8, generator=generator)
        model(x).square().sum().backward()
        optimiser.step(0.01)
    tensors = {f"model.{k}": v for k, v in model.state_dict().items()}
    tensors |= {f"optimiser.{k}": v for k, v in optimiser.buffers.items()}
    return tensors, generator


def state(found):
    tensors, generator = found
    return {**{k: v.clone() for k, v in tensors.items()}, "generator": generator.get_state()}


def equal(one, two):
    return one.keys() == two.keys() and all(torch.equal(one[k], two[k]) for k in one)


@pytest.fixture
def saved(tmp_path, tiny_model):
    """What was saved, and the file."""
    found = parts(tiny_model, seed=1, steps=3)
    path = tmp_path / "run/state.safetensors"
    save_state(path, "f", *found, HISTORY)
    return state(found), path


def test_everything_comes_back_bit_for_bit(saved, tiny_model):
    before, path = saved
    other = parts(tiny_model, seed=2, steps=1)
    layouts = {k: v.stride() for k, v in other[0].items()}
    assert restore_state(path, "f", *other, dict) == HISTORY
    assert equal(state(other), before)
    assert {k: v.stride() for k, v in other[0].items()} == layouts


def test_no_file_is_no_record(tmp_path, tiny_model):
    found = parts(tiny_model)
    before = state(found)
    assert restore_state(tmp_path / "none", "f", *found, dict) == []
    assert equal(state(found), before)


def test_a_later_state_replaces_the_earlier_one(saved, tiny_model):
    _, path = saved
    later = parts(tiny_model, seed=1, steps=5)
    save_state(path, "f", *later, HISTORY * 2)
    assert list(path.parent.iterdir()) == [path]
    found = parts(tiny_model)
    assert len(restore_state(path, "f", *found, dict)) == 2
    assert equal(state(found), state(later))


def rewrite(path, change=lambda tensors, meta: None):
    """Write a state anew with something changed."""
    with safe_open(path, framework="pt") as file:
        meta = file.metadata()
    tensors = safetensors.torch.load_file(path)
    change(tensors, meta)
    path.write_bytes(safetensors.torch.save(tensors, metadata=meta))


def drop(key):
    return lambda tensors, meta: (tensors if key in tensors else meta).pop(key)


DAMAGES = {
    "other run": lambda path: rewrite(path, lambda t, m: m.update(fingerprint="g")),
    "no fingerprint": lambda path: rewrite(path, drop("fingerprint")),
    "truncated": lambda path: path.write_bytes(path.read_bytes()[:-9]),
    "empty": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_text("not a state"),
    "no records": lambda path: rewrite(path, drop("records")),
    "broken records": lambda path: rewrite(path, lambda t, m: m.update(records="[{")),
    "no list": lambda path: rewrite(path, lambda t, m: m.update(records="7")),
    "other records": lambda path: rewrite(path, lambda t, m: m.update(records="[7]")),
    "no generator": lambda path: rewrite(path, drop("generator")),
    "short generator": lambda path: rewrite(
        path, lambda t, m: t.update(generator=t["generator"][:9].clone())
    ),
    "no weight": lambda path: rewrite(path, drop("model.network.0.weight")),
    "no momentum": lambda path: rewrite(path, drop("optimiser.network.0.weight")),
    "other shape": lambda path: rewrite(
        path, lambda t, m: t.update({"model.network.0.weight": torch.zeros(1)})
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_bad_state_is_one_line_and_nothing_changes(saved, tiny_model, damage):
    _, path = saved
    DAMAGES[damage](path)
    raw, found = path.read_bytes(), parts(tiny_model, seed=2, steps=1)
    before = state(found)
    words = "belongs to another run" if damage in ("other run", "no fingerprint") else "is damaged"
    with pytest.raises(CheckpointError, match=words) as caught:
        restore_state(path, "f", *found, dict)
    assert "\n" not in str(caught.value)
    assert equal(state(found), before)
    assert path.read_bytes() == raw


def test_one_tensor_comes_back(tmp_path):
    path, value = tmp_path / "part/3.safetensors", torch.arange(6, dtype=torch.uint8).view(2, 3)
    assert load_tensor(path, "f") is None
    save_tensor(path, "f", value.t())
    assert torch.equal(load_tensor(path, "f"), value.t())
    with pytest.raises(CheckpointError, match="belongs to another run"):
        load_tensor(path, "g")
    rewrite(path, drop("value"))
    with pytest.raises(CheckpointError, match=r"is damaged \(no value in it\)"):
        load_tensor(path, "f")


DYING = """
import os, signal
from tasks import common, train
import datadeed.files

calls = 0
def die(*_args, **_keywords):
    global calls
    calls += 1
    if calls == {call}:
        os.kill(os.getpid(), signal.SIGKILL)
    return original(*_args, **_keywords)

original = {target}
{target} = die
train.run("toy", "resnet18", "none", 1)
"""


@pytest.mark.parametrize(
    ("target", "call"),
    [
        ("common.Progress.update", 11),  # in the third of 4 steps of the third epoch
        ("datadeed.files.os.fsync", 2),  # the second checkpoint is written but not yet in place
    ],
)
def test_a_killed_stage_goes_on_and_ends_bit_for_bit_the_same(workspace, target, call):
    settings = workspace.parameters["models"]["toy"]["resnet18"]["training"]
    settings["epochs"] = 4
    workspace.write()
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    dead = subprocess.run(
        [sys.executable, "-c", DYING.format(target=target, call=call)],
        env=environment,
        check=False,
        capture_output=True,
        text=True,
    )
    assert dead.returncode == -signal.SIGKILL, dead.stderr
    name, models = "toy-resnet18-none-1", workspace.root / "data/models"
    checkpoints = workspace.root / "data/checkpoints"
    assert not models.exists()
    assert len(list(checkpoints.glob("*/*/checkpoint.safetensors"))) == 1
    resumed = []
    with pytest.MonkeyPatch.context() as patch:
        original = task.Progress.update

        def spy(self, done, note="", *, resumed_here=resumed, **values):
            if values.get("resumed"):
                resumed_here.append(done)
            original(self, done, note, **values)

        patch.setattr(task.Progress, "update", spy)
        task.run("toy", "resnet18", "none", 1)
    assert resumed == [120 if target.startswith("common") else 60]
    files = [models / name / f for f in ("model.safetensors", "model.json", "history.csv")]
    first = [file.read_bytes() for file in files]
    assert not (checkpoints / name).exists()
    task.run("toy", "resnet18", "none", 1)  # from the start: nothing is left to resume
    assert [file.read_bytes() for file in files] == first
    assert load_model(models / name).config["width"] == 2
