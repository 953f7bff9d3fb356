"""Making a key: where it may lie, what it refuses, what it writes."""

import datetime as dt
import json

import pytest

from datadeed.owner.commit import commit
from tests.cli.world import DESIGN, World, data, run, thief
from tests.datasets.formats.writers import write
from tests.owner.evidence.authority import Authority


def test_files_and_their_modes(bare):
    done = bare.commit()
    assert done.code == 0
    assert bare.key_file.stat().st_mode & 0o777 == 0o600
    public = json.loads((bare.root / "safe/commitment.json").read_text())
    assert public == bare.key().public()
    assert public["commitment"] in done.out
    assert "tried many keys" in done.out


def test_nothing_is_written_over(bare):
    bare.commit()
    before = bare.key_file.read_bytes()
    again = bare.commit()
    assert (again.code, "a lost key cannot be made again" in again.err) == (1, True)
    assert bare.key_file.read_bytes() == before
    other = ("--pool", bare.pool, "--key", bare.root / "safe/second.json")
    second = run("commit", bare.source, *other)
    assert (second.code, "commitment.json exists" in second.err) == (1, True)
    assert "keep this key in a folder of its own, or name another file" in second.err
    assert not (bare.root / "safe/second.json").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--parts", "1"), "parts is 1"),
        (("--rate", "2"), "rate is 2.0"),
        (("--rate", "nan"), "rate is nan"),
        (("--rate", "0.01"), "is 2 marks for 6 parts"),
        (("--opacity", "256"), "opacity is 256"),
        (("--alpha", "0"), "alpha is 0.0"),
        (("--least-effect", "1"), "least_effect is 1.0"),
        (("--budget", "0"), "budget is 0"),
        (("--alpha", "1e-6"), "6 parts with labels among 10 classes cannot reach 1/alpha, 1e+06"),
        (("--alpha", "0.06"), "alpha is 0.06"),
        (("--least-effect", "0.08"), "least_effect is 0.08: the 45 pairs"),
        (("--budget", "5"), "budget is 5, but a claim takes 6 counted questions at best"),
        (("--budget", "40"), "budget is 40, but NOT SUPPORTED takes 6 + "),
        (("--beacon", "drand quicknet", "25000000"), "was out at 2026-01-07"),
        (("--beacon", "drand quicknet", "9" * 15), "comes out after the year 9999"),
        (("--beacon", "drand", "soon"), "the beacon's round is 'soon'"),
        (("--beacon", "drand", "0"), "the beacon's round is '0'"),
        (("--beacon", "drand", "9" * 5000), "the beacon's round is '999"),
        (("--split", "night"), "night"),
        (("--pool-split", "night"), "night"),
    ],
)
def test_what_makes_no_sense_is_refused(bare, options, message):
    done = bare.commit(*options)
    assert (done.code, done.out) == (1, "")
    assert message in done.err
    assert done.err.count("\n") == 1
    assert not bare.key_file.exists()


def test_other_classes_in_the_pool(bare):
    write(data(100, classes=9), bare.root / "nine.npz", format="npz")
    done = bare.commit("--pool", bare.root / "nine.npz")
    assert (done.code, "the pool has 9 classes" in done.err) == (1, True)


def test_classes_without_rows(bare):
    """They get no marks: each would be the only row with its label."""
    few = data()
    keep = (few.labels != 3) & (few.labels != 7)
    write(few.take(keep.nonzero()[:, 0]), bare.root / "few.npz", format="npz")
    where = ("--pool", bare.pool, "--key", bare.key_file)
    done = run("commit", bare.root / "few.npz", *where, *DESIGN, *bare.carrier)
    assert done.code == 0
    assert "2 of 10 classes have no row in" in done.err
    assert "('class 3', 'class 7'): no mark gets their label" in done.err
    assert bare.key().design.targets == (0, 1, 2, 4, 5, 6, 8, 9)


def test_data_of_one_class(bare):
    one = data()
    write(one.take((one.labels == 3).nonzero()[:, 0]), bare.root / "one.npz", format="npz")
    where = ("--pool", bare.pool, "--key", bare.key_file)
    done = run("commit", bare.root / "one.npz", *where, *DESIGN, *bare.carrier)
    assert (done.code, done.err.count("\n")) == (1, 1)
    assert "one.npz has rows of 1 class, but labels of marks are drawn among two" in done.err
    assert not bare.key_file.parent.exists()


def test_a_pool_that_is_too_small(bare):
    bare.pool.unlink()
    write(data(3, seed=1), bare.pool, format="npz")
    done = bare.commit("--alpha", "1e-5", "--answers", "labels")
    assert (done.code, done.err.count("\n")) == (1, 1)
    assert "the pool has 3 samples, but a claim takes 4 at best" in done.err
    assert not bare.key_file.exists()


def test_what_is_committed(bare):
    more = ("--answers", "scores", "--least-effect", "0.3", "--opacity", "200", "--budget", "300")
    assert bare.commit(*more).code == 0
    made = bare.key().design
    assert (made.parts, made.alpha, made.answers, made.least_effect) == (6, 1e-3, "scores", 0.3)
    assert (made.opacity, made.budget) == (200, 300)


@pytest.mark.parametrize(("copies", "code"), [(1, 0), (2, 1)])
def test_a_pool_of_repeated_images(bare, copies, code):
    """One in a hundred may be there twice, with whatever label."""
    pool = data(100, seed=1)
    pool.samples[10 : 10 + copies] = pool.samples[0]
    bare.pool.unlink()
    write(pool, bare.pool, format="npz")
    done = bare.commit()
    assert done.code == code
    assert bare.key_file.exists() is (code == 0)
    assert ("2 of the pool's 100 samples stand in it before" in done.err) is (code == 1)


@pytest.mark.parametrize("place", ["git", "source", "dvc"])
def test_a_key_is_not_made_where_it_would_get_out(tmp_path, place):
    world = World(tmp_path, "imagefolder").make()
    folder = world.source
    if place == "git":
        folder = tmp_path / "work"
        (folder / ".git").mkdir(parents=True)
    elif place == "dvc":
        folder = tmp_path / "data"
        (tmp_path / ".dvc").mkdir()
    for command, more in (("commit", ()), ("watermark", ("--out", tmp_path / "released"))):
        done = run(command, world.source, "--pool", world.pool, "--key", folder / "key.json", *more)
        assert done.code == 1
        assert done.err.count("\n") == 1
        assert "choose" in done.err
        assert not (folder / "key.json").exists()
        assert not (tmp_path / "released").exists()


class TestPassphrase:
    @pytest.fixture(autouse=True)
    def cheap(self, monkeypatch):
        import datadeed.keys.sealing as module

        monkeypatch.setattr(module, "_COST", 2**15)

    def test_a_sealed_key_works_with_its_passphrase_only(self, bare, monkeypatch, no_page):
        monkeypatch.setenv("DATADEED_PASSPHRASE", "correct horse")
        assert bare.commit().code == 0
        secret = bare.key("correct horse").secret.hex()
        assert secret not in bare.key_file.read_text()
        assert bare.watermark().code == 0
        assert bare.open().code == 0
        monkeypatch.setenv("DATADEED_PASSPHRASE", "battery staple")
        wrong = bare.watermark()
        monkeypatch.delenv("DATADEED_PASSPHRASE")
        without = bare.watermark()
        assert (wrong.code, without.code) == (1, 1)
        assert "wrong passphrase" in wrong.err
        assert "is sealed: give its passphrase" in without.err
        for text in ("correct horse", "battery staple", secret):
            assert text not in wrong.err + wrong.out + without.err + without.out

    def test_an_unsealed_key_in_place_of_a_sealed_one_is_noticed(self, bare, monkeypatch):
        bare.commit()
        monkeypatch.setenv("DATADEED_PASSPHRASE", "correct horse")
        assert "is not sealed" in bare.watermark().err


class TestTimestamp:
    """A local authority stands in for a public one."""

    def test_an_authority_that_is_down_leaves_nothing(self, bare):
        done = bare.commit("--timestamp", "http://127.0.0.1:1/")
        assert (done.code, "cannot be reached" in done.err) == (1, True)
        assert not (bare.root / "safe").exists()

    def test_from_the_commitment_to_the_check(self, bare, start, tmp_path):
        now = dt.datetime.now(dt.UTC).replace(microsecond=0)
        year = dt.timedelta(days=365)
        authority = Authority((now - year, now + year))

        def stamp(handler, seen):
            handler.reply(authority.answer(seen.body, now))

        assert bare.commit("--timestamp", start(stamp).url).code == 0
        assert bare.watermark().code == 0
        roots, token = tmp_path / "roots.pem", bare.root / "safe/commitment.tsr"
        roots.write_bytes(authority.roots)
        bare.recorded(thief, "thief")
        stamped = ("--timestamp", token, "--roots", roots)
        done = bare.verify(bare.root / "thief.yaml", *stamped, "--json")
        assert done.code == 0
        assert done.json()["key"]["timestamp"]["time"] == f"{now:%Y-%m-%dT%H:%M:%S}.000Z"
        opening = bare.root / "opening.json"
        assert run("reveal", "--key", bare.key_file, "--opening", opening).code == 0
        checked = run("reveal", "--check", bare.out, "--opening", opening, *stamped, "--json")
        words = {check["what"]: check["word"] for check in checked.json()["checks"]}
        assert words["timestamp"] == "passed"


class TestPlanned:
    """200 rows are too few for 40 marks a part at any rate that a plan proposes."""

    def commit(self, bare, *more):
        where = ("--pool", bare.pool, "--key", bare.key_file, "--alpha", "1e-3", *bare.carrier)
        return run("commit", bare.source, *where, *more)

    def test_too_few_marks_are_refused(self, bare):
        done = self.commit(bare)
        assert (done.code, done.out, done.err.count("\n")) == (1, "", 1)
        assert "6 marks a part, fewer than 40: no key is made" in done.err
        assert "; instead, give --few-marks" in done.err
        assert not bare.key_file.parent.exists()

    def test_what_is_committed_is_what_was_planned(self, bare):
        told = ("--alpha", "1e-3", "--few-marks", *bare.carrier)
        planned = run("plan", bare.source, "--pool", bare.pool, *told, "--json").json()
        done = self.commit(bare, "--few-marks")
        assert done.code == 0
        made = bare.key().design
        assert (made.parts, made.rate) == (planned["parts"], planned["rate"]) == (8, 0.25)
        for warning in planned["warnings"]:
            assert f"note: {warning['text']}" in done.err

    def test_warnings_come_before_there_is_a_key(self, bare):
        heard = []

        def note(line):
            assert not bare.key_file.exists()
            heard.append(line)

        told = {"alpha": 1e-3, "few_marks": True, "carrier": "patch"}
        commit(bare.source, bare.key_file, pool=bare.pool, note=note, **told)
        assert bare.key_file.exists()
        assert heard[0].startswith("6 marks a part: fewer than 150 were not always learnt")
        assert heard[1].startswith("marking 25% of the rows will cost accuracy")
