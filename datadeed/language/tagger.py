"""Word classes by Brill's rules (1992): each word's commonest tag, then corrections by context.

The lexicon and the rules come with textblob. Its files are read without importing it: that takes
seconds (it brings nltk), and its own tagger leaves the rules of context out.
"""

import functools
import importlib.util
from collections.abc import Callable, Sequence
from pathlib import Path

from datadeed.errors import WatermarkError
from datadeed.language.words import BRACKETS, Word, split, tags_of

OPEN = ("NN", "VB", "JJ", "RB")  # classes of words that word forms can be looked up for
# For words that are in no lexicon; the last is what most of them are.
_SUFFIXES = (
    ("ly", "RB"),
    ("ing", "VBG"),
    ("ed", "VBN"),
    ("able", "JJ"),
    ("ible", "JJ"),
    ("ful", "JJ"),
    ("less", "JJ"),
    ("ish", "JJ"),
    ("ous", "JJ"),
    ("ic", "JJ"),
    ("al", "JJ"),
    ("ive", "JJ"),
    ("esque", "JJ"),
    ("ss", "NN"),
    ("s", "NNS"),
    ("", "NN"),
)
_LIKELY = ("NN", "JJ", "NNS", "RB", "VBG", "VBN", "VBD", "VBZ", "VB", "JJR", "JJS", "RBR", "RBS")
_SUBJECTS = frozenset(
    {
        "it",
        "that",
        "there",
        "here",
        "what",
        "who",
        "he",
        "she",
        "this",
        "where",
        "how",
        "everything",
    }
)
RELATIVES = frozenset({"that", "which", "who", "what", "whatever", "whichever"})
_ARTICLES = frozenset({"the", "a", "an", "every", "no", "its", "their", "his", "my", "our", "your"})
EDGE = ("STAART", "STAART")  # what the rules call the text's ends


def tag(words: Sequence[str]) -> list[str]:
    """Penn Treebank tags of the words of a text, in order.

    Raises:
        WatermarkError: the extra ``text`` is not installed.
    """
    plain = [word.replace("’", "'") for word in words]
    tokens = [*[EDGE] * 3, *((w, _alone(w, k == 0)) for k, w in enumerate(plain)), *[EDGE] * 3]
    for old, new, fits in _rules():
        for k in range(3, len(tokens) - 3):
            word, current = tokens[k]
            if current == old and fits(tokens, k) and _can_be(word, new):
                tokens[k] = word, new
    return [_mended(tokens, k) for k in range(3, len(tokens) - 3)]


def read(text: str) -> list[Word]:
    """The words of a text with their tags.

    Raises:
        WatermarkError: the extra ``text`` is not installed.
    """
    words = split(text)
    tags = tag([word.text for word in words])
    return [Word(w.start, w.end, w.text, t) for w, t in zip(words, tags, strict=True)]


def is_lower_case(word: str) -> bool:
    """Whether dictionaries have the word in lower case; they lack names, and "Kurdish"."""
    return word.lower() in _lexicon() or bool(tags_of(word.lower()))


def _alone(word: str, first: bool) -> str:
    """A word's tag by itself."""
    lexicon, lower = _lexicon(), word.lower()
    if word.startswith(("@", "#", "http", "www.")) and len(word) > 1:
        return "NNP"
    if lower.strip("-") in BRACKETS:
        return ":"
    known = (lower, word) if first else (word, lower)
    in_lexicon = next((lexicon[spelling] for spelling in known if spelling in lexicon), None)
    return in_lexicon or _guessed(word, first)


def _guessed(word: str, first: bool) -> str:
    """The tag of a word that the lexicon lacks, by its form."""
    if any(c.isdigit() for c in word):
        return "CD"
    if not any(c.isalpha() for c in word):
        return ":"
    if word[:1].isupper() and not first and not word.isupper():
        return "NNP"
    possible = tags_of(word.lower())
    suffixes = (tag for suffix, tag in _SUFFIXES if word.lower().endswith(suffix))
    likely = next((tag for tag in _LIKELY if tag in possible), None)
    return likely or ("JJ" if "-" in word else next(suffixes))


def _can_be(word: str, new: str) -> bool:
    """Whether the word's forms allow a tag; the rules know only what is common."""
    if new in ("WDT", "DT"):
        return word.lower() in RELATIVES
    possible = tags_of(word.lower())
    return not possible or new[:2] not in OPEN or new in ("NNP", "NNPS") or new in possible


def _mended(tokens: Sequence[tuple[str, str]], k: int) -> str:
    """The tag of a word, corrected where reviews differ from the news that the rules know."""
    word, found = tokens[k]
    before = next((t for t in reversed(tokens[:k]) if not t[1].startswith("RB")), EDGE)
    if word.lower() == "'s" and tokens[k - 1][0].lower() in _SUBJECTS:
        return "VBZ"
    possible = tags_of(word.lower())
    if before[1] in ("MD", "TO") and "VB" in possible and found in ("VBP", "VBD"):
        return "VB"
    relative = tokens[k - 1][0].lower() in RELATIVES and tokens[k - 2][1].startswith(("NN", "PRP"))
    if found == "NNS" and relative and "VBZ" in possible:
        return "VBZ"
    if found in ("VBZ", "VBP", "VB") and tokens[k - 1][0].lower() in _ARTICLES:
        return next((noun for noun in ("NN", "NNS") if noun in possible), found)
    return found


@functools.cache
def _lexicon() -> dict[str, str]:
    lines = (line.split(" ") for line in _read("lexicon"))
    return {fields[0]: fields[1] for fields in lines if len(fields) > 1}


Tokens = Sequence[tuple[str, str]]
_TESTS: dict[str, Callable[[Tokens, int, str, str], bool]] = {
    "PREVTAG": lambda t, k, x, y: t[k - 1][1] == x,
    "NEXTTAG": lambda t, k, x, y: t[k + 1][1] == x,
    "PREV2TAG": lambda t, k, x, y: t[k - 2][1] == x,
    "NEXT2TAG": lambda t, k, x, y: t[k + 2][1] == x,
    "PREV1OR2TAG": lambda t, k, x, y: x in (t[k - 1][1], t[k - 2][1]),
    "NEXT1OR2TAG": lambda t, k, x, y: x in (t[k + 1][1], t[k + 2][1]),
    "PREV1OR2OR3TAG": lambda t, k, x, y: x in (t[k - 1][1], t[k - 2][1], t[k - 3][1]),
    "SURROUNDTAG": lambda t, k, x, y: t[k - 1][1] == x and t[k + 1][1] == y,
    "PREVBIGRAM": lambda t, k, x, y: t[k - 2][1] == x and t[k - 1][1] == y,
    "NEXTBIGRAM": lambda t, k, x, y: t[k + 1][1] == x and t[k + 2][1] == y,
    "CURWD": lambda t, k, x, y: t[k][0] == x,
    "PREVWD": lambda t, k, x, y: t[k - 1][0] == x,
    "NEXTWD": lambda t, k, x, y: t[k + 1][0] == x,
    "PREV1OR2WD": lambda t, k, x, y: x in (t[k - 1][0], t[k - 2][0]),
    "LBIGRAM": lambda t, k, x, y: t[k - 1][0] == x and t[k][0] == y,
    "RBIGRAM": lambda t, k, x, y: t[k][0] == x and t[k + 1][0] == y,
    "WDPREVTAG": lambda t, k, x, y: t[k - 1][1] == x and t[k][0] == y,
    "WDNEXTTAG": lambda t, k, x, y: t[k][0] == x and t[k + 1][1] == y,
    "WDAND2AFT": lambda t, k, x, y: t[k][0] == x and t[k + 2][0] == y,
    "WDAND2TAGAFT": lambda t, k, x, y: t[k][0] == x and t[k + 2][1] == y,
    "WDAND2TAGBFR": lambda t, k, x, y: t[k - 2][1] == x and t[k][0] == y,
}


@functools.cache
def _rules() -> Sequence[tuple[str, str, Callable[[Tokens, int], bool]]]:
    """Old tag, new tag, and whether the rule applies at a place, in the order of application."""
    rules = []
    for line in _read("context"):
        old, new, name, x, *more = line.split()
        rules.append((old, new, functools.partial(_fits, _TESTS[name], x, more[0] if more else "")))
    return rules


def _fits(test: Callable[..., bool], x: str, y: str, tokens: Tokens, k: int) -> bool:
    return test(tokens, k, x, y)


def _read(name: str) -> list[str]:
    """The lines of one of textblob's English tables, without its comments."""
    spec = importlib.util.find_spec("textblob")
    if spec is None or not spec.submodule_search_locations:
        raise WatermarkError("word classes need textblob: install datadeed[text]")
    path = Path(spec.submodule_search_locations[0]) / "en" / f"en-{name}.txt"
    lines = path.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line.strip() and not line.startswith(";;;")]
