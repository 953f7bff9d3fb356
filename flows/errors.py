"""What a user can act on: one line each."""

from datadeed.errors import DatadeedError


class PipelineError(DatadeedError):
    """The pipeline cannot be read, or cannot be run as asked."""


class StageFailed(DatadeedError):
    """A stage ended with an error of its own: trying again would not help."""


class TransientFault(DatadeedError):
    """A stage met a fault that may be gone next time (a kill, a lock, a full GPU)."""


class Interrupted(DatadeedError):
    """A stage was ended because the flow is ending."""
