"""The clean-label watermarks, by their names.

``word-5`` is the trigger ``word`` on 5 % of the target class; ``word-5-plain`` the same without a
perturbation. What a trigger is stands in the paper's parameters, how hard a dataset's samples are
perturbed in the scale.
"""

import re
from typing import Any

from datadeed.datasets.form.parquet import DatasetFile
from datadeed.errors import ParameterError
from datadeed.watermarks.clean_label import CleanLabel
from datadeed.watermarks.registry import build_watermark
from tasks.common import parameters

CLEAN = "papers/clean-label/params.yaml"


def parse(watermark: str) -> tuple[str, float, bool]:
    """Trigger, share of the target class and whether samples are perturbed.

    Raises:
        ParameterError: that is no such name.
    """
    found = re.fullmatch(r"([a-z]+)-(\d+)(-plain)?", watermark)
    if found is None:
        raise ParameterError(
            f"{watermark!r} names no clean-label watermark: write TRIGGER-PERCENT, as in word-5, "
            "or TRIGGER-PERCENT-plain"
        )
    return found[1], int(found[2]) / 100, found[3] is None


def build(dataset: str, watermark: str, source: DatasetFile) -> CleanLabel:
    """The watermark of this name, for this dataset.

    Raises:
        ParameterError: an entry is missing.
        WatermarkError: an entry makes no sense for the dataset.
    """
    trigger, rate, perturb = parse(watermark)
    values: dict[str, Any] = dict(parameters("triggers", trigger, file=CLEAN))
    values |= parameters("clean", "crafting", dataset)
    values |= {
        "rate": rate,
        "perturb": perturb,
        "target": parameters("targets", dataset, file=CLEAN),
    }
    if source.modality == "image":
        values["image_size"] = source.shape[1:]
    elif source.modality == "audio":
        values |= {"clip_length": source.shape[0], "sample_rate": source.form.rate}
    patterns = parameters("patterns", file=CLEAN).get(dataset, {})
    if trigger in patterns:
        values["pattern"] = patterns[trigger]
    method = build_watermark(values.pop("method"), **values)
    assert isinstance(method, CleanLabel)
    return method
