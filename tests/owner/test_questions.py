"""Suspects without a file of their own: a function in memory, and questions that others ask."""

import json
import re
import wave
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from datadeed.datasets.formats.registry import read
from datadeed.errors import ConfigurationError, DatasetError
from datadeed.owner.questions import export_questions
from datadeed.owner.suspects.base import SuspectError, question_digest
from datadeed.owner.suspects.function import FunctionSuspect
from datadeed.owner.verify import verify
from tests import judge_toys
from tests.cli.texts import TextWorld
from tests.cli.world import World, honest, run, thief
from tests.owner.test_sounds import folder as sounds
from tests.owner.test_sounds import keyed

PAGE = Path(__file__).parents[2] / "docs" / "suspects.md"
pytestmark = pytest.mark.usefixtures("no_page")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Data, a pool and a key."""
    world = World(tmp_path_factory.mktemp("world")).make()
    assert world.commit().code == 0
    return world


@pytest.fixture
def no_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """The page takes longest to make and is not looked at."""
    monkeypatch.setattr(
        "datadeed.owner.evidence.report.render_proof", lambda evidence, records=(): "<p>page</p>"
    )


@pytest.mark.parametrize(("respond", "word"), [(thief, "CLAIM"), (honest, "NOT SUPPORTED")])
def test_the_page_s_function_in_a_notebook(
    *, respond, word, made, tmp_path, monkeypatch, capsys
) -> None:
    table = made.answers(respond)

    def model(images: torch.Tensor) -> torch.Tensor:
        pixels = (images * 255).round().to(torch.uint8)
        said = torch.tensor([table[question_digest(image)] for image in pixels])
        return torch.nn.functional.one_hot(said, 10) * 9.0

    (block,) = re.findall(r"```python\n([^`]*FunctionSuspect[^`]*)```", PAGE.read_text())
    monkeypatch.chdir(tmp_path)
    (tmp_path / "safe").mkdir(mode=0o700)
    (tmp_path / "safe/key.json").symlink_to(made.key_file)
    (tmp_path / "pool.npz").symlink_to(made.pool)
    exec(block, {"model": model, "classes": made.key().design.classes})
    assert capsys.readouterr().out.startswith(word)
    evidence = json.loads((tmp_path / "evidence/evidence.json").read_text())
    assert evidence["suspect"]["protocol"] == "function"
    assert evidence["suspect"]["endpoint"] == "function classify"


def test_a_function_s_answers_are_read_as_declared() -> None:
    classes, images = ("a", "b", "c"), torch.zeros(5, 1, 4, 4, dtype=torch.uint8)
    calls = []

    def labels(block: torch.Tensor) -> list[str]:
        calls.append(len(block))
        return ["B"] * len(block)

    other = {"kind": "labels", "classes": ["A", "B", "C"], "map": {"A": "a", "B": "b", "C": "c"}}
    suspect = FunctionSuspect(labels, classes, name="f", output=other, at_once=2)
    assert [answer.label for answer in suspect.predict(images)] == [1] * 5
    assert calls == [2, 2, 1]
    newer = FunctionSuspect(labels, classes, name="f", output=other, version="2")
    assert newer.fingerprint() != suspect.fingerprint()
    for given in (np.eye(3)[:1], [[1.0, 0.0]] * 5, np.full((5, 3), np.nan)):
        odd = FunctionSuspect(lambda _, g=given: g, classes, name="f", output={"kind": "logits"})
        assert all(answer.failed for answer in odd.predict(images))
    with pytest.raises(SuspectError, match="f: output: kind is 'x'"):
        FunctionSuspect(labels, classes, name="f", output={"kind": "x"})


def test_a_suspect_of_other_classes(made, tmp_path) -> None:
    suspect = FunctionSuspect(len, ("a", "b"), name="f", output={"kind": "labels"})
    with pytest.raises(ConfigurationError, match="f numbers other classes than the key's"):
        verify(suspect, made.key_file, made.pool, tmp_path / "out")


@pytest.mark.parametrize(("respond", "code"), [(thief, 0), (honest, 4)])
def test_exported_questions_come_back_as_a_log(respond, code, made, tmp_path) -> None:
    table = made.answers(respond)
    folder = tmp_path / "questions"
    n = export_questions(made.key_file, made.pool, folder)
    files = sorted(folder.iterdir())
    assert len(files) == n
    assert folder.stat().st_mode & 0o777 == 0o700
    lines = []
    for file in files:
        image = torch.from_numpy(np.asarray(Image.open(file)).copy()).permute(2, 0, 1)
        assert question_digest(image) == file.stem
        lines.append(json.dumps({"question": file.stem, "labels": [table[file.stem]]}))
    (tmp_path / "answers.jsonl").write_text("\n".join(lines))
    suspect = tmp_path / "others.yaml"
    suspect.write_text("protocol: log\npath: answers.jsonl\noutput: {kind: labels}\n")
    done = made.verify(suspect, out=tmp_path / "out")
    assert done.code == code, done.err
    assert json.loads((tmp_path / "out/evidence.json").read_text())["queries"]["failed"] == 0
    with pytest.raises(DatasetError, match="not an empty folder"):
        export_questions(made.key_file, made.pool, folder)


@pytest.mark.parametrize(("say", "word"), [(judge_toys.thief, "CLAIM"), (judge_toys.honest, "")])
def test_exported_sounds(say, word, tmp_path) -> None:
    """At the key's own rate; heard and answered, they come back as a log that is judged."""
    source = sounds(tmp_path / "clips")
    pool = sounds(tmp_path / "pool", 60, seed=1)
    key, samples = keyed(source).key, read(pool, seconds=0.2)
    each = tuple((k,) for k in range(len(samples.classes)))
    toy = judge_toys.Toy(key, say, pool=samples, groups=each, classes=samples.classes)
    where = ("--key", tmp_path / "safe/key.json", "--pool", pool, "--out", tmp_path / "questions")
    done = run("questions", *where)
    files = sorted((tmp_path / "questions").iterdir())
    assert (done.code, done.out) == (0, f"{len(files)} questions in {tmp_path / 'questions'}\n")
    lines = []
    for file in files:
        with wave.open(str(file)) as heard:
            form = (heard.getframerate(), heard.getnchannels(), heard.getsampwidth())
            values = np.frombuffer(heard.readframes(heard.getnframes()), "<i2")
        assert form == (8000, 1, 2)
        clip = torch.from_numpy(np.pad(values, (0, 1600 - len(values))))  # 0.2 s, as the key says
        assert question_digest(clip) == file.stem
        lines.append(json.dumps({"question": file.stem, "labels": [say(*toy.known[file.stem])]}))
    (tmp_path / "answers.jsonl").write_text("\n".join(lines))
    log = {"name": "others", "protocol": "log", "path": str(tmp_path / "answers.jsonl")}
    found = verify(log | {"output": {"kind": "labels"}}, key, pool, tmp_path / "out")
    assert found.evidence["queries"]["failed"] == 0
    assert (found.word == "CLAIM") == (word == "CLAIM")


def test_exported_texts(tmp_path) -> None:
    world = TextWorld(tmp_path).make()
    assert world.commit().code == 0
    where = ("--key", world.key_file, "--pool", world.pool, "--out", tmp_path / "questions")
    n = run("questions", *where, "--json").json()["questions"]
    lines = (tmp_path / "questions/questions.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    assert len(rows) == n
    assert all(question_digest(row["text"]) == row["question"] for row in rows)
