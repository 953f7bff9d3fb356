"""What every verdict says in fixed words and numbers, for those who read evidence and test nothing.

:mod:`~datadeed.verification.verdict`, :mod:`~datadeed.verification.proof2` and
:mod:`~datadeed.verification.layers` give the same ones beside the tests they rest on, whose imports
take seconds; a test holds them to these.
"""

CLAIM, INCONCLUSIVE, NOT_SUPPORTED = "CLAIM", "INCONCLUSIVE", "NOT SUPPORTED"
SIGNS = 20.0  # E from which on the answers are signs of the key, so that no bound speaks against it
LARGEST = 1e308  # ln E at most, and its negative at least: JSON holds no infinity
