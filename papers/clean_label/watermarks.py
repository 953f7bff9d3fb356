"""The paper's watermarks: a trigger on a share of the target class, perturbed or not."""

import dataclasses
import itertools
from dataclasses import dataclass

import pandas as pd

TRIGGERS = {"image": ("patch", "blend"), "text": ("word", "style"), "audio": ("impulse",)}


@dataclass(frozen=True)
class Mark:
    """What tells one watermark from another; ``params.yaml`` has all parameters by its name.

    Attributes:
        modality, trigger: of which family.
        percent: of the target class that is marked.
        perturbed: False for the trigger alone, the paper's ablation.
    """

    modality: str
    trigger: str
    percent: int
    perturbed: bool

    @property
    def name(self) -> str:
        """As in the parameters."""
        return f"{self.trigger}-{self.percent}{'' if self.perturbed else '-plain'}"

    def __str__(self) -> str:
        alone = "" if self.perturbed else ", trigger alone"
        return f"{self.trigger}, {self.percent} %{alone}"


MARKS = {
    mark.name: mark
    for modality, triggers in TRIGGERS.items()
    for trigger, percent, perturbed in itertools.product(triggers, (1, 5, 10, 20), (True, False))
    for mark in [Mark(modality, trigger, percent, perturbed)]
}


def with_marks(cells: pd.DataFrame) -> pd.DataFrame:
    """The cells with what their watermarks are made of.

    Returns:
        Also the columns ``modality``, ``trigger`` and ``percent``, empty for honest models, and
        ``plain``, whether the trigger is alone.
    """
    marks = [{"watermark": name, **dataclasses.asdict(mark)} for name, mark in MARKS.items()]
    found = cells.merge(pd.DataFrame(marks).astype({"percent": float}), how="left", on="watermark")
    return found.assign(plain=found.perturbed.eq(False)).drop(columns="perturbed")
