"""A sentence's main verb in the future perfect continuous: "walks" to "will have been walking".

Tang et al. (2023) name the form; what becomes of auxiliaries they do not say. Here the verb
group is read off ("has n't really gone") and written anew from its main verb, its negation and its
adverbs ("will not have been really going"). A passive keeps its participle and a copula its
complement: "was made" is "will have been being made", "is good" is "will have been being good".
"""

from collections.abc import Sequence

from datadeed.language.tagger import read
from datadeed.language.verbs import PERSONS, VerbGroup, at, is_adverbial, verb_group
from datadeed.language.words import Edit, Word, match_case, split, tags_of, word_set

_OPENERS = word_set("because although though while whilst if unless whether whereas whenever")
_OPENER_TAGS = frozenset({"WDT", "WP", "WP$", "WRB"})


def future_perfect_continuous(text: str) -> Edit | None:
    """The edit that puts the first clause's main verb into the future perfect continuous.

    Verbs of clauses that a conjunction or relative pronoun opens are passed over while another is
    left in the sentence ("what I saw is good": "is"). A verb that is in this form stays as it is.

    Returns:
        One edit of the verb group; None if no finite verb is found, as in many fragments.

    Raises:
        WatermarkError: the extra ``text`` is not installed.
    """
    words = read(text)
    group = _main_group(words)
    if group is None:
        return None
    first, last = words[group.first], words[group.last]
    phrase = match_case(group.phrase(), first.text)
    if first.start and not text[first.start - 1].isspace() and first.text[0] in "'’":
        phrase = " " + phrase  # "it's"
    return Edit(first.start, last.end, text[first.start : last.end], phrase)


def has_form(text: str) -> bool:
    """Whether the form is in the text already: "will have been" and a present participle.

    Told from the words alone, not from their tags, so that it is true of whatever was given the
    form by :func:`future_perfect_continuous`.

    Raises:
        WatermarkError: the extra ``text`` is not installed.
    """
    words = split(text)
    for start in (k for k, word in enumerate(words) if word.plain == "will"):
        k = start + 1
        while is_adverbial(at(words, k)) or at(words, k).plain in PERSONS:
            k += 1
        if (at(words, k).plain, at(words, k + 1).plain) == ("have", "been"):
            k += 2
            while is_adverbial(at(words, k)) and not _is_participle(at(words, k)):
                k += 1
            if _is_participle(at(words, k)):
                return True
    return False


def _is_participle(word: Word) -> bool:
    return "VBG" in tags_of(word.plain)


def _main_group(words: Sequence[Word]) -> VerbGroup | None:
    """The first sentence's main verb group, or that of the first sentence that has one."""
    passed: VerbGroup | None = None
    open_clauses, k = 0, 0
    while k < len(words):
        if words[k].text in (".", "!", "?") and passed is not None:
            return passed
        group = verb_group(words, k)
        if group is not None and not open_clauses:
            return group
        if group is not None:
            passed, open_clauses, k = passed or group, open_clauses - 1, group.last
        elif _opens_clause(words, k):
            open_clauses += 1
        k += 1
    return passed


def _opens_clause(words: Sequence[Word], k: int) -> bool:
    word = words[k]
    if word.plain == "that":
        demonstrative = k == 0 and (at(words, 1).tag or "V")[0] in "VM"
        return word.tag in ("IN", "WDT") and not demonstrative
    reduced = word.plain in PERSONS and at(words, k - 1).tag in ("NN", "NNS")  # "the film I saw"
    return reduced or word.tag in _OPENER_TAGS or word.plain in _OPENERS
