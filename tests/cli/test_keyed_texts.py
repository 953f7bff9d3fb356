"""The whole life of a key for texts: committed, marked, asked, watched, opened, checked."""

import json
from collections import Counter

import pytest
import torch

from datadeed.datasets.form.texts import Texts
from datadeed.datasets.formats.registry import read
from datadeed.models.stored import save_model
from datadeed.models.text import build_text
from datadeed.models.training.config import TrainingConfig
from datadeed.models.training.loop import train
from datadeed.owner.suspects.base import question_digest
from datadeed.watermarks.carriers.registry import carrier_of
from tests.cli.owner import fails
from tests.cli.test_watermark_texts import write
from tests.cli.texts import TextWorld, rows
from tests.cli.world import honest, run, thief
from tests.models import tiny_text

FORMATS = ("csv", "jsonl", "parquet")


@pytest.mark.parametrize("format", FORMATS)
def test_round_trip(tmp_path, format):
    world = TextWorld(tmp_path, format).make()
    made = [world.commit("--json"), world.watermark("--json")]
    assert [done.code for done in made] == [0, 0], [done.err for done in made]
    assert world.key().design.carrier == {"name": "clauses", "relabels": 0}
    suspects = {name: world.recorded(says, name) for name, says in (("t", thief), ("h", honest))}
    made += [
        world.verify(suspects["t"], "--json"),
        world.verify(suspects["h"], out=tmp_path / "innocent"),
    ]
    assert [done.code for done in made] == [0, 0, 0, 4], [done.err for done in made]
    where = ("--key", world.key_file, "--pool", world.pool, "--out", tmp_path / "watch")
    # One block is enough for most keys; parts that share a label say less.
    watched = run("watch", "--suspect", suspects["t"], *where, "--blocks", 10)
    assert (watched.code, "EVIDENCE" in watched.out) == (0, True)
    released = tmp_path / made[1].json()["out"]
    _marks_and_nothing_else(world, released)

    assert world.open().code == 0
    more = ("--source", world.source, "--released", released)
    more += ("--commitment", tmp_path / "safe/commitment.json")
    for out in (world.out, tmp_path / "innocent"):
        checked = world.check(*more, "--json", out=out)
        assert checked.code == 6, "premises are only stated"
        words = {check["what"]: check["word"] for check in checked.json()["checks"]}
        assert {words.pop("timestamp"), words.pop("signature")} == {"not checked"}
        assert set(words.values()) == {"passed"}, checked.out


def _marks_and_nothing_else(world, released):
    before, after = read(world.source), read(released)
    carrier = carrier_of(world.key())
    hosts = carrier.hosts(before.labels.numpy())
    partners = [before.samples[row] for row in hosts.partners.tolist()]
    chosen = [before.samples[row] for row in hosts.rows.tolist()]
    marks = carrier.marks(chosen, partners, hosts.parts, hosts.rows)
    wanted = list(before.samples)
    for row, mark in zip(hosts.rows.tolist(), marks, strict=True):
        wanted[row] = mark
    labelled = zip(wanted, before.labels.tolist(), strict=True)
    assert Counter(labelled) == Counter(zip(after.samples, after.labels.tolist(), strict=True))


class TestEvidence:
    @pytest.fixture
    def world(self, tmp_path):
        world = TextWorld(tmp_path).make()
        assert world.commit().code == 0
        assert world.verify(world.recorded(thief)).code == 0
        assert world.open().code == 0
        return world

    def test_the_page_shows_the_questions_escaped(self, world):
        page, evidence = (world.out / "report.html").read_text(), world.evidence()
        records = {record.seq: record for record in world.records()}
        for shown in evidence["shown"]:
            assert question_digest(shown["text"]) == records[shown["seq"]].question
        assert "It &lt;b&gt;ended&lt;/b&gt; ." in page
        assert "<b>ended</b>" not in page
        assert "while the" in page.lower()

    def test_a_text_that_was_not_asked_is_found_out(self, world):
        path = world.out / "evidence.json"
        evidence = world.evidence()
        evidence["shown"][0]["text"] += " "
        path.write_text(json.dumps(evidence))
        done = world.check()
        assert done.code == 1
        assert "the shown.0.text that the evidence states" in done.out

    def test_sentences_speak_of_texts(self, world):
        said = json.dumps(world.evidence()["verdict"]) + world.evidence()["key_layer"]["null"]
        assert "image" not in said
        assert "text" in said


def test_a_server_is_asked_with_texts(tmp_path, start):
    """The form of Hugging Face's text classification."""
    world = TextWorld(tmp_path).make()
    assert world.commit().code == 0
    table, names = world.answers(thief), [f"k{n}" for n in range(10)]

    def behave(handler, seen):
        asked = seen.json()["inputs"]
        handler.reply([[{"label": names[table[question_digest(asked)]], "score": 0.9}]])

    suspect = tmp_path / "served.yaml"
    suspect.write_text(
        f"protocol: huggingface\nurl: {start(behave).url}\ninput: {{encoding: text}}\n"
        "output: {kind: top-k}\n"
    )
    assert world.verify(suspect).code == 0


def test_a_model_of_ours_is_asked(tmp_path):
    """A tiny encoder that was never marked, of sentences with two words that tell their class."""
    world = TextWorld(tmp_path).make()
    words = ("bad", "good")
    texts = [(f"a {words[row % 2]} film . number {row}", "ab"[row % 2]) for row in range(240)]
    write(world.source, texts)
    write(world.pool, [(text.replace("film", "very film"), label) for text, label in texts])
    more = ("--parts", "14", "--carrier", "words", "--rate", "0.2")
    assert world.commit(*more).code == 0
    folder = tiny_text.write_encoder(tmp_path / "encoder")
    draw = torch.Generator().manual_seed(0)
    model = build_text("bert", classes=2, max_length=16, weights=folder, generator=draw)
    config = TrainingConfig(
        epochs=12, lr=5e-3, batch_size=16, schedule="one-cycle", optimiser="adamw", flip=False
    )
    data = read(world.source)
    assert isinstance(data, Texts)
    train(model, data, config, generator=draw)
    save_model(model, tmp_path / "model", {})
    done = world.verify(tmp_path / "model")
    assert done.code in (3, 4), done.err
    assert world.evidence()["clean"]["right"] == 16


class TestRefusals:
    def test_a_carrier_of_another_kind(self, tmp_path):
        world = TextWorld(tmp_path).make()
        done = world.commit("--carrier", "mosaic")
        assert fails(done, "carrier mosaic marks images, and the data are texts: choose words, cl")
        done = world.commit("--opacity", "9")
        assert fails(done, "opacity is of patch: leave it out with clauses")

    def test_images_in_place_of_the_pool(self, tmp_path, bare):
        (tmp_path / "texts").mkdir()
        world = TextWorld(tmp_path / "texts").make()
        assert world.commit().code == 0
        where = ("--key", world.key_file, "--pool", bare.pool, "--out", world.out)
        done = run("verify", "--suspect", world.recorded(honest), *where)
        assert fails(done, "the key marks texts, but")

    def test_options_of_the_format(self, tmp_path):
        world = TextWorld(tmp_path).make()
        for path, first in ((world.source, 0), (world.pool, 1000)):
            lines = [f"{text.replace(',', ' ')},{label}" for text, label in rows(120, first)]
            path.write_text("\n".join(["body,kind", *lines]) + "\n")
        assert fails(world.commit(), "name it as option 'text'")
        given = ("--option", "text=body", "--option", "label=kind")
        assert world.commit(*given, "--rate", "0.1").code == 0
        assert world.watermark(*given).code == 0
