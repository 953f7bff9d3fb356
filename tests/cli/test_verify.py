"""Asking a suspect: verdicts, interruptions, suspects that fail, and what is refused."""

import errno
import io
import json
import os
import signal
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest

from datadeed.cli import main
from datadeed.owner.suspects.log import LogSuspect
from tests.cli.world import data, honest, pixels_digest, run, thief
from tests.datasets.formats.writers import write

pytestmark = pytest.mark.usefixtures("no_page")
WRONG_USAGE, COULD_NOT_TEST, HOLDS = 2, 5, 6  # HOLDS: of a check, where premises are not verified


def settled(world, out=None):
    """Evidence and log without what differs from run to run: times, and hashes over them."""
    evidence = world.evidence(out)
    del evidence["made_at"], evidence["chain"]["head"]
    passing = {"time": None, "seconds": 0.0, "previous": "", "hash": ""}
    return evidence, [record.values() | passing for record in world.records(out)]


def one_line(done, code, message):
    assert (done.code, done.out) == (code, "")
    assert message in done.err.splitlines()[-1]
    assert "Traceback" not in done.err
    return True


class TestVerdicts:
    def test_a_thief(self, world):
        done = world.verify(world.root / "thief.yaml", "--json")
        evidence = done.json()
        assert (done.code, evidence["verdict"]["word"]) == (0, "CLAIM")
        assert evidence["queries"] == {
            "probe": 17, "block": 6, "pair": 0, "decoy": 0, "failed": 0, "in_vain": 0,
            "budget": 400, "cost": None,
        }  # fmt: skip
        assert evidence["suspect"]["kind"] == "labels"
        assert world.out.stat().st_mode & 0o777 == 0o700
        for name in ("evidence.json", "queries.jsonl", "queries.parquet"):
            assert (world.out / name).stat().st_mode & 0o777 == 0o600

    def test_an_honest_model(self, world):
        done = world.verify(world.root / "honest.yaml")
        assert (done.code, "NOT SUPPORTED" in done.out) == (4, True)
        assert "innocen" in " ".join(world.evidence()["verdict"]["not_tested"]).lower()

    def test_a_spent_budget_is_inconclusive(self, bare):
        """A thief of whose marks one was learnt in part: the least budget ends before a verdict."""
        assert bare.commit("--budget", "50").code == 0
        weak = bare.recorded(
            lambda key, part, label: thief(key, part, label) if part in (1, 2) else label
        )
        done = bare.verify(weak)
        assert (done.code, "INCONCLUSIVE" in done.out) == (3, True), done.out
        assert len(bare.evidence()["curve"]) > 44

    def test_more_suspects_raise_the_bar(self, world):
        done = world.verify(world.root / "thief.yaml", "--suspects", "10", "--keys", "3", "--json")
        assert done.code == 0
        multiplicity = done.json()["multiplicity"]
        assert multiplicity == {"suspects": 10, "keys": 3, "bar": pytest.approx(3e4)}

    @pytest.mark.parametrize("kind", ["probabilities", "top-k", "logits"])
    def test_servers_that_say_more_than_a_label(self, world, start, kind):
        table = world.answers(thief)

        def behave(handler, seen):
            label = table[pixels_digest(seen.json())]
            scores = np.full(10, 0.01)
            scores[label] = 0.91
            top = [{"label": label, "score": 0.9}, {"label": (label + 1) % 10, "score": 0.05}]
            values = {"probabilities": scores.tolist(), "top-k": top}
            handler.reply(values.get(kind, np.log(scores).tolist()))

        suspect = world.served(start(behave).url, kind=kind)
        done = world.verify(suspect, "--json")
        assert (done.code, done.json()["verdict"]["word"]) == (0, "CLAIM"), done.err
        records = world.records()
        assert {len(record.labels) for record in records} == {2 if kind == "top-k" else 10}
        assert all(record.response_sha256 for record in records)


class TestInterruptions:
    @pytest.mark.parametrize("after", [0, 3, 6])
    def test_interrupted_and_run_again(self, world, monkeypatch, after):
        suspect = world.root / "thief.yaml"
        undisturbed = world.root / "undisturbed"
        world.verify(suspect, out=undisturbed)
        asked, calls = LogSuspect.predict, []

        def predict(self, images):
            calls.append(len(images))
            if len(calls) == after + 1:
                raise KeyboardInterrupt
            return asked(self, images)

        monkeypatch.setattr(LogSuspect, "predict", predict)
        assert one_line(world.verify(suspect), 130, "goes on where it stopped")
        assert not (world.out / "evidence.json").exists()
        assert world.verify(suspect).code == 0
        assert settled(world) == settled(world, undisturbed)

    def test_killed_in_the_middle_of_a_question(self, world, start):
        """A real kill: what was answered is not asked again, and the evidence is as without it."""
        table, seen_by, victim = world.answers(honest), [], []

        def behave(handler, seen):
            digest = pixels_digest(seen.json())
            seen_by.append(digest)
            if victim and len(seen_by) == 22:
                os.kill(victim.pop().pid, signal.SIGKILL)
            else:
                handler.reply(table[digest])

        suspect = world.served(start(behave).url)
        program = "import sys; from datadeed.cli import main; sys.exit(main(sys.argv[1:]))"
        command = ["verify", "--suspect", suspect, "--key", world.key_file]
        command += ["--pool", world.pool, "--out", world.out]
        line = [sys.executable, "-c", program, *map(str, command)]
        victim.append(subprocess.Popen(line, stderr=subprocess.PIPE, text=True))
        process = victim[0]
        assert process.communicate(timeout=120)[1] == ""
        assert process.returncode == -signal.SIGKILL
        assert len((world.out / "queries.jsonl").read_text().splitlines()) == 21
        assert not (world.out / "evidence.json").exists()
        assert world.verify(suspect).code == 4
        probed_twice, unanswered = seen_by[16], seen_by[21]
        more_than_once = {digest: n for digest, n in Counter(seen_by).items() if n > 1}
        assert more_than_once == {probed_twice: 2, unanswered: 2}

        assert world.verify(suspect, out=world.root / "undisturbed").code == 4
        assert settled(world) == settled(world, world.root / "undisturbed")

    def test_a_line_cut_short_is_asked_again(self, world):
        suspect = world.root / "thief.yaml"
        world.verify(suspect)
        before = settled(world)
        log = world.out / "queries.jsonl"
        log.write_bytes(log.read_bytes()[:-9])
        done = world.verify(suspect)
        assert (done.code, "was cut short" in done.err) == (0, True)
        assert settled(world) == before

    def test_run_again_when_done_asks_nothing(self, world, monkeypatch):
        suspect = world.root / "thief.yaml"
        world.verify(suspect)
        before = settled(world)
        monkeypatch.setattr(LogSuspect, "predict", lambda *_: pytest.fail("asked"))
        assert world.verify(suspect).code == 0
        assert settled(world) == before

    def test_another_suspect_cannot_go_on_with_a_log(self, world):
        world.verify(world.root / "thief.yaml")
        done = world.verify(world.root / "honest.yaml")
        assert one_line(done, 1, "the log belongs to another key")

    def test_a_changed_row(self, world):
        world.verify(world.root / "thief.yaml")
        log = world.out / "queries.jsonl"
        lines = log.read_text().splitlines(keepends=True)
        record = json.loads(lines[19])
        record["labels"] = [(record["labels"][0] + 1) % 10]
        lines[19] = json.dumps(record, sort_keys=True, separators=(",", ":")) + "\n"
        log.write_text("".join(lines))
        assert one_line(world.verify(world.root / "thief.yaml"), 1, "row 19 was changed")


class TestFailures:
    def test_a_server_that_is_down_and_comes_back(self, world, start):
        table, state, seen_by = world.answers(thief), {"up": False, "left": 20}, []

        def behave(handler, seen):
            digest = pixels_digest(seen.json())
            if not state["up"] or state["left"] == 0:
                handler.reply(b"down", 503)
                return
            state["left"] -= 1
            seen_by.append(digest)
            handler.reply(table[digest])

        suspect = world.served(start(behave).url)
        assert one_line(world.verify(suspect), COULD_NOT_TEST, "answered no probe")
        state["up"] = True
        stopped = world.verify(suspect)
        assert one_line(stopped, COULD_NOT_TEST, "3 questions failed, the last with 'HTTP status")
        assert one_line(world.verify(suspect), COULD_NOT_TEST, "run again when the suspect answers")
        assert not (world.out / "evidence.json").exists()
        state["left"] = 1000
        assert world.verify(suspect).code == 0
        assert [n for n in Counter(seen_by).values() if n > 1] == [2]  # the probe's first image
        assert world.evidence()["queries"]["failed"] == 8, "with two clean ones"
        assert world.evidence()["queries"]["in_vain"] == 6
        world.open()
        assert world.check().code == HOLDS

        world.verify(suspect, out=world.root / "undisturbed")
        for name in ("key_layer", "effect", "curve"):
            assert world.evidence()[name] == world.evidence(world.root / "undisturbed")[name]

    def test_nobody_at_the_address(self, world, start):
        suspect = world.served("http://127.0.0.1:9")  # discard: nothing listens
        assert one_line(world.verify(suspect), COULD_NOT_TEST, "answered no probe")

    @pytest.mark.parametrize("answered", [0, 3])
    def test_failing_on_triggers_is_a_finding_and_never_not_supported(self, world, answered):
        """Whether on every trigger and decoy, or on two of three."""
        count = iter(range(10**6))

        def coward(key, part, label):
            return label if part is None or (answered and next(count) % answered == 0) else "fail"

        done = world.verify(world.recorded(coward, "coward"))
        assert (done.code, "INCONCLUSIVE" in done.out) == (3, True)
        evidence = world.evidence()
        assert evidence["verdict"]["reason"] == "the suspect refuses or filters marked images"
        assert "it refuses marked images" in " ".join(evidence["findings"])

    def test_a_filter_that_answers_anything_else_is_a_finding(self, world):
        done = world.verify(
            world.recorded(
                lambda key, part, label: label if part is None else (label + 2 + part) % 10
            )
        )
        assert done.code == 3
        assert "it filters marked images" in " ".join(world.evidence()["findings"])

    def test_a_suspect_that_is_no_better_than_guessing(self, world):
        suspect = world.recorded(lambda key, part, label: (label + 1) % 10)
        done = world.verify(suspect)
        assert one_line(done, COULD_NOT_TEST, "check output.classes")

    def test_answers_that_differ_are_noted_also_after_an_interruption(
        self, world, start, monkeypatch
    ):
        table, seen_by = world.answers(thief), []

        def behave(handler, seen):
            digest = pixels_digest(seen.json())
            label = table[digest] if digest not in seen_by else (table[digest] + 1) % 10
            seen_by.append(digest)
            handler.reply(label)

        suspect = world.served(start(behave).url)
        import datadeed.owner.asking as module

        with monkeypatch.context() as patch:
            patch.setattr(module, "asked_sample", _interrupt)
            first = world.verify(suspect)
        assert "note: served answered the same question differently" in first.err
        assert first.code == 130
        done = world.verify(suspect)
        assert done.code == 0
        note = "served answered the same question differently the second time"
        assert note in world.evidence()["verdict"]["not_tested"]

    def test_a_spent_limit_and_a_higher_one(self, world, start):
        table = world.answers(thief)
        server = start(lambda handler, seen: handler.reply(table[pixels_digest(seen.json())]))
        low = world.verify(world.served(server.url, queries=5))
        assert one_line(low, COULD_NOT_TEST, "17 more queries would exceed the budget")
        assert not server.seen
        for _ in range(2):
            middle = world.verify(world.served(server.url, queries=20, cost_per_query=0.5))
            assert one_line(middle, COULD_NOT_TEST, "20 of 20 requests are spent")
            assert len(server.seen) == 20
        done = world.verify(world.served(server.url, queries=100, cost_per_query=0.5), "--json")
        assert done.code == 0
        assert len(server.seen) == len(world.records())
        assert done.json()["queries"]["cost"] == len(server.seen) / 2

    @pytest.mark.parametrize(
        "text", ["", "[", "protocol: log", "protocol: magic", "!!python/object:os.system {}"]
    )
    def test_a_suspect_file_that_is_none(self, world, text):
        suspect = world.root / "odd.yaml"
        suspect.write_text(text)
        assert one_line(world.verify(suspect), WRONG_USAGE, str(suspect))
        assert not world.out.exists()

    def test_no_suspect_at_all(self, world):
        suspect = world.root / "nobody.yaml"
        assert one_line(world.verify(suspect), WRONG_USAGE, "nobody.yaml")

    @pytest.mark.parametrize(
        ("name", "advice"),
        [
            ("model.onnx", "protocol: onnx, path: model.onnx, input: {channels: 3,"),
            ("Model.ONNX", "protocol: onnx, path: Model.ONNX"),
            ("model.safetensors", "name its folder"),
            ("model.pt", "may run code"),
            ("model.keras", "convert it to ONNX"),
            ("answers.jsonl", "protocol: log, path: answers.jsonl"),
            ("http://127.0.0.1:8000/predict", "protocol: json, url"),
        ],
    )
    def test_a_file_that_is_not_a_suspect_s_says_what_to_write(
        self, world, name, advice, monkeypatch
    ):
        monkeypatch.chdir(world.root)
        if ":" not in name:
            (world.root / name).write_bytes(b"\x08\xff")
        assert one_line(world.verify(name), WRONG_USAGE, advice)

    @pytest.mark.parametrize(
        ("change", "advice"),
        [
            ({"input": {"channels": 1, "height": 12, "width": 12}}, "correct input.channels"),
            ({"input": {"channels": 3, "height": 8, "width": 12}}, "correct input.height"),
            ({"output": {"kind": "labels", "classes": ["a", "b"]}}, "lacks the key's class"),
            ({"authorisation": {"environment": "NO_SUCH_TOKEN"}}, "holds no token: set it"),
            ({"certificates": "none.pem"}, "holds no certificates"),
        ],
    )
    def test_a_mistake_in_it_is_wrong_usage(self, world, start, change, advice):
        server = start(lambda handler, seen: handler.reply(0))
        suspect = world.served(server.url)
        suspect.write_text(json.dumps(json.loads(suspect.read_text()) | change))
        assert one_line(world.verify(suspect), WRONG_USAGE, advice)
        assert not server.seen

    @pytest.mark.parametrize("proxy", ["http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"])
    def test_no_proxy_of_the_environment_is_asked(self, world, start, proxy, monkeypatch):
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv(proxy, "http://127.0.0.1:9")
        table = world.answers(thief)
        server = start(lambda handler, seen: handler.reply(table[pixels_digest(seen.json())]))
        assert world.verify(world.served(server.url)).code == 0


class TestTerminal:
    """What is printed where a terminal has few letters, and what never reaches one."""

    @pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
    def test_a_claim_is_one_on_any_terminal(self, world, encoding, monkeypatch):
        suspect = world.root / "th\u00efef \u6f22.yaml"
        suspect.write_bytes((world.root / "thief.yaml").read_bytes())
        written = io.BytesIO()
        monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding))
        where = ["--key", world.key_file, "--pool", world.pool, "--out", world.out]
        assert main(list(map(str, ["verify", "--suspect", suspect, *where]))) == 0
        assert main(["report", str(world.out)]) == 0
        sys.stdout.flush()
        assert written.getvalue().count(b"CLAIM") >= 2

    @pytest.mark.parametrize("mark", ["\x1b[2J", "\x9b2J", "\u202e", "\x7f", "\udcff", "\n"])
    def test_no_name_of_a_file_reaches_it_raw(self, world, mark):
        suspect = world.root / f"thief{mark}.yaml"
        suspect.write_bytes((world.root / "thief.yaml").read_bytes())
        done = [
            world.verify(world.root / f"no{mark}.yaml"),
            world.verify(world.root / f"no{mark}.yaml", "--json"),
            world.verify(suspect, out=world.root / f"out{mark}"),
            run("report", world.root / f"none{mark}"),
            run("report", f"--none{mark}", "x"),
            run(f"verify{mark}"),
        ]
        for result in done:
            shown = (result.out + result.err).replace("\n", "")
            assert shown.isprintable(), shown
        assert all(result.err.count("\n") == 1 for result in done[:2])

    def test_a_folder_that_cannot_be_written(self, world, monkeypatch):
        world.verify(world.root / "thief.yaml")

        def refuse(**_):
            raise OSError(errno.EROFS, "Read-only file system", str(world.out / ".report.html.x"))

        monkeypatch.setattr("datadeed.files.tempfile.mkstemp", refuse)
        done = run("report", world.out)
        assert one_line(done, 1, "Read-only file system): copy the folder to where you may write")
        assert (len(done.err.splitlines()), ".report.html.x" in done.err) == (1, False)

    @pytest.mark.parametrize("content", [b"[" * 100_000, b'{"a":' * 100_000, b"\xff\xfe", b"{"])
    @pytest.mark.parametrize("name", ["evidence.json", "safe/key.json", "opening.json"])
    def test_files_that_are_no_json(self, world, name, content):
        world.verify(world.root / "thief.yaml")
        world.open()
        path = world.out / name if name == "evidence.json" else world.root / name
        path.write_bytes(content)
        for done in (run("report", world.out), world.check(), world.verify(world.root / "t.yaml")):
            assert (done.code in (0, 1, 2, HOLDS), "Traceback" in done.err) == (True, False)
            assert "FAILED" in done.out or done.code in (0, HOLDS) or done.err.count("\n") == 1


def _log_lines(world):
    return (world.out / "queries.jsonl").read_text().splitlines()


def _interrupt(*_):
    raise KeyboardInterrupt


class TestToken:
    def test_it_stays_hidden(self, world, start, monkeypatch):
        monkeypatch.setenv("SUSPECT_TOKEN", "s3cr3t-t0ken")
        table = world.answers(thief)

        def behave(handler, seen):
            assert seen.headers["authorization"] == "Bearer s3cr3t-t0ken"
            digest = pixels_digest(seen.json())
            if len(handler.server.seen) % 4 == 0:
                handler.reply(b"bad token s3cr3t-t0ken", 400)
            else:
                handler.reply(table[digest])

        server = start(behave)
        suspect = world.served(server.url, token="SUSPECT_TOKEN")
        done = world.verify(suspect)
        assert done.code == 0, done.err
        assert world.evidence()["queries"]["failed"] > 0
        printed = done.out + done.err
        written = b"".join(path.read_bytes() for path in world.out.iterdir())
        assert "s3cr3t" not in printed
        assert b"s3cr3t" not in written


class TestPool:
    @pytest.mark.parametrize("change", ["pixel", "order", "label"])
    def test_another_pool(self, world, change):
        pool = data(100, seed=1)
        if change == "pixel":
            pool.samples[50, 0, 0, 0] ^= 1
        elif change == "label":
            pool.labels[50] = (pool.labels[50] + 1) % 10
        else:
            order = np.arange(100)
            order[[3, 4]] = [4, 3]
            pool = pool.take(order)
        world.pool.unlink()
        write(pool, world.pool, format="npz")
        done = world.verify(world.root / "thief.yaml")
        assert one_line(done, 1, "is not the data that the key is bound to")
        assert not world.out.exists()

    def test_another_number_of_images(self, world):
        done = run(
            "verify", "--suspect", world.root / "thief.yaml", "--key", world.key_file,
            "--pool", world.source, "--out", world.out,
        )  # fmt: skip
        assert one_line(done, 1, "a pool of 100 images, but there are 200")


class TestSigning:
    def test_a_signed_folder_is_signed_again_or_left(self, world):
        suspect, signer = world.root / "thief.yaml", world.root / "safe/signer.json"
        world.verify(suspect, "--sign", signer)
        before = (world.out / "evidence.json").read_bytes()
        assert one_line(world.verify(suspect), 1, "is signed, which new evidence would break")
        assert (world.out / "evidence.json").read_bytes() == before
        assert world.verify(suspect, "--sign", signer).code == 0
        world.open()
        assert world.check().code == HOLDS

    @pytest.mark.parametrize("case", ["inside", "other secret", "readable"])
    def test_a_key_that_cannot_sign_is_noticed_before_the_first_question(self, world, case):
        suspect, signer = world.root / "thief.yaml", world.root / "safe/signer.json"
        if case == "inside":
            signer = world.out / "signer.json"
        elif case == "other secret":
            signer = world.key_file
        else:
            signer.write_text("{}")
            signer.chmod(0o644)
        done = world.verify(suspect, "--sign", signer)
        assert (done.code, done.err.count("\n")) == (1, 1)
        assert not world.out.exists()
