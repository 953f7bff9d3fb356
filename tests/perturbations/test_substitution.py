import hashlib

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from datadeed.errors import WatermarkError
from datadeed.language.words import Edit, apply_edits, split
from datadeed.perturbations.substitution import perturb_texts

VALUES = {"good": 2.0, "fine": -2.0, "great": -1.0, "film": 1.0, "movie": 0.5, "picture": -0.5}
VALUES |= {"loves": 1.0, "adores": 0.25, "really": -0.1, "very": 0.3, "slow": -1.5, "sluggish": 1}
DIMENSIONS = 64


SYNONYMS = {
    ("good", "adj"): ("great", "fine"),
    ("slow", "adj"): ("sluggish",),
    ("film", "noun"): ("movie", "picture"),
    ("love", "verb"): ("adore",),
}


class Table:
    """Synonyms made by hand."""

    def synonyms(self, lemma, part_of_speech):
        return SYNONYMS.get((lemma, part_of_speech), ())


class NoSynonyms:
    def synonyms(self, lemma, part_of_speech):
        return ()


class Fake:
    """Bags of words: a known value of each word, and a known direction of each word.

    Class 0 is favoured by 0.5 + the sum of the values; further classes have logits below it.
    """

    def __init__(self, classes=2):
        self.classes, self.predicted, self.embedded = classes, [], []

    def predict(self, texts):
        assert texts
        self.predicted.append(list(texts))
        rows = []
        for text in texts:
            value = 0.5 + sum(VALUES.get(word.plain, 0.0) for word in split(text))
            rows.append([value] + [0.1 * k for k in range(self.classes - 1)])
        return torch.tensor(rows, dtype=torch.float64).softmax(1)

    def embed(self, texts):
        assert texts
        self.embedded.append(list(texts))
        found = torch.zeros(len(texts), DIMENSIONS, dtype=torch.float64)
        for row, text in enumerate(texts):
            found[row, 0] = 0.01  # so that an empty text has a direction
            for word in split(text):
                digest = hashlib.sha256(word.plain.encode()).digest()
                found[row, 1 + digest[0] % (DIMENSIONS - 1)] += 1
        return found


def run(texts, labels, *, fake=None, words=None, **values):
    fake = fake or Fake()
    chosen = {"similarity": 0.0, "max_changes": 1.0, **values}
    return perturb_texts(
        fake.predict, fake.embed, texts, torch.tensor(labels), words=words or Table(), **chosen
    )


def cosine(one, two):
    a, b = torch.nn.functional.normalize(Fake().embed([one, two]), dim=1)
    return float(a @ b)


def test_the_best_synonym_of_the_most_important_word_fools_alone():
    text = "the Good actor ."
    (found,) = run([text], [0])
    assert found.text == "the Fine actor ."
    assert found.edits == (Edit(4, 8, "Good", "Fine"),)
    assert found.fooled
    assert found.similarity == pytest.approx(cosine(text, found.text), abs=1e-12)


def test_words_are_changed_by_importance_until_the_surrogate_errs():
    (found,) = run(["a film he loves , a good film"], [0])
    # "good" is worth most; the others are worth the same, so the first of them go first.
    assert found.fooled
    assert found.text == "a picture he adores , a fine film"
    assert [edit.new for edit in found.edits] == ["picture", "adores", "fine"]


def test_a_candidate_that_errs_comes_before_a_lower_probability():
    class Three(Fake):
        def predict(self, texts):
            table = {"great": [0.4, 0.6, 0.0], "fine": [0.34, 0.33, 0.33]}
            rows = [table.get(text.split()[-1], [0.9, 0.1, 0.0]) for text in texts]
            return torch.tensor(rows)

    (found,) = run(["he is good"], [0], fake=Three())
    assert found.text == "he is great"
    assert found.fooled


def test_nothing_is_kept_that_does_not_help():
    (found,) = run(["it is slow"], [1])  # all that could be put there speaks for the truth less
    assert found.fooled
    (found,) = run(["he is good"], [0], words=NoSynonyms())
    assert found.text == "he is really good"
    assert not found.fooled


def test_the_bound_on_similarity_rules_candidates_out():
    text = "he is good"
    reach = cosine(text, "he is fine")
    assert run([text], [0], similarity=reach - 1e-9)[0].fooled
    (found,) = run([text], [0], similarity=reach + 1e-9)
    assert found.text == "he is really good"  # longer by a word, and nearer
    assert found.similarity >= reach + 1e-9
    assert not found.fooled


@pytest.mark.parametrize(("share", "edits"), [(0.12, 0), (0.13, 1), (0.25, 2), (0.5, 3)])
def test_the_share_of_changed_words_is_rounded_down(share, edits):
    text = "good good good film film , is it good"  # eight words
    assert len(run([text], [0], max_changes=share, similarity=-1)[0].edits) == edits


def test_a_text_on_which_the_surrogate_errs_stays():
    fake = Fake()
    (found,) = run(["he is slow"], [0], fake=fake)
    assert (found.text, found.edits, found.similarity, found.fooled) == (
        "he is slow",
        (),
        1.0,
        True,
    )
    assert fake.embedded == []


@pytest.mark.parametrize("text", ["", " ", "?!", "it is", "🎬", "Rome"])
def test_a_text_without_a_word_to_change_stays(text):
    (found,) = run([text], [0])
    assert (found.text, found.edits, found.similarity, found.fooled) == (text, (), 1.0, False)


def test_a_round_is_one_question_for_all_texts():
    fake, told = Fake(), []
    texts = ["he is good", "a good film he loves", "it is", "a film he loves , film"]
    run(texts, [0, 0, 0, 0], fake=fake, similarity=0.8, on_progress=told.append)
    assert len(fake.predicted) == 1 + len(told)
    assert len(fake.embedded) <= 1 + len(told)
    assert told == sorted(told)
    assert told[-1] == len(texts)
    assert {"he is fine", "a fine film he loves"} <= set(
        fake.predicted[1]
    )  # of two texts, in one question


def test_no_texts_ask_nothing():
    assert run([], []) == []


WORDS = "good film slow loves he it the a is very great Good , . actor"
TEXTS = st.lists(st.sampled_from(WORDS.split()), min_size=1, max_size=7).map(" ".join)
BATCHES = st.lists(st.tuples(TEXTS, st.integers(0, 2)), min_size=1, max_size=4)


@settings(max_examples=60)
@given(
    batch=BATCHES,
    similarity=st.sampled_from([-1.0, 0.5, 0.8, 0.9, 1.0]),
    share=st.sampled_from([0.1, 0.2, 0.34, 0.5, 1.0]),
)
def test_every_bound_holds_and_no_text_depends_on_another(batch, similarity, share):
    texts, labels = [text for text, _ in batch], [label for _, label in batch]
    bounds = {"similarity": similarity, "max_changes": share}
    results = run(texts, labels, fake=Fake(3), **bounds)
    for text, label, found in zip(texts, labels, results, strict=True):
        assert found.text == apply_edits(text, found.edits)
        assert all(edit.old == text[edit.start : edit.end] for edit in found.edits)
        assert len(found.edits) <= share * sum(word.is_word for word in split(text))
        assert found.similarity >= similarity
        if found.edits:
            assert found.similarity == pytest.approx(cosine(text, found.text), abs=1e-12)
        before, after = Fake(3).predict([text, found.text])
        assert float(after[label]) < float(before[label]) or not found.edits
        assert found.fooled == (int(after.argmax()) != label)
        assert run([text], [label], fake=Fake(3), **bounds) == [found]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"similarity": 1.5}, "similarity is 1.5: give a cosine"),
        ({"similarity": float("nan")}, "similarity is nan"),
        ({"max_changes": 0}, "max_changes is 0: give a share"),
        ({"max_changes": 1.2}, "max_changes is 1.2"),
        ({"synonyms": -1}, "synonyms is -1"),
        ({"synonyms": 2.0}, "synonyms is 2.0"),
        ({"labels": [0, 1]}, "1 texts with 2 labels"),
        ({"labels": [2]}, "text 0 has label 2, but the surrogate knows 2 classes"),
    ],
)
def test_bad_values_are_one_line(values, words):
    labels = values.pop("labels", [0])
    with pytest.raises(WatermarkError, match=words) as caught:
        run(["he is good"], labels, **values)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "answer", [torch.ones(1), torch.ones(99, 2), torch.full((1, 2), float("nan"))]
)
@pytest.mark.parametrize("name", ["predict", "embed"])
def test_answers_that_do_not_fit_are_one_line(name, answer):
    class Broken(Fake):
        pass

    if name == "predict":
        answer = answer if answer.shape != (1, 2) else answer.expand(3, 2)
    setattr(Broken, name, lambda self, texts: answer)
    with pytest.raises(WatermarkError, match="give one") as caught:
        run(["he is good"], [0], fake=Broken())
    assert "\n" not in str(caught.value)
