"""Figures are rounded away from the claim, and no text can hide what it is."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datadeed.owner.evidence import report_text


def spaced(text: str) -> str:
    """With common spaces in place of those that hold a figure together."""
    return text.replace("\N{NO-BREAK SPACE}", " ")


@pytest.mark.parametrize(
    ("log_e", "text"),
    [
        (0.0, "1"),
        (13.8155, "990,000"),  # just below a million is not shown as one
        (13.815510557964275, "1 × 10⁶"),
        (15.198, "3.9 × 10⁶"),
        (-6.0, "0.0024"),
        (-20.0, "2 × 10⁻⁹"),
        (710.0, "≥ 10³⁰⁸"),
        (1e308, "≥ 10³⁰⁸"),
        (-1e308, "≤ 10⁻³⁰⁸"),
    ],
)
def test_e_values(log_e: float, text: str) -> None:
    assert spaced(report_text.e_value(log_e)) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(1, "1"), (0.05001, "0.051"), (1e-12, "1 × 10⁻¹²"), (2.61e-7, "2.7 × 10⁻⁷"), (0, "≤ 10⁻³⁰⁰")],
)
def test_p_values_are_rounded_up(value: float, text: str) -> None:
    assert spaced(report_text.p_value(value)) == text


def test_numbers_and_intervals() -> None:
    assert report_text.number(999999.9999999992) == "1,000,000"
    assert spaced(report_text.number(5e-324)) == "4.941 × 10⁻³²⁴"
    assert report_text.number(float("inf")) == "≥ 10³⁰⁸"
    assert report_text.points(-0.3012, 0.19951) == "−30.2 to +20.0 points"
    assert spaced(report_text.interval(0.29, 0.99911)) == "29.0 % to 100.0 %"
    assert spaced(report_text.interval(0.2622, 0.3)) == "26.2 % to 30.0 %"


@given(st.text())
def test_plain_text_is_printable_and_plain_again(text: str) -> None:
    shown = report_text.plain(text)
    shown.encode("utf-8")
    assert report_text.plain(shown) == shown
    assert len(shown) == len(text)
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069]", shown)


def test_plain_reaches_keys_and_cuts_long_text() -> None:
    given_ = {"a\x1b": ["x\ny", 3, None, "z" * 5000]}
    shown = report_text.plain(given_)
    assert list(shown) == ["a\N{REPLACEMENT CHARACTER}"]
    assert shown[next(iter(shown))][:3] == ["x y", 3, None]
    assert len(shown[next(iter(shown))][3]) == report_text.LONGEST + 1
    json.dumps(shown)


@given(st.floats(-1e308, 1e308), st.floats(0, 1))
def test_every_figure_that_the_form_allows_can_be_shown(log_e: float, share: float) -> None:
    assert report_text.e_value(log_e)
    assert report_text.p_value(share)
    low, high = re.findall(r"[\d.]+", report_text.interval(share, share))
    assert float(low) <= 100 * share + 1e-9
    assert float(high) >= 100 * share - 1e-9
