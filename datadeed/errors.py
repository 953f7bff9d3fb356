"""Errors a user can act on: one line that says what is wrong, where, and what to do."""


class DatadeedError(Exception):
    """Base of every error raised on purpose. Its message is one line."""


class DatasetError(DatadeedError):
    """A dataset, or a file that should hold one, cannot be used as it is."""


class FetchError(DatadeedError):
    """A dataset's source could not be reached, or gave other bytes than expected."""


class WatermarkError(DatadeedError):
    """A watermark cannot be applied to this dataset with these parameters."""


class UnsupportedModality(WatermarkError):
    """The method works on another kind of data (say, text given to an image method)."""


class KeyRecordError(DatadeedError):
    """A key is altered, incomplete, or belongs to another dataset or version."""


class ModelError(DatadeedError):
    """A model cannot be built, or its file does not hold what its record says."""


class CheckpointError(DatadeedError):
    """A checkpoint is damaged or belongs to another run."""


class VerificationError(DatadeedError):
    """A test cannot be run on these answers (too few samples, say)."""


class ParameterError(DatadeedError):
    """A parameter file lacks an entry or holds one that makes no sense."""


class ConfigurationError(DatadeedError):
    """What was written about a suspect is wrong, or does not fit the data: correct the file."""


class EvidenceError(DatadeedError):
    """A log, evidence or signature is damaged, altered or belongs to another key."""


class SecretError(DatadeedError):
    """A secret's file cannot be read or must not be written there."""


class StoreError(DatadeedError):
    """A shared store cannot be reached, is full, damaged, or newer than this program."""


class PageError(DatadeedError):
    """The page of a store cannot be shown as asked."""


def reason(error: BaseException) -> str:
    """The first line of an error's message, cut short enough for a line of our own."""
    lines = str(error).splitlines()
    return lines[0][:160] if lines else type(error).__name__
