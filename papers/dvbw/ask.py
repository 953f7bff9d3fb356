"""DVBW's three scenarios for one watermarked model.

- steal: the watermarked model, asked with the watermark's own trigger;
- independent-trigger: the same model, asked with another pattern;
- independent-model: a benign model, asked with the watermark's trigger.
"""

import dataclasses

import pyarrow as pa

from datadeed.verification import answers as asking
from papers.base import Case, Lab


def ask(case: Case, lab: Lab) -> pa.Table:
    """Every answer of the two models.

    Returns:
        A row an answer, with the columns of :class:`datadeed.verification.answers.Answers` and
        ``scenario``.
    """
    test = lab.test(case.dataset)
    own = lab.watermark(case.dataset, case.watermark)
    other = lab.build(case.dataset, lab.params("independent_triggers", case.watermark))
    watermarked = lab.model(case)
    benign = lab.model(dataclasses.replace(case, watermark="none"))
    with lab.progress(3, "scenarios", "ask the suspects") as tell:
        found = {"steal": asking.ask(watermarked, own, test)}
        tell(1, "steal")
        found["independent-trigger"] = asking.ask(watermarked, other, test, clean=found["steal"])
        tell(2, "independent trigger")
        found["independent-model"] = asking.ask(benign, own, test)
        tell(3, "independent model")
    return pa.concat_tables(
        answers.table().append_column("scenario", pa.array([scenario] * len(answers)))
        for scenario, answers in found.items()
    )
