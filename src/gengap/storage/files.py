"""Files that are whole or absent: written aside, flushed to the disk, and named after the digest of their content."""

import errno
import os
import re
import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

from gengap.errors import StoreError
from gengap.storage.tensors import Array, decode, encode

SUFFIX = ".safetensors"
PART = ".part"
MARGIN = 1 << 20
"""Bytes that stay free beside a file, for the ledger's own pages."""

_DIGEST = re.compile(r"[0-9a-f]{64}")
_RANDOM = re.compile(r"((manifest|writer)\.json\.)?[0-9a-f]{32}\.part")
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_FORBIDDEN = {
    errno.EACCES, errno.EEXIST, errno.ELOOP, errno.ENAMETOOLONG, errno.ENOENT, errno.ENOTDIR, errno.EPERM, errno.EROFS,
    errno.ESTALE,
}  # fmt: skip


@dataclass(frozen=True)
class Blob:
    """A file of arrays: the digest that is its name, and its length in bytes."""

    digest: str
    size: int


def path_of(folder: Path, digest: str) -> Path:
    """Return where the file of `digest` lies.

    Raises:
        StoreError: `digest` is not one, so that no path made from a ledger leaves the folder.
    """
    if not _DIGEST.fullmatch(digest):
        raise StoreError(f"the ledger of {folder.parent} names a file that no store writes: {digest[:80]!r}")
    return folder / f"{digest}{SUFFIX}"


def write_arrays(folder: Path, arrays: Mapping[str, Array], meta: Mapping[str, Any]) -> Blob:
    """Write arrays and JSON values as one file; when this returns, the disk has it.

    Args:
        folder: Where the file goes.
        arrays: Numbers or booleans of any shape, by name.
        meta: Values that JSON can hold.

    Returns:
        The digest that names the file, and its size.

    Raises:
        StoreError: An array holds objects or text; or the disk is full (nothing is left behind then).
    """
    content = encode(arrays, meta)
    size = len(content)
    require_space(folder, size)
    part_path = folder / f"{uuid.uuid4().hex}{PART}"
    digest = blake2b(content, digest_size=32)
    with saying_unwritable(folder), saying_full(folder, size), _removed_on_failure(part_path):
        with part_path.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        blob = Blob(digest.hexdigest(), size)
        part_path.replace(path_of(folder, blob.digest))
        sync_folder(folder)
    return blob


def read_arrays(folder: Path, blob: Blob) -> tuple[dict[str, Array], dict[str, Any]]:
    """Return the arrays and values of a file after its digest was found right.

    Raises:
        StoreError: The file is missing, shorter or longer than written, or its content changed.
    """
    return decode(_checked(path_of(folder, blob.digest), blob))


def find_damage(folder: Path, blob: Blob) -> str | None:
    """Return what is wrong with a file as a clause, or None where its content is what was written."""
    try:
        _checked(path_of(folder, blob.digest), blob)
    except StoreError as error:
        return str(error)
    return None


def write_text(path: Path, text: str) -> None:
    """Replace a text file as a whole; a crash leaves the old one or the new one.

    Raises:
        StoreError: The disk is full (the old file stands).
    """
    part_path = path.with_name(f"{path.name}.{uuid.uuid4().hex}{PART}")
    with saying_unwritable(path.parent), saying_full(path.parent, len(text)), _removed_on_failure(part_path):
        with part_path.open("x", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        part_path.replace(path)
        sync_folder(path.parent)


def whole_or_damaged(folder: Path) -> set[Path]:
    """Return the files of a folder whose names are digests; links and whatever else lies there are left out."""
    return {path for path in folder.glob(f"*{SUFFIX}") if _DIGEST.fullmatch(path.stem) and _is_plain(path)}


def remove_if_ours(path: Path) -> None:
    """Remove a file that its name says is of arrays if its content has that digest, so that a store wrote it."""
    if _is_plain(path) and find_damage(path.parent, Blob(path.stem, path.stat().st_size)) is None:
        path.unlink(missing_ok=True)


def remove_parts(folder: Path) -> None:
    """Remove what a writer left that was killed inside a write, known by its random name; the lock must be held."""
    for path in folder.glob(f"*{PART}"):
        if is_part(path):
            path.unlink(missing_ok=True)


def is_part(path: Path) -> bool:
    """Say whether a file has a name that `write_arrays` or `write_text` gives while it writes."""
    return _RANDOM.fullmatch(path.name) is not None and _is_plain(path)


def require_space(folder: Path, size: int) -> None:
    """Check that `size` bytes still fit.

    Raises:
        StoreError: They do not; the sentence says how many are needed and free.
    """
    with saying_unwritable(folder):
        free = shutil.disk_usage(folder).free
    if free < size + MARGIN:
        raise StoreError(
            f"the disk is full: {folder} has {readable_size(free)} left and needs {readable_size(size + MARGIN)}. "
            "What is stored is safe; free some space and run again to continue",
        )


@contextmanager
def saying_full(folder: Path, size: int) -> Iterator[None]:
    """Turn the system's error of a full disk into a `StoreError` with a sentence."""
    try:
        yield
    except OSError as error:
        if isinstance(error, StoreError) or error.errno not in _FULL:
            raise
        raise StoreError(
            f"the disk became full while {readable_size(size)} were written to {folder} ({os.strerror(error.errno)}). "
            "What is stored is safe; free some space and run again to continue",
        ) from error


@contextmanager
def saying_unwritable(folder: Path, *, new: bool = False) -> Iterator[None]:
    """Turn what the system says of a folder that is gone, read-only or forbidden into a `StoreError`."""
    try:
        yield
    except OSError as error:
        if isinstance(error, StoreError) or error.errno not in _FORBIDDEN:
            raise
        if error.errno == errno.ENOENT and not new and not folder.is_dir():
            raise StoreError(
                f"the folder {folder} is gone, so nothing more can be stored: it was moved or removed. Put it back "
                "and run again to continue"
            ) from error
        said = error.strerror or str(error)
        raise StoreError(
            f"{folder} cannot be written to ({said}): ask for the right to write there, or choose another folder"
        ) from error


def sync_folder(folder: Path) -> None:
    """Flush a folder's entries, so that a rename survives a power cut (POSIX; elsewhere nothing to do)."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _removed_on_failure(path: Path) -> Iterator[None]:
    try:
        yield
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _is_plain(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def _checked(path: Path, blob: Blob) -> bytearray:
    try:
        content = bytearray(blob.size)
        with path.open("rb") as file:
            whole = file.readinto(content) == blob.size and not file.read(1)
    except FileNotFoundError:
        raise StoreError(f"{path.name} is missing") from None
    except OSError as error:
        raise StoreError(f"{path.name} cannot be read: {error.strerror}") from error
    if not whole:
        raise StoreError(f"{path.name} is not of the {blob.size} bytes that were written")
    if blake2b(content, digest_size=32).hexdigest() != blob.digest:
        raise StoreError(f"{path.name} has changed since it was written: its checksum is wrong")
    return content


def readable_size(size: int) -> str:
    """Return a number of bytes as people read it: `"3.2 MiB"`."""
    value = float(size)
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if value < 1024 or unit == "GiB":
            return f"{value:.0f} {unit}" if unit == "bytes" else f"{value:.1f} {unit}"
        value /= 1024
    raise AssertionError
