import errno
import hashlib
import http.server
import io
import os
import tarfile
import threading

import pytest

from datadeed.datasets import download as module
from datadeed.datasets.download import debian_package, download, python_source
from datadeed.errors import FetchError

BODY = os.urandom(300_000)
SHA256 = hashlib.sha256(BODY).hexdigest()


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves BODY; the path says how it misbehaves."""

    def do_GET(self):
        asked = self.headers.get("Range")
        self.server.asked.append(asked)
        first = len(self.server.asked) == 1
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
        if self.path == "/missing" or (self.path == "/flaky" and first):
            return self.send_error(404 if self.path == "/missing" else 503)
        if start >= len(BODY) and self.path != "/whole":
            return self.send_error(416)
        ranged = asked and self.path != "/whole"
        self.send_response(206 if ranged else 200)
        if ranged:
            self.send_header("Content-Range", f"bytes {start}-{len(BODY) - 1}/{len(BODY)}")
        body = BODY[start:] if ranged else BODY
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        cut = (self.path == "/cut" and first) or self.path == "/always-cut"
        self.wfile.write(body[: len(body) // 2] if cut else body)
        return None

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(module, "BACKOFF", 0.01)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        running.asked = []
        running.url = f"http://127.0.0.1:{running.server_address[1]}"
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def test_a_file_arrives_whole_and_is_kept(server, tmp_path):
    path = tmp_path / "deep" / "file"
    assert download(f"{server.url}/ok", path, sha256=SHA256) == path
    assert path.read_bytes() == BODY
    download(f"{server.url}/ok", path, sha256=SHA256)
    assert server.asked == [None]
    assert [file.name for file in path.parent.iterdir()] == ["file"]


@pytest.mark.parametrize(
    ("place", "asked"),
    [("cut", [None, f"bytes={len(BODY) // 2}-"]), ("flaky", [None, None])],
)
def test_faults_that_pass_are_got_over(server, tmp_path, place, asked):
    download(f"{server.url}/{place}", tmp_path / "file", sha256=SHA256)
    assert (tmp_path / "file").read_bytes() == BODY
    assert server.asked == asked


@pytest.mark.parametrize("place", ["ok", "whole"])
def test_a_part_is_completed_or_begun_anew(server, tmp_path, place):
    (tmp_path / "file.part").write_bytes(BODY[:1000])
    download(f"{server.url}/{place}", tmp_path / "file", sha256=SHA256)
    assert (tmp_path / "file").read_bytes() == BODY
    assert server.asked == ["bytes=1000-"]


def test_a_part_longer_than_the_file_is_begun_anew(server, tmp_path):
    (tmp_path / "file.part").write_bytes(BODY + b"more")
    download(f"{server.url}/ok", tmp_path / "file", sha256=SHA256)
    assert (tmp_path / "file").read_bytes() == BODY


def test_other_bytes_than_expected_are_deleted(server, tmp_path):
    for digest in ({"sha256": "0" * 64}, {"md5": "0" * 32}):
        with pytest.raises(FetchError, match="digest is") as caught:
            download(f"{server.url}/ok", tmp_path / "file", **digest)
        assert "\n" not in str(caught.value)
        assert list(tmp_path.iterdir()) == []


def test_a_damaged_copy_on_disk_is_fetched_again(server, tmp_path):
    (tmp_path / "file").write_bytes(b"old")
    download(f"{server.url}/ok", tmp_path / "file", sha256=SHA256)
    assert (tmp_path / "file").read_bytes() == BODY


def test_faults_that_stay_are_named(server, tmp_path):
    with pytest.raises(FetchError, match="HTTP status 404"):
        download(f"{server.url}/missing", tmp_path / "file")
    assert len(server.asked) == 1
    with pytest.raises(FetchError, match=r"failed 3 times, .* of \d+ bytes"):
        download(f"{server.url}/always-cut", tmp_path / "file")
    assert not (tmp_path / "file").exists()
    assert (tmp_path / "file.part").stat().st_size > len(BODY) // 2


def test_places_that_cannot_be_reached(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "BACKOFF", 0.01)
    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as closed:
        port = closed.server_address[1]
    with pytest.raises(FetchError, match="failed 3 times"):
        download(f"http://127.0.0.1:{port}/x", tmp_path / "file")
    with pytest.raises(FetchError, match="not an http address"):
        download((tmp_path / "x").as_uri(), tmp_path / "file")

    def unknown(*_, **__):
        raise module.socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(module.socket, "getaddrinfo", unknown)
    monkeypatch.setattr(module.time, "sleep", lambda _: pytest.fail("a second attempt was made"))
    with pytest.raises(FetchError, match="cannot be reached"):
        download("http://data.invalid/x", tmp_path / "file")


def test_a_full_disk_is_one_line(server, tmp_path, monkeypatch):
    class Full:
        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def write(self, _):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path = tmp_path / "file"
    monkeypatch.setattr(type(path), "open", lambda *_, **__: Full())
    with pytest.raises(FetchError, match="no space left") as caught:
        download(f"{server.url}/ok", path)
    assert "\n" not in str(caught.value)
    assert server.asked == [None]


def program(folder, name, script):
    file = folder / name
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)


def test_debian_package_with_stand_in_programs(tmp_path, monkeypatch):
    programs, target = tmp_path / "bin", tmp_path / "out"
    programs.mkdir()
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    program(programs, "apt-get", 'case "$*" in *download*) echo package > toy_1_all.deb;; esac')
    program(programs, "dpkg", 'test "$1" = -x && cp "$2" "$3/data"')
    debian_package("toy", target)
    assert (target / "data").read_text() == "package\n"
    program(programs, "apt-get", "echo 'E: first' >&2; echo 'E: no such package' >&2; exit 100")
    with pytest.raises(FetchError, match="no such package") as caught:
        debian_package("toy", target)
    assert "\n" not in str(caught.value)
    monkeypatch.setenv("PATH", str(tmp_path / "none"))
    with pytest.raises(FetchError, match="apt-get is not installed"):
        debian_package("toy", target)


@pytest.fixture
def index(tmp_path, monkeypatch):
    """A folder that pip takes its packages from, and nowhere else; the toy package's digest."""
    folder = tmp_path / "index"
    folder.mkdir()
    ran = f"open({str(tmp_path / 'ran')!r}, 'w').close()"
    files = {"setup.py": f"{ran}\nimport setuptools\nsetuptools.setup()\n", "table.txt": "data"}
    with tarfile.open(folder / "toy-1.5.tar.gz", "w:gz") as archive:
        for name, text in files.items():
            info = tarfile.TarInfo(f"toy-1.5/{name}")
            info.size = len(text)
            archive.addfile(info, io.BytesIO(text.encode()))
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return hashlib.sha256((folder / "toy-1.5.tar.gz").read_bytes()).hexdigest()


def test_a_package_is_fetched_and_kept_but_never_run(tmp_path, index, monkeypatch):
    path = python_source("toy", "1.5", sha256=index, folder=tmp_path / "cache")
    assert path == tmp_path / "cache" / "toy-1.5.tar.gz"
    assert hashlib.sha256(path.read_bytes()).hexdigest() == index
    assert not (tmp_path / "ran").exists()
    monkeypatch.setattr(module.subprocess, "run", lambda *_, **__: pytest.fail("it was kept"))
    assert python_source("toy", "1.5", sha256=index, folder=tmp_path / "cache") == path


def test_a_package_with_other_bytes_is_refused_before_it_is_opened(tmp_path, index):
    with pytest.raises(FetchError, match="pip download: ERROR") as caught:
        python_source("toy", "1.5", sha256="0" * 64, folder=tmp_path / "cache")
    assert "\n" not in str(caught.value)
    assert list((tmp_path / "cache").iterdir()) == []
    assert not (tmp_path / "ran").exists()


def test_a_package_that_is_nowhere_is_one_line(tmp_path, index, monkeypatch):
    with pytest.raises(FetchError, match=r"pip download: .*absent"):
        python_source("absent", "1.5", sha256=index, folder=tmp_path / "cache")
    bare = tmp_path / "python"
    bare.write_text("#!/bin/sh\necho python: No module named pip >&2\nexit 1\n")
    bare.chmod(0o755)
    monkeypatch.setattr(module.sys, "executable", str(bare))
    with pytest.raises(FetchError, match="pip download: python: No module named pip"):
        python_source("toy", "1.5", sha256=index, folder=tmp_path / "cache")
