"""Every question that a verification could ask, as files: for a suspect that only others can ask.

The answers come back as a log (``protocol: log``, docs/suspects.md).
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from datadeed.files import atomic_folder, write_text
from datadeed.keys.generation2 import second_generation
from datadeed.keys.key import Key
from datadeed.owner.asking import asked_sample, read_pool, rows_needed
from datadeed.owner.data import Progress, Source, open_pool, read_key, silent
from datadeed.owner.samples import modality_of, view_of
from datadeed.owner.suspects.base import question_digest
from datadeed.owner.suspects.images import picture, wav
from datadeed.verification.layers import Question
from datadeed.verification.proof2 import Proof2


def export_questions(
    key: Key | str | Path,
    pool: Source,
    out: str | Path,
    *,
    pool_split: str | None = None,
    reading: dict[str, Any] | None = None,
    passphrase: str | None = None,
    progress: Progress = silent,
) -> int:
    """Write every question that :func:`datadeed.owner.verify.verify` could ask, and how many.

    Images become ``DIGEST.png``, clips ``DIGEST.wav`` (mono, 16 bits, at the rate of the committed
    data, without the zeros at their end), where DIGEST is what the answers' log calls
    ``question``; texts become lines of ``questions.jsonl`` with ``question`` and ``text``. They
    hold the marks: only who asks should see them. Their names tell neither order nor part.

    Args:
        key, pool, pool_split, reading, passphrase, progress: as for ``verify``.
        out: the folder to make, with mode 0700.

    Raises:
        VerificationError: the pool is too small.
        KeyRecordError, SecretError: the key is none, or the pool is not the one committed to.
        DatasetError: the pool cannot be read, or ``out`` holds something.
    """
    key = second_generation(read_key(key, passphrase))
    modality = modality_of(key)
    data = open_pool(pool, pool_split, modality=modality, **(reading or {}))
    proof = Proof2(key, data.labels)
    samples = read_pool(key, data, rows_needed(proof), progress)
    asked = {question_digest(sample): sample for sample in samples.clean}
    for question in _possible(proof):
        (sample,) = asked_sample(key, question, samples.samples)
        asked[question_digest(sample)] = sample
    with atomic_folder(Path(out)) as folder:
        folder.chmod(0o700)
        if modality == "text":
            lines = [json.dumps({"question": d, "text": t}) for d, t in sorted(asked.items())]
            write_text(folder / "questions.jsonl", "\n".join(lines) + "\n")
            return len(asked)
        for digest, sample in asked.items():
            if modality == "audio":
                (folder / f"{digest}.wav").write_bytes(wav(sample, view_of(key).rate))
            else:
                (folder / f"{digest}.png").write_bytes(picture(sample, "png"))
    return len(asked)


def _possible(proof: Proof2) -> Iterator[Question]:
    """Every question of a proof, whatever the answers."""
    for row in map(int, proof.rows):
        yield from (Question("block", part, row) for part in range(proof.design.parts))
    for part, row in proof.pairs.tolist():
        yield from (Question(layer, part, row) for layer in ("pair", "decoy"))
