"""What asking and judging must agree on: the tests' parameters, and the samples they are about."""

import numpy as np

from datadeed.randomness import derive_seed
from datadeed.verification.ubw import Settings
from papers.base import Case, Records


def settings(records: Records) -> Settings:
    """The parameters of the tests."""
    return Settings(**records.params("verification"))


def order(case: Case, records: Records) -> np.random.Generator:
    """Draws the samples that a test asks about; the same ones for every suspect of a cell."""
    names = (case.dataset, case.network, case.watermark, case.seed)
    return np.random.default_rng(derive_seed(records.seed, "measure", *names))
