import json
import pickle
import stat
import zipfile

import pytest
import safetensors.torch
import torch

from datadeed.errors import ModelError
from datadeed.models import classifier, hub
from datadeed.models.classifier import build
from datadeed.models.stored import load_model, save_model
from tests.models.compare import same_weights


def draw(seed=0):
    return torch.Generator().manual_seed(seed)


def images(n=5, shape=(3, 8, 8), seed=0):
    return torch.randint(0, 256, (n, *shape), generator=draw(seed), dtype=torch.uint8)


SMALL = ["resnet18", "vgg16bn", "vgg19bn", "inception-v3"]


@pytest.mark.parametrize("network", SMALL)
@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32), (3, 8, 8)])
def test_logits_and_probabilities_have_a_column_a_class(tiny_model, network, shape):
    model = tiny_model(network=network, shape=shape, classes=7)
    model.eval()
    logits = model(images(4, shape))
    assert (logits.shape, logits.dtype) == ((4, 7), torch.float32)
    answer = model.predict(images(5, shape), batch_size=2)
    assert (answer.shape, answer.dtype) == ((5, 7), torch.float32)
    assert torch.allclose(answer.sum(1), torch.ones(5), atol=1e-5)
    assert bool((answer >= 0).all())
    assert torch.allclose(answer, logits[:0].new_tensor(answer.tolist()))


@pytest.mark.parametrize("network", SMALL)
def test_the_generator_alone_decides_the_weights(tiny_model, network):
    before = torch.get_rng_state()
    one = tiny_model(3, network)
    assert torch.equal(torch.get_rng_state(), before)
    torch.rand(1)
    assert same_weights(one, tiny_model(3, network))
    assert not same_weights(one, tiny_model(4, network))
    torch.set_rng_state(before)


def test_torchvision_networks_draw_from_the_generator_too():
    network, before = "torchvision-resnet18", torch.get_rng_state()
    one, two = (build(network, shape=(3, 32, 32), classes=2, generator=draw(1)) for _ in range(2))
    assert torch.equal(torch.get_rng_state(), before)
    assert same_weights(one, two)
    with pytest.raises(ModelError, match="width 64 only"):
        build(network, shape=(1, 32, 32), classes=2, generator=draw())


def test_torchvisions_inception_gives_logits_alone():
    """Its auxiliary head would make the answer of a training step a pair."""
    network = "torchvision-inception-v3"
    model = build(network, shape=(3, 75, 75), classes=2, generator=draw()).train()
    logits = model(images(2, (3, 75, 75)))
    assert isinstance(logits, torch.Tensor)
    assert logits.shape == (2, 2)


@pytest.fixture
def fetched(monkeypatch):
    """Stands in for torchvision's download: every value is 0.25. Lists what was asked for."""
    import torchvision

    asked = []

    def fetch(weights, **_settings):
        asked.append(weights)
        with torch.device("meta"):
            own = torchvision.models.inception_v3(init_weights=False).state_dict()
        return {key: torch.full(value.shape, 0.25) for key, value in own.items()}

    monkeypatch.setattr(torchvision.models.WeightsEnum, "get_state_dict", fetch)
    return asked


def test_pretrained_weights_are_all_but_the_last_layer(fetched):
    network = "torchvision-inception-v3"
    model = build(network, shape=(3, 75, 75), classes=2, pretrained=True, generator=draw())
    state = model.network.state_dict()
    drawn = {k for k, v in state.items() if v.is_floating_point() and not bool((v == 0.25).all())}
    assert drawn == {"fc.weight", "fc.bias"}


@pytest.mark.parametrize(
    ("network", "hub_name"),
    [
        ("torchvision-resnet18", "resnet18"),
        ("torchvision-vgg16bn", "vgg16_bn"),
        ("torchvision-vgg19bn", "vgg19_bn"),
        ("torchvision-inception-v3", "inception_v3"),
    ],
)
def test_pretrained_weights_go_by_torchvisions_names(fetched, network, hub_name):
    import torchvision

    assert network in classifier.NETWORKS
    hub.load_pretrained(torch.nn.Identity(), network)  # whole, VGG takes half a gigabyte
    assert fetched == [torchvision.models.get_model_weights(hub_name).DEFAULT]


def test_weights_have_the_spread_of_he_initialisation(tiny_model):
    weight = tiny_model(width=32).network[6].conv2.weight.detach()  # fan out 64 * 9
    expected = (2 / (weight.shape[0] * 9)) ** 0.5
    assert float(weight.std()) == pytest.approx(expected, rel=4 / (2 * weight.numel()) ** 0.5)


def test_bytes_and_floats_agree(tiny_model):
    model = tiny_model(mean=[0.4, 0.5, 0.6], std=[0.2, 0.3, 0.1]).eval()
    assert torch.equal(model(images()), model(images().float() / 255))


def test_scaling_is_part_of_the_model(tiny_model):
    plain, scaled = tiny_model().eval(), tiny_model(mean=[0.4, 0.5, 0.6], std=[0.2, 0.3, 0.1])
    mean = torch.tensor([0.4, 0.5, 0.6]).view(1, 3, 1, 1)
    std = torch.tensor([0.2, 0.3, 0.1]).view(1, 3, 1, 1)
    by_hand = plain((images().float() / 255 - mean) / std)
    assert torch.allclose(scaled.eval()(images()), by_hand, atol=1e-6)


def test_answers_do_not_depend_on_the_batch(tiny_model):
    model = tiny_model()
    whole = model.predict(images(9))
    assert torch.allclose(model.predict(images(9), batch_size=4), whole, atol=1e-2)  # bfloat16
    assert not model.training


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"network": "resnet999"}, "unknown network 'resnet999': choose one of resnet18"),
        ({"mean": [0.5]}, "mean and std need 3 values each"),
        ({"std": [1.0] * 4}, "mean and std need 3 values each"),
        ({"pretrained": True}, "resnet18 has no pretrained weights: choose torchvision-resnet18"),
    ],
)
def test_bad_values_are_one_line(tiny_model, values, words):
    with pytest.raises(ModelError, match=words):
        tiny_model(**values)


@pytest.mark.parametrize("network", SMALL)
def test_every_network_comes_back(tmp_path, tiny_model, network):
    model = tiny_model(2, network)
    save_model(model, tmp_path, {})
    again = load_model(tmp_path)
    assert same_weights(model, again)
    assert torch.equal(again.predict(images()), load_model(tmp_path).predict(images()))


@pytest.fixture
def saved(tmp_path, tiny_model):
    """A model and the folder that holds it."""
    model = tiny_model(2, mean=[0.1, 0.2, 0.3])
    model.train()(images(9))  # batch norm's running figures are no longer 0 and 1
    save_model(model, tmp_path / "m", {"note": "kept"})
    return model, tmp_path / "m"


def test_a_model_comes_back_bit_for_bit(saved, monkeypatch):
    model, folder = saved

    def forbidden(*_args, **_keywords):
        raise AssertionError("something was unpickled")

    for module, name in ((pickle, "load"), (pickle, "loads"), (torch, "load")):
        monkeypatch.setattr(module, name, forbidden)
    again = load_model(folder)
    assert same_weights(model, again)
    assert again.config == model.config
    assert torch.equal(again.predict(images()), load_model(folder).predict(images()))
    assert json.loads((folder / "model.json").read_text())["note"] == "kept"


def test_files_hold_no_pickle_and_are_readable_by_all(saved):
    model, folder = saved
    assert sorted(p.name for p in folder.iterdir()) == ["model.json", "model.safetensors"]
    path = folder / "model.safetensors"
    assert {stat.S_IMODE(p.stat().st_mode) for p in folder.iterdir()} == {0o644}
    assert not zipfile.is_zipfile(path)
    raw = path.read_bytes()
    size = int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8 : 8 + size])  # the rest is numbers, as long as the header says
    ends = [entry["data_offsets"][1] for key, entry in header.items() if key != "__metadata__"]
    assert len(raw) == 8 + size + max(ends)
    assert set(header) - {"__metadata__"} == set(model.state_dict())


@pytest.mark.parametrize(
    "damage", ["truncated", "text", "empty", "missing", "other width", "other network", "pickle"]
)
def test_weights_that_do_not_fit_are_one_line(saved, tiny_model, damage):
    _, folder = saved
    path = folder / "model.safetensors"
    raw = path.read_bytes()
    if damage == "missing":
        path.unlink()
    elif damage.startswith("other"):
        change = {"width": 4} if damage == "other width" else {"network": "vgg19bn"}
        path.write_bytes(safetensors.torch.save(tiny_model(**change).state_dict()))
    else:
        text = {"truncated": raw[:-9], "text": b"not weights", "empty": b""}
        path.write_bytes(text.get(damage, pickle.dumps({"a": 1})))
    with pytest.raises(ModelError, match="does not hold the resnet18") as caught:
        load_model(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "change",
    [
        None,
        {},
        {"config": {}},
        {"config": 3},
        {"network": "x"},
        {"width": -1},
        {"new": 1},
        {"modality": "smell"},
        {"modality": []},
    ],
)
def test_a_record_that_describes_no_model_is_one_line(saved, change):
    _, folder = saved
    record = json.loads((folder / "model.json").read_text())
    if change is None:
        (folder / "model.json").write_text("{")
    elif change == {} or "config" in change:
        (folder / "model.json").write_text(json.dumps(change))
    else:
        record["config"] |= change
        (folder / "model.json").write_text(json.dumps(record))
    with pytest.raises(ModelError, match="does not describe a model") as caught:
        load_model(folder)
    assert "\n" not in str(caught.value)


def test_a_missing_folder_is_one_line(tmp_path):
    with pytest.raises(ModelError, match=r"model\.json does not exist"):
        load_model(tmp_path / "none")


def test_a_failed_save_leaves_the_earlier_weights(saved, tiny_model, monkeypatch):
    model, folder = saved

    def fail(*_args, **_keywords):
        raise RuntimeError("boom")

    monkeypatch.setattr(safetensors.torch, "save", fail)
    with pytest.raises(RuntimeError, match="boom"):
        save_model(tiny_model(9), folder, {})
    assert len(list(folder.iterdir())) == 2
    assert same_weights(load_model(folder), model)
