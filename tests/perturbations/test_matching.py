import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from datadeed.errors import WatermarkError
from datadeed.models.training.augmentation import augment
from datadeed.models.training.config import TrainingConfig
from datadeed.perturbations.matching import Matching
from datadeed.randomness import generator


def weights(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


def equal(one, two):
    return all(torch.equal(one[name], two[name]) for name in one)


VIOLENT = {"iterations": 1, "retrainings": 0, "lr": 1.0, "batch_size": 12}


class TestSchedule:
    @given(iterations=st.integers(1, 400), data=st.data())
    def test_as_many_retrainings_as_asked_the_last_at_the_end(self, iterations, data):
        retrainings = data.draw(st.integers(0, iterations))
        config = Matching(iterations=iterations, retrainings=retrainings)
        after = [i + 1 for i in range(iterations) if config.retrains_after(i)]
        assert len(after) == retrainings
        if retrainings:
            assert after[-1] == iterations
            gaps = {later - one for one, later in zip([0, *after], after, strict=False)}
            assert max(gaps) - min(gaps) <= 1  # at equal distances

    @given(iterations=st.integers(1, 400), data=st.data())
    def test_or_none_of_them_at_the_end(self, iterations, data):
        retrainings = data.draw(st.integers(0, iterations - 1))
        config = Matching(iterations=iterations, retrainings=retrainings, last_retraining=False)
        after = [i + 1 for i in range(iterations) if config.retrains_after(i)]
        assert len(after) == retrainings
        gaps = {later - one for one, later in zip([0, *after], [*after, iterations], strict=True)}
        assert max(gaps) - min(gaps) <= 1  # at equal distances, the end among them
        assert min(gaps) >= 1

    def test_the_published_rounds(self):
        ours, original = Matching(), Matching(retrainings=4, last_retraining=False)
        after = [i + 1 for i in range(250) if ours.retrains_after(i)]
        assert after == [50, 100, 150, 200, 250]
        assert [i + 1 for i in range(250) if original.retrains_after(i)] == after[:4]

    def test_the_rate_falls_at_three_five_and_seven_eighths(self):
        config = Matching(iterations=80, lr=0.025)
        rates = [config.lr_at(i) for i in range(80)]
        for start, stop, rate in ((0, 30, 1), (30, 50, 0.1), (50, 70, 0.01), (70, 80, 0.001)):
            assert rates[start:stop] == pytest.approx([0.025 * rate] * (stop - start))

    def test_the_rate_of_250_iterations(self):
        rates = [Matching().lr_at(i) for i in range(250)]
        falls = [i for i in range(1, 250) if rates[i] < rates[i - 1]]
        assert falls == [93, 156, 218]  # as released


class TestMatching:
    def test_one_minus_cos_falls(self, toy_matching):
        made = toy_matching(
            iterations=24, retrainings=0, lr=0.02, batch_size=12, flip=False, shift=0
        )  # one batch: the same samples are matched together in every iteration
        assert len(made.losses) == 24
        assert made.losses[-1] < made.losses[0] - 0.2

    @settings(max_examples=12)
    @given(epsilon=st.sampled_from([1, 2, 255]) | st.integers(1, 255), seed=st.integers(0, 99))
    def test_the_bound_holds_for_every_byte(self, toy_matching, epsilon, seed):
        made = toy_matching(epsilon=epsilon, seed=seed, **VIOLENT)
        before = toy_matching.data.samples
        assert made.images.dtype == torch.uint8
        assert 0 < int((made.images.int() - before.int()).abs().max()) <= epsilon

    def test_the_same_seed_gives_the_same_bytes(self, toy_matching):
        one, same, other = (
            toy_matching(seed=seed, iterations=3, batch_size=7) for seed in (3, 3, 4)
        )
        assert torch.equal(one.images, same.images)
        assert one.losses == same.losses
        assert equal(weights(one.surrogate), weights(same.surrogate))
        assert not torch.equal(one.images, other.images)

    def test_the_global_state_plays_no_part(self, toy_matching):
        before = torch.random.get_rng_state()
        one = toy_matching(iterations=2)
        assert torch.equal(torch.random.get_rng_state(), before)
        with torch.random.fork_rng():
            torch.manual_seed(99)
            assert torch.equal(toy_matching(iterations=2).images, one.images)

    def test_the_last_surrogate_saw_what_is_released(self, toy_matching):
        asked, given, rounds, models = [], [], [], []

        def objective(model):
            asked.append(model)
            return toy_matching.objective(model)

        def retrain(images, number):
            given.append(images)
            rounds.append(number)
            models.append(toy_matching.retrain(images, number))
            return models[-1]

        made = toy_matching(iterations=7, retrainings=3, objective=objective, retrain=retrain)
        assert rounds == [1, 2, 3]
        assert torch.equal(given[-1], made.images)
        assert made.surrogate is models[-1]
        for images in given:
            change = (images.int() - toy_matching.data.samples.int()).abs()
            assert 0 < int(change.max()) <= 16
        # One gradient for each surrogate that is matched against: not for the last one.
        assert len(asked) == 3
        assert asked[1:] == models[:2]

    def test_without_retraining_the_surrogate_stays(self, toy_matching, tiny_model):
        made = toy_matching(retrainings=0, retrain=None)
        assert equal(weights(made.surrogate), weights(tiny_model()))

    def test_progress(self, toy_matching):
        told = []
        toy_matching(on_progress=lambda done, note, resumed: told.append((done, note, resumed)))
        assert [(done, resumed) for done, _, resumed in told] == [(i, False) for i in range(1, 7)]
        assert all(note.startswith("1 - cos ") for _, note, _ in told)

    def test_every_sample_is_matched_in_every_iteration(self, toy_matching, monkeypatch):
        """The last batch is smaller (12 = 5 + 5 + 2) and is not left out."""
        seen = []

        def loss(model, x, y, wanted, precision):
            seen.append((len(x), y.tolist()))
            return (x * 0).sum() + len(x)

        monkeypatch.setattr("datadeed.perturbations.matching.matching_loss", loss)
        made = toy_matching(iterations=2, retrainings=0)
        assert [size for size, _ in seen] == [5, 5, 2] * 2
        for part in (seen[:3], seen[3:]):
            matched = [label for _, y in part for label in y]
            assert sorted(matched) == sorted(toy_matching.data.labels.tolist())
        assert seen[0][1] + seen[1][1] != seen[3][1] + seen[4][1]  # in another order
        assert made.losses == [(25 + 25 + 4) / 12] * 2  # weighted by the size of the batch

    def test_a_surrogate_without_finite_outputs_is_one_line(self, toy_matching, tiny_model):
        def broken(images, number):
            model = tiny_model()
            with torch.no_grad():
                next(model.parameters()).fill_(float("nan"))
            return model

        with pytest.raises(WatermarkError, match=r"1 - cos is nan: .* lower learning") as caught:
            toy_matching(retrain=broken)
        assert "\n" not in str(caught.value)


class TestAugmentation:
    """Perturbed samples are changed as the surrogate's training changes images."""

    @pytest.fixture
    def seen(self, toy_matching, monkeypatch):
        """What the surrogate gets in the first iteration, all samples in one batch."""

        def run(training, **values):
            batches = []

            def loss(model, x, y, wanted, precision):
                batches.append(x.detach().clone())
                return (x * 0).sum()

            monkeypatch.setattr("datadeed.perturbations.matching.matching_loss", loss)
            chosen = {"iterations": 1, "retrainings": 0, "batch_size": 12, **values}
            toy_matching(training=training, generator=generator(3), **chosen)
            return batches[0]

        return run

    def by_hand(self, data, *, flip=False, rotation=0.0, shift=0.0):
        draw = generator(3)
        delta = (2 * torch.rand(data.samples.shape, generator=draw) - 1) * (16 / 255)
        x = data.samples.float() / 255
        x = (x + delta).clamp(0, 1)[torch.randperm(len(x), generator=draw)]
        flips = torch.rand(12, generator=draw) < 0.5 if flip else None
        angles = (2 * torch.rand(12, generator=draw) - 1) * rotation if rotation else None
        moves = (2 * torch.rand(12, 2, generator=draw) - 1) * shift if shift else None
        return augment(x, flips, angles, moves)

    @pytest.mark.parametrize(
        "how",
        [{}, {"flip": True}, {"shift": 2.0}, {"flip": True, "rotation": 9.0, "shift": 1.5}],
    )
    def test_it_is_the_trainings(self, seen, toy_matching, how):
        found = seen(TrainingConfig(epochs=1, lr=0.1, **{"flip": False, **how}))
        assert torch.allclose(found, self.by_hand(toy_matching.data, **how), atol=1e-6)

    def test_unless_another_is_chosen(self, seen, toy_matching):
        training = TrainingConfig(epochs=1, lr=0.1, flip=True, shift=3.0)
        found = seen(training, flip=False, shift=1.0)
        assert torch.allclose(found, self.by_hand(toy_matching.data, shift=1.0), atol=1e-6)
        found = seen(training, shift=0)
        assert torch.allclose(found, self.by_hand(toy_matching.data, flip=True), atol=1e-6)


class TestStart:
    def start(self, toy_matching, **values):
        """The perturbation before any step, in bounds, of pixels that can move either way."""
        made = toy_matching(iterations=1, retrainings=0, lr=1e-9, epsilon=60, **values)
        found = made.images.int() - toy_matching.data.samples.int()
        inside = (toy_matching.data.samples >= 60) & (toy_matching.data.samples <= 195)
        return found[inside].float() / 60

    def test_uniform(self, toy_matching):
        values = self.start(toy_matching)
        assert float(values.abs().max()) <= 1
        assert float((values.abs() < 0.5).float().mean()) == pytest.approx(0.5, abs=0.1)

    def test_a_gaussian_is_clamped(self, toy_matching):
        values = self.start(toy_matching, start="gaussian")
        assert float(values.abs().max()) == 1
        assert float((values.abs() == 1).float().mean()) == pytest.approx(0.32, abs=0.1)
        assert float((values.abs() < 0.5).float().mean()) == pytest.approx(0.38, abs=0.1)


def test_a_record_of_an_earlier_version_is_kept_as_it_was():
    earlier = {"epsilon": 16, "iterations": 125, "retrainings": 5, "lr": 0.025, "batch_size": 128}
    earlier |= {"flip": True, "shift": 8.0, "precision": "bf16"}
    assert Matching(**earlier).record() == earlier
    now = Matching(start="gaussian", last_retraining=False).record()
    assert Matching(**now).record() == now
    assert {"start", "last_retraining"} <= set(now)
    assert not {"flip", "shift"} & set(now)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"epsilon": 0}, "epsilon is 0"),
        ({"epsilon": 256}, "epsilon is 256"),
        ({"epsilon": 16 / 255}, "give a whole number of 255ths"),
        ({"iterations": 0}, "0 iterations with 5 retrainings"),
        ({"iterations": 4}, "no more retrainings than iterations"),
        ({"iterations": 4, "retrainings": 4, "last_retraining": False}, "and fewer retrainings"),
        ({"retrainings": -1}, "250 iterations with -1 retrainings"),
        ({"iterations": 60.0}, "iterations is 60.0: give a whole number"),
        ({"batch_size": 1.5}, "batch_size is 1.5: give a whole number"),
        ({"retrainings": "3"}, "retrainings is '3': give a whole number"),
        ({"lr": 0}, "lr 0, "),
        ({"lr": float("nan")}, "lr nan, "),
        ({"batch_size": 0}, "batch_size 0: need"),
        ({"shift": -1}, "shift -1: give 0 pixels or more"),
        ({"shift": float("nan")}, "shift nan: give 0 pixels or more"),
        ({"start": "zero"}, "start 'zero': use uniform or gaussian"),
        ({"precision": "fp16"}, "precision 'fp16': use bf16 or fp32"),
    ],
)
def test_bad_values_are_one_line(values, words):
    with pytest.raises(WatermarkError, match=words) as caught:
        Matching(**values)
    assert "\n" not in str(caught.value)
