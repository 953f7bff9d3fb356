"""The public test key of an entry of the proof's parameters, for the stage that marks."""

from datadeed.keys.key import Key
from papers.proof import keys
from tasks.lab import Lab


def public_test_key(dataset: str, watermark: str) -> Key:
    """See :func:`papers.proof.keys.public_test_key`."""
    return keys.public_test_key(Lab("proof"), dataset, watermark)
