"""Verb groups: a finite verb with its auxiliaries, negation and adverbs, and what it becomes."""

from collections.abc import Sequence
from dataclasses import dataclass

from datadeed.language.words import Word, base_forms, inflect, tags_of, word_set

_BE = word_set("am is are was were 'm 're be been being")
_HAVE = word_set("have has had 've")
_DO = word_set("do does did")
_MODAL = word_set("'ll 'd")
_BEFORE_NOT = {"ca": "modal", "wo": "modal", "sha": "modal", "need": "modal", "ai": "be"}
_HAVE_GONE = word_set("been got become had gone")  # after "'s" for "has"
# What an auxiliary is as the main verb; "be" has "being" already, and a lone modal stands for "do".
_MAIN = {"be": "", "being": "", "have": "having", "do": "doing", "modal": "doing"}
_NOT_MAIN = word_set("please let like as")
# These adverbs follow "will" itself; others stay with the verb or what "be" is followed by.
_EARLY = word_set(
    "not n't never always ever often still also rarely seldom hardly barely scarcely usually "
    "probably certainly surely definitely already"
)
PERSONS = word_set("i you he she it we they there")
_OBJECT_PERSONS = word_set("me him us them")
_CAUSATIVE = word_set("make makes made making let lets letting help helps helped helping")
_CLAUSE_STARTS = frozenset({"", ",", ":", "CC", "``", "(", "WP", "WRB", "WDT", "."})


@dataclass(frozen=True)
class VerbGroup:
    """A finite verb with what belongs to it.

    Attributes:
        first, last: positions of its words.
        subject: a pronoun between an auxiliary and the verb, as in questions.
        early, late: adverbs after "will", and before the main verb.
        being: whether "being" comes before the last word.
        main: the last word, a present or (after "being") a past participle; empty for a copula.
    """

    first: int
    last: int
    subject: tuple[str, ...]
    early: tuple[str, ...]
    late: tuple[str, ...]
    being: bool
    main: str

    def phrase(self) -> str:
        """The group in the future perfect continuous."""
        being = ("being",) if self.being else ()
        kept = (*being, *self.late, self.main)
        return " ".join(filter(None, ("will", *self.subject, *self.early, "have been", *kept)))


def verb_group(words: Sequence[Word], k: int) -> VerbGroup | None:
    """The verb group whose finite verb is word ``k``; None if that is none."""
    if not _is_finite(words, k):
        return None
    kind, last = _auxiliary(words, k), k
    if not kind:
        return VerbGroup(k, k, (), (), (), False, _participle(words[k]))
    adverbs: list[str] = []
    subject: tuple[str, ...] = ()
    j = k + 1
    if _is_question(words, k):
        j, adverbs, subject = _subject(words, k)
        last = j - 1
    while True:
        after = _after_adverbs(words, j)
        role = _role(kind, at(words, after))
        if not role:
            break
        adverbs += [_spelled(word) for word in words[j:after]]
        last, j, kind = after, after + 1, role
        if role in ("active", "passive"):
            break
    if kind not in ("active", "passive"):  # the auxiliary is the main verb itself
        while at(words, j).plain in _EARLY:
            adverbs.append(_spelled(words[j]))
            last, j = j, j + 1
    main = _MAIN.get(kind, words[last].text)
    if kind == "active" and not (main := _participle(words[last])):
        return None
    early = tuple(word for word in adverbs if word in _EARLY)
    late = tuple(word for word in adverbs if word not in _EARLY)
    being = kind in ("be", "being", "passive")
    return VerbGroup(k, last, subject, early, late, being, main)


def _role(kind: str, word: Word) -> str:
    """What a word is after an auxiliary: the next auxiliary, "active", "passive", or nothing.

    Args:
        kind: of the auxiliary: "modal", "do", "have", "be" or "being".
        word: the next one that is no adverb.
    """
    tag, possible = word.tag, tags_of(word.plain)
    past = tag in ("VBN", "VBD", "VB", "VBP") and bool(possible & {"VBN", "VBD"})
    if kind in ("modal", "do"):
        if kind == "modal" and word.plain in ("be", "have"):
            return word.plain
        base = tag in ("VB", "VBP", "VBD") or (kind == "modal" and tag in ("NN", "JJ"))
        return "active" if base and "VB" in possible else ""
    if kind == "have":
        return "be" if word.plain == "been" else "active" if past else ""
    if kind == "be" and word.plain == "being":
        return "being"
    if kind == "be" and tag in ("VBG", "NN") and "VBG" in possible:
        return "active"
    return "passive" if past and tag in ("VBN", "VBD") else ""


def _auxiliary(words: Sequence[Word], k: int) -> str:
    """Which kind of auxiliary a finite verb may be: "modal", "do", "have", "be"; empty if none."""
    word = words[k]
    if at(words, k + 1).plain == "n't" and word.plain in _BEFORE_NOT:
        return _BEFORE_NOT[word.plain]
    if word.plain == "'s":
        following = at(words, _after_adverbs(words, k + 1)).plain
        return "have" if following in _HAVE_GONE else "be"
    for kind, forms in (("be", _BE), ("have", _HAVE), ("do", _DO), ("modal", _MODAL)):
        if word.plain in forms:
            return kind
    return "modal" if word.tag == "MD" else ""


def _is_finite(words: Sequence[Word], k: int) -> bool:
    """Whether word ``k`` is a finite verb, told from tags and neighbours."""
    word, before = words[k], _before(words, k)
    if word.plain == "'s":
        return word.tag == "VBZ" and before.plain != "let"
    if before.tag in ("MD", "TO") or word.plain in _NOT_MAIN:
        return False
    if _auxiliary(words, k):
        return word.tag != "VBN" and not (word.tag == "MD" and before.tag in ("DT", "PRP$", "JJ"))
    helped = before.plain in _OBJECT_PERSONS or at(words, k - 2).plain in _CAUSATIVE
    if word.tag[:2] != "VB" or word.tag == "VBG" or helped or not _participle(word):
        return False  # "helps us see" has "helps" only
    return _is_predicate(word, before, at(words, k + 1), at(words, k - 1).tag in _CLAUSE_STARTS)


def _is_predicate(word: Word, before: Word, after: Word, starts: bool) -> bool:
    """Whether a form that may be finite is: its neighbours are those of a predicate.

    Args:
        word: the verb.
        before, after: its neighbours; adverbs before it are passed over.
        starts: whether a clause begins with the verb.
    """
    if word.tag == "VB":
        noun = "NN" in tags_of(word.plain)
        subject = before.tag in ("PRP", "NNS", "WDT", "WP")
        return starts or subject or (before.tag == "NN" and not noun)
    if word.tag in ("VBN", "VBD") and "VBN" in tags_of(word.plain):  # as likely a participle
        return _has_arguments(word, before, after, starts)
    return before.tag not in ("DT", "PRP$")


def _has_arguments(word: Word, before: Word, after: Word, starts: bool) -> bool:
    """Whether a form like "filmed" has a subject before it, or an object after it alone."""
    if word.tag == "VBN":
        return starts and after.tag in ("DT", "PRP$", "PRP")
    if before.tag.startswith(("NN", "PRP", "WDT", "WP", "EX")):
        return after.plain != "by"
    return starts and after.tag.startswith(("DT", "PDT", "PRP", "NN", "JJ", "CD"))


def _is_question(words: Sequence[Word], k: int) -> bool:
    """Whether a pronoun after the auxiliary ``k`` is its subject."""
    j = k + 1 + (at(words, k + 1).plain == "n't")
    starts = k == 0 or at(words, k - 1).tag in _CLAUSE_STARTS
    return starts and words[k].text[0] not in "'’" and at(words, j).plain in PERSONS


def _subject(words: Sequence[Word], k: int) -> tuple[int, list[str], tuple[str, ...]]:
    """Of a question: the position after its subject, its negation, and the subject."""
    negated = words[k + 1].plain == "n't"
    j = k + 1 + negated
    return j + 1, ["not"] * negated, (words[j].text,)


def _before(words: Sequence[Word], k: int) -> Word:
    """The word before ``k`` that is no adverb."""
    k -= 1
    while at(words, k).tag.startswith("RB"):
        k -= 1
    return at(words, k)


def _after_adverbs(words: Sequence[Word], k: int) -> int:
    """The first position from ``k`` on that is no adverb."""
    while at(words, k).plain in _EARLY or (
        at(words, k).tag.startswith("RB") and is_adverbial(words[k])
    ):
        k += 1
    return k


def _spelled(adverb: Word) -> str:
    return "not" if adverb.plain == "n't" else adverb.plain


def _participle(verb: Word) -> str:
    """The present participle of a verb in any form; empty if the verb is unknown."""
    found = (inflect(lemma, "VBG") for lemma in base_forms(verb.plain, verb.tag))
    return next((form for form in found if form and "VBG" in tags_of(form)), "")


def at(words: Sequence[Word], k: int) -> Word:
    """A word, or an empty one beyond the ends."""
    return words[k] if 0 <= k < len(words) else Word(0, 0, "")


def is_adverbial(word: Word) -> bool:
    """Whether a word can be an adverb, whatever its tag."""
    return word.plain in _EARLY or any(tag.startswith("RB") for tag in tags_of(word.plain))
