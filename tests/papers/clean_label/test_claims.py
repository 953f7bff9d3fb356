import pytest

from datadeed.reports.cells import Claim
from papers.clean_label.claims import claims
from tests.papers.clean_label.samples import Row, cell, everything, frame, hidden, stealth


def checked(made: list[list[Row]]) -> dict[str, Claim]:
    return {claim.claim: claim for claim in claims(frame(made))}


def test_without_cells_nothing_is_tested() -> None:
    assert {claim.holds for claim in checked([]).values()} == {None}


def test_claims_hold_where_the_cells_say_so() -> None:
    found, made = frame(everything()), checked(everything())
    assert len(made) == 17
    assert {name for name, claim in made.items() if claim.holds is not True} == {
        "clean-autoencoder"
    }
    assert made["clean-autoencoder"].holds is False
    for claim in made.values():
        assert len(found.query(claim.cells)) > 0


@pytest.mark.parametrize(
    ("name", "metric", "value"),
    [
        ("ad", "ad", 1.6),
        ("ad-sentiment", "ad", 0.6),
        ("tsr-text-1", "tsr", 0.9),
        ("wdr-text", "wdr", 0.99),
        ("wdr-benign", "benign_wdr", 0.01),
    ],
)
def test_a_claim_falls_with_a_cell(name: str, metric: str, value: float) -> None:
    made = everything()
    assert made[0] == cell("word-1")
    made[0] = cell("word-1", **{metric: value})
    found = checked(made)
    assert found[f"clean-{name}"].holds is False
    assert "word-1" in found[f"clean-{name}"].observed


def test_an_honest_model_is_counted_once_a_trigger_on_other_architectures_too() -> None:
    made = [cell("word-1"), cell("word-5"), cell("word-5", transfer=True, benign_wdr=1.0)]
    claim = checked(made)["clean-wdr-benign"]
    assert claim.holds is False
    assert claim.observed.startswith("1 of 2 cells; 1 (movie-reviews, mini")


def ablation(whole: float, alone: float) -> Claim:
    made = [
        cell(name, tsr=value, benign_tsr=0.1)
        for name, value in (("impulse-1", whole), ("impulse-1-plain", alone))
    ]
    return checked(made)["clean-ablation"]


def test_the_ablation_is_read_above_the_honest_model() -> None:
    assert ablation(0.3, 0.12).holds is True
    assert ablation(0.3, 0.21).holds is False
    assert ablation(0.19, 0.21).holds is None  # the mark does nothing either


def test_stealth_claims_are_about_the_papers_modality() -> None:
    text, _ = hidden()
    image = stealth("patch-10", autoencoder_p=0.06)
    sound = stealth("impulse-10", autoencoder_p=1e-9)
    assert checked([*everything()[:-2], text, image, sound])["clean-autoencoder"].holds is True

    def second(p_value: float) -> list[list[Row]]:
        found = {"confidence_share": 0.01, "autoencoder_p": p_value}
        return [*everything()[:-2], text, image, stealth("blend-10", **found)]

    assert checked(second(0.03))["clean-autoencoder"].holds is True  # one of two at 0.025
    assert checked(second(0.02))["clean-autoencoder"].holds is False


def test_images_need_about_half_and_fall_on_other_architectures() -> None:
    made = [cell("patch-10"), cell("patch-10", transfer=True, tsr=0.45)]
    found = checked(made)
    assert found["clean-tsr-images-10"].holds is True
    assert found["clean-transfer-image"].holds is False
    assert found["clean-transfer-text"].holds is None
    made[0] = cell("patch-10", tsr=0.7)
    assert checked(made)["clean-tsr-images-10"].holds is False


def test_the_ablation_compares_the_same_trigger_at_the_same_rate() -> None:
    made = [cell("word-5"), cell("word-1-plain")]
    assert checked(made)["clean-ablation"].holds is None
    made.append(cell("word-5-plain", tsr=0.51))
    assert checked(made)["clean-ablation"].holds is False
