"""A recorded log as a suspect: someone else asked the questions, or we did earlier."""

from pathlib import Path
from typing import Any

from datadeed.owner.suspects.base import (
    Answer,
    SuspectError,
    failure,
    kind_of,
    question_digest,
)
from datadeed.owner.suspects.config import Config
from datadeed.owner.suspects.files import file_digest
from datadeed.owner.suspects.output import Output
from datadeed.owner.suspects.protocols.base import parse
from datadeed.owner.suspects.scores import Unreadable, read_answer

LARGEST = 2**30  # bytes
_COLUMNS = ("question", "labels", "scores", "error")


class LogSuspect:
    """Answers from a file, and fails on a question that is not in it.

    Each row or line has ``question`` (see :func:`question_digest`), ``labels`` (the suspect's class
    numbers or names, best first), perhaps ``scores`` beside them, and perhaps ``error``. The last
    row of a question counts. The query log of a verification is such a file.

    Raises:
        SuspectError: the file is missing, or is neither such Parquet nor such JSON lines.
    """

    protocol = "log"

    def __init__(self, config: Config):
        if config.path is None:
            raise SuspectError(f"{config.name} has no path: add it to its file")
        self.name, self.classes = config.name, config.output.key_classes
        self.groups, self.declared = config.output.groups, config.reading
        self.kind, self.endpoint = config.output.answer_kind, str(config.path)
        if config.output.kind == "logits":
            raise SuspectError(f"{config.path}: a log holds no logits: correct output.kind")
        self._fingerprint = file_digest(config.path, LARGEST)
        rows = _parquet(config.path) if config.path.suffix == ".parquet" else _lines(config.path)
        self._answers = {row["question"]: _answer(row, config.output) for row in rows}

    def predict(self, samples: Any) -> list[Answer]:
        """See :class:`datadeed.owner.suspects.base.Suspect`."""
        kind_of(samples)
        unknown = failure("the log has no such question")
        return [self._answers.get(question_digest(sample), unknown) for sample in samples]

    def fingerprint(self) -> str:
        """Of the file."""
        return self._fingerprint

    def close(self) -> None:
        """Nothing to let go of."""


def _parquet(path: Path) -> list[dict[str, Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            columns = [name for name in _COLUMNS if name in file.schema_arrow.names]
            rows = file.read(columns=columns).to_pylist()
    except (pa.ArrowException, OSError, ValueError) as error:
        raise SuspectError(f"{path} is not a Parquet file: check path") from error
    return [_row(row, path, number) for number, row in enumerate(rows, 1)]


def _lines(path: Path) -> list[dict[str, Any]]:
    with path.open("rb") as file:
        return [_row(_json(line), path, number) for number, line in enumerate(file, 1)]


def _json(line: bytes) -> Any:
    try:
        return parse(line)
    except Unreadable:
        return None


def _row(row: Any, path: Path, number: int) -> dict[str, Any]:
    if not isinstance(row, dict) or not isinstance(row.get("question"), str):
        raise SuspectError(
            f"{path}: row {number} has no question: give one JSON object a line, no name twice"
        )
    return row


def _answer(row: dict[str, Any], output: Output) -> Answer:
    """One row, read as strictly as a server's answer."""
    labels, scores = row.get("labels"), row.get("scores")
    if row.get("error"):
        return failure(str(row["error"])[:1000])
    if labels == []:
        return Answer((), None)  # an answer without a class of the key
    if not isinstance(labels, list) or (scores is not None and not isinstance(scores, list)):
        return failure("the log's row has no list of labels")
    if output.kind == "labels":
        value: Any = labels[0]
    elif scores is None or len(scores) != len(labels):
        return failure("the log's row has not one score for each label")
    else:
        pairs = zip(labels, scores, strict=True)
        value = [{"label": label, "score": score} for label, score in pairs]
    try:
        return Answer(*read_answer(value, output))
    except (Unreadable, RecursionError) as error:
        return failure(str(error))
