import pandas as pd
import pytest

from datadeed.reports import clean
from datadeed.reports.cells import COLUMNS, tidy
from tests.reports.clean_evidence import evidence, records, stealth


@pytest.fixture(scope="module")
def found() -> pd.DataFrame:
    return clean.cells(records(), stealth(), "toy")


def value(found, **where):
    rows = found
    for column, wanted in where.items():
        rows = rows[rows[column] == wanted]
    assert len(rows) == 1
    return rows.iloc[0]


def test_a_cell_names_the_stage_that_made_it(found):
    cell = value(found, table=9, watermark="word-1", scenario="victim", metric="tsr")
    assert (cell.value, cell.n) == (0.95, 900)
    assert cell.stage == "papers/clean-label/dvc.yaml:verify@movie-reviews-minilm-word-1-1"
    cell = value(found, table=11, dataset="fashion", metric="autoencoder_p")
    assert (cell.value, cell.n) == (0.001, 100)
    assert cell.stage == "papers/clean-label/dvc.yaml:hide@fashion-resnet18-patch-10-1"
    assert list(tidy(found).columns) == COLUMNS


def test_an_honest_model_is_counted_once(found):
    honest = found[(found.table == 8) & (found.watermark == "none")]
    models = honest[["dataset", "model", "seed"]].drop_duplicates()
    assert len(honest) == len(models) == 6  # word-5 has a second seed, two have another network
    assert set(honest.value) == {0.9}


def test_other_architectures_are_in_the_table_of_transfer_alone(found):
    moved = found[found.table == 10]
    assert set(moved.model) == {"minilm-3", "vgg16bn"}
    assert not {"minilm-3", "vgg16bn"} & set(found[found.table == 9].model)
    assert "minilm-3" in set(found[found.table == 8].model)


def test_only_audiomnist_has_published_figures(found):
    stated = found.dropna(subset="published")
    assert set(zip(stated.watermark, stated.published, strict=True)) == {
        ("impulse-1", 0.8886),
        ("impulse-5", 0.9874),
    }
    assert set(stated.metric) == {"tsr_as_published"}
    assert set(stated.scenario) == {"victim"}


def test_tables_are_pivots_in_the_order_of_rates(found):
    tables = clean.tables(found)
    assert list(tables) == [8, 9, 10, 11]
    text = tables[9][(tables[9].dataset == "movie-reviews") & (tables[9].scenario == "victim")]
    assert list(text.watermark) == ["style-1", "style-5", "word-1", "word-5", "word-5-plain"]
    row = text.set_index("watermark").loc["word-5"]
    assert row.tsr == "100.10 ± 0.14"
    assert row.wdr == "100.00 ± 0.00"
    row = tables[8].set_index("watermark").loc["word-1"]
    assert (row.ba, row.ad) == ("89.70", "0.30")


def test_a_scale_without_cells_has_headers_and_untested_claims():
    found = clean.cells([], [], "toy")
    assert all(table.empty and len(table.columns) >= 4 for table in clean.tables(found).values())
    assert {claim.holds for claim in clean.claims(found)} == {None}


def test_claims_hold_where_the_cells_say_so(found):
    claims = {claim.claim: claim for claim in clean.claims(found)}
    assert len(claims) == 17
    assert {name for name, claim in claims.items() if claim.holds is not True} == {
        "clean-autoencoder"
    }
    assert claims["clean-autoencoder"].holds is False
    for claim in claims.values():
        assert len(found.query(claim.cells)) > 0


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("ad", lambda r: r["accuracy_drop"].update(value=1.6)),
        ("ad-sentiment", lambda r: r["accuracy_drop"].update(value=0.6)),
        ("tsr-text-1", lambda r: r["models"]["victim"]["tsr"].update(value=0.9)),
        ("wdr-text", lambda r: r["verification"]["victim"]["wdr"].update(value=0.99)),
        ("wdr-benign", lambda r: r["verification"]["benign"]["wdr"].update(value=0.01)),
    ],
)
def test_a_claim_falls_with_a_cell(name, change):
    made = records()
    assert made[0]["watermark"] == "word-1"
    change(made[0])
    claims = {c.claim: c for c in clean.claims(clean.cells(made, stealth(), "toy"))}
    assert claims[f"clean-{name}"].holds is False
    assert "word-1" in claims[f"clean-{name}"].observed


def test_an_honest_model_is_counted_once_a_trigger_on_other_architectures_too():
    made = [evidence("word", 1), evidence("word", 5), evidence("word", 5, transfer=True)]
    made[2]["verification"]["benign"]["wdr"]["value"] = 1.0
    claims = {c.claim: c for c in clean.claims(clean.cells(made, [], "toy"))}
    assert claims["clean-wdr-benign"].holds is False
    assert claims["clean-wdr-benign"].observed.startswith("1 of 2 cells; 1 (movie-reviews, mini")


def test_the_ablation_is_read_above_the_honest_model():
    made = [evidence("impulse", 1), evidence("impulse", 1, plain=True)]
    for record, value in zip(made, (0.3, 0.12), strict=True):
        record["models"]["victim"]["tsr"]["value"] = value
        record["models"]["benign"]["tsr"]["value"] = 0.1
    assert ablation(made).holds is True
    made[1]["models"]["victim"]["tsr"]["value"] = 0.21
    assert ablation(made).holds is False
    made[0]["models"]["victim"]["tsr"]["value"] = 0.19  # the mark does nothing either
    assert ablation(made).holds is None


def ablation(made):
    found = {c.claim: c for c in clean.claims(clean.cells(made, [], "toy"))}
    return found["clean-ablation"]


def test_stealth_claims_are_about_the_papers_modality():
    hidden = stealth()
    hidden[1]["metrics"]["autoencoder_p"]["value"] = 0.06
    other = {**hidden[1], "dataset": "spoken-digits", "watermark": "impulse-10"}
    other["metrics"] = {**other["metrics"], "autoencoder_p": {"value": 1e-9, "n": 10}}
    claims = {c.claim: c for c in clean.claims(clean.cells(records(), [*hidden, other], "toy"))}
    assert claims["clean-autoencoder"].holds is True
    second = {**hidden[1], "watermark": "blend-10"}
    second["metrics"] = {**second["metrics"], "autoencoder_p": {"value": 0.03, "n": 10}}
    claims = {c.claim: c for c in clean.claims(clean.cells(records(), [*hidden, second], "toy"))}
    assert claims["clean-autoencoder"].holds is True  # one of two at 0.025
    second["metrics"]["autoencoder_p"]["value"] = 0.02
    claims = {c.claim: c for c in clean.claims(clean.cells(records(), [*hidden, second], "toy"))}
    assert claims["clean-autoencoder"].holds is False


def test_images_need_about_half_and_fall_on_other_architectures():
    made = [evidence("patch", 10), evidence("patch", 10, transfer=True)]
    made[1]["models"]["victim"]["tsr"]["value"] = 0.45
    claims = {c.claim: c for c in clean.claims(clean.cells(made, [], "toy"))}
    assert claims["clean-tsr-images-10"].holds is True
    assert claims["clean-transfer-image"].holds is False
    assert claims["clean-transfer-text"].holds is None
    made[0]["models"]["victim"]["tsr"]["value"] = 0.7
    claims = {c.claim: c for c in clean.claims(clean.cells(made, [], "toy"))}
    assert claims["clean-tsr-images-10"].holds is False


def test_the_ablation_compares_the_same_trigger_at_the_same_rate():
    made = [evidence("word", 5), evidence("word", 1, plain=True)]
    claims = {c.claim: c for c in clean.claims(clean.cells(made, [], "toy"))}
    assert claims["clean-ablation"].holds is None
    made.append(evidence("word", 5, plain=True))
    made[-1]["models"]["victim"]["tsr"]["value"] = 0.51
    claims = {c.claim: c for c in clean.claims(clean.cells(made, [], "toy"))}
    assert claims["clean-ablation"].holds is False
