"""Downloads that resume, a Debian package's files without root, a Python package's source."""

import errno
import functools
import hashlib
import http.client
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from tqdm import tqdm

from datadeed.errors import FetchError, reason
from datadeed.files import atomic_path

LOCAL = "DATADEED_DATA"
TIMEOUT = 10.0  # seconds for a connection, and for each wait on one
ATTEMPTS = 3
BACKOFF = 1.0  # seconds before the second attempt; doubles
_BLOCK = 2**20


def local_folders() -> list[Path]:
    """The folders that ``DATADEED_DATA`` names, separated as in ``PATH``."""
    return [Path(part) for part in os.environ.get(LOCAL, "").split(os.pathsep) if part]


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


# pip asks a source package's builder for metadata before it hands the package over. This one
# stands in for setuptools and answers without running anything of the package.
_BUILDER = """
import pathlib, sys

def get_requires_for_build_wheel(settings=None):
    return []

def prepare_metadata_for_build_wheel(folder, settings=None):
    made = pathlib.Path(folder, "{name}-{version}.dist-info")
    made.mkdir()
    text = "Metadata-Version: 2.1\\nName: {name}\\nVersion: {version}\\n"
    (made / "METADATA").write_text(text)
    return made.name

__legacy__ = sys.modules[__name__]
"""


def python_source(name: str, version: str, *, sha256: str, folder: Path) -> Path:
    """Download a Python package's source archive with pip's own settings; none of it is run.

    Args:
        name, version: of a package without a builder of its own (no ``pyproject.toml``). pip
            checks the digest before it looks into the archive, so that this cannot change.
        sha256: the archive's digest, in hexadecimal.
        folder: where to put the archive.

    Returns:
        The archive, ``NAME-VERSION`` with the suffix that it was published with.

    Raises:
        FetchError: pip is missing, the package cannot be had, or it is not what was expected.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for kept in folder.glob(f"{name}-{version}.*"):
        if _wrong_digest(kept, sha256, None) is None:
            return kept
    with tempfile.TemporaryDirectory(prefix="datadeed-") as temporary:
        work = Path(temporary)
        (work / "stand_in" / "setuptools").mkdir(parents=True)
        (work / "stand_in" / "setuptools" / "__init__.py").touch()
        builder = work / "stand_in" / "setuptools" / "build_meta.py"
        builder.write_text(_BUILDER.format(name=name, version=version))
        (work / "wanted.txt").write_text(f"{name}=={version} --hash=sha256:{sha256}\n")
        options = ["--quiet", "--disable-pip-version-check", "--no-input", "--no-deps"]
        options += ["--no-binary=:all:", "--no-build-isolation", "--use-pep517", "--dest=got"]
        command = [sys.executable, "-m", "pip", "download", *options, "-r", "wanted.txt"]
        _run(command, work, PYTHONPATH=str(work / "stand_in"))
        found = next(work.glob(f"got/{name}-{version}.*"), None)
        if found is None:
            raise FetchError(f"the source of {name} {version}: pip downloaded nothing")
        with atomic_path(folder / found.name) as target:
            shutil.copyfile(found, target)
    return folder / found.name


def _run(command: list[str], folder: Path, **variables: str) -> None:
    title = " ".join([command[0], command[-1] if command[0] == "apt-get" else command[1]])
    if command[0] == sys.executable:
        title = " ".join(command[2:4])
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=os.environ | variables,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise FetchError(f"{title}: not done after {error.timeout:.0f} s") from error
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines() or ["no message"]
        lines = [line for line in lines if line.startswith("ERROR")] or lines
        raise FetchError(f"{title}: {lines[-1][:120]}")
