"""The published methods on an owner's own data: copies, secrets and interruptions."""

import numpy as np
import pytest
import torch

from datadeed.datasets.formats.registry import read
from datadeed.models.stored import save_model
from datadeed.watermarks.registry import watermark_from_record
from tests.cli.owner import Owner, fails, jpegs
from tests.cli.world import FILES

STAMPED = ("badnets", "blended", "wanet", "ubw-p")


@pytest.fixture
def owner(tmp_path):
    return Owner(tmp_path)


@pytest.fixture
def surrogate(tmp_path, tiny_model):
    """A model for the owner's data."""
    model = tiny_model(shape=(3, 16, 16), classes=4, width=4)
    save_model(model, tmp_path / "surrogate", {})
    return tmp_path / "surrogate"


@pytest.fixture
def quick(monkeypatch):
    """Gradient matching that adds the bound to every pixel at once."""
    from datadeed.perturbations.bounds import apply
    from datadeed.perturbations.matching import Matched

    def match(model, images, labels, config, *, on_progress, **ignored):
        on_progress(config.iterations, "done", False)
        delta = torch.full(images.shape, config.epsilon / 255)
        return Matched(apply(images, delta, config.epsilon), model, [0.0])

    monkeypatch.setattr("datadeed.watermarks.matched.match_gradients", match)


def _marks(owner):
    """Rows, labels before and labels after."""
    marks = owner.secret()["marks"]
    return tuple(torch.tensor(marks[name]) for name in ("row", "label", "released_label"))


class TestStamped:
    @pytest.mark.parametrize("method", STAMPED)
    def test_the_copy_is_what_the_record_describes(self, owner, method):
        assert owner.mark(method, "--rate", "0.25").code == 0
        rows, old, new = _marks(owner)
        before, after = owner.before, owner.copy()
        assert len(rows) == 30
        assert torch.equal(old, before.labels[rows])
        assert torch.equal(new, after.labels[rows])
        mark = watermark_from_record(owner.secret()["watermark"])
        assert torch.equal(mark.trigger(before.take(rows)), after.samples[rows])
        assert not torch.equal(before.samples[rows], after.samples[rows])
        others = np.setdiff1d(np.arange(120), rows)
        assert torch.equal(before.samples[others], after.samples[others])
        assert torch.equal(before.labels[others], after.labels[others])
        if method == "ubw-p":
            assert len(new.unique()) == 4
        else:
            assert set(new.tolist()) == {1}

    @pytest.mark.parametrize("format", FILES)
    def test_every_format(self, tmp_path, format):
        owner = Owner(tmp_path, format)
        done = owner.mark("badnets", "--target", "2", "--json")
        assert done.code == 0
        assert (done.json()["marked"], done.json()["rows"]) == (12, 120)
        assert done.json()["max_difference"] == 0
        assert "gives no exact proof of ownership" in done.json()["limits"]
        classes, mark = owner.before.classes, watermark_from_record(owner.secret()["watermark"])
        before = read(owner.source, split=owner.split)  # a folder is read class by class
        rows, _, _ = _marks(owner)
        wanted, labels = before.samples.clone(), before.labels.clone()
        wanted[rows], labels[rows] = mark.trigger(before.take(rows)), 2
        after = owner.copy()
        assert after.classes == classes
        assert _bag(after.samples, after.labels) == _bag(wanted, labels)

    def test_the_secret_names_the_data_and_nobody_else_reads_it(self, owner):
        done = owner.mark("ubw-p", "--json").json()
        secret = owner.secret()
        assert owner.secret_file.stat().st_mode & 0o777 == 0o600
        assert secret["released"]["merkle_root"] == done["merkle_root"]
        assert secret["released"]["merkle_root"] != secret["data"]["merkle_root"]
        assert secret["classes"] == list(owner.before.classes)

    def test_a_passphrase_seals_it(self, owner, monkeypatch):
        monkeypatch.setenv("DATADEED_PASSPHRASE", "a long one")
        assert owner.mark("badnets").code == 0
        assert b"badnets" not in owner.secret_file.read_bytes()
        assert owner.secret("a long one")["watermark"]["method"] == "badnets"

    def test_the_seed_decides(self, owner):
        copies = []
        for number, seed in enumerate(["5", "5", "6", None, None]):
            out, secret = owner.root / f"{number}.npz", owner.root / f"{number}.json"
            more = ("--seed", seed) if seed else ()
            assert owner.mark("ubw-p", *more, out=out, secret=secret).code == 0
            copies.append(read(out).samples.numpy().tobytes())
        assert copies[0] == copies[1]
        assert len(set(copies)) == 4

    def test_a_random_pattern(self, owner):
        assert owner.mark("ubw-p", "--pattern", "random", "--seed", "1", "--size", "6").code == 0
        cells = owner.secret()["watermark"]["pattern"]["cells"]
        assert cells != [[0, 0, 255], [0, 255, 0], [255, 0, 255]]
        rows, _, _ = _marks(owner)
        corner = owner.copy().samples[rows][:, :, -6:, -6:]
        assert set(corner.unique().tolist()) == {0, 255}

    def test_a_target_by_name(self, owner):
        assert owner.mark("badnets", "--target", "class 3").code == 0
        assert owner.secret()["watermark"]["target"] == 3

    def test_the_trigger_of_a_clean_label_alone(self, owner):
        done = owner.mark("clean-label-images", "--no-perturbation", "--rate", "0.2")
        assert done.code == 0, done.err
        assert "surrogate" not in done.out + done.err
        rows, _, _ = _marks(owner)
        before, after = owner.before, owner.copy()
        mark = watermark_from_record(owner.secret()["watermark"])
        assert torch.equal(mark.trigger(before.take(rows)), after.samples[rows])
        assert not (owner.root / "safe/secret.json.work").exists()

    def test_an_opacity(self, owner):
        assert owner.mark("blended", "--opacity", "100").code == 0
        assert owner.secret()["watermark"]["trigger"]["alpha_255ths"] == 100


def _bag(samples, labels):
    pairs = zip(samples, labels.tolist(), strict=True)
    return sorted((image.contiguous().numpy().tobytes(), label) for image, label in pairs)


class TestCrafted:
    def test_label_consistent(self, owner, surrogate):
        more = ("--surrogate", surrogate, "--steps", "2", "--epsilon", "5")
        assert owner.mark("label-consistent", *more).code == 0
        rows, old, new = _marks(owner)
        before, after = owner.before, owner.copy()
        assert torch.equal(before.labels, after.labels)
        assert torch.equal(old, new)
        assert set(old.tolist()) == {1}
        change = (before.samples[rows].int() - after.samples[rows].int()).abs()
        change[:, :, [0, 1, 2, -3, -2, -1]] = 0  # of the corners' rows
        assert change.max() == 3  # two steps of 1.5
        assert sorted(path.name for path in (owner.root / "safe").iterdir()) == ["secret.json"]

    @pytest.mark.parametrize("method", ["sleeper-agent", "ubw-c"])
    def test_gradient_matching(self, owner, quick, method):
        more = ("--surrogate-width", "2", "--surrogate-epochs", "1", "--epsilon", "7")
        more += ("--iterations", "9", "--retrainings", "0", "--source-class", "2")
        done = owner.mark(method, *more)
        assert done.code == 0
        assert "surrogate: accuracy" in done.err
        record = owner.secret()["watermark"]
        assert (record["source"], record["matching"]["iterations"]) == (2, 9)
        rows, old, _ = _marks(owner)
        before, after = owner.before, owner.copy()
        assert torch.equal(before.labels, after.labels)
        change = after.samples.int() - before.samples.int()
        assert change.max() == 7
        changed = (change != 0).flatten(1).any(1).nonzero().squeeze(1)
        assert torch.equal(changed, rows)
        assert record["size"] == 8
        if method == "sleeper-agent":
            assert set(old.tolist()) == {1}
            assert np.array(record["cells"]).shape == (8, 8)
        else:
            assert (record["weight"], record["sources"]) == (2.0, 120)
            assert record["cells"] == [[0, 0, 255], [0, 255, 0], [255, 0, 255]]
        mark = watermark_from_record(record)
        assert not torch.equal(mark.trigger(before), before.samples)

    def test_it_goes_on_after_an_interruption(self, owner, surrogate, monkeypatch):
        import datadeed.watermarks.label_consistent as module

        pgd, calls = module.pgd, []

        def counted(*arguments, **values):
            calls.append(1)
            if len(calls) == 3:
                raise KeyboardInterrupt
            return pgd(*arguments, **values)

        monkeypatch.setattr(module, "PART", 4)
        monkeypatch.setattr(module, "pgd", counted)
        more = ("--surrogate", surrogate, "--steps", "2")
        assert owner.mark("label-consistent", *more).code == 130
        work = owner.root / "safe/secret.json.work"
        assert not owner.out.exists()
        assert not owner.secret_file.exists()
        assert work.stat().st_mode & 0o777 == 0o700
        assert (work / "start.json").stat().st_mode & 0o777 == 0o600
        assert fails(owner.mark("label-consistent", *more, "--seed", "3"), "with another seed")
        assert owner.mark("label-consistent", *more).code == 0
        assert len(calls) == 4  # 12 rows are 3 parts; the two finished ones were kept
        assert not work.exists()
        first, seed = owner.out.read_bytes(), owner.secret()["seed"]
        owner.out.unlink()
        owner.secret_file.unlink()
        assert owner.mark("label-consistent", *more, "--seed", seed).code == 0
        assert owner.out.read_bytes() == first

    def test_other_settings_do_not_go_on(self, owner, surrogate, monkeypatch):
        import datadeed.watermarks.label_consistent as module

        def stop(*arguments, **values):
            raise KeyboardInterrupt

        monkeypatch.setattr(module, "PART", 4)
        more = ("--surrogate", surrogate, "--steps", "2")
        with monkeypatch.context() as patched:
            patched.setattr("datadeed.owner.protect_published.write_copy", stop)
            assert owner.mark("label-consistent", *more).code == 130
        other = owner.mark("label-consistent", *more, "--epsilon", "4")
        assert fails(other, "belongs to another run")

    @pytest.mark.parametrize("trigger", [("--size", "3", "--colour", "9,8,7"), ("--mosaic", "4")])
    def test_clean_label_images(self, owner, surrogate, trigger):
        more = ("--surrogate", surrogate, "--steps", "2", "--step", "5", "--target", "class 2")
        done = owner.mark("clean-label-images", *more, *trigger, "--rate", "0.2", "--json")
        assert done.code == 0, done.err
        facts = done.json()["facts"]
        assert (facts["marks"], facts["class_size"]) == (6, 30)
        weak = "the surrogate does not know most marks" in done.err
        assert weak == (facts["wrong_before"] > 3)
        rows, old, new = _marks(owner)
        before, after = owner.before, owner.copy()
        assert torch.equal(before.labels, after.labels)
        assert torch.equal(old, new)
        assert set(old.tolist()) == {2}
        mark = watermark_from_record(owner.secret()["watermark"])
        change = after.samples.int() - mark.trigger(before).int()
        assert change[rows].abs().amax((1, 2, 3)).tolist() == [facts["largest_change"]] * 6
        assert 0 < facts["largest_change"] <= 10  # two steps of 5
        changed = (after.samples != before.samples).flatten(1).any(1).nonzero().squeeze(1)
        assert torch.equal(changed, rows)
        if trigger[0] == "--size":
            corner = after.samples[rows][:, :, -3:, -3:].unique(dim=0)
            assert corner.flatten(2).tolist() == [[[9] * 9, [8] * 9, [7] * 9]]

    def test_jpeg_changes_it_and_the_command_says_so(self, tmp_path, surrogate):
        owner = Owner(tmp_path)
        jpegs(owner, tmp_path / "photos")
        more = ("--surrogate", surrogate, "--steps", "2", "--json")
        done = owner.mark("label-consistent", *more)
        assert done.code == 0
        value = done.json()
        assert value["relabelled"] == 0
        assert value["mark_difference"] > 0
        assert f"by {value['mark_difference']:.1f} of 255 on average" in done.err
        assert "the perturbation itself is at most 8" in done.err
        secret = owner.secret()
        assert secret["released"]["max_difference"] == value["max_difference"]
        assert torch.equal(read(owner.source).labels, owner.copy().labels)
