"""What in a piece of evidence does not fit together. This is no replay of the log."""

import math
from collections.abc import Iterator
from typing import Any

from datadeed.owner.evidence.report_text import number
from datadeed.verification.words import CLAIM, INCONCLUSIVE, NOT_SUPPORTED, SIGNS

_SLACK = 1e-6  # of ln E and of bars, for sums done in another order


def contradictions(evidence: dict[str, Any]) -> list[str]:
    """One line for each thing at odds with another; none in evidence left as it was made.

    The bar must be 1/alpha for every suspect and every key, "passed" and the p-value must follow
    from E, "excluded" from the bounds, the word from these and the findings, hits must add up, and
    no premise may be verified by what is not there.

    Args:
        evidence: of the form ``datadeed/evidence/2``.
    """
    return [*_key_layer(evidence), *_effect(evidence), *_word(evidence), *_premises(evidence)]


def _key_layer(evidence: dict[str, Any]) -> Iterator[str]:
    layer, numbers = evidence["key_layer"], evidence["multiplicity"]
    needed = numbers["suspects"] * numbers["keys"] / evidence["design"]["alpha"]
    for bar in (layer["bar"], numbers["bar"]):
        if not math.isclose(bar, needed, rel_tol=_SLACK):
            yield (
                f"the bar is {number(bar)}, but the level, the suspects and the keys give "
                f"{number(needed)}"
            )
    margin = layer["log_e"] - math.log(layer["bar"])
    if abs(margin) > _SLACK and layer["passed"] != (margin > 0):
        said = "to pass" if layer["passed"] else "not to pass"
        where = "below" if margin < 0 else "above"
        yield f"the key layer is said {said}, and its E is {where} its bar"
    p_value = math.exp(-min(max(layer["log_e"], 0.0), 700.0))
    if not math.isclose(layer["p_value"], p_value, rel_tol=_SLACK):
        yield "the p-value is not 1 / E"
    if evidence["curve"]:
        last = evidence["curve"][-1]["log_e"]
        if not math.isclose(last, layer["log_e"], rel_tol=_SLACK, abs_tol=_SLACK):
            yield "the last E of the course is not the key layer’s"


def _effect(evidence: dict[str, Any]) -> Iterator[str]:
    layer, effect, design = evidence["key_layer"], evidence["effect"], evidence["design"]
    if sum(part["hits"] for part in layer["parts"]) != effect["block_hits"]:
        yield "the hits of the parts do not add up to those of the blocks"
    if effect["block_asked"] != layer["images"] * design["parts"]:
        yield "the questions of the blocks are not one for each image and part"
    asked = (
        *((part["hits"], layer["images"]) for part in layer["parts"]),
        (effect["other_hits"], effect["other_asked"]),
        *((effect[name], effect["pairs"]) for name in ("hits", "decoy_hits")),
    )
    if any(hits > most for hits, most in asked):
        yield "there are more hits than questions"
    if effect["excluded"] != (effect["high"] < effect["least"]):
        yield "whether the least effect is excluded does not follow from the bounds"
    if effect["least"] != design["least_effect"]:
        yield "the least effect is not the one that was committed"


def _word(evidence: dict[str, Any]) -> Iterator[str]:
    word = INCONCLUSIVE
    if evidence["key_layer"]["passed"]:
        word = CLAIM
    elif evidence["key_layer"]["log_e"] < math.log(SIGNS) and not evidence["findings"]:
        word = NOT_SUPPORTED if evidence["effect"]["excluded"] else INCONCLUSIVE
    if word != evidence["verdict"]["word"]:
        yield f"the rule gives {word}, not {evidence['verdict']['word']}"


def _premises(evidence: dict[str, Any]) -> Iterator[str]:
    """Whoever makes evidence can show one premise: that the key was drawn after its commitment."""
    shown = {"key"} if evidence["key"]["beacon"] and evidence["key"]["timestamp"] else set()
    for premise in evidence["premises"]:
        if premise["status"] == "verified" and premise["name"] not in shown:
            yield f"nothing here could verify the premise {premise['name']}"
