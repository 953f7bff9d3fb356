"""The repairs by name. Naming one imports that one alone."""

import pkgutil
from typing import Any

from datadeed.errors import ParameterError
from datadeed.thieves.repair.base import Repair

REPAIRS = {
    "fine-tuning": "datadeed.thieves.repair.fine_tuning:FineTuning",
    "ft-sam": "datadeed.thieves.repair.fine_tuning:FTSAM",
    "pivotal-tuning": "datadeed.thieves.repair.pivotal_tuning:PivotalTuning",
    "fine-pruning": "datadeed.thieves.repair.fine_pruning:FinePruning",
    "attention-distillation": "datadeed.thieves.repair.distillation:AttentionDistillation",
    "unlearning": "datadeed.thieves.repair.unlearning:Unlearning",
    "shrink-pad": "datadeed.thieves.repair.inputs:ShrinkPad",
    "smoothing": "datadeed.thieves.repair.inputs:Smoothing",
}


def build_repair(method: str, **values: Any) -> Repair:
    """The repair named ``method`` (a key of :data:`REPAIRS`) with these parameters.

    Raises:
        ParameterError: the method is unknown, or a parameter is superfluous or makes no sense.
    """
    if method not in REPAIRS:
        raise ParameterError(f"unknown repair {method!r}: choose {', '.join(REPAIRS)}")
    kind: type[Repair] = pkgutil.resolve_name(REPAIRS[method])
    return kind.build(**values)
