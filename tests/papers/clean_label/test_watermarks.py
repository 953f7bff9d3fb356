from pathlib import Path

import yaml

from papers.clean_label.watermarks import MARKS

ROOT = Path(__file__).parents[3]


def test_what_a_watermark_is_called_by_is_what_its_parameters_say() -> None:
    entries = yaml.safe_load((ROOT / "papers/clean_label/params.yaml").read_text())["watermarks"]
    for name, entry in entries.items():
        mark = MARKS[name]
        assert entry["trigger"] == mark.trigger
        assert round(100 * entry["rate"], 9) == mark.percent
        assert entry["perturb"] is mark.perturbed
        assert ("same_rows_as" in entry) is not mark.perturbed
        method = {"image": "images"}.get(mark.modality, mark.modality)
        assert entry["method"] == f"clean-label-{method}"


def test_names_for_people() -> None:
    assert str(MARKS["word-5"]) == "word, 5 %"
    assert str(MARKS["patch-10-plain"]) == "patch, 10 %, trigger alone"
