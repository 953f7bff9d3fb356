"""Grammar errors that marking adds to texts (GErr of Tang et al. 2023).

The paper asks LanguageTool, a Java program; :func:`language_tool` does where it is installed, and
:func:`harper` works offline from a package. How the paper counts is not stated beyond "increase",
so that both readings are in the record: errors per 100 words, in points, and the errors' growth in
percent of those before. A mark adds words, and errors per word would fall with every correct one:
the words counted are those before. Errors come in three groups, since most of those that a checker
finds in tokenised text ("good , bad") are of layout, and would hide a growth in percent.
"""

import importlib
import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from datadeed.datasets.form.dataset import Dataset
from datadeed.errors import UnsupportedModality, VerificationError

# Kinds of error, by the names of Harper and of LanguageTool; every other kind is grammar.
SPELLING = frozenset({"Spelling", "Typo", "TYPOS"})
LAYOUT = frozenset(
    {"Capitalization", "Formatting", "Punctuation", "CASING", "PUNCTUATION", "TYPOGRAPHY"}
)
GROUPS = ("grammar", "layout", "spelling")

Check = Callable[[str], Counter[str]]  # a text's errors in each of GROUPS


def harper() -> Check:
    """Harper's rules for American English, on plain text. A check takes about 5 ms a sentence.

    Raises:
        VerificationError: the package harper-py is not installed.
    """
    try:
        from harper import Dialect, Language, Linter
    except ImportError as error:
        raise VerificationError("grammar errors need harper-py: install datadeed[text]") from error
    linter = Linter(Dialect.AMERICAN)

    def check(text: str) -> Counter[str]:
        found = linter.lint(text, language=Language.PLAINTEXT)
        return Counter(_group(lint.lint_kind) for lint in found)

    return check


def language_tool() -> Check:
    """LanguageTool's rules for American English, by an installation that is already there.

    Nothing is downloaded: the package language_tool_python would fetch LanguageTool when first
    used, so that it is asked before for what it has. Its server ends with this process.

    Raises:
        VerificationError: the package, Java or LanguageTool itself is not installed.
    """
    try:
        package = importlib.import_module("language_tool_python")
        store = importlib.import_module("language_tool_python.download_lt").LocalLanguageTool
    except ImportError as error:
        raise VerificationError(
            "LanguageTool needs the package language_tool_python, 3 or later: install it, or check "
            "with Harper"
        ) from error
    installed = store.get_latest_installed_version() if shutil.which("java") else None
    if installed is None:
        raise VerificationError(
            "LanguageTool or Java is not installed and nothing is downloaded here: install both, "
            "or check with Harper"
        )
    tool = package.LanguageTool("en-US", language_tool_download_version=installed.version_name)
    return lambda text: Counter(_group(match.category) for match in tool.check(text))


def _group(kind: str) -> str:
    if kind in SPELLING:
        return "spelling"
    return "layout" if kind in LAYOUT else "grammar"


def count_errors(
    texts: Sequence[str], check: Check, on_progress: Callable[[int], None] = lambda done: None
) -> np.ndarray:
    """Errors of each text, (N, 3) int64, a column for each of :data:`GROUPS`."""
    counts = np.zeros((len(texts), len(GROUPS)), dtype=np.int64)
    for row, text in enumerate(texts):
        found = check(text)
        counts[row] = [found[group] for group in GROUPS]
        on_progress(row + 1)
    return counts


@dataclass(frozen=True)
class Grammar:
    """Rates texts by their grammar errors a word; see ``outliers.Detector``.

    Attributes:
        check: :func:`harper` or :func:`language_tool`.
    """

    check: Check
    name: ClassVar[str] = "grammar"

    def scores(self, data: Dataset) -> np.ndarray:
        """Errors of the group "grammar" per word, (N,) float64, 0 or above."""
        if data.modality != "text":
            raise UnsupportedModality(
                f"grammar errors are of texts, but the data are {data.modality}: use another "
                "detector"
            )
        errors = count_errors(data.samples, self.check)[:, GROUPS.index("grammar")]
        return errors / np.maximum(_words(data.samples), 1)


def _words(texts: Sequence[str]) -> np.ndarray:
    return np.array([len(text.split()) for text in texts])


def grammar_increase(
    before: Sequence[str],
    after: Sequence[str],
    check: Check,
    *,
    on_progress: Callable[[int], None] = lambda done: None,
) -> dict[str, Any]:
    """GErr: errors in marked texts beside those in the same texts before.

    Args:
        before, after: N texts and what marking made of them, in the same order.
        check: counts a text's errors.
        on_progress: called with the number of texts checked, of 2 N.

    Returns:
        JSON values: ``texts``; ``words``, before and after (split at white space); and for each of
        "all", which LanguageTool would count, "grammar", "layout" and "spelling": errors
        ``before`` and ``after``; ``per_text``, the mean increase, and its ``standard_error``;
        ``per_100_words``, errors added per 100 words before; ``percent``, the increase in
        percent of the errors before, None where there were none; ``texts_with_more`` errors.

    Raises:
        VerificationError: the texts are no pairs, fewer than two, or have no words.
    """
    words = _words(before), _words(after)
    if len(before) != len(after) or len(before) < 2 or not all(w.sum() for w in words):
        raise VerificationError(
            f"{len(before)} texts before and {len(after)} after marking: give two pairs or more, "
            "with words in them"
        )
    counts = count_errors([*before, *after], check, on_progress)
    was, now = counts[: len(before)], counts[len(before) :]
    return {
        "texts": len(before),
        "words": {"before": int(words[0].sum()), "after": int(words[1].sum())},
        "all": _increase(was.sum(1), now.sum(1), int(words[0].sum())),
        **{
            name: _increase(was[:, k], now[:, k], int(words[0].sum()))
            for k, name in enumerate(GROUPS)
        },
    }


def _increase(was: np.ndarray, now: np.ndarray, words: int) -> dict[str, Any]:
    more, before, after = now - was, int(was.sum()), int(now.sum())
    return {
        "before": before,
        "after": after,
        "per_text": float(more.mean()),
        "standard_error": float(more.std(ddof=1) / len(more) ** 0.5),
        "per_100_words": 100 * (after - before) / words,
        "percent": 100 * (after - before) / before if before else None,
        "texts_with_more": int((more > 0).sum()),
    }
