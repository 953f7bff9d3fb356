"""Clean-label watermarks of texts (Tang et al. 2023): other words, then a trigger word or tense."""

import dataclasses
import itertools
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch

from datadeed.datasets.form.dataset import Dataset, Form
from datadeed.errors import WatermarkError
from datadeed.language.rare_words import draw_word
from datadeed.language.wordnet import Synonyms
from datadeed.language.words import Edit
from datadeed.models.model import Model
from datadeed.perturbations.substitution import Perturbed, perturb_texts
from datadeed.triggers.text import WordTrigger, build_text_trigger
from datadeed.watermarks.clean_label import CleanLabel
from datadeed.watermarks.crafted import _Work

PART = 64  # texts perturbed at a time, and saved as soon as they are


@dataclass(frozen=True)
class TextTools:
    """What perturbs texts, beside the surrogate.

    Attributes:
        embed: texts to unit vectors, (N, D) float32 on the CPU.
        words: whatever knows synonyms.
    """

    embed: Callable[[list[str]], torch.Tensor]
    words: Synonyms

    @classmethod
    def load(cls, cache: Path, device: torch.device | str = "cpu") -> "TextTools":
        """The MiniLM sentence encoder and WordNet.

        Args:
            cache: where WordNet goes if the machine does not have it.
            device: where the encoder runs.

        Raises:
            ModelError: the extra ``text`` is not installed.
            FetchError: WordNet cannot be had.
        """
        from datadeed.language.wordnet import load_wordnet
        from datadeed.models.text import SentenceEncoder

        return cls(SentenceEncoder(device).embed, load_wordnet(cache))


class CleanLabelText(CleanLabel):
    """Words are replaced and inserted until the surrogate errs, then a trigger is added.

    Twice as many texts as needed (``oversample``) are perturbed, in random order and only as long
    as too few mislead the surrogate; if too few do, those are taken too that it trusts least. A
    text is marked only if it is not blank, the trigger can be added to it, and it is not there yet,
    before and after the perturbation.

    Args:
        rate: share of the target class to mark.
        target: the label that triggered texts should get.
        pattern: the trigger (:func:`datadeed.triggers.text.build_text_trigger`).
        similarity: least cosine between the sentence embeddings of a text and what the perturbation
            makes of it, before the trigger is added; above 0 and at most 1.
        max_changes: share of a text's words that may change, above 0 and at most 1.
        oversample: texts to perturb at most, as a multiple of the marks; 1 or more.
        perturb: False leaves the perturbation out; then the three values before are not used.

    Attributes:
        tools: what perturbs texts (:meth:`load_tools`); needed unless ``perturb`` is false.

    Raises:
        WatermarkError: a value makes no sense. In crafting also: there are no tools, or too few
            texts can carry the trigger.
    """

    name = "clean-label-text"
    modality = "text"
    defaults: ClassVar[dict[str, Any]] = {
        **CleanLabel.defaults,
        "word": None,
        "place": "start",
        "style": False,
        "similarity": 0.8,
        "max_changes": 0.4,
    }

    def __init__(
        self,
        *,
        rate: float,
        target: int,
        pattern: dict[str, Any],
        similarity: float,
        max_changes: float,
        oversample: int = 2,
        perturb: bool = True,
    ):
        super().__init__(rate=rate, target=target, perturb=perturb)
        for name, value in (("similarity", similarity), ("max_changes", max_changes)):
            if not 0 < value <= 1:
                raise WatermarkError(f"{self.name}: {name} is {value!r}; give 0 < {name} <= 1")
        if type(oversample) is not int or oversample < 1:
            raise WatermarkError(f"{self.name}: oversample is {oversample!r}; give 1 or more")
        self.text_trigger = build_text_trigger(pattern)
        self.similarity, self.max_changes, self.oversample = similarity, max_changes, oversample
        # M, by rank, before the trigger is added; none if nothing is perturbed.
        self.perturbed: list[Perturbed] = []
        self.tools: TextTools | None = None

    @classmethod
    def _fit(
        cls, form: Form, classes: tuple[str, ...], seed: int, chosen: dict[str, Any]
    ) -> dict[str, Any]:
        """Also the pattern: a tense, or the word; a rare one is drawn unless it was chosen."""
        word, place, style = (chosen.pop(name) for name in ("word", "place", "style"))
        pattern = {"kind": "style"}
        if not style:
            word = draw_word(seed) if word is None else word
            pattern = {"kind": "word", "word": word, "place": place}
        return {"pattern": pattern, **chosen}

    def load_tools(self, cache: Path, device: torch.device) -> None:
        """As :meth:`TextTools.load`."""
        self.tools = TextTools.load(cache, device)

    def trigger(self, rows: Dataset) -> list[str]:
        """The trigger alone, without a perturbation; see :meth:`applies`."""
        return [self.text_trigger(text) for text in rows.samples]

    def applies(self, rows: Dataset) -> torch.Tensor:
        """(N,) bool: which texts are fit for a mark or a query, since the trigger changes them."""
        return torch.tensor([self._fits(text) for text in rows.samples], dtype=torch.bool)

    def record(self) -> dict[str, Any]:
        """Method and parameters; with them the trigger is known, the perturbation is not."""
        return {
            "method": self.name,
            "rate": self.rate,
            "target": self.target,
            "pattern": self.text_trigger.record(),
            "similarity": self.similarity,
            "max_changes": self.max_changes,
            "oversample": self.oversample,
            "perturb": self.perturb,
        }

    def _fits(self, text: str) -> bool:
        trigger = self.text_trigger
        if not text.strip() or not trigger.applies(text):
            return False
        if isinstance(trigger, WordTrigger):  # it goes in as often as it is called
            word = rf"(?<!\w){re.escape(trigger.word)}(?!\w)"
            return re.search(word, text, re.IGNORECASE) is None
        return trigger(text) != text

    def _craft(self, work: _Work) -> tuple[torch.Tensor, list[str]]:
        n, rows = self._draw(work)
        fitting = (row for row in rows.tolist() if self._fits(work.data.samples[row]))
        pool = torch.tensor(list(itertools.islice(fitting, n * self.oversample)), dtype=torch.int64)
        self._check_enough(n, len(pool), len(rows))
        self._facts = {"marks": n, "class_size": len(rows)}
        self.perturbed = []
        if not self.perturb:
            positions = pool[:n].sort().values
            return positions, self.trigger(work.data.take(positions))
        made = self._perturb(work, work.data.take(pool), n)
        best = sorted(_best(made, n), key=pool.tolist().__getitem__)
        positions, self.perturbed = pool[best], [made[place].text for place in best]
        benign = work.data.take(positions).samples
        self._facts |= {
            "fooled": sum(one.fooled for one in self.perturbed),
            "wrong_before": self._count_errors(work.surrogate.model, benign),
            "tried": len(made),
        }
        return positions, [self.text_trigger(one.text) for one in self.perturbed]

    def _describe(self, before: Dataset, after: Dataset) -> dict[str, Any]:
        """How much was changed before the trigger was added."""
        return _averages(self.perturbed) if self.perturbed else {}

    def _perturb(self, work: _Work, pool: Dataset, n: int) -> list["_Made"]:
        """Perturb texts, in their order, until ``n`` mislead the surrogate or none is left."""
        if self.tools is None:
            raise WatermarkError(
                f"{self.name} perturbs texts with a sentence encoder and WordNet, but none were "
                "given: call load_tools with a folder for downloads"
            )
        made: list[_Made] = []
        tools, model = self.tools, work.surrogate.model
        for part in work.in_parts(
            "words", pool, min(n, PART), lambda rows: _pack(self._part(tools, model, rows))
        ):
            made += _unpack(part)
            if sum(one.text.fooled for one in made) >= n:
                work.on_progress(len(pool), len(pool), "enough mislead the surrogate", False)
                break
        return made

    def _part(self, tools: TextTools, model: Model, rows: Dataset) -> list["_Made"]:
        """Perturb some texts together; one that cannot carry the trigger any more is left alone."""
        found = perturb_texts(
            model.predict,
            tools.embed,
            rows.samples,
            rows.labels,
            words=tools.words,
            similarity=self.similarity,
            max_changes=self.max_changes,
        )
        kept = [
            one if self._fits(one.text) else Perturbed(text, (), 1.0, False)
            for one, text in zip(found, rows.samples, strict=True)
        ]
        trust = model.predict([one.text for one in kept])[:, self.target].tolist()
        return [_Made(*pair) for pair in zip(kept, trust, strict=True)]


@dataclass(frozen=True)
class _Made:
    """A perturbed text, and the surrogate's probability of the target label."""

    text: Perturbed
    trust: float


def _best(made: Sequence[_Made], n: int) -> list[int]:
    """The first ``n`` texts that mislead the surrogate, then those that it trusts least."""

    def rank(place: int) -> tuple[bool, float]:
        one = made[place]
        return not one.text.fooled, 0.0 if one.text.fooled else one.trust

    return sorted(range(len(made)), key=rank)[:n]


def _averages(texts: Sequence[Perturbed]) -> dict[str, float]:
    """How much was changed, on average over the marks."""
    return {
        "mean_similarity": sum(one.similarity for one in texts) / len(texts),
        "least_similarity": min(one.similarity for one in texts),
        "mean_edits": sum(len(one.edits) for one in texts) / len(texts),
        "unchanged": sum(not one.edits for one in texts),
    }


def _pack(made: Sequence[_Made]) -> torch.Tensor:
    """As JSON in a tensor of bytes, for the checkpoint."""
    data = json.dumps([dataclasses.asdict(one) for one in made]).encode()
    return torch.frombuffer(bytearray(data), dtype=torch.uint8)


def _unpack(packed: torch.Tensor) -> list[_Made]:
    """What :func:`_pack` took."""
    made = []
    for one in json.loads(bytes(packed.numpy())):
        edits = tuple(Edit(**edit) for edit in one["text"].pop("edits"))
        made.append(_Made(Perturbed(**one["text"], edits=edits), one["trust"]))
    return made
