"""Showing a folder of evidence again."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datadeed.errors import EvidenceError
from datadeed.owner.evidence.attestation import ATTESTATION
from datadeed.owner.evidence.build import FORM, PAGE, write_page
from datadeed.owner.evidence.log import PARQUET, read_parquet
from datadeed.owner.evidence.schema import read_evidence


@dataclass(frozen=True)
class Report:
    """A folder of evidence: its values, its page, and whether a signature covers the page."""

    evidence: dict[str, Any]
    page: Path
    signed: bool


def report(folder: str | Path) -> Report:
    """Read a folder of evidence and make its page anew from ``evidence.json``.

    A signature covers the page as it was: a folder that is signed keeps its page.

    Raises:
        EvidenceError: the evidence or the query log is missing, damaged or altered; or the evidence
            is of the first generation of keys, which has its page already; or the folder cannot be
            written to.
    """
    folder = Path(folder)
    evidence = read_evidence(folder / "evidence.json")
    if evidence["form"] != FORM:
        raise EvidenceError(
            f"{folder} holds evidence of the first generation of keys: its page was written when "
            "it was made; check it with datadeed reveal --check"
        )
    records = read_parquet(folder / PARQUET, evidence["chain"]["anchor"])
    signed = (folder / ATTESTATION).exists()
    if not signed:
        try:
            write_page(folder, evidence, records)
        except OSError as error:
            raise EvidenceError(
                f"{folder / PAGE} cannot be written ({error.strerror}): copy the folder to where "
                "you may write, and report on the copy"
            ) from error
    return Report(evidence, folder / PAGE, signed)
