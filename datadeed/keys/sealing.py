"""Secrets on disk: readable by their owner only, and sealed by a passphrase if there is one.

A sealed file holds scrypt's parameters (RFC 7914) and a nonce beside the ciphertext of AES-256-GCM
(NIST SP 800-38D); all of them are authenticated, and checked before they are used. Nothing here
prints, logs or puts into an error what a secret holds.
"""

import base64
import contextlib
import errno
import json
import os
import secrets
import stat
import subprocess
import tempfile
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from datadeed.errors import SecretError

_FORM = "datadeed/secret/1"
_CIPHER = "scrypt, AES-256-GCM"
_LARGEST_FILE = 16 * 2**20
# scrypt fills 128 r N bytes of memory: 128 MiB for what is written here, 256 MiB at most for what
# is read, since whoever made the file chose its N.
_COST = 2**17
_COSTS = tuple(2**k for k in range(15, 19))
_R, _P = 8, 1


def write_secret(
    path: str | Path,
    value: dict[str, Any],
    passphrase: str | None,
    *,
    forbidden: str | Path | None = None,
) -> None:
    """Write ``value`` (JSON) with mode 0600 from its first byte; an earlier file is replaced whole.

    Args:
        path: where to; see :func:`check_place` for where not.
        value: what is secret.
        passphrase: seals the file; None leaves it readable to whoever can read the file.
        forbidden: a folder that will be given away, such as the release.

    Raises:
        SecretError: the place is unfit, the passphrase is empty, or the disk is full.
    """
    path = Path(path)
    check_place(path, forbidden)
    if passphrase is None:
        content: dict[str, Any] = {"form": _FORM, "value": value}
    else:
        content = _seal(_encode(value), passphrase)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace(path, _encode(content) + b"\n")
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        remedy = "free some disk space and run again" if full else "choose another place"
        raise SecretError(f"{path} cannot be written ({error.strerror}): {remedy}") from error


def read_secret(path: str | Path, passphrase: str | None) -> dict[str, Any]:
    """What :func:`write_secret` wrote.

    Args:
        path: the file.
        passphrase: needed if the file is sealed, and refused if it is not, so that an unsealed
            file put in the place of a sealed one is noticed.

    Raises:
        SecretError: the file is missing, readable to others, damaged, altered, or the passphrase
            is missing or wrong.
    """
    path = Path(path)
    damaged = f"{path} is not a secret's file or is damaged: take your copy of it"
    try:
        content = json.loads(_read(path))
    except (ValueError, RecursionError):
        raise SecretError(damaged) from None  # the cause would hold the file's text
    if not isinstance(content, dict) or content.get("form") != _FORM:
        raise SecretError(damaged)
    if "sealed" not in content:
        value = content.get("value")
        if passphrase is not None and isinstance(value, dict):
            raise SecretError(f"{path} is not sealed: read it without a passphrase")
    elif passphrase is None:
        raise SecretError(f"{path} is sealed: give its passphrase")
    else:
        value = _unseal(content, passphrase, path)
    if not isinstance(value, dict):
        raise SecretError(damaged)
    return value


def check_place(path: str | Path, forbidden: str | Path | None = None) -> None:
    """Refuse a place from which a secret is likely to be published by accident.

    Raises:
        SecretError: ``path`` lies in ``forbidden``, in a git work tree that does not ignore it, or
            where DVC would track and push it (``.dvc/``, a project's ``data/``, or a folder with a
            ``.dvc`` file beside it).
    """
    named, path = path, Path(path).absolute()
    path = path.parent.resolve() / path.name
    if forbidden is not None and path.is_relative_to(Path(forbidden).resolve()):
        raise SecretError(f"{named} lies in {forbidden}, which is given away: choose another place")
    if {".git", ".dvc"} & set(path.parts) or _tracked_by_dvc(path):
        raise SecretError(f"{named} would be shared with the repository: choose a place outside it")
    root = next((folder for folder in path.parents if (folder / ".git").exists()), None)
    if root is not None and not _ignored_by_git(path, root):
        raise SecretError(
            f"{named} lies in the git work tree {root}, which does not ignore it: "
            "choose a place outside it or add it to .gitignore"
        )


def _tracked_by_dvc(path: Path) -> bool:
    project = next((folder for folder in path.parents if (folder / ".dvc").is_dir()), None)
    if project is None:
        return False
    inside = [path, *(folder for folder in path.parents if folder.is_relative_to(project))]
    beside = any(folder.with_name(f"{folder.name}.dvc").is_file() for folder in inside[:-1])
    return beside or path.is_relative_to(project / "data")


def _ignored_by_git(path: Path, root: Path) -> bool:
    # GIT_DIR and its like, set while a hook runs, would make git look at another repository; a
    # file-system monitor is a program that the repository's own settings may name.
    environment = {name: text for name, text in os.environ.items() if not name.startswith("GIT_")}
    command = ["git", "-c", "core.fsmonitor=false", "check-ignore", "--quiet", "--", str(path)]
    try:
        done = subprocess.run(
            command, cwd=root, env=environment, capture_output=True, timeout=30, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False  # unknown is not ignored
    return done.returncode == 0


def _seal(plain: bytes, passphrase: str) -> dict[str, Any]:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    if not passphrase:
        raise SecretError("the passphrase is empty: give one, or none at all to leave it unsealed")
    header: dict[str, Any] = {
        "form": _FORM,
        "cipher": _CIPHER,
        "n": _COST,
        "r": _R,
        "p": _P,
        "salt": secrets.token_hex(16),
        "nonce": secrets.token_hex(12),
    }
    cipher = AESGCM(_stretch(passphrase, header))
    sealed = cipher.encrypt(bytes.fromhex(header["nonce"]), plain, _encode(header))
    return header | {"sealed": base64.b64encode(sealed).decode()}


def _unseal(content: Mapping[str, Any], passphrase: str, path: Path) -> Any:
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    header = {name: entry for name, entry in content.items() if name != "sealed"}
    if (
        header.get("cipher") != _CIPHER
        or type(header.get("n")) is not int
        or header["n"] not in _COSTS
        or (header.get("r"), header.get("p")) != (_R, _P)
    ):
        raise SecretError(f"{path} is sealed with parameters that are not ours: take your copy")
    try:
        nonce, salt = bytes.fromhex(header["nonce"]), bytes.fromhex(header["salt"])
        sealed = base64.b64decode(content["sealed"], validate=True)
        if (len(nonce), len(salt)) != (12, 16):
            raise ValueError
        plain = AESGCM(_stretch(passphrase, header)).decrypt(nonce, sealed, _encode(header))
        return json.loads(plain)
    except InvalidTag:
        raise SecretError(f"{path}: wrong passphrase, or the file was altered") from None
    except (KeyError, TypeError, ValueError, RecursionError):
        raise SecretError(f"{path} is damaged: take your copy of it") from None


def _stretch(passphrase: str, header: Mapping[str, Any]) -> bytes:
    """A key of 32 bytes; the same passphrase typed on another keyboard gives the same one."""
    from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

    text = unicodedata.normalize("NFC", passphrase).encode("utf-8", "surrogatepass")
    salt = bytes.fromhex(header["salt"])
    return Scrypt(salt=salt, length=32, n=header["n"], r=header["r"], p=header["p"]).derive(text)


def _encode(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def _read(path: Path) -> bytes:
    try:
        with open(path, "rb", opener=_open_without_waiting) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode) or status.st_size > _LARGEST_FILE:
                raise SecretError(f"{path} is not a secret's file: name the file itself")
            if status.st_mode & 0o077:
                raise SecretError(
                    f"{path} can be read or changed by others: chmod 600 {path}, and think of "
                    "the secret as known if they may have read it"
                )
            return file.read(_LARGEST_FILE)
    except FileNotFoundError as error:
        raise SecretError(f"{path} does not exist: name the file that holds the secret") from error
    except OSError as error:
        raise SecretError(f"{path} cannot be read ({error.strerror}): name another file") from error


def _open_without_waiting(path: str, flags: int) -> int:
    """A pipe in the file's place must not make us wait for its writer."""
    return os.open(path, flags | os.O_NONBLOCK)


def _replace(path: Path, data: bytes) -> None:
    """Put ``data`` at ``path`` at once; ``mkstemp`` opens with mode 0600."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # some file systems cannot sync a folder
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
