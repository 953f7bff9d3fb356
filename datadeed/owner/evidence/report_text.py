"""Words and numbers of the evidence report: hostile text made plain, figures rounded one way.

A number is never rounded towards a stronger claim: e-values and lower ends go down, p-values and
upper ends go up.
"""

import math
import unicodedata
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from typing import Any

from datadeed.verification.words import CLAIM, INCONCLUSIVE, NOT_SUPPORTED

LONGEST = 4000  # characters of one piece of text that are shown
LARGEST_LOG10 = 308  # E beyond 10 to this power is shown as a bound
SMALLEST_P = 1e-300
_HIDDEN = ("Cc", "Cf", "Co", "Cs")  # controls, direction marks, private signs, lone surrogates
_SPACE = "\N{NO-BREAK SPACE}"
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def plain(value: Any) -> Any:
    """JSON values, keys too, whose text holds only signs that a reader sees.

    White space becomes a space. Control characters, marks that turn the direction of writing and
    lone surrogates become U+FFFD, so that their place shows; long text is cut.
    """
    if isinstance(value, str):
        shown = "".join(_visible(sign) for sign in value[:LONGEST])
        return shown + "…" if len(value) > LONGEST else shown
    if isinstance(value, dict):
        return {plain(key): plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list | tuple) else value


def _visible(sign: str) -> str:
    if sign.isspace():
        return " "
    return "\N{REPLACEMENT CHARACTER}" if unicodedata.category(sign) in _HIDDEN else sign


def power_of_ten(exponent: float) -> str:
    """``10⁶``, for an axis or a sentence."""
    return "10" + f"{exponent:g}".translate(_RAISED)


def e_value(log_e: float) -> str:
    """E from its natural logarithm, two digits, rounded down; ``≥ 10³⁰⁸`` for what is larger."""
    log10 = log_e / math.log(10)
    if log10 >= LARGEST_LOG10:
        return f"≥ {power_of_ten(LARGEST_LOG10)}"
    if log10 <= -LARGEST_LOG10:
        return f"≤ {power_of_ten(-LARGEST_LOG10)}"
    exponent = math.floor(log10 + 1e-12)
    mantissa = math.floor(10 ** (log10 - exponent + 1) + 1e-9) / 10
    if -3 <= exponent < 6:
        return number(mantissa * 10.0**exponent)
    return _scientific(mantissa, exponent)


def number(value: float) -> str:
    """A count, a threshold or a rate as it is: ``1,000,000``, ``0.25``, ``1 × 10⁻⁶``."""
    if value == 0 or 1e-3 <= abs(value) < 1e9:
        return f"{value:,.10g}"
    if value >= 10.0**LARGEST_LOG10:
        return f"≥ {power_of_ten(LARGEST_LOG10)}"
    mantissa, _, exponent = f"{value:.3e}".partition("e")
    return _scientific(float(mantissa), int(exponent))


def _scientific(mantissa: float, exponent: int) -> str:
    return f"{mantissa:g}{_SPACE}×{_SPACE}{power_of_ten(exponent)}"


def p_value(value: float) -> str:
    """Two digits, rounded up; ``≤ 10⁻³⁰⁰`` for what is smaller."""
    if value <= SMALLEST_P:
        return f"≤ {power_of_ten(math.log10(SMALLEST_P))}"
    return number(float(Context(prec=2, rounding=ROUND_CEILING).create_decimal(repr(value))))


def percent(value: float, *, up: bool = False) -> str:
    """A rate in 0..1 as per cent with one decimal, rounded down, or up."""
    rounding = ROUND_CEILING if up else ROUND_FLOOR
    tenths = (Decimal(repr(value)) * 100).quantize(Decimal("0.1"), rounding=rounding)
    return f"{tenths:f}{_SPACE}%"


def interval(low: float, high: float) -> str:
    """Both ends of an interval in 0..1, in per cent, rounded outwards."""
    return f"{percent(low)} to {percent(high, up=True)}"


def points(low: float, high: float) -> str:
    """Both ends of an interval of differences of rates, in points, rounded outwards."""
    ends = (percent(low), percent(high, up=True))
    less, more = (f"{float(end.removesuffix(f'{_SPACE}%')):+.1f}" for end in ends)
    return f"{less} to {more} points".replace("-", "\N{MINUS SIGN}")


def meaning(evidence: dict[str, Any]) -> str:
    """What the verdict says, in sentences."""
    word, least = evidence["verdict"]["word"], percent(evidence["effect"]["least"])
    if word == INCONCLUSIVE and evidence["findings"]:
        return (
            "The suspect does not answer marked images as it answers others, so its answers "
            "neither carry a claim nor exclude an effect of the mark."
        )
    sentences = {
        CLAIM: (
            "If the premises below hold, the suspect’s answers depend on the labels that the "
            "owner’s key drew."
        ),
        INCONCLUSIVE: (
            f"The answers show signs of the key, but too few for a claim; an effect of {least} on "
            "first labels is excluded."
            if evidence["effect"]["excluded"]
            else f"The answers carry no claim, and they do not exclude an effect of {least} either."
        ),
        NOT_SUPPORTED: (
            f"That the mark works on {least} more of the samples than decoys do is excluded, "
            "through this endpoint, as it pre-processes its inputs. That is not innocence."
        ),
    }
    return sentences.get(word, "This is none of the three verdicts that the protocol knows.")


def bound(evidence: dict[str, Any]) -> str:
    """How likely a claim against an independent suspect is, and under which premise."""
    odds = number(float(f"{evidence['multiplicity']['bar']:.4g}"))
    status = {each["name"]: each["status"] for each in evidence["premises"]}.get("key", "missing")
    if status == "verified":
        return (
            "That the key was drawn once and at random was verified, says whoever made this "
            "evidence. If so, and if the other premises hold, a suspect that is independent of the "
            f"key is claimed with a chance of at most 1 in {odds}."
        )
    return (
        "If the key was drawn once and at random, a suspect that is independent of it is claimed "
        f"with a chance of at most 1 in {odds}. That premise is {status} here: without it, "
        "nothing bounds the chance."
    )
