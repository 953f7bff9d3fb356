import pytest
import safetensors.torch
import torch

from datadeed.errors import CheckpointError, ModelError
from datadeed.models.training import state as files
from datadeed.models.training.optimiser import AdamW
from datadeed.perturbations import resume
from datadeed.perturbations.resume import CraftState
from datadeed.randomness import generator

SETTINGS = {"iterations": 3, "retrainings": 2, "batch_size": 12}
# Three iterations, each with a state and a report; two retrainings with a start, and a surrogate
# that is written from one moment to another.
MOMENTS = 3 * 2 + 2 * 3


def result(made, draw):
    parts = [made.images, draw.get_state(), *made.surrogate.state_dict().values()]
    return made.losses, [part.contiguous().numpy().tobytes() for part in parts]


@pytest.fixture(scope="module")
def whole(toy_matching):
    """What an uninterrupted run without any state gives."""
    draw = generator(3)
    return result(toy_matching(generator=draw, **SETTINGS), draw)


@pytest.fixture
def run(tmp_path, toy_matching):
    """Runs with a state; keywords of the toy problem."""

    def start(folder=tmp_path, fingerprint="one", **values):
        draw = generator(3)
        state = CraftState(folder, fingerprint)
        return result(toy_matching(generator=draw, state=state, **{**SETTINGS, **values}), draw)

    return start


@pytest.fixture
def moments(monkeypatch, toy_matching):
    """Dies at the n-th moment of a run; returns how many moments a run has passed."""

    class Moments:
        passed, last = 0, None

        def tick(self):
            self.passed += 1
            if self.passed == self.last:
                raise KeyboardInterrupt

        def __call__(self, function, *, after=False):
            def watched(*args, **values):
                self.tick()
                found = function(*args, **values)
                if after:
                    self.tick()
                return found

            return watched

    found = Moments()
    found.retrain = found(toy_matching.retrain)
    found.report = found(lambda done, note, resumed: None)
    monkeypatch.setattr(resume, "save_model", found(resume.save_model, after=True))
    monkeypatch.setattr(files, "atomic_path", found(files.atomic_path))
    return found


class TestKilled:
    def test_state_changes_nothing(self, run, whole, moments):
        assert run(retrain=moments.retrain, on_progress=moments.report) == whole
        assert moments.passed == MOMENTS

    @pytest.mark.parametrize("last", range(1, MOMENTS + 1))
    def test_at_any_moment_it_goes_on_to_the_same_bytes(self, run, whole, moments, last):
        """Before and after a retraining, its surrogate and the state are written."""
        moments.last = last
        with pytest.raises(KeyboardInterrupt):
            run(retrain=moments.retrain, on_progress=moments.report)
        assert run() == whole

    def test_again_and_again(self, run, whole):
        def die(done, note, resumed):
            if not resumed:
                raise KeyboardInterrupt

        for _ in range(3):
            with pytest.raises(KeyboardInterrupt):
                run(on_progress=die)
        assert run(on_progress=die) == whole

    def test_what_is_done_is_told_and_not_done_again(self, run, whole, toy_matching):
        def die(images, number):
            assert number == 1
            raise KeyboardInterrupt

        told, rounds = [], []

        def retrain(images, number):
            rounds.append(number)
            return toy_matching.retrain(images, number)

        def report(done, note, resumed):
            told.append((done, resumed))

        with pytest.raises(KeyboardInterrupt):
            run(retrain=die)
        assert run(on_progress=report, retrain=retrain) == whole
        assert told == [(1, True), (2, False), (3, False)]
        assert rounds == [1, 2]
        told.clear()
        assert run(on_progress=report, retrain=None) == whole
        assert told == [(3, True)]

    def test_half_a_surrogate_is_written_again(self, run, whole, tmp_path, moments):
        moments.last = 6  # two for the first iteration, then retraining, surrogate, after it, state
        with pytest.raises(KeyboardInterrupt):
            run(retrain=moments.retrain, on_progress=moments.report)
        (tmp_path / "surrogates/2/model.json").unlink()
        assert run() == whole
        assert (tmp_path / "surrogates/2/model.json").exists()


def optimiser(delta):
    return AdamW([("delta", delta)], weight_decay=0.0)


@pytest.fixture
def saved(tmp_path):
    """What a state holds after two iterations, and its folder."""
    delta = torch.rand(2, 3, 4, 4, generator=generator(1))
    adam, draw = optimiser(delta), generator(2)
    for _ in range(2):
        delta.grad = torch.rand(delta.shape, generator=draw) - 0.5
        adam.step(0.1)
    CraftState(tmp_path, "one").save(delta, adam, draw, [0.9, 0.1 + 0.2], None)
    return (delta, adam, draw), tmp_path


def blank(shape=(2, 3, 4, 4)):
    delta = torch.zeros(shape)
    return delta, optimiser(delta), generator(9)


def contents(parts):
    delta, adam, draw = parts
    return [delta.clone(), *(value.clone() for value in adam.buffers.values()), draw.get_state()]


def same(one, two):
    return all(torch.equal(a, b) for a, b in zip(one, two, strict=True))


def refused(parts, state, words):
    """The error, after a look whether anything was changed."""
    before = contents(parts)
    with pytest.raises(CheckpointError, match=words) as caught:
        state.load(*parts)
    assert "\n" not in str(caught.value)
    assert same(contents(parts), before)


class TestLoad:
    def test_everything_comes_back_bit_for_bit(self, saved):
        parts, folder = saved
        other = blank()
        assert CraftState(folder, "one").load(*other) == [0.9, 0.1 + 0.2]
        assert same(contents(other), contents(parts))

    def test_no_state_is_no_losses(self, tmp_path):
        parts = blank()
        before = contents(parts)
        assert CraftState(tmp_path / "new", "one").load(*parts) == []
        assert same(contents(parts), before)
        assert not (tmp_path / "new").exists()

    def test_another_crafting_is_refused(self, saved):
        words = r"belongs to another run .*: delete .* to start anew"
        refused(blank(), CraftState(saved[1], "two"), words)

    def test_another_number_of_images_is_refused(self, saved):
        words = "is damaged .delta is missing or has another shape"
        refused(blank((3, 3, 4, 4)), CraftState(saved[1], "one"), words)

    @pytest.mark.parametrize("content", [b"", b"\0" * 200, b"\xff" * 200, b"cut"])
    def test_other_bytes_are_refused(self, saved, content):
        path = saved[1] / "perturbation.safetensors"
        path.write_bytes(path.read_bytes()[:-9] if content == b"cut" else content)
        refused(blank(), CraftState(saved[1], "one"), "is damaged .*: delete it to start anew")

    @pytest.mark.parametrize("name", ["delta", "steps", "mean.delta", "square.delta", "generator"])
    @pytest.mark.parametrize("value", [None, torch.zeros(7)], ids=["missing", "another shape"])
    def test_a_tensor_that_is_not_there_or_does_not_fit(self, saved, name, value):
        path = saved[1] / "perturbation.safetensors"
        tensors = safetensors.torch.load_file(path)
        del tensors[name]
        if value is not None:
            tensors[name] = value
        meta = {"fingerprint": "one", "records": "[0.5]"}
        path.write_bytes(safetensors.torch.save(tensors, metadata=meta))
        refused(blank(), CraftState(saved[1], "one"), "is damaged")

    @pytest.mark.parametrize("losses", [None, "[0.5", "7", '["a"]'])
    def test_losses_that_are_none(self, saved, losses):
        path = saved[1] / "perturbation.safetensors"
        meta = {"fingerprint": "one"} | ({} if losses is None else {"records": losses})
        path.write_bytes(safetensors.torch.save(safetensors.torch.load_file(path), metadata=meta))
        refused(blank(), CraftState(saved[1], "one"), "is damaged")

    def test_a_damaged_surrogate_is_one_line(self, run, tmp_path):
        run()
        path = tmp_path / "surrogates/3/model.safetensors"
        path.write_bytes(path.read_bytes()[:-9])
        with pytest.raises(ModelError, match=r"surrogates/3/model\.safetensors") as caught:
            run()
        assert "\n" not in str(caught.value)

    def test_a_failed_write_leaves_the_last_state(self, saved, monkeypatch):
        parts, folder = saved
        before = (folder / "perturbation.safetensors").read_bytes()

        def full(*args, **values):
            raise OSError(5, "input/output error")

        monkeypatch.setattr("pathlib.Path.write_bytes", full)
        with pytest.raises(OSError, match="input/output"):
            CraftState(folder, "one").save(*parts, [0.1], None)
        assert (folder / "perturbation.safetensors").read_bytes() == before
        assert [path.name for path in folder.iterdir()] == ["perturbation.safetensors"]
