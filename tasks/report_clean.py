"""The clean-label paper's part of the report's page, read from its artifacts."""

from typing import Any

from datadeed.datasets.form.parquet import DatasetFile
from datadeed.files import read_json
from datadeed.reports.clean_figures import (
    MarkedClip,
    MarkedImages,
    MarkedTexts,
    Shown,
    marked_clip,
    marked_images,
    marked_texts,
    success_curves,
)
from datadeed.reports.clean_page import SAMPLES, Clean, CleanSetting
from datadeed.watermarks.clean_label_audio import CleanLabelAudio
from datadeed.watermarks.clean_label_images import CleanLabelImages
from datadeed.watermarks.clean_label_text import CleanLabelText
from datadeed.watermarks.registry import watermark_from_record
from tasks.common import DATA
from tasks.report_inputs import how_trained, marked_positions, read_history, splits, spread
from tasks.tabulate import read_clean as read_cells

COUNTS = {"image": 4, "text": 3, "audio": 1}  # samples shown of a watermark


def read_clean(grid: dict[str, Any]) -> Clean:
    """This paper's part of the page."""
    evidence = read_cells(grid["victims"], "evidence.json")
    found = [example(record, f"clip{i}-") for i, record in enumerate(shown_cells(evidence))]
    return Clean(
        settings=[setting(dataset, grid, evidence) for dataset in grid["datasets"]],
        evidence=evidence,
        images=[one for one in found if isinstance(one, MarkedImages)],
        texts=[one for one in found if isinstance(one, MarkedTexts)],
        clips=[one for one in found if isinstance(one, MarkedClip)],
        curves=success_curves(evidence),
    )


def shown_cells(evidence: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A cell of each dataset and trigger: perturbed if any is, and of the highest rate."""
    best: dict[tuple[str, str], dict[str, Any]] = {}
    for record in evidence:
        case = record["dataset"], record["trigger"]
        if case not in best or _order(record) > _order(best[case]):
            best[case] = record
    return list(best.values())


def _order(record: dict[str, Any]) -> tuple[bool, float]:
    return record["perturbed"], record["rate"]


def setting(dataset: str, grid: dict[str, Any], evidence: list[dict[str, Any]]) -> CleanSetting:
    """Sizes of a dataset, and how its networks were trained."""
    train, test = splits(dataset)
    models = {"surrogate": f"{dataset}-surrogate-none-0"}
    for cell in grid["honest"].values():
        if cell["dataset"] == dataset:
            models.setdefault(cell["network"], "{dataset}-{network}-none-{seed}".format(**cell))
    record = next(record for record in evidence if record["dataset"] == dataset)
    return CleanSetting(
        dataset=dataset,
        samples=SAMPLES[train.modality],
        form=_form(train),
        train_size=len(train),
        test_size=len(test),
        classes=len(train.classes),
        target=record["classes"][record["target"]],
        networks={
            network: how_trained(model, int(read_history(model).epoch.max()))
            for network, model in models.items()
        },
    )


def _form(data: DatasetFile) -> str:
    """What a sample is like, for people."""
    if data.modality == "text":
        return ""
    if data.form.rate is not None:
        return f"{data.shape[0] / data.form.rate:.3g} s at {data.form.rate} Hz"
    return f"{data.shape[1]}×{data.shape[2]} pixels"


def example(record: dict[str, Any], prefix: str) -> MarkedImages | MarkedTexts | MarkedClip:
    """Some marked samples of a cell's watermark, before and after.

    Args:
        record: the cell's evidence.
        prefix: keeps the ids of several figures on a page apart.
    """
    dataset, name = record["dataset"], record["watermark"]
    folder = DATA / "watermarked" / f"{dataset}-{name}"
    method = watermark_from_record(read_json(folder / "key.json")["watermark"])
    rows = spread(marked_positions(folder / "marks.parquet"), COUNTS[record["modality"]])
    benign = splits(dataset)[0].take(rows)
    released = DatasetFile(folder / "train.parquet").take(rows)
    shown = Shown(dataset, name, record["classes"][record["target"]])
    if isinstance(method, CleanLabelText):
        pattern = method.text_trigger.record()
        return marked_texts(benign.samples, released.samples, pattern, shown)
    if isinstance(method, CleanLabelAudio):
        clips = benign.samples[0], released.samples[0]
        return marked_clip(*clips, method.sample_rate, method.impulse, shown, prefix=prefix)
    assert isinstance(method, CleanLabelImages)
    whole = method.texture.box[2:] == method.image_size
    box = None if whole else method.texture.box
    images = benign.samples, method.trigger(benign), released.samples
    return marked_images(*images, box, shown)
