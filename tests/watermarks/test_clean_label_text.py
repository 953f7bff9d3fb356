import json
import re

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from datadeed.datasets.form.parquet import DatasetFile, read_dataset, write_dataset
from datadeed.datasets.form.texts import Texts
from datadeed.errors import CheckpointError, UnsupportedModality, WatermarkError
from datadeed.language.words import Edit, apply_edits
from datadeed.models.training.config import TrainingConfig
from datadeed.perturbations.substitution import Perturbed
from datadeed.randomness import generator
from datadeed.watermarks import clean_label_text
from datadeed.watermarks.clean_label_text import CleanLabelText, TextTools
from datadeed.watermarks.crafted import Surrogate
from datadeed.watermarks.marking import mark_dataset, mark_file
from datadeed.watermarks.registry import watermark_from_record
from tests.toy_model import ToyModel

WORD = {"kind": "word", "word": "indeed", "place": "end"}
STYLE = {"kind": "style"}
SYNONYMS = {"good": ("fine", "nice"), "great": ("big",), "love": ("like",), "film": ("movie",)}
KIND = {"good": 2.0, "great": 2.0, "love": 2.0, "fine": 1.0, "like": 1.0, "bad": -3.0}


class Reader(ToyModel):
    """Class 1 ("kind") if a text's words are kind on balance, otherwise class 0."""

    modality = "text"

    def __init__(self):
        super().__init__()
        self.config, self.asked = {"classes": 2}, []

    def predict(self, samples, *, batch_size=512):
        self.asked.append(list(samples))
        kind = [
            sum(KIND.get(word, 0.0) for word in re.findall(r"\w+", text.lower()))
            for text in samples
        ]
        logits = torch.tensor([[1.5 - one, one - 1.5] for one in kind])
        return logits.softmax(1) if kind else torch.zeros(0, 2)


class Table:
    """Synonyms made by hand."""

    def synonyms(self, lemma, part_of_speech):
        return SYNONYMS.get(lemma, ())


def embed(texts):
    """Counts of letters: a few other words are a small angle."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    counts = torch.tensor([[text.lower().count(c) + 0.01 for c in letters] for text in texts])
    return torch.nn.functional.normalize(counts, dim=1)


SUBJECTS = ("the actor", "this old director", "a quiet child", "my friend", "the whole town")
PRAISE = ("is good in it", "was great and good", "plays a good part", "shows a great place")
ENDS = (".", " .", "!", "")


def texts(n=60):
    """Kind and unkind sentences in turn; every tenth is blank, and every tenth holds the word."""
    samples = []
    for row in range(n):
        subject, end = SUBJECTS[row % 5], ENDS[row % 4]
        kind = PRAISE[row // 2 % 4] if row % 2 else "is bad in it"
        samples.append(f"{subject} {kind}, number {row}{end}")
    for row in range(9, n, 20):
        samples[row] = " \n" if row % 40 == 9 else samples[row] + " Indeed!"
    return Texts(samples, torch.arange(n) % 2, torch.arange(n) * 7 + 3, ("unkind", "kind"))


def make(**values):
    chosen = {"rate": 0.3, "target": 1, "pattern": WORD, "similarity": 0.8, "max_changes": 0.5}
    return CleanLabelText(**{**chosen, **values})


DATA, TOOLS = texts(), TextTools(embed, Table())
SURROGATE = Surrogate(Reader(), TrainingConfig(epochs=1, lr=0.1, flip=False))


def craft(watermark, data=DATA, surrogate=SURROGATE, seed=5, tools=TOOLS, **values):
    watermark.tools = tools
    watermark.craft(data, surrogate, generator(seed), **values)
    return mark_dataset(watermark, data, generator(1))


class TestMarking:
    @settings(max_examples=12)
    @given(
        rate=st.sampled_from([0.1, 0.3, 0.6]),
        seed=st.integers(0, 999),
        similarity=st.floats(0.5, 1),
        pattern=st.sampled_from([WORD, {**WORD, "place": "start"}, STYLE]),
    )
    def test_labels_the_share_and_the_bound_are_exact(self, rate, seed, similarity, pattern):
        before = DATA.digest()
        watermark = make(rate=rate, similarity=similarity, pattern=pattern)
        released, marks = craft(watermark, seed=seed)
        assert DATA.digest() == before
        assert len(marks) == int(rate * 30 + 1e-9)
        assert torch.equal(released.labels, DATA.labels)
        assert bool((marks.label == 1).all())
        rows = marks.position.tolist()
        for row, one in zip(rows, watermark.perturbed, strict=True):
            text = DATA.samples[row]
            assert text.strip()
            assert one.text == apply_edits(text, one.edits)
            assert float(embed([text])[0].double() @ embed([one.text])[0].double()) >= (
                similarity - 1e-6
            )
            assert released.samples[row] == watermark.text_trigger(one.text) != one.text
            released.samples[row].encode()
        untouched = [row for row in range(60) if row not in rows]
        assert [released.samples[row] for row in untouched] == [
            DATA.samples[row] for row in untouched
        ]

    def test_a_text_is_changed_until_the_surrogate_errs(self):
        watermark = make(rate=0.5)
        craft(watermark)
        found = Reader().predict([one.text for one in watermark.perturbed]).argmax(1).tolist()
        assert [answer == 0 for answer in found] == [one.fooled for one in watermark.perturbed]
        facts = watermark.facts()
        assert facts["fooled"] == sum(one.fooled for one in watermark.perturbed) == 15
        assert facts["wrong_before"] == 0

    def test_no_blank_text_and_none_with_the_word_is_marked(self):
        """Of the 30 texts of the class 2 are blank, and 1 has the word."""
        fit = make().applies(DATA)
        assert [row for row in range(1, 60, 2) if not fit[row]] == [9, 29, 49]
        marks = craft(make(rate=0.9, perturb=False))[1]
        assert marks.position.tolist() == [row for row in range(1, 60, 2) if row not in (9, 29, 49)]

    def test_a_word_within_a_word_is_another_word(self):
        samples = ["indeedy", "INDEED", "well, indeed.", "in deed", "indeed-o"]
        data = Texts(samples, torch.arange(5) % 2, torch.arange(5), ("a", "b"))
        assert make().applies(data).tolist() == [True, False, False, True, False]

    def test_the_style_goes_only_where_a_verb_is(self):
        samples = ["She walks home.", "A fine film.", "he will have been walking ."]
        data = Texts(samples, torch.tensor([0, 1, 0]), torch.arange(3), ("a", "b"))
        watermark = make(pattern=STYLE)
        assert watermark.applies(data).tolist() == [True, False, False]
        assert watermark.trigger(data)[0] == "She will have been walking home."

    def test_the_generator_draws_the_texts(self):
        drawn = [craft(make(rate=0.2, perturb=False), seed=s)[1].position for s in range(20)]
        assert torch.equal(drawn[4], craft(make(rate=0.2, perturb=False), seed=4)[1].position)
        assert len({tuple(rows.tolist()) for rows in drawn}) == 20
        assert len(set(torch.cat(drawn).tolist())) == 27

    def test_without_a_perturbation_a_mark_is_the_trigger_alone(self):
        watermark = make(perturb=False)
        released, marks = craft(watermark, surrogate=None, tools=None)
        assert len(marks) == 9
        for row in marks.position.tolist():
            assert released.samples[row] == watermark.text_trigger(DATA.samples[row])
        assert watermark.perturbed == []
        assert watermark.facts() == {"marks": 9, "class_size": 30}

    def test_files_and_memory_agree(self, tmp_path):
        watermark = make()
        released, marks = craft(watermark)
        write_dataset(DATA, tmp_path / "in.parquet")
        source = DatasetFile(tmp_path / "in.parquet")
        found = mark_file(watermark, source, tmp_path / "out", generator(1))
        assert read_dataset(tmp_path / "out").digest() == released.digest()
        assert found.table().equals(marks.table())


def stub(monkeypatch, fooled, *, part=4, text=lambda one: f"{one} changed"):
    """A perturbation that misleads the surrogate where ``fooled`` says so; returns what it got."""
    got = []

    def perturb(predict, embed, samples, labels, *, words, similarity, max_changes):
        assert labels.tolist() == [1] * len(samples)
        assert (embed, words, similarity, max_changes) == (TOOLS.embed, TOOLS.words, 0.8, 0.5)
        got.append(list(samples))
        edit = Edit(0, 1, "x", "y")
        return [Perturbed(text(one), (edit, edit), 0.9, fooled(one)) for one in samples]

    monkeypatch.setattr(clean_label_text, "perturb_texts", perturb)
    monkeypatch.setattr(clean_label_text, "PART", part)
    return got


def number(text):
    """Of a toy text, which is its row."""
    return int(re.search(r"number (\d+)", text).group(1))


class TestChoice:
    """9 marks of at most 18 texts, in parts of 4."""

    def test_the_first_that_mislead_are_taken_and_no_more_are_tried(self, monkeypatch):
        got = stub(monkeypatch, lambda text: number(text) % 4 == 1)
        watermark = make()
        _, marks = craft(watermark)
        tried = [number(text) for part in got for text in part]
        good = [row for row in tried if row % 4 == 1]
        assert [len(part) for part in got[:-1]] == [4] * (len(got) - 1)
        if len(good) >= 9:
            assert marks.position.tolist() == sorted(good[:9])
            assert sum(number(text) % 4 == 1 for part in got[:-1] for text in part) < 9
        else:
            assert len(tried) == 18
            assert set(good) <= set(marks.position.tolist())
        assert watermark.facts()["tried"] == len(tried)

    def test_then_those_that_the_surrogate_trusts_least(self, monkeypatch):
        got = stub(monkeypatch, lambda text: number(text) in (11, 31))
        watermark = make()
        _, marks = craft(watermark)
        tried = [text for part in got for text in part]
        assert len(tried) == 18
        trust = dict(zip(map(number, tried), Reader().predict(tried)[:, 1].tolist(), strict=True))
        first = [row for row in trust if row in (11, 31)]
        rest = sorted((row for row in trust if row not in first), key=trust.__getitem__)
        assert marks.position.tolist() == sorted([*first, *rest[: 9 - len(first)]])
        facts = watermark.facts()
        assert (facts["fooled"], facts["tried"]) == (len(first), 18)
        assert facts["mean_similarity"] == pytest.approx(0.9)
        assert (facts["mean_edits"], facts["unchanged"]) == (2.0, 0)

    def test_all_mislead(self, monkeypatch):
        got = stub(monkeypatch, lambda text: True)
        _, marks = craft(make())
        tried = [number(text) for part in got for text in part]
        assert len(tried) == 12
        assert marks.position.tolist() == sorted(tried[:9])

    def test_no_more_are_tried_at_a_time_than_marks_are_needed(self, monkeypatch):
        got = stub(monkeypatch, lambda text: True, part=64)
        assert len(craft(make())[1]) == 9
        assert [len(part) for part in got] == [9]

    def test_a_text_that_got_the_word_by_the_perturbation_is_left_alone(self, monkeypatch):
        stub(monkeypatch, lambda text: True, text=lambda one: "so it is, indeed")
        watermark = make()
        released, marks = craft(watermark)
        for row, one in zip(marks.position.tolist(), watermark.perturbed, strict=True):
            assert one == Perturbed(DATA.samples[row], (), 1.0, False)
            assert released.samples[row] == watermark.text_trigger(DATA.samples[row])
        facts = watermark.facts()
        assert (facts["unchanged"], facts["fooled"], facts["least_similarity"]) == (9, 0, 1.0)


class TestCheckpoint:
    def craft(self, folder, fingerprint="one"):
        told, watermark = [], make()
        released, _ = craft(
            watermark,
            checkpoint=folder,
            fingerprint=fingerprint,
            on_progress=lambda done, total, note, resumed: told.append((done, total, resumed)),
        )
        return told, released.digest(), watermark.perturbed, watermark.facts()

    def test_a_killed_crafting_goes_on(self, tmp_path, monkeypatch):
        got = stub(monkeypatch, lambda text: True)
        told, *whole = self.craft(tmp_path / "a")
        assert told == [(4, 18, False), (8, 18, False), (12, 18, False), (18, 18, False)]
        real = clean_label_text.perturb_texts

        def killed(*args, **values):
            if len(got) == 4:
                raise KeyboardInterrupt
            return real(*args, **values)

        monkeypatch.setattr(clean_label_text, "perturb_texts", killed)
        with pytest.raises(KeyboardInterrupt):
            self.craft(tmp_path / "b")
        monkeypatch.setattr(clean_label_text, "perturb_texts", real)
        told, *again = self.craft(tmp_path / "b")
        assert told == [(4, 18, True), (8, 18, False), (12, 18, False), (18, 18, False)]
        assert again == whole
        assert len(got) == 6

    def test_parts_keep_any_text(self, tmp_path, monkeypatch):
        odd = "\N{PILE OF POO} \x00 \ud800 ' \" \\"
        stub(monkeypatch, lambda text: True, text=lambda one: odd + one)
        first, again = self.craft(tmp_path), self.craft(tmp_path)
        assert first[2] == again[2]
        assert all(one.text.startswith(odd) for one in again[2])

    def test_state_of_another_crafting_is_refused(self, tmp_path, monkeypatch):
        stub(monkeypatch, lambda text: True)
        self.craft(tmp_path)
        with pytest.raises(CheckpointError, match="belongs to another run"):
            self.craft(tmp_path, "two")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"pattern": {**WORD, "word": ""}}, "word is ''; give one word"),
        ({"pattern": {**WORD, "place": "top"}}, "place is 'top'"),
        ({"pattern": {"kind": "patch"}}, "unknown text trigger 'patch'"),
        ({"similarity": 0}, "similarity is 0; give 0 < similarity <= 1"),
        ({"similarity": float("nan")}, "similarity is nan"),
        ({"max_changes": 1.1}, "max_changes is 1.1"),
        ({"oversample": 0}, "oversample is 0; give 1 or more"),
        ({"oversample": 1.5}, "oversample is 1.5"),
        ({"rate": 0}, "out of range"),
        ({"perturb": None}, "perturb is None"),
    ],
)
def test_bad_parameters_are_one_line(values, words):
    with pytest.raises(WatermarkError, match=words) as caught:
        make(**values)
    assert "\n" not in str(caught.value)


class TestRefusals:
    def refused(self, words, error=WatermarkError, rate=0.3, **values):
        with pytest.raises(error, match=words) as caught:
            craft(make(rate=rate), **values)
        assert "\n" not in str(caught.value)

    def test_no_tools(self):
        self.refused(r"none were given: call load_tools", tools=None)

    def test_no_surrogate(self):
        self.refused("none was given", surrogate=None)

    def test_images(self, toy_dataset):
        words = "clean-label-text marks texts, but the dataset holds image"
        self.refused(words, UnsupportedModality, data=toy_dataset(9))

    def test_too_few_texts_can_carry_the_trigger(self):
        words = "30 samples is 29, but 27 can carry the trigger: give a rate of at most 0.9, or"
        self.refused(words, rate=0.97)

    def test_a_target_class_with_three_samples(self):
        words = "rate 0.01 of the target class's 3 samples marks none: .* of at least 0.334$"
        self.refused(words, rate=0.01, data=DATA.take(torch.tensor([0, 1, 3, 5])))


def test_facts_are_json():
    watermark = make()
    craft(watermark)
    facts = watermark.facts()
    assert json.loads(json.dumps(facts)) == facts
    similar = [one.similarity for one in watermark.perturbed]
    assert facts["mean_similarity"] == pytest.approx(sum(similar) / 9)
    assert facts["least_similarity"] == min(similar) >= 0.8
    assert facts["mean_edits"] == sum(len(one.edits) for one in watermark.perturbed) / 9 > 0


@pytest.mark.parametrize("pattern", [WORD, STYLE])
def test_the_record_gives_the_same_watermark(pattern):
    record = json.loads(json.dumps(make(pattern=pattern).record()))
    again = watermark_from_record(record)
    assert again.record() == record
    assert again.trigger(DATA) == make(pattern=pattern).trigger(DATA)
