import pytest

from datadeed.errors import ParameterError
from datadeed.models.stored import save_model
from datadeed.models.training.config import TrainingConfig, config_record
from datadeed.owner.protect_crafting import SurrogateChoice, Work


@pytest.fixture
def named(tmp_path, tiny_model, toy_dataset):
    """The training of a surrogate that an owner names, whose record has these values."""

    def get(record, **choice):
        save_model(tiny_model(), tmp_path / "model", record)
        work = Work(tmp_path / "work", seed=1)
        chosen = SurrogateChoice(tmp_path / "model", **choice)
        return chosen.get(toy_dataset(6), work).training

    return get


def test_a_named_surrogate_is_moved_as_it_was_trained(named):
    recipe = TrainingConfig(epochs=90, lr=0.02, flip=False, rotation=5.0, shift=3.0)
    found = named({"training": config_record(recipe)})
    assert (found.flip, found.rotation, found.shift) == (False, 5.0, 3.0)
    assert (found.epochs, found.lr) == (4, 0.1)  # what is trained again is the command's own
    assert named({"training": config_record(recipe)}, epochs=7).epochs == 7


def test_a_record_that_says_nothing_of_it(named):
    found = named({})
    assert (found.flip, found.rotation, found.shift) == (True, 0.0, 0.0)


def test_a_record_that_makes_no_sense(named, tmp_path):
    with pytest.raises(ParameterError, match=r"unexpected .*'speed'") as caught:
        named({"training": {"speed": 9}})
    assert "\n" not in str(caught.value)
