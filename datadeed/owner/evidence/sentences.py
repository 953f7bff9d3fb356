"""The sentences of evidence: what was tested, what was not, and what a key could have been."""

import re
from typing import TYPE_CHECKING, Any

from datadeed.keys.generation2 import Key2
from datadeed.verification.words import CLAIM

if TYPE_CHECKING:
    from datadeed.verification.proof2 import Proof2

NOUNS = {"text": "text", "audio": "clip"}  # what a sentence says in place of "image"
_IMAGE = re.compile(r"\b(an )?image(s?)\b")


def worded(value: Any, modality: str) -> Any:
    """JSON values whose sentences, made for images, speak of samples of another kind."""
    if isinstance(value, str) and modality in NOUNS:
        noun = NOUNS[modality]
        return _IMAGE.sub(lambda found: f"{'a ' if found[1] else ''}{noun}{found[2]}", value)
    if isinstance(value, dict):
        return {name: worded(item, modality) for name, item in value.items()}
    return [worded(item, modality) for item in value] if isinstance(value, list) else value


def grinding(key: Key2) -> str:
    """What an accuser could have gained by trying keys, as far as this evidence shows."""
    alpha = key.design.alpha
    cost = (
        "whoever tried N keys against this very suspect could be wrong with a chance of up to N "
        f"in {1 / alpha:,.0f}, and a million tries take seconds"
    )
    if key.beacon is None:
        return f"No beacon was used. So {cost}."
    return (
        f"The triggers and their labels depend on round {key.beacon.round} of {key.beacon.source}, "
        "which the commitment names. If the value is not that round's, or if the commitment is "
        f"younger than the round, {cost}."
    )


def tested(proof: "Proof2") -> list[str]:
    """What was tested, in sentences."""
    design, blocks, effect = proof.design, proof.blocks, proof.effect
    level = f"1 in {proof.bar:,.0f}"
    found = [
        "Whether the suspect's answers depend on the labels that the key drew: "
        f"{_count(blocks.count, 'image')}, each asked under all {design.parts} triggers, and of "
        "each answer only what departs from its image's other answers counts. If the key was drawn "
        "once and at random, then for a suspect that is independent of it, whatever it is and "
        f"whichever images were chosen, the chance of a claim is at most {level}.",
    ]
    if effect.n:
        found.append(
            "How much more often the triggers bring their labels about than decoys do, which are "
            f"drawn by the same law and mark nothing: {effect.n} pairs of a part and an image of "
            f"another class than its label, drawn without replacement from {effect.population}; "
            f"the effect on all of these lies between {effect.low:.3f} and {effect.high:.3f}, and "
            f"each bound holds with {effect.record()['level']:.0%}.",
        )
    return found


def not_tested(proof: "Proof2", word: str, *, dated: bool) -> list[str]:
    """What was not tested, in sentences; ``dated``: a timestamp of the commitment is stated."""
    found = [
        "How the data reached the model: a claim says that the answers depend on the key, which a "
        "model trained on a copy, or on another model's answers, does as well.",
        "Who operates the suspect, and whether somebody who knew the key trained or served it: a "
        "court must query it, or obtain it, by itself.",
        "How many suspects and keys were tried: the owner states "
        f"{_count(proof.suspects, 'suspect')} and {_count(proof.keys, 'key')}, and the bar is "
        "raised by both.",
    ]
    if proof.key.beacon is None:
        found.append("Whether the owner tried several keys before committing to this one.")
    else:
        found.append(
            "Whether the beacon's value is that of the round which the commitment names: the check "
            "of this evidence says so where it can."
        )
    if not dated:
        found.append("When the commitment was made: no timestamp was checked.")
    if word != CLAIM:
        found.append(
            "Innocence: no answer of this test says that the data was not used. A filter that "
            "touches nothing but the mark cannot be told from a model that never saw it."
        )
    return found


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
