"""Opening a key for a judge, and reading a key that was opened."""

from pathlib import Path

from datadeed.errors import KeyRecordError
from datadeed.files import write_json
from datadeed.keys.generation2 import key_from_record
from datadeed.keys.key import Key
from datadeed.owner.data import read_key
from datadeed.owner.evidence.schema import parse_json, read_limited

FORM = "datadeed/opening/1"


def reveal(key: Key | str | Path, opening: str | Path, *, passphrase: str | None = None) -> Path:
    """Write a key, secret included, for everybody to see.

    Whoever reads it can train models that pass: it proves nothing about models made from now on.

    Args:
        key: the secret file, or what was read from it.
        opening: the file to write.
        passphrase: of the secret file.

    Returns:
        ``opening``.

    Raises:
        KeyRecordError: the file exists, or the key is none or lacks its beacon's value.
        SecretError: the secret file cannot be read as it is.
    """
    opening = Path(opening)
    if opening.exists():
        raise KeyRecordError(f"{opening} exists: name another file")
    key = read_key(key, passphrase)
    _ = key.seed  # a key that waits for its beacon has no triggers to show
    write_json(opening, {"form": FORM, "key": key.record()})
    return opening


def read_opening(path: str | Path) -> Key:
    """The key in an opening, from whomever.

    Raises:
        KeyRecordError: it is no opening, or was altered.
    """
    value = parse_json(read_limited(path), path)
    if not isinstance(value, dict) or value.get("form") != FORM:
        raise KeyRecordError(f"{path} is no opened key: ask its owner for the opening")
    return key_from_record(value.get("key"))
