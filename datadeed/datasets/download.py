"""Downloads that resume, and a Debian package's files without root."""

import errno
import functools
import hashlib
import http.client
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from tqdm import tqdm

from datadeed.datasets.formats.blocks import reason
from datadeed.errors import FetchError

TIMEOUT = 10.0  # seconds for a connection, and for each wait on one
ATTEMPTS = 3
BACKOFF = 1.0  # seconds before the second attempt; doubles
_BLOCK = 2**20


class _Transient(Exception):
    """A fault that another attempt may not meet."""


def download(
    url: str,
    path: str | Path,
    *,
    sha256: str | None = None,
    md5: str | None = None,
    progress: bool = True,
) -> Path:
    """Download a file, going on from ``path.part`` if an earlier attempt left one.

    A file that is already at ``path`` and has the digest, or has none to be checked by, is kept.
    Give a digest: without one, a part of an older version of the file would be completed unnoticed.

    Args:
        url: http or https.
        path: where to put it; it appears there only when whole.
        sha256: the file's digest, in hexadecimal.
        md5: for publishers that give no better one.
        progress: show a bar on a terminal.

    Returns:
        ``path``.

    Raises:
        FetchError: the server cannot be reached or refuses, or the bytes are other than expected.
    """
    path = Path(path)
    if path.is_file() and _wrong_digest(path, sha256, md5) is None:
        return path
    if not url.startswith(("http://", "https://")):
        raise FetchError(f"{url} is not an http address: give one")
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    _complete(url, part, progress)
    if (wrong := _wrong_digest(part, sha256, md5)) is not None:
        part.unlink()
        raise FetchError(f"{url} gave a file whose digest is {wrong}: fetch it again, or elsewhere")
    part.replace(path)
    return path


def _complete(url: str, part: Path, progress: bool) -> None:
    """Bring ``part`` to the whole file's length, in as many attempts as are allowed."""
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(BACKOFF * 2 ** (attempt - 1))
        try:
            return _attempt(url, part, progress)
        except _Transient as error:
            fault = str(error)
    raise FetchError(
        f"{url} failed {ATTEMPTS} times, last with: {fault}; run again to go on from {part}"
    )


def _wrong_digest(path: Path, sha256: str | None, md5: str | None) -> str | None:
    """What is wrong with a file's digest; None if nothing is."""
    for name, wanted in (("sha256", sha256), ("md5", md5)):
        if wanted is None:
            continue
        with path.open("rb") as file:
            # A publisher's MD5 finds damage; it is no defence against a forger.
            digest = functools.partial(hashlib.new, name, usedforsecurity=False)
            actual = hashlib.file_digest(file, digest).hexdigest()
        if actual != wanted.lower():
            return f"{name} {actual[:16]}..., not {wanted[:16]}..."
    return None


def _attempt(url: str, part: Path, progress: bool) -> None:
    """Append to ``part`` until it has every byte that the server declares."""
    have = part.stat().st_size if part.is_file() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT) as response:
            _save(response, part, have, progress)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416:  # the part is not a beginning of this file
            part.unlink(missing_ok=True)
            raise _Transient("the part on disk did not fit and was removed") from error
        if error.code >= 500 or error.code in (408, 429):
            raise _Transient(f"HTTP status {error.code}") from error
        raise FetchError(f"{url} was refused with HTTP status {error.code}") from error
    except urllib.error.URLError as error:
        cause = error.reason
        # A name that does not resolve, or a host that does not answer, will not in a second either.
        if isinstance(cause, socket.gaierror | TimeoutError):
            raise FetchError(f"{url} cannot be reached ({cause})") from error
        raise _Transient(str(cause)) from error
    except (http.client.HTTPException, TimeoutError, ConnectionError) as error:
        raise _Transient(reason(error)) from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise FetchError(
                f"no space left while writing {part}: free some disk space and run again to go on"
            ) from error
        raise _Transient(reason(error)) from error


def _save(response: http.client.HTTPResponse, part: Path, have: int, progress: bool) -> None:
    content_range = response.headers.get("Content-Range", "")
    resumed = response.status == 206 and content_range.startswith(f"bytes {have}-")
    if not resumed:
        have = 0  # the server sends the whole file again
    length = response.headers.get("Content-Length")
    total = have + int(length) if length is not None else None
    bar = tqdm(
        total=total,
        initial=have,
        unit="B",
        unit_scale=True,
        unit_divisor=1024,
        desc=part.stem,
        leave=False,
        disable=None if progress else True,
    )
    with bar, part.open("ab" if resumed else "wb") as file:
        while block := response.read(_BLOCK):
            file.write(block)
            bar.update(len(block))
            have += len(block)
    if total is not None and have < total:
        raise _Transient(f"the connection ended after {have} of {total} bytes")


def debian_package(name: str, folder: Path) -> None:
    """Unpack a Debian package into ``folder`` with apt's own lists and checks, without root.

    Raises:
        FetchError: apt or dpkg is missing, or the package cannot be had.
    """
    for program in ("apt-get", "dpkg"):
        if shutil.which(program) is None:
            raise FetchError(f"Debian's package {name}: {program} is not installed")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="datadeed-") as temporary:
        state = Path(temporary)
        for needed in ("lists/partial", "cache/archives/partial"):
            (state / needed).mkdir(parents=True)
        settings = {
            "Dir::State::Lists": state / "lists",
            "Dir::Cache": state / "cache",
            "APT::Sandbox::User": "root",  # its own user could not write to these folders
            "Acquire::http::Timeout": int(TIMEOUT),
            "Acquire::https::Timeout": int(TIMEOUT),
            "Acquire::Retries": 1,
        }
        options = [f"-o{key}={value}" for key, value in settings.items()]
        _run(["apt-get", "-qq", *options, "update"], state)
        _run(["apt-get", "-qq", *options, "download", name], state)
        package = next(state.glob("*.deb"), None)
        if package is None:
            raise FetchError(f"Debian's package {name}: apt-get downloaded nothing")
        _run(["dpkg", "-x", str(package), str(folder)], state)


def _run(command: list[str], folder: Path) -> None:
    title = " ".join([command[0], command[-1] if command[0] == "apt-get" else command[1]])
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=180, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise FetchError(f"{title}: not done after {error.timeout:.0f} s") from error
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines() or ["no message"]
        raise FetchError(f"{title}: {lines[-1][:120]}")
