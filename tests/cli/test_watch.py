"""``datadeed watch``: day after day on one folder, with the clock in hand."""

import json
from datetime import UTC, datetime

import pytest

import datadeed.owner.watch as job
from datadeed.owner.evidence import records
from tests.cli.world import World, honest, run, thief


class Clock(datetime):
    """A clock that stands."""

    day = 1

    @classmethod
    def now(cls, tz=None):
        return datetime(2026, 12, cls.day, 3, tzinfo=tz or UTC)


@pytest.fixture
def world(tmp_path, monkeypatch):
    monkeypatch.setattr(job, "datetime", Clock)
    monkeypatch.setattr(records, "datetime", Clock)
    monkeypatch.setattr(Clock, "day", 1)
    made = World(tmp_path).make()
    assert made.commit().code == 0
    return made


def watch(world, suspect, *more, out="watched"):
    where = ("--key", world.key_file, "--pool", world.pool, "--out", world.root / out)
    return run("watch", "--suspect", suspect, *where, *more)


def state(world, out="watched"):
    return json.loads((world.root / out / "watch.json").read_text())


def test_an_honest_model_day_by_day_to_the_last_question(world):
    suspect = world.recorded(honest)
    sizes = []
    for Clock.day in (1, 1, 2, 3, 4):
        result = watch(world, suspect, "--blocks", 40)
        assert result.code == 3, result.err
        sizes.append(state(world)["n"])
    assert sizes == [240, 240, 480, 600, 600]
    assert result.out.startswith("NO EVIDENCE: all 100 images were asked and E of 1000 was not")
    assert "questions on 3 days; 0 images left" in result.out
    assert state(world)["over"]
    assert 0 < state(world)["hits"] < 120  # images of a part's own class
    assert [day["date"] for day in state(world)["days"]] == [f"2026-12-0{k}" for k in (1, 2, 3)]


def test_a_model_exchanged_for_a_marked_one(world):
    suspect = world.recorded(honest)
    assert watch(world, suspect).code == 3
    world.recorded(
        lambda key, part, label: (label + 1) % 10 if part is None else honest(key, part, label)
    )
    Clock.day = 2
    assert watch(world, suspect).code == 3
    assert state(world)["changed_on"] == ["2026-12-02"]
    world.recorded(thief)
    for Clock.day in (3, 4):
        result = watch(world, suspect)
    assert result.code == 0, result.err
    assert result.out.startswith("EVIDENCE: reached E of 1000 on day ")
    assert "now run `datadeed verify`: a watch alone is no claim" in result.out
    asked = state(world)["n"]
    Clock.day = 5
    result = watch(world, suspect, "--json")
    assert result.code == 0
    assert (result.json()["n"], result.json()["over"]) == (asked, True)


def test_a_suspect_out_of_reach_is_told_from_no_evidence(world):
    suspect = world.recorded(honest)
    assert watch(world, suspect).code == 3
    before = state(world)
    Clock.day = 2
    world.recorded(lambda *_: "fail")
    result = watch(world, suspect)
    assert result.code == 5
    assert result.err.startswith("error: could not test: no clean question was answered: ")
    world.recorded(lambda key, part, label: label if part is None else "fail")
    result = watch(world, suspect)
    assert result.code == 5
    assert result.err.startswith("error: could not test: 3 queries in a row failed, the last with")
    after = state(world)
    assert after["last_run"] == {
        "date": "2026-12-02",
        "word": "COULD NOT TEST",
        "reason": result.err.removeprefix("error: could not test: ").strip(),
    }
    assert after["days"] == before["days"]
    world.recorded(honest)
    assert watch(world, suspect).code == 3
    assert [day["failed"] for day in state(world)["days"]] == [0, 0]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--blocks", "2"), "holds a watch with blocks 1, not 2"),
        (("--suspects", "5"), "holds a watch with suspects 1, not 5"),
        (("--keys", "3"), "holds a watch with keys 1, not 3"),
        (("--blocks", "0"), "0 images a day of 6 questions: give 1 to 100"),
    ],
)
def test_what_is_fixed_stays_fixed(world, more, said):
    suspect = world.recorded(honest)
    assert watch(world, suspect).code == 3
    Clock.day = 2
    result = watch(world, suspect, *more)
    assert result.code == 1
    assert said in result.err
    assert result.err.count("\n") == 1


def test_a_log_that_lost_its_end_is_refused(world):
    suspect = world.recorded(honest)
    assert watch(world, suspect).code == 3
    log = world.root / "watched/queries.jsonl"
    log.write_text("".join(log.read_text().splitlines(keepends=True)[:-1]))
    result = watch(world, suspect)
    assert result.code == 1
    assert "has lost answers that watch.json knows of" in result.err


def test_the_state_is_not_needed_and_not_trusted(world):
    suspect = world.recorded(honest)
    assert watch(world, suspect).code == 3
    wanted = state(world)
    path = world.root / "watched/watch.json"
    path.unlink()
    assert watch(world, suspect).code == 3
    assert state(world) == wanted
    path.write_text('{"form": "datadeed/watch/3", "fixed": [], "chain": {}}')
    result = watch(world, suspect)
    assert result.code == 1
    assert "is not the state of a watch: remove it, the log has it all" in result.err


def test_another_pool_is_refused_before_a_question_is_asked(world):
    suspect = world.recorded(honest)
    result = run(
        *("watch", "--suspect", suspect, "--key", world.key_file),
        *("--pool", world.source, "--out", world.root / "watched"),
    )
    assert result.code == 1
    assert "the key is bound to a pool of 100 images" in result.err
