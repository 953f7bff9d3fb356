import base64
import errno
import json
import os
import stat
import subprocess
from pathlib import Path

import pytest

from datadeed.errors import SecretError
from datadeed.keys import sealing
from datadeed.keys.sealing import check_place, read_secret, write_secret

VALUE = {"secret": "5e" * 32, "number": 0.1, "body": {"classes": ["cat", "dög"]}}
PASSPHRASE = "correct horse"


@pytest.fixture
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """scrypt at the least cost that is still read."""
    monkeypatch.setattr(sealing, "_COST", 2**15)


@pytest.fixture(scope="module")
def sealed_bytes(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("sealed") / "key.json"
    write_secret(path, VALUE, PASSPHRASE)
    return path.read_bytes()


@pytest.fixture
def sealed(tmp_path: Path, sealed_bytes: bytes) -> Path:
    """A sealed file of the test's own; it costs what new files cost."""
    path = tmp_path / "key.json"
    path.write_bytes(sealed_bytes)
    path.chmod(0o600)
    return path


@pytest.mark.parametrize("passphrase", [None, PASSPHRASE])
def test_a_secret_comes_back_and_only_its_owner_reads_it(tmp_path, cheap, passphrase):
    path = tmp_path / "keys" / "key.json"
    earlier = os.umask(0)
    try:
        write_secret(path, VALUE, passphrase)
    finally:
        os.umask(earlier)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_secret(path, passphrase) == VALUE
    assert list(path.parent.iterdir()) == [path]


def test_the_file_is_private_before_its_first_byte(tmp_path, monkeypatch):
    seen = []
    opened = os.open

    def watch(path, flags, mode=0o777, **options):
        if flags & os.O_CREAT:
            seen.append((flags & os.O_EXCL != 0, mode))
        return opened(path, flags, mode, **options)

    monkeypatch.setattr(os, "open", watch)
    write_secret(tmp_path / "key.json", VALUE, None)
    assert seen == [(True, 0o600)]


def test_a_sealed_file_shows_nothing_and_never_twice_the_same(tmp_path, cheap):
    first, second = tmp_path / "a.json", tmp_path / "b.json"
    write_secret(first, VALUE, PASSPHRASE)
    write_secret(second, VALUE, PASSPHRASE)
    a, b = json.loads(first.read_text()), json.loads(second.read_text())
    assert VALUE["secret"] not in first.read_text()
    assert a["salt"] != b["salt"]
    assert a["nonce"] != b["nonce"]
    assert a["sealed"] != b["sealed"]


def test_new_files_cost_as_much_to_guess_as_is_advised_today(sealed):
    assert json.loads(sealed.read_text())["n"] == 2**17
    assert read_secret(sealed, PASSPHRASE) == VALUE


def test_the_same_passphrase_typed_in_two_ways_opens_the_file(tmp_path, cheap):
    write_secret(tmp_path / "key.json", VALUE, "caf\u00e9")
    assert read_secret(tmp_path / "key.json", "cafe\u0301") == VALUE


def test_a_wrong_passphrase_none_or_a_needless_one_is_one_line(tmp_path, cheap):
    path = tmp_path / "key.json"
    write_secret(path, VALUE, PASSPHRASE)
    with pytest.raises(SecretError, match="wrong passphrase, or the file was altered"):
        read_secret(path, "correct hors")
    with pytest.raises(SecretError, match="is sealed: give its passphrase"):
        read_secret(path, None)
    with pytest.raises(SecretError, match="passphrase is empty"):
        write_secret(path, VALUE, "")
    write_secret(path, VALUE, None)
    with pytest.raises(SecretError, match="is not sealed"):
        read_secret(path, PASSPHRASE)


def alter(path: Path, **fields: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def flip(text: str) -> str:
    data = bytearray(base64.b64decode(text))
    data[0] ^= 1
    return base64.b64encode(data).decode()


def test_any_altered_field_of_a_sealed_file_is_noticed(tmp_path, cheap):
    path = tmp_path / "key.json"
    write_secret(path, VALUE, PASSPHRASE)
    whole = json.loads(path.read_text())
    changes = {
        "n": 2**16,
        "salt": "00" * 16,
        "nonce": "00" * 12,
        "sealed": flip(whole["sealed"]),
        "added": 1,
    }
    for name, value in changes.items():
        alter(path, **{name: value})
        with pytest.raises(SecretError, match="wrong passphrase, or the file was altered"):
            read_secret(path, PASSPHRASE)
        path.write_text(json.dumps(whole))
    assert read_secret(path, PASSPHRASE) == VALUE


@pytest.mark.parametrize(
    "fields",
    [
        {"n": 2**30},
        {"n": 2**15 + 1},
        {"n": 1024},
        {"n": 32768.0},
        {"n": [2**15]},
        {"r": 8000},
        {"p": 10**6},
        {"cipher": "none"},
    ],
)
def test_parameters_are_checked_before_they_cost_anything(sealed, monkeypatch, fields):
    alter(sealed, **fields)
    monkeypatch.setattr(sealing, "_stretch", lambda *_: pytest.fail("scrypt was run"))
    with pytest.raises(SecretError, match="parameters that are not ours"):
        read_secret(sealed, PASSPHRASE)


@pytest.mark.parametrize(
    "fields", [{"salt": "zz"}, {"salt": None}, {"nonce": "00"}, {"sealed": "?"}, {"sealed": 5}]
)
def test_a_damaged_sealed_file_is_one_line(sealed, monkeypatch, fields):
    monkeypatch.setattr(sealing, "_stretch", lambda *_: bytes(32))
    alter(sealed, **fields)
    with pytest.raises(SecretError, match="damaged"):
        read_secret(sealed, PASSPHRASE)


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "5", "[" * 10**5, "{}", '{"form": "datadeed/secret/1"}', "\0"]
)
def test_what_is_no_secret_is_refused_without_being_quoted(tmp_path, content):
    path = tmp_path / "key.json"
    path.write_text(content)
    path.chmod(0o600)
    with pytest.raises(SecretError, match="damaged") as raised:
        read_secret(path, None)
    assert raised.value.__cause__ is None


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o666])
def test_a_file_that_others_may_read_is_refused(tmp_path, mode):
    path = tmp_path / "key.json"
    write_secret(path, VALUE, None)
    path.chmod(mode)
    with pytest.raises(SecretError, match="chmod 600"):
        read_secret(path, None)


def test_a_missing_file_a_folder_a_pipe_or_a_huge_file_is_one_line(tmp_path):
    with pytest.raises(SecretError, match="does not exist"):
        read_secret(tmp_path / "none", None)
    with pytest.raises(SecretError, match="cannot be read"):
        read_secret(tmp_path, None)
    os.mkfifo(tmp_path / "pipe", 0o600)
    with pytest.raises(SecretError, match="not a secret's file"):
        read_secret(tmp_path / "pipe", None)
    with (tmp_path / "huge").open("wb") as file:
        file.truncate(2**30)
    with pytest.raises(SecretError, match="not a secret's file"):
        read_secret(tmp_path / "huge", None)


def test_a_full_disk_leaves_the_earlier_secret(tmp_path, monkeypatch):
    path = tmp_path / "key.json"
    write_secret(path, VALUE, None)

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(SecretError, match="free some disk space"):
        write_secret(path, {"other": 1}, None)
    monkeypatch.undo()
    assert read_secret(path, None) == VALUE
    assert list(tmp_path.iterdir()) == [path]


def test_a_secret_is_not_put_into_what_is_given_away(tmp_path):
    release = tmp_path / "release"
    for place in (release / "key.json", release / "deep" / "key.json", tmp_path / "x/../release/k"):
        with pytest.raises(SecretError, match="given away"):
            write_secret(place, VALUE, None, forbidden=release)
    assert not release.exists()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SecretError, match="given away"):
        write_secret(tmp_path / "link/key.json", VALUE, None, forbidden=tmp_path / "elsewhere")
    write_secret(tmp_path / "release-notes.json", VALUE, None, forbidden=release)


@pytest.fixture
def work_tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    subprocess.run(["git", "init", "--quiet", str(root)], check=True)
    (root / ".gitignore").write_text("/keys/\n*.secret\n")
    return root


def test_a_secret_goes_into_a_git_work_tree_only_where_git_ignores_it(work_tree):
    with pytest.raises(SecretError, match="git work tree"):
        write_secret(work_tree / "key.json", VALUE, None)
    with pytest.raises(SecretError, match="git work tree"):
        write_secret(work_tree / "new" / "key.json", VALUE, None)
    with pytest.raises(SecretError, match="shared with the repository"):
        write_secret(work_tree / ".git" / "key.json", VALUE, None)
    assert not (work_tree / "new").exists()
    write_secret(work_tree / "keys" / "key.json", VALUE, None)
    write_secret(work_tree / "my.secret", VALUE, None)


def test_an_ignored_file_that_git_tracks_all_the_same_is_refused(work_tree):
    path = work_tree / "my.secret"
    path.write_text("an earlier secret")
    subprocess.run(["git", "-C", str(work_tree), "add", "--force", str(path)], check=True)
    with pytest.raises(SecretError, match="git work tree"):
        check_place(path)


def test_a_hooks_variables_do_not_lead_git_astray(work_tree, tmp_path, monkeypatch):
    other = tmp_path / "other"
    subprocess.run(["git", "init", "--quiet", str(other)], check=True)
    (other / ".gitignore").write_text("*\n")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other))
    with pytest.raises(SecretError, match="git work tree"):
        check_place(work_tree / "key.json")
    check_place(work_tree / "keys" / "key.json")


def test_without_git_a_work_tree_is_refused(work_tree, monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(SecretError, match="git work tree"):
        check_place(work_tree / "keys" / "key.json")


def test_a_secret_is_not_put_where_dvc_would_push_it(tmp_path):
    (tmp_path / ".dvc").mkdir()
    (tmp_path / "models.dvc").touch()
    for place in (".dvc/cache/key.json", "data/x/key.json", "models/key.json"):
        with pytest.raises(SecretError, match="shared with the repository"):
            check_place(tmp_path / place)
    check_place(tmp_path / "keys" / "key.json")
    check_place(tmp_path / "database.json")


def test_outside_a_dvc_project_a_data_folder_is_a_folder(tmp_path):
    check_place(tmp_path / "data" / "key.json")


def test_errors_never_hold_the_secret_or_the_passphrase(tmp_path, cheap):
    path = tmp_path / "key.json"
    write_secret(path, VALUE, PASSPHRASE)
    messages = []
    for passphrase in ("a wrong secret phrase", None):
        with pytest.raises(SecretError) as raised:
            read_secret(path, passphrase)
        messages.append(repr(raised.value))
    write_secret(path, VALUE, None)
    path.write_text(path.read_text()[:-5])
    with pytest.raises(SecretError) as raised:
        read_secret(path, None)
    messages.append(repr(raised.value))
    for message in messages:
        assert "secret phrase" not in message
        assert VALUE["secret"] not in message
