import errno
import math
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datadeed.errors import DatadeedError
from datadeed.files import (
    atomic_folder,
    atomic_path,
    canonical_digest,
    read_json,
    write_json,
    write_text,
)


def test_a_file_appears_whole_and_readable_by_all(tmp_path):
    path = tmp_path / "new" / "a.txt"
    with atomic_path(path) as temporary:
        temporary.write_text("whole")
        assert not path.exists()
        assert temporary.parent == path.parent
    assert path.read_text() == "whole"
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("error", [ValueError("bad"), KeyboardInterrupt(), OSError(errno.EIO, "x")])
def test_an_exception_leaves_the_earlier_file_and_nothing_else(tmp_path, error):
    path = tmp_path / "a.txt"
    path.write_text("earlier")

    def write_half():
        with atomic_path(path) as temporary:
            temporary.write_text("half")
            raise error

    with pytest.raises(type(error)):
        write_half()
    assert path.read_text() == "earlier"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
@pytest.mark.parametrize("step", ["write", "fsync"])
def test_a_full_disk_is_one_line_and_leaves_the_earlier_file(tmp_path, monkeypatch, code, step):
    path = tmp_path / "a.json"
    write_json(path, {"a": 1})

    def full(*_args, **_keywords):
        raise OSError(code, os.strerror(code))

    if step == "write":
        monkeypatch.setattr(Path, "write_text", full)
    else:
        monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DatadeedError, match=r"no space left while writing .*a\.json") as caught:
        write_json(path, {"a": 2})
    assert "\n" not in str(caught.value)
    assert read_json(path) == {"a": 1}
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("value", [math.nan, math.inf, {"p": [-math.inf]}])
def test_what_json_cannot_say_is_refused_before_anything_is_written(tmp_path, value):
    path = tmp_path / "a.json"
    write_json(path, 1)
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(path, value)
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_digest(value)
    assert read_json(path) == 1
    assert list(tmp_path.iterdir()) == [path]


def test_json_that_is_missing_or_broken_is_one_line(tmp_path):
    with pytest.raises(DatadeedError, match=r"a\.json does not exist"):
        read_json(tmp_path / "a.json")
    for text in (b'{"a": ', b"\xff\xfe"):
        (tmp_path / "a.json").write_bytes(text)
        with pytest.raises(DatadeedError, match=r"a\.json is not valid JSON") as caught:
            read_json(tmp_path / "a.json")
        assert "\n" not in str(caught.value)


def test_text_is_utf8(tmp_path):
    write_text(tmp_path / "a.txt", "Δp ≥ τ")
    assert (tmp_path / "a.txt").read_bytes() == "Δp ≥ τ".encode()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(value=st.dictionaries(st.text(), JSON, min_size=1, max_size=4))
def test_a_digest_ignores_the_order_of_keys_and_sees_every_change(value):
    assert canonical_digest(dict(reversed(value.items()))) == canonical_digest(value)
    key = next(iter(value))
    assert canonical_digest({**value, key: [value[key]]}) != canonical_digest(value)


def test_a_folder_appears_whole_or_not_at_all(tmp_path):
    folder = tmp_path / "set"
    with atomic_folder(folder) as temporary:
        (temporary / "a").write_text("first")
        assert not folder.exists()
    with atomic_folder(folder, keep=True) as temporary:
        (temporary / "b").write_text("second")
    assert sorted(path.name for path in folder.iterdir()) == ["a", "b"]

    def fail(number):
        with atomic_folder(folder, keep=True) as temporary:
            (temporary / "c").write_text("third")
            raise OSError(number, os.strerror(number))

    with pytest.raises(DatadeedError, match="no space left"):
        fail(errno.ENOSPC)
    with pytest.raises(PermissionError):
        fail(errno.EACCES)
    assert sorted(path.name for path in folder.iterdir()) == ["a", "b"]
    assert [path.name for path in tmp_path.iterdir()] == ["set"]
