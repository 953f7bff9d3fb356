"""The paper's curves are of the cells, and repeat byte for byte."""

import pytest

from papers.clean_label.figures import success_curves, trigger_strokes
from tests.papers.clean_label.samples import cell, everything, shares


def test_curves_are_of_the_surrogates_architecture_and_follow_the_rates() -> None:
    found = shares(everything())
    curves = success_curves(found)
    assert [(one.dataset, one.network) for one in curves] == [
        ("audiomnist", "raw"),
        ("fashion", "resnet18"),
        ("movie-reviews", "minilm"),
    ]
    assert success_curves(found) == curves
    assert set(trigger_strokes(found)) == {"word", "style", "impulse", "patch"}


@pytest.mark.parametrize("metric", ["tsr", "benign_tsr"])
def test_a_curve_changes_with_its_cells_alone(metric: str) -> None:
    made = everything()
    curves = success_curves(shares(made))
    made[0] = cell("word-1", **{metric: 0.5})
    drawn = success_curves(shares(made))
    assert drawn[2] != curves[2]
    assert drawn[:2] == curves[:2]


def test_the_trigger_alone_is_a_ring_of_its_own() -> None:
    found = shares(everything())
    plain = found.watermark.str.endswith("-plain")
    with_rings, without = success_curves(found)[1].svg, success_curves(found[~plain])[1].svg
    assert with_rings.count("fill: none") > without.count("fill: none")
    alone = success_curves(found[plain])
    assert [one.dataset for one in alone] == ["fashion", "movie-reviews"]
