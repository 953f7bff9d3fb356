"""What the published methods refuse: foreign options, bad input, places; nothing is left then."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from datadeed.cli.methods import methods
from datadeed.models.stored import save_model
from datadeed.watermarks.registry import watermark_class
from tests.cli.owner import Owner, fails, jpegs
from tests.cli.world import files_under, run
from tests.conftest import toy
from tests.datasets.formats.writers import write

METHODS = methods()
IMAGE_METHODS = [name for name in METHODS if watermark_class(name).modality == "image"]


@pytest.fixture
def owner(tmp_path):
    return Owner(tmp_path)


@pytest.fixture
def surrogate(tmp_path, tiny_model):
    """A model for the owner's data."""
    model = tiny_model(shape=(3, 16, 16), classes=4, width=4)
    save_model(model, tmp_path / "surrogate", {})
    return tmp_path / "surrogate"


class TestOptions:
    @pytest.mark.parametrize("method", ["keyed", *METHODS])
    def test_an_option_of_another_method_is_refused(self, owner, method):
        every = {name: "2" for values in METHODS.values() for name in values}
        every |= {"parts": "4", "alpha": "1e-3", "budget": "9", "pool": "x", "key": "x"}
        every["pattern"] = "random"
        flags = {"style", "no_perturbation"}
        keyed = {"parts", "alpha", "budget", "pool", "key", "rate", "opacity", "option", "seconds"}
        foreign = set(every) - (keyed if method == "keyed" else set(METHODS[method]))
        assert len(foreign) > 5
        for name in sorted(foreign):
            flag = f"--{name.replace('_', '-')}"
            where = ("--out", owner.out, flag, *(() if name in flags else (every[name],)))
            done = run("watermark", owner.source, *where, "--method", method)
            assert fails(done, f"{method} has no option {flag}: leave it out")

    def test_keyed_is_the_default_and_needs_a_key(self, owner):
        for more in ((), ("--method", "keyed")):
            done = run("watermark", owner.source, "--out", owner.out, *more)
            assert fails(done, "the following arguments are required: --key", code=2)
        done = run("watermark", owner.source, "--out", owner.out, "--method", "ubw-p")
        assert fails(done, "the following arguments are required: --secret", code=2)

    def test_naming_keyed_changes_nothing(self, bare):
        bare.commit()
        assert bare.watermark().code == 0
        released = bare.root / "released.npz"
        first = released.read_bytes()
        released.unlink()
        assert bare.watermark("--method", "keyed").code == 0
        assert released.read_bytes() == first

    def test_an_unknown_method(self, owner):
        assert owner.mark("nonsense").code == 2


class TestBadInput:
    @pytest.mark.parametrize(
        ("method", "more", "message"),
        [
            ("badnets", ("--rate", "0"), "poison rate 0.0 is out of range"),
            ("badnets", ("--rate", "nan"), "poison rate nan is out of range"),
            ("badnets", ("--rate", "0.001"), "marks no row"),
            ("badnets", ("--target", "4"), "target label 4 does not exist"),
            ("badnets", ("--target", "-1"), "target label -1 does not exist"),
            ("badnets", ("--target", "class 4"), "no class is named 'class 4'"),
            ("badnets", ("--size", "4"), "multiple of 3"),
            ("badnets", ("--size", "18"), "from 1 to 16"),
            ("blended", ("--opacity", "0"), "alpha is 0"),
            ("wanet", ("--grid", "1"), "grid is 1"),
            ("wanet", ("--strength", "0"), "strength is 0.0"),
            ("label-consistent", ("--epsilon", "0"), "epsilon is 0"),
            ("label-consistent", ("--epsilon", "256"), "epsilon is 256"),
            ("label-consistent", ("--steps", "0"), "0 steps"),
            ("label-consistent", ("--rate", "0.3"), "give a rate of at most 0.25"),
            ("sleeper-agent", ("--rate", "0.3"), "give a rate of at most 0.25"),
            ("sleeper-agent", ("--source-class", "4"), "source class 4 does not exist"),
            ("sleeper-agent", ("--source-class", "1"), "they must differ"),
            ("sleeper-agent", ("--size", "17"), "does not fit"),
            ("sleeper-agent", ("--size", "0"), "give 1 pixel or more"),
            ("clean-label-images", ("--size", "17"), "17x17 pixels do not fit"),
            ("clean-label-images", ("--colour", "1,2"), "give 1 or 3 whole numbers"),
            ("clean-label-images", ("--colour", "256"), "colour is 256"),
            ("clean-label-images", ("--place", "start"), "place is 'start'"),
            ("clean-label-images", ("--opacity", "9"), "--opacity is of a mosaic"),
            ("clean-label-images", ("--mosaic", "17"), "cells is 17"),
            ("clean-label-images", ("--mosaic", "4", "--size", "3"), "--size does nothing beside"),
            ("clean-label-images", ("--rate", "0.01"), "target class's 30 samples marks none"),
            ("clean-label-images", ("--step", "nan"), "steps of nan"),
            ("ubw-c", ("--epsilon", "0"), "epsilon is 0"),
            ("ubw-c", ("--size", "2"), "at least 3 pixels"),
            ("ubw-c", ("--weight", "-1"), "weight -1.0"),
            ("ubw-c", ("--iterations", "3", "--retrainings", "4"), "no more retrainings than"),
            ("ubw-c", ("--surrogate-width", "0"), "a surrogate of width 0"),
            ("ubw-c", ("--surrogate-epochs", "0"), "epochs 0"),
            ("ubw-c", ("--surrogate", "nowhere"), "nowhere/model.json does not describe a model"),
            ("ubw-c", ("--surrogate", "x", "--surrogate-width", "2"), "leave one of both out"),
        ],
    )
    def test_a_value_that_makes_no_sense(self, owner, method, more, message):
        before = owner.files()
        assert fails(owner.mark(method, *more), message)
        assert owner.files() == before

    def test_a_source_class_without_rows(self, owner):
        some = owner.before.take(owner.before.labels != 3)
        owner.source.unlink()
        write(some, owner.source, format="npz")
        done = owner.mark("ubw-c", "--source-class", "3", "--rate", "0.05")
        assert fails(done, "source class 3")

    @pytest.mark.parametrize("method", ["ubw-p", "ubw-c"])
    def test_too_few_classes(self, owner, method):
        owner.source.unlink()
        write(toy(40, classes=2, shape=(3, 16, 16)), owner.source, format="npz")
        assert fails(owner.mark(method), "3 or more")

    def test_a_surrogate_of_other_data(self, owner, tmp_path, tiny_model):
        save_model(tiny_model(), tmp_path / "other", {})
        before = owner.files()
        done = owner.mark("label-consistent", "--surrogate", tmp_path / "other")
        assert fails(done, "the surrogate takes samples of (3, 8, 8) and 3 classes")
        assert owner.files() == before

    @pytest.mark.parametrize("method", IMAGE_METHODS)
    def test_images_of_several_sizes(self, tmp_path, method):
        owner = Owner(tmp_path)
        jpegs(owner, tmp_path / "photos")
        odd = tmp_path / "photos/class 2/062.jpg"
        Image.open(odd).resize((20, 24)).save(odd)
        before = owner.files()
        assert fails(owner.mark(method), "is 24x20, but image 0 is 16x16: " + method)
        assert owner.files() == before

    def test_text(self, owner):
        folder = owner.root / "texts"
        folder.mkdir()
        table = pa.table({"text": ["a", "b", "c"], "label": [0, 1, 2]})
        pq.write_table(table, folder / "train-00000-of-00001.parquet")
        owner.source = folder
        assert fails(owner.mark("ubw-p"), "texts")


class TestPlaces:
    def test_what_is_there_is_not_written_over(self, owner):
        assert owner.mark("badnets").code == 0
        before = {path: path.read_bytes() for path in files_under(owner.root)}
        assert fails(owner.mark("badnets", out=owner.root / "other.npz"), "secret.json exists")
        assert fails(owner.mark("badnets"), "copy-of-data.npz exist: keep them if the secret is of")
        other = owner.mark("badnets", secret=owner.root / "other.json")
        assert fails(other, "copy-of-data.npz exists")
        assert {path: path.read_bytes() for path in files_under(owner.root)} == before

    @pytest.mark.parametrize("option", ["secret", "work"])
    @pytest.mark.parametrize("place", ["source", "out"])
    def test_not_inside_what_is_given_away(self, tmp_path, option, place):
        owner = Owner(tmp_path, "imagefolder")
        inside = getattr(owner, place) / "notes"
        more = {"secret": owner.secret_file, "work": tmp_path / "w", option: inside}
        done = owner.mark("label-consistent", "--work", more["work"], secret=more["secret"])
        assert fails(done, "which is given away")

    def test_a_work_folder_that_holds_something_else(self, owner, surrogate):
        (owner.root / "mine").mkdir()
        (owner.root / "mine/thesis.tex").write_text("text")
        done = owner.mark("label-consistent", "--work", owner.root / "mine")
        assert fails(done, "is not empty and no crafting's")
        assert (owner.root / "mine/thesis.tex").exists()

    def test_without_a_copy_there_is_no_secret(self, owner, monkeypatch):
        def full(*arguments, **values):
            assert owner.secret_file.exists(), "the secret comes first"
            raise OSError(28, "No space left on device", "copy")

        monkeypatch.setattr("datadeed.owner.protect_secret.release", full)
        before = owner.files()
        done = owner.mark("badnets")
        assert (done.code, done.out) == (1, "")
        assert "No space left on device" in done.err.splitlines()[-1]
        assert owner.files() == before
