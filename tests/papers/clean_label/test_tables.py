import pandas as pd
import pytest

from papers.clean_label.tables import tables
from tests.papers.clean_label.samples import everything, frame


@pytest.fixture(scope="module")
def found() -> pd.DataFrame:
    return frame(everything())


def test_tables_are_pivots_in_the_order_of_rates(found: pd.DataFrame) -> None:
    made = tables(found)
    assert list(made) == [8, 9, 10, 11]
    text = made[9][(made[9].dataset == "movie-reviews") & (made[9].scenario == "victim")]
    assert list(text.watermark) == ["style-1", "style-5", "word-1", "word-5", "word-5-plain"]
    row = text.set_index("watermark").loc["word-5"]
    assert row.tsr == "100.10 ± 0.14"
    assert row.wdr == "100.00 ± 0.00"
    row = made[8].set_index("watermark").loc["word-1"]
    assert (row.ba, row.ad) == ("89.70", "0.30")


def test_a_scale_without_cells_has_headers() -> None:
    made = tables(frame([]))
    assert all(table.empty and len(table.columns) >= 4 for table in made.values())
