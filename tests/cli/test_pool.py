"""The command ``pool``: what it prints, what it asks a server, and the way from it to a claim."""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from datadeed.datasets.formats.registry import read
from datadeed.owner.suspects.base import question_digest
from tests.cli.world import World, honest, pixels_digest, run, thief

HARD = 50  # of a hundred images of ten classes, and the fewest that a key needs


@dataclass(frozen=True)
class HardWorld(World):
    """The pool of the small world is what a surrogate chooses of it."""

    @property
    def pool(self) -> Path:
        return self.root / "hard.parquet"

    @property
    def tested(self) -> Path:
        return self.root / "pool.npz"

    @property
    def surrogate(self) -> Path:
        return self.root / "surrogate.yaml"

    def recorded_margins(self, kind: str = "top-k") -> dict[str, dict]:
        """A surrogate that is always right, and less sure of each image than of the one before."""
        images, table = read(self.tested), {}
        for n, (image, label) in enumerate(zip(images.samples, images.labels, strict=True)):
            first, other = int(label), (int(label) + 1) % len(images.classes)
            score = round(0.95 - 0.004 * n, 3)
            row = {"labels": [first, other], "scores": [score, round(1 - score, 3)]}
            table[question_digest(image)] = row if kind == "top-k" else {"labels": [first]}
        lines = [json.dumps({"question": name, **row}) + "\n" for name, row in table.items()]
        (self.root / "surrogate.jsonl").write_text("".join(lines))
        self.surrogate.write_text(
            f"protocol: log\npath: surrogate.jsonl\noutput: {{kind: {kind}}}\n"
        )
        return table

    def choose(self, *more, surrogate=None):
        where = ("--surrogate", surrogate or self.surrogate, "--out", self.pool)
        return run("pool", self.tested, *where, *more)


@pytest.fixture
def world(tmp_path):
    made = HardWorld(tmp_path)
    World(tmp_path).make()
    made.recorded_margins()
    return made


def test_what_is_printed(world):
    done = world.choose()
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines() == [
        "asked 100, right 100, taken 50",
        "margin of the last one taken: 0.5",
        f"commit to them before the release: datadeed commit DATA --key KEY --pool {world.pool}",
    ]
    hard, tested = read(world.pool), read(world.tested)
    assert hard.index.tolist() == list(range(50, 100))
    assert (hard.samples == tested.samples[50:]).all()
    assert (hard.labels == tested.labels[50:]).all()


def test_as_json(world):
    done = world.choose("--json", "--count", "60")
    assert done.json() == {
        "out": str(world.pool),
        "asked": 100,
        "answered": 100,
        "right": 100,
        "taken": 60,
        "margin": pytest.approx(0.58),
    }


def test_labels_alone(world):
    world.recorded_margins("labels")
    done = world.choose()
    assert done.code == 0
    assert done.err.startswith("note: the surrogate gives labels only: which images are hard")
    assert "taken 100\nmargin of the last one taken: unknown, as it gives labels only" in done.out


def test_from_the_pool_to_a_claim(world):
    """And an honest model is none, on the pool's images."""
    assert world.choose().code == 0
    assert world.watermark().code == 0
    assert world.key().pool.rows == HARD
    assert world.verify(world.recorded(thief, "thief")).code == 0
    other = world.verify(world.recorded(honest, "honest"), out=world.root / "other")
    assert other.code in (3, 4)
    world.open()
    assert world.check().code in (0, 6)


class TestServers:
    def test_how_many_questions_is_said_before_and_what_they_cost(self, world, start):
        table = world.recorded_margins()

        def behave(handler, seen):
            row = table[pixels_digest(seen.json())]
            pairs = zip(row["labels"], row["scores"], strict=True)
            handler.reply([{"label": f"class {n}", "score": score} for n, score in pairs])

        limits = {"cost": 5, "cost_per_query": 0.02, "concurrency": 8}
        served = world.served(start(behave).url, kind="top-k", **limits)
        done = world.choose(surrogate=served)
        assert done.code == 0, done.err
        assert done.err.splitlines() == [
            "note: 100 questions will be asked, one a sample, and failed ones again, at a cost of 2"
        ]
        assert read(world.pool).index.tolist() == list(range(50, 100))

    def test_limits_that_do_not_suffice_are_told_before_a_question(self, world, start):
        server = start(lambda handler, seen: handler.reply([]))
        done = world.choose(surrogate=world.served(server.url, queries=99))
        assert (done.code, done.err.count("\n")) == (1, 1)
        assert "100 questions are to be asked, one a sample, and served takes 99" in done.err
        assert not server.seen
        assert not world.pool.exists()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--count", "49"), "count is 49, but a key for 10 classes needs a pool of 50"),
        (("--count", "101"), "has 100 samples and count is 101"),
        (("--split", "night"), "night"),
        (("--option", "tone=1"), "'tone'"),
    ],
)
def test_what_makes_no_sense_is_one_line(world, more, message):
    done = world.choose(*more)
    assert (done.code, done.out, done.err.count("\n")) == (1, "", 1)
    assert message in done.err
    assert not world.pool.exists()


def test_a_pool_is_not_written_over(world):
    world.pool.write_text("mine")
    done = world.choose()
    assert (done.code, "exists: remove it or name another file" in done.err) == (1, True)
    assert world.pool.read_text() == "mine"
