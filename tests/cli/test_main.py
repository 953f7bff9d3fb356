"""What every command shares: usage, errors as one line, JSON; and ``plan``."""

import os
import re
import subprocess
import sys

import pytest

from datadeed.cli import command as cli
from datadeed.cli import main
from datadeed.cli.common import show_json
from datadeed.errors import SecretError
from datadeed.owner.plan import plan
from tests.cli.texts import TextWorld
from tests.cli.world import run


@pytest.mark.parametrize("arguments", [(), ("prove",), ("plan",), ("plan", "--classes", "ten")])
def test_wrong_usage(arguments):
    done = run(*arguments)
    assert (done.code, done.out) == (2, "")
    assert "usage: datadeed" in done.err


@pytest.mark.parametrize("command", ["verify", "watch"])
@pytest.mark.parametrize("more", [("--key", "k.json", "--pool", "pool", "--out", "out"), ()])
def test_a_suspect_that_is_not_named_as_one(command, more):
    """Everybody's first try: the model's file alone."""
    done = run(command, "model.onnx", *more)
    assert (done.code, done.out) == (2, "")
    last = done.err.splitlines()[-1]
    assert "required: --suspect" in last
    assert last.endswith(
        "; the suspect goes after --suspect: its YAML file, or a model's folder (docs/suspects.md)"
    )
    named = run(command, "--suspect", "s.yaml")
    assert "required: --key" in named.err
    assert "goes after" not in named.err


@pytest.mark.parametrize("command", cli.COMMANDS)
def test_every_command_explains_itself(command):
    done = run(command, "--help")
    assert (done.code, done.err) == (0, "")
    assert "--json" in done.out
    assert "None" not in done.out


@pytest.mark.parametrize(("command", "count"), [("commit", 1), ("watermark", 2), ("verify", 2)])
def test_options_of_secret_files_name_where_the_passphrase_is_from(command, count):
    assert run(command, "--help").out.count("DATADEED_PASSPHRASE") == count


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("datadeed ver", {"verify"}),
        ("datadeed re", {"report", "reveal"}),
        ("datadeed verify --su", {"--suspect", "--suspects"}),
        ("datadeed commit data --answers ", {"labels", "scores"}),
    ],
)
def test_a_shell_is_told_what_may_come_next(tmp_path, typed, offered):
    told = tmp_path / "told"
    asked = {
        "_ARGCOMPLETE": "1",
        "_ARGCOMPLETE_IFS": "\n",
        "_ARGCOMPLETE_STDOUT_FILENAME": str(told),
        "COMP_LINE": typed,
        "COMP_POINT": str(len(typed)),
    }
    words = [sys.executable, "-m", "datadeed"]
    subprocess.run(words, env=os.environ | asked, check=True, timeout=120)
    assert {word.strip() for word in told.read_text().split("\n")} == offered


class TestPlan:
    @pytest.fixture(autouse=True)
    def few_proofs(self, monkeypatch):
        monkeypatch.setattr("datadeed.owner.plan.RUNS", 2)
        monkeypatch.setattr("datadeed.owner.plan.HONEST_RUNS", 2)

    def test_text(self):
        done = run("plan", "--classes", "10", "--samples", "50000")
        assert done.code == 0
        assert "24 (8 learnt well are enough)" in done.out
        assert "24 images or more" in done.out
        lines = done.out.splitlines()
        assert len(lines) < 20
        assert lines[-1].endswith("measured of mosaic, and of patch, grating, cutout, mixed")
        assert "of runs" not in done.out
        told = run("plan", "--classes", "10", "--samples", "50000", "--details").out
        assert "CLAIM in 100% of runs" in told
        assert "NOT SUPPORTED in 100% of runs" in told
        details = told.splitlines()
        assert details[: len(lines) - 1] == lines[:-1]
        assert any(line.startswith("mosaic           a key: 24 parts") for line in details)

    def test_a_budget_below_a_block(self):
        done = run("plan", "--classes", "10", "--samples", "50000", "--budget", "5")
        assert (done.code, "of runs" in done.out) == (0, False)
        assert "warning          budget is 5, but a claim takes 24 counted" in done.out

    def test_json(self):
        made = run("plan", "--classes", "10", "--samples", "50000", "--json").json()
        assert (made["parts"], made["enough"], made["marks"], made["warnings"]) == (24, 8, 1944, [])
        assert made["questions"]["0.95"]["share"] == 1

    def test_of_a_dataset(self, bare):
        """Ten classes, 200 rows of 12 x 12: no key, and no mosaic anyhow."""
        done = run("plan", bare.source, "--pool", bare.pool, "--carrier", "patch", "--details")
        assert (done.code, done.err) == (0, "")
        lines = done.out.splitlines()
        assert lines[0].startswith("no key           4 marks a part, fewer than 40")
        assert "instead          have 1,300 rows (8 parts, 25.0%, 40 each)" in lines
        assert any(line.startswith("mosaic           no key: ") for line in lines)

    def test_of_texts(self, tmp_path):
        world = TextWorld(tmp_path).make()
        done = run("plan", world.source, "--pool", world.pool, "--few-marks", "--details")
        assert (done.code, done.err) == (0, "")
        assert "carrier          clauses" in done.out.splitlines()
        assert re.search(r"^pool             \d+ texts or more$", done.out, re.MULTILINE)
        assert "  measured       nothing of about as many marks" in done.out.splitlines()

    def test_of_a_single_measured_key(self):
        """2,700 clips, of which one key of chirps was measured: no span of medians."""
        done = run("plan", "--classes", "10", "--samples", "2700", "--modality", "audio")
        near = "8 questions (median of the one measured key near), CLAIM in 100% of its"
        assert f"as keys did      {near} verifications" in done.out.splitlines()

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ((), "give SOURCE, or both --classes and --samples"),
            (("--classes", "10"), "give SOURCE, or both --classes and --samples"),
            (("data.npz", "--classes", "10"), "--classes is read from SOURCE"),
            (("--classes", "10", "--samples", "9", "--split", "x"), "are of SOURCE: name it"),
        ],
    )
    def test_source_or_numbers(self, arguments, message):
        done = run("plan", *arguments)
        assert (done.code, message in done.err) == (2, True)

    @pytest.mark.parametrize(
        "options",
        [
            ("--classes", "1"),
            ("--classes", "1000000000"),
            ("--samples", "0"),
            ("--alpha", "nan"),
            ("--alpha", "0"),
            ("--alpha", "0.06"),
            ("--least-effect", "1"),
            ("--budget", "0"),
            ("--parts", "-3"),
            ("--parts", "0"),
            ("--rate", "0"),
        ],
    )
    def test_numbers_without_sense(self, options):
        done = run("plan", "--classes", "10", "--samples", "1000", *options)
        assert (done.code, done.out, done.err.count("\n")) == (1, "", 1)


class TestErrors:
    def test_as_json(self, bare):
        done = run("report", bare.root / "nowhere", "--json")
        assert done.code == 1
        assert done.json() == {"error": done.err.removeprefix("error: ").strip()}

    @pytest.mark.parametrize("place", ["pool.npz/out", "pool.npz"])
    def test_places_that_cannot_be(self, world, place):
        """A file where a folder is needed, for each command that writes."""
        place = world.root / place
        commands = [
            ("commit", world.source, "--pool", world.pool, "--key", place / "key.json"),
            ("watermark", world.source, "--key", world.key_file, "--out", place / "copy.npz"),
            ("reveal", "--key", world.key_file, "--opening", place / "opening.json"),
            ("report", place),
        ]
        done = [run(*command) for command in commands]
        done += [
            world.verify(world.root / "thief.yaml", out=place),
            world.commit("--key", world.root / "safe/new.json", "--commitment", place / "x.json"),
        ]
        for result in done:
            lines = result.err.splitlines()
            faults = [line for line in lines if line.startswith("error: ")]
            assert (result.code, faults) == (1, lines[-1:]), result.err

    @pytest.mark.parametrize(
        ("name", "content"),
        [
            ("empty.npz", b""),
            ("zip.npz", b"PK\x03\x04" + b"\x00" * 50),
            ("pickle.npz", b"\x80\x04N."),
            ("train-images-idx3-ubyte", b"\x00\x00\x08\x03" + b"\xff" * 12),
            ("some.parquet", b"PAR1PAR1"),
            ("notes.txt", b"hello"),
        ],
    )
    def test_sources_that_are_none(self, bare, name, content):
        source = bare.root / "odd" / name
        source.parent.mkdir()
        source.write_bytes(content)
        for path in (source, source.parent):
            done = run("commit", path, "--key", bare.key_file, "--pool", bare.pool)
            assert (done.code, done.out, done.err.count("\n")) == (1, "", 1)
            assert not bare.key_file.exists()

    @pytest.mark.parametrize(
        ("error", "code", "message"),
        [
            (PermissionError(13, "Permission denied", "/root/x"), 1, "/root/x: Permission denied"),
            (OSError("something"), 1, "something"),
            (MemoryError(), 1, "not enough memory"),
            (SecretError("k is sealed: give its passphrase"), 1, "(DATADEED_PASSPHRASE in the env"),
            (RecursionError("maximum"), 1, "nested too deeply"),
            (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid"), 1, "no sound text"),
            (KeyboardInterrupt(), 130, "goes on where it stopped"),
        ],
    )
    def test_what_the_system_says_is_one_line(self, monkeypatch, error, code, message):
        def plan(*_, **__):
            raise error

        monkeypatch.setattr("datadeed.owner.plan.plan", plan)
        done = run("plan", "--classes", "10", "--samples", "1000")
        assert (done.code, done.out, done.err.count("\n")) == (code, "", 1)
        assert message in done.err

    def test_a_reader_that_goes_away(self, monkeypatch):
        made = plan(10, 1000, budget=1)  # plays no proofs

        class Gone:
            def write(self, _):
                raise BrokenPipeError

        monkeypatch.setattr("datadeed.owner.plan.plan", lambda *_, **__: made)
        monkeypatch.setattr(sys, "stdout", Gone())
        assert main(["plan", "--classes", "10", "--samples", "1000"]) == 1
        sys.stdout.close()


def test_json_is_strict():
    with pytest.raises(ValueError, match="not JSON compliant"):
        show_json(float("nan"))
