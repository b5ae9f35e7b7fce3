import errno
import os
import shutil

import numpy as np
import pytest

from gengap.errors import StoreError
from gengap.storage import files
from gengap.storage.files import Blob, find_damage, path_of, read_arrays, readable_size, write_arrays, write_text

ARRAYS = {"a": np.arange(1000.0), "b": np.ones((3, 4), np.float32)}


def test_a_file_is_named_after_its_content(tmp_path):
    blob = write_arrays(tmp_path, ARRAYS, {"n": 1})
    assert [p.name for p in tmp_path.iterdir()] == [f"{blob.digest}.safetensors"]
    assert path_of(tmp_path, blob.digest).stat().st_size == blob.size
    assert write_arrays(tmp_path, ARRAYS, {"n": 1}) == blob
    arrays, meta = read_arrays(tmp_path, blob)
    np.testing.assert_array_equal(arrays["a"], ARRAYS["a"])
    assert meta == {"n": 1}


@pytest.mark.parametrize("position", [0, 7, 9, 200, 5000, -1])
def test_one_flipped_bit_anywhere_is_found(tmp_path, position):
    blob = write_arrays(tmp_path, ARRAYS, {})
    path = path_of(tmp_path, blob.digest)
    content = bytearray(path.read_bytes())
    content[position] ^= 0x10
    path.write_bytes(content)
    assert "checksum is wrong" in find_damage(tmp_path, blob)
    with pytest.raises(StoreError, match="has changed since it was written"):
        read_arrays(tmp_path, blob)


@pytest.mark.parametrize("change", [lambda c: c[:-1], lambda c: c + b"x", lambda c: b""])
def test_another_length_is_found(tmp_path, change):
    blob = write_arrays(tmp_path, ARRAYS, {})
    path = path_of(tmp_path, blob.digest)
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(StoreError, match="bytes that were written"):
        read_arrays(tmp_path, blob)


def test_a_missing_file_is_found(tmp_path):
    assert "is missing" in find_damage(tmp_path, Blob("0" * 64, 10))


@pytest.mark.parametrize("digest", ["../../etc/passwd", "", "A" * 64, "0" * 63, "0" * 64 + "\n", "/" + "0" * 63])
def test_no_path_leaves_the_folder(tmp_path, digest):
    with pytest.raises(StoreError, match="that no store writes"):
        path_of(tmp_path, digest)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
@pytest.mark.parametrize("where", ["fsync", "replace"])
def test_a_disk_that_fills_while_writing_leaves_nothing_behind(tmp_path, monkeypatch, number, where):
    before = write_arrays(tmp_path, ARRAYS, {})

    def fail(*args, **kwargs):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, where, fail)
    with pytest.raises(StoreError, match=r"the disk became full while .* free some space and run again"):
        write_arrays(tmp_path, {"c": np.ones(9)}, {})
    assert list(tmp_path.iterdir()) == [path_of(tmp_path, before.digest)]


def test_other_failures_of_the_disk_stay_what_they_are(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(errno.EIO, "broken")))
    with pytest.raises(OSError, match="broken") as caught:
        write_arrays(tmp_path, ARRAYS, {})
    assert not isinstance(caught.value, StoreError)
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_said_before_writing(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9 - 5000, 5000))
    with pytest.raises(StoreError, match=r"the disk is full: .* has 4.9 KiB left and needs 1.0 MiB"):
        write_arrays(tmp_path, ARRAYS, {})
    assert not list(tmp_path.iterdir())


def test_a_text_is_replaced_as_a_whole(tmp_path, monkeypatch):
    path = tmp_path / "text.json"
    write_text(path, "old")
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        write_text(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 bytes"), (1536, "1.5 KiB"), (3 << 20, "3.0 MiB"), (5 << 40, "5120.0 GiB")]
)
def test_sizes_are_readable(size, text):
    assert readable_size(size) == text


def test_margin_leaves_room_for_the_ledger():
    assert files.MARGIN >= 1 << 20
