"""``tasks.study ubw variants``: all variants of UBW-C as ``ubw-c-study.csv``, and drawn."""

import pandas as pd

from datadeed.files import read_json, write_text
from papers.base import Lab
from papers.ubw.figures import study_dots
from papers.ubw.names import MODELS


def table(lab: Lab) -> pd.DataFrame:
    """One row a variant and model: rates as shares, dispersibility in nats, loss 1 - cos."""
    rows, dataset = [], lab.settings("ubw", "datasets")[0]
    for name in lab.settings("ubw", "study"):
        record = read_json(lab.studies / f"{dataset}-{name}.json")
        for part in (part for part in MODELS if part in record["models"]):
            found = record["models"][part]
            row = {"dataset": dataset, "variant": name, "model": part}
            row |= {"marked": record["marked"], "loss": record["loss"]}
            row["ba"] = found["ba"]["value"]
            for where in ("all", "class_0"):
                for metric in ("asr_a", "asr_a_clean", "asr_c", "d_p"):
                    row[f"{metric}_{where}"] = (found[where].get(metric) or {}).get("value")
            rows.append(row)
    return pd.DataFrame(rows)


def run(lab: Lab) -> None:
    """Write the table and the figure."""
    found = table(lab)
    text = found.to_csv(index=False, float_format="%.6g")
    write_text(lab.results / "ubw-c-study.csv", text)
    write_text(lab.results / "ubw-c-study.svg", study_dots(found))
