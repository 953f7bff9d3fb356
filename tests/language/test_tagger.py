import importlib.util
import pickle

import pytest

from datadeed.errors import WatermarkError
from datadeed.language import tagger


@pytest.mark.parametrize(
    "sentence",
    [
        "he/PRP walks/VBZ home/NN",
        "they/PRP walk/VBP to/TO work/VB",
        "the/DT film/NN 's/POS slow/JJ pace/NN does/VBZ n't/RB help/VB its/PRP$ actors/NNS",
        "the/DT film/NN 's/VBZ a/DT mess/NN",
        "it/PRP 's/VBZ a/DT movie/NN that/WDT will/MD be/VB loved/VBN by/IN few/JJ",
        "a/DT comedy/NN that/IN swings/VBZ",
        "I/PRP love/VBP this/DT",
        "the/DT love/NN of/IN life/NN",
        "he/PRP may/MD put/VB it/PRP off/IN",
        "the/DT master/NN of/IN disguise/NN",
        "a/DT beautifully/RB tooled/VBN thriller/NN",
        "scarifying/VBG blorp/NN blorps/NNS blorply/RB blorpish/JJ blorp-like/JJ 1,234/CD 3d/CD",
        "we/PRP saw/VBD Blorpington/NNP @joe/NNP -lrb-/: lsb/: ?!/.",
    ],
)
def test_tags(sentence):
    pairs = [token.rsplit("/", 1) for token in sentence.split()]
    words = [word for word, _ in pairs]
    found = tagger.tag(words)
    assert " ".join(f"{w}/{t}" for w, t in zip(words, found, strict=True)) == sentence


def test_curly_apostrophes_and_capitals_at_the_start_change_nothing():
    assert tagger.tag(["it", "’s", "good"]) == tagger.tag(["it", "'s", "good"])
    assert tagger.tag(["Movies", "matter"])[0] == tagger.tag(["movies", "matter"])[0] == "NNS"


def test_rules_use_only_tests_that_are_known():
    assert len(tagger._rules()) > 250
    assert tagger.tag([]) == []


def test_nothing_is_unpickled(monkeypatch):
    monkeypatch.setattr(pickle, "load", None)
    monkeypatch.setattr(pickle, "loads", None)
    assert tagger.tag(["the", "blorp", "zibbles"]) == ["DT", "NN", "NNS"]


def test_without_the_extra_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(WatermarkError, match=r"install datadeed\[text\]"):
        tagger._read("lexicon")
