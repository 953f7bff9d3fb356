"""The query log: every question and answer, on disk before the next one is asked.

``queries.jsonl`` takes one record a line and is synced after each, so that a crash loses no answer
that was acted upon. ``queries.parquet`` is the same records for whoever checks the claim; it holds
every hashed byte, so the chain can be checked from it alone.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from datadeed.errors import EvidenceError
from datadeed.files import atomic_path
from datadeed.owner.evidence.chained import ChainedLog
from datadeed.owner.evidence.fields import check_anchor
from datadeed.owner.evidence.records import Record, check_chain, new_record, read_record

if TYPE_CHECKING:
    import pyarrow as pa

    from datadeed.owner.suspects.base import Answer

JSONL, PARQUET = "queries.jsonl", "queries.parquet"


class QueryLog(ChainedLog[Record]):
    """The log of a suspect's answers, made or resumed by ``with QueryLog(folder, anchor)``.

    Its anchor ties it to the key and the suspect that it is about.
    """

    name, called = JSONL, "answers"
    read = staticmethod(read_record)

    def append(
        self,
        *,
        purpose: str,
        part: int | None,
        row: int | None,
        question: str,
        answer: "Answer",
    ) -> Record:
        """Write one answer and return its record once it is on the disk.

        Raises:
            EvidenceError: a value cannot stand in a log, the log is closed, or the disk is full
                (the log then ends with the record before and is closed).
        """
        record = new_record(
            seq=len(self.records),
            previous=self.head,
            purpose=purpose,
            part=part,
            row=row,
            question=question,
            answer=answer,
        )
        return self._add(record)

    def write_parquet(self) -> Path:
        """Write all records to ``queries.parquet`` (mode 0600) and return its path."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        rows = [record.values() for record in self.records]
        table = pa.Table.from_pylist(rows, schema=_schema())
        path = self.folder / PARQUET
        with atomic_path(path) as temporary:
            temporary.chmod(0o600)
            pq.write_table(table, temporary, compression="zstd", write_page_checksum=True)
        return path


def read_parquet(path: str | Path, anchor: str) -> list[Record]:
    """The records of a ``queries.parquet``, its whole chain checked from ``anchor``.

    Whether records were left out at the end shows only against the head in ``evidence.json``.

    Raises:
        EvidenceError: the file is missing, damaged or not a query log, or naming the row that was
            changed, removed, inserted or moved.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = Path(path)
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            if not file.schema_arrow.equals(_schema()):
                raise EvidenceError(f"{path} is not a query log: its columns are others")
            rows = file.read().to_pylist()
    except FileNotFoundError as error:
        raise EvidenceError(f"{path} does not exist: ask for the whole evidence folder") from error
    except (pa.ArrowException, OSError, ValueError) as error:
        raise EvidenceError(f"{path} is damaged: ask for the original") from error
    return check_chain(rows, check_anchor(anchor), path, read_record)


def _schema() -> "pa.Schema":
    import pyarrow as pa

    def column(name: str, kind: pa.DataType, *, nullable: bool = False) -> pa.Field:
        return pa.field(name, kind, nullable=nullable)

    return pa.schema(
        [
            column("seq", pa.int64()),
            column("time", pa.string()),
            column("purpose", pa.string()),
            column("part", pa.int64(), nullable=True),
            column("row", pa.int64(), nullable=True),
            column("question", pa.string()),
            column("labels", pa.list_(column("element", pa.int64()))),
            column("scores", pa.list_(column("element", pa.float64())), nullable=True),
            column("error", pa.string()),
            column("attempts", pa.int64()),
            column("seconds", pa.float64()),
            column("response_sha256", pa.string()),
            column("previous", pa.string()),
            column("hash", pa.string()),
        ]
    )
