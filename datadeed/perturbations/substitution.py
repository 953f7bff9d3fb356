"""Texts with a few words changed so that a surrogate errs, within a bound on the meaning.

Tang et al. (2023) disable a text's normal features by WordNet synonyms and inserted words,
greedily, under a cosine bound between sentence embeddings. Their recipe is not published. Here the
words' order is their importance, told from the surrogate's answer without the word, and of a word's
candidates the one is kept that lowers the true label's probability most.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import torch
from torch.nn import functional as F

from datadeed.errors import WatermarkError
from datadeed.language.tagger import read
from datadeed.language.wordnet import Synonyms
from datadeed.language.words import Edit, apply_edits
from datadeed.perturbations.edits import candidate_edits

Answer = Callable[[list[str]], torch.Tensor]


@dataclass(frozen=True)
class Perturbed:
    """A text after the search.

    Attributes:
        text: with the edits made.
        edits: in the text's order; empty if nothing helped or the surrogate erred already.
        similarity: cosine between the sentence embeddings of this text and the original.
        fooled: whether the surrogate errs on this text.
    """

    text: str
    edits: tuple[Edit, ...]
    similarity: float
    fooled: bool


@dataclass
class _Search:
    """One text's search.

    Attributes:
        row: which text.
        candidates: edits of each word that has any, the most important word last.
        budget: edits that may still be made.
        truth: the true label's probability now.
    """

    row: int
    text: str
    label: int
    candidates: list[tuple[Edit, ...]]
    budget: int
    truth: float
    fooled: bool
    similarity: float = 1.0
    edits: list[Edit] = field(default_factory=list)

    @property
    def goes_on(self) -> bool:
        """Whether there is a reason and a way to change another word."""
        return not self.fooled and self.budget > 0 and bool(self.candidates)

    def result(self) -> Perturbed:
        """What was found."""
        edits = tuple(sorted(self.edits, key=lambda edit: edit.start))
        return Perturbed(apply_edits(self.text, edits), edits, self.similarity, self.fooled)


@dataclass(frozen=True)
class _Proposal:
    """A text that a search tries."""

    search: _Search
    edit: Edit
    text: str


def perturb_texts(
    predict: Answer,
    embed: Answer,
    texts: Sequence[str],
    labels: torch.Tensor,
    *,
    words: Synonyms,
    similarity: float,
    max_changes: float,
    synonyms: int = 10,
    on_progress: Callable[[int], None] = lambda done: None,
) -> list[Perturbed]:
    """Change words of texts, one after another, until a surrogate errs on them.

    All texts go on together: each round tries every candidate of the next word of every text, with
    one call of ``predict`` and one of ``embed``. A text's result depends on no other text, as far
    as the two functions answer each text by itself.

    Args:
        predict: the surrogate: texts to (N, K) float probabilities.
        embed: texts to (N, D) float sentence embeddings, not all zeros.
        texts: N texts.
        labels: (N,) int64, true labels.
        words: where synonyms come from.
        similarity: least cosine to the original text's embedding, from -1 to 1.
        max_changes: largest share of the words that may be changed, above 0, to 1; rounded down,
            so that a share of 0.2 leaves a text of 4 words alone.
        synonyms: number of synonyms to try for a word.
        on_progress: called after each round with the number of texts done.

    Returns:
        N results in order. The bound on the similarity holds in each; if the surrogate cannot be
        made to err within it, the text on which it came closest.

    Raises:
        WatermarkError: a value is out of range, an answer does not fit the texts, or the extra
            ``text`` is not installed.
    """
    _check(texts, labels, similarity, max_changes, synonyms)
    if not texts:
        return []
    searches = _start(
        predict, texts, labels, words=words, max_changes=max_changes, synonyms=synonyms
    )
    going = [search for search in searches if search.goes_on]
    vectors = _unit(embed, [search.text for search in going])
    original = {search.row: vector for search, vector in zip(going, vectors, strict=True)}
    while going:
        proposals = [proposal for search in going for proposal in _propose(search)]
        _round(predict, embed, proposals, original, similarity)
        going = [search for search in going if search.goes_on]
        on_progress(len(texts) - len(going))
    return [search.result() for search in searches]


def _start(
    predict: Answer,
    texts: Sequence[str],
    labels: torch.Tensor,
    *,
    words: Synonyms,
    max_changes: float,
    synonyms: int,
) -> list[_Search]:
    """A search for each text, its words sorted by what the surrogate makes of the text without."""
    read_texts = [read(text) for text in texts]
    budgets = [int(max_changes * sum(w.is_word for w in found) + 1e-9) for found in read_texts]
    changeable = []
    for text, found, budget in zip(texts, read_texts, budgets, strict=True):
        places = range(len(found) if budget else 0)
        edits = (candidate_edits(text, found, k, words, most=synonyms) for k in places)
        changeable.append({k: tried for k, tried in enumerate(edits) if tried})
    shorter = [
        apply_edits(text, [Edit(found[k].start, found[k].end, found[k].text, "")])
        for text, found, edits in zip(texts, read_texts, changeable, strict=True)
        for k in edits
    ]
    answers = _answers(predict, [*texts, *shorter])
    without = iter(answers[len(texts) :])
    searches = []
    for row, text in enumerate(texts):
        label = int(labels[row])
        if not 0 <= label < answers.shape[1]:
            raise WatermarkError(
                f"text {row} has label {label}, but the surrogate knows {answers.shape[1]} classes"
            )
        left = {k: float(next(without)[label]) for k in changeable[row]}
        order = sorted(left, key=lambda k: (left[k], k), reverse=True)
        fooled = int(answers[row].argmax()) != label
        candidates = [changeable[row][k] for k in order]
        truth = float(answers[row, label])
        searches.append(_Search(row, text, label, candidates, budgets[row], truth, fooled))
    return searches


def _propose(search: _Search) -> list[_Proposal]:
    """The candidates of the most important word that is left."""
    return [
        _Proposal(search, edit, apply_edits(search.text, [*search.edits, edit]))
        for edit in search.candidates.pop()
    ]


def _round(
    predict: Answer,
    embed: Answer,
    proposals: Sequence[_Proposal],
    original: dict[int, torch.Tensor],
    bound: float,
) -> None:
    """Ask about all proposals, and let each search take its best."""
    answers = _answers(predict, [proposal.text for proposal in proposals])
    useful = []
    for proposal, answer in zip(proposals, answers, strict=True):
        label = proposal.search.label
        truth, right = float(answer[label]), int(answer.argmax()) == label
        if truth < proposal.search.truth:
            useful.append((proposal, truth, right))
    # Half of the work is embedding: only what lowers the probability is worth it.
    best: dict[int, tuple[_Proposal, float, bool, float]] = {}
    vectors = _unit(embed, [proposal.text for proposal, _, _ in useful])
    for (proposal, truth, right), vector in zip(useful, vectors, strict=True):
        row = proposal.search.row
        cosine = float(vector @ original[row])
        better = row not in best or (right, truth) < (best[row][2], best[row][1])
        if cosine >= bound and better:
            best[row] = proposal, truth, right, cosine
    for proposal, truth, right, cosine in best.values():
        search = proposal.search
        search.edits.append(proposal.edit)
        search.budget -= 1
        search.truth, search.fooled, search.similarity = truth, not right, cosine


def _answers(predict: Answer, texts: list[str]) -> torch.Tensor:
    """(N, K) float64 probabilities."""
    answers = predict(texts)
    if answers.ndim != 2 or len(answers) != len(texts) or not bool(answers.isfinite().all()):
        raise WatermarkError(
            f"the surrogate answered {len(texts)} texts with {tuple(answers.shape)} values, or "
            "with some that are no numbers: give one row of probabilities for each"
        )
    return answers.double()


def _unit(embed: Answer, texts: list[str]) -> Iterable[torch.Tensor]:
    """Their embeddings as float64 vectors of length 1; asks nothing about no texts."""
    if not texts:
        return ()
    vectors = embed(texts)
    if vectors.ndim != 2 or len(vectors) != len(texts) or not bool(vectors.isfinite().all()):
        raise WatermarkError(
            f"the sentence encoder answered {len(texts)} texts with {tuple(vectors.shape)} values, "
            "or with some that are no numbers: give one vector for each"
        )
    return F.normalize(vectors.double(), dim=1)


def _check(
    texts: Sequence[str],
    labels: torch.Tensor,
    similarity: float,
    max_changes: float,
    synonyms: int,
) -> None:
    """Check what :func:`perturb_texts` was given."""
    if len(labels) != len(texts):
        raise WatermarkError(f"{len(texts)} texts with {len(labels)} labels: give one for each")
    if not -1 <= similarity <= 1:
        raise WatermarkError(f"similarity is {similarity}: give a cosine from -1 to 1")
    if not 0 < max_changes <= 1:
        raise WatermarkError(f"max_changes is {max_changes}: give a share above 0, at most 1")
    if type(synonyms) is not int or synonyms < 0:
        raise WatermarkError(f"synonyms is {synonyms!r}: give a whole number, 0 or more")
