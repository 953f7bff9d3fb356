import sys
import types
from collections import Counter

import numpy as np
import pytest
import torch

from datadeed.datasets.form.texts import Texts
from datadeed.errors import UnsupportedModality, VerificationError
from datadeed.thieves.grammar import (
    GROUPS,
    Grammar,
    count_errors,
    grammar_increase,
    harper,
    language_tool,
)


@pytest.fixture(scope="module")
def check():
    pytest.importorskip("harper")
    return harper()


def stars(text):
    """An error of grammar for each star, of spelling for each question mark, of layout for "!"."""
    return Counter(
        {"grammar": text.count("*"), "layout": text.count("!"), "spelling": text.count("?")}
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("He goes to school.", {}),
        ("He go to school.", {"grammar": 1}),
        ("This is an test.", {"grammar": 1}),
        ("He goes to scchool.", {"spelling": 1}),
        ("He goes to school , and I go too.", {"layout": 1}),
        ("", {}),
        ("*He* goes to `scchool`.", {"spelling": 1}),  # plain text: there is no code in it
    ],
)
def test_harper_finds_the_error_in_its_group(check, text, expected):
    assert dict(check(text)) == expected


def test_errors_are_counted_by_group(check):
    texts = ["This is an test.", "It is good.", "He go to scchool ."]
    told = []
    found = count_errors(texts, check, told.append)
    assert (found.shape, found.dtype) == ((3, len(GROUPS)), np.int64)
    assert found[:, 0].tolist() == [1, 0, 1]
    assert found[1].sum() == 0
    assert told == [1, 2, 3]


def test_an_increase_by_hand():
    """Grammar 4 -> 5 errors in 20 -> 25 words; texts change by 1, 0, -1, 1."""
    before = ["a b c d *", "a b c d *", "a b c d *", "a b c d *"]
    after = ["a b c d **", "a b c d * e f", "a b c d e f", "a b c ** d e f"]
    found = grammar_increase(before, after, stars)
    assert found["texts"] == 4
    assert found["words"] == {"before": 20, "after": 5 + 7 + 6 + 7}
    grammar = found["grammar"]
    assert (grammar["before"], grammar["after"], grammar["texts_with_more"]) == (4, 5, 2)
    assert grammar["per_text"] == pytest.approx(0.25)
    changes = np.array([1, 0, -1, 1])
    assert grammar["standard_error"] == pytest.approx(changes.std(ddof=1) / 2)
    assert grammar["per_100_words"] == pytest.approx(100 * (5 - 4) / 20)
    assert grammar["percent"] == pytest.approx(25)
    assert found["layout"]["percent"] is None
    assert found["all"] == grammar


def test_all_is_the_sum_of_the_groups():
    found = grammar_increase(["a * ?", "b !"], ["a ** ??? !", "b"], stars)
    for when, sums in (("before", (1, 1, 1)), ("after", (2, 1, 3))):
        assert tuple(found[group][when] for group in GROUPS) == sums
        assert found["all"][when] == sum(sums)
    assert found["all"]["percent"] == pytest.approx(100)
    assert found["all"]["per_text"] == pytest.approx(1.5)


def test_progress_counts_both_sides():
    told = []
    grammar_increase(["a", "b"], ["c", "d"], stars, on_progress=told.append)
    assert told == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("before", "after"), [(["a", "b"], ["a"]), (["a"], ["a"]), ([], []), (["", " "], ["", ""])]
)
def test_what_has_no_increase(before, after):
    with pytest.raises(VerificationError, match="give two pairs or more"):
        grammar_increase(before, after, stars)


def texts(samples):
    rows = torch.arange(len(samples))
    return Texts(samples, rows % 2, rows, ("x", "y"))


def test_a_score_is_errors_a_word(toy_dataset):
    found = Grammar(stars).scores(texts(["a b c *", "* *", "", "a ? !"]))
    np.testing.assert_allclose(found, [0.25, 1, 0, 0])
    with pytest.raises(UnsupportedModality, match="of texts, but the data are image"):
        Grammar(stars).scores(toy_dataset(6))


def test_without_harper_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "harper", None)  # makes its import fail
    with pytest.raises(VerificationError, match=r"install datadeed\[text\]"):
        harper()


class Installed:
    """LanguageTool's package, with or without LanguageTool."""

    def __init__(self, monkeypatch, version, java="/usr/bin/java"):
        self.started = []
        found = version and types.SimpleNamespace(version_name=version)
        store = types.SimpleNamespace(get_latest_installed_version=lambda: found)
        module = types.SimpleNamespace(LanguageTool=self.start)
        download = types.SimpleNamespace(LocalLanguageTool=store)
        monkeypatch.setitem(sys.modules, "language_tool_python", module)
        monkeypatch.setitem(sys.modules, "language_tool_python.download_lt", download)
        monkeypatch.setattr("shutil.which", lambda name: java)

    def start(self, language, *, language_tool_download_version):
        self.started.append((language, language_tool_download_version))
        return self

    def check(self, text):
        return [types.SimpleNamespace(category=word) for word in text.split()]


def test_language_tool_is_used_as_it_is_installed(monkeypatch):
    installed = Installed(monkeypatch, "6.6")
    check = language_tool()
    assert installed.started == [("en-US", "6.6")]
    found = check("GRAMMAR TYPOS CASING TYPOGRAPHY PUNCTUATION CONFUSED_WORDS")
    assert found == {"grammar": 2, "layout": 3, "spelling": 1}


@pytest.mark.parametrize(("version", "java"), [(None, "/usr/bin/java"), ("6.6", None)])
def test_language_tool_is_never_downloaded(monkeypatch, version, java):
    installed = Installed(monkeypatch, version, java)
    with pytest.raises(VerificationError, match="nothing is downloaded here"):
        language_tool()
    assert installed.started == []


def test_without_its_package_language_tool_is_refused(monkeypatch):
    monkeypatch.setitem(sys.modules, "language_tool_python", None)
    with pytest.raises(VerificationError, match="needs the package language_tool_python"):
        language_tool()
