"""Files written whole or not at all: into a temporary file beside the target, then put in its place."""

from __future__ import annotations

import contextlib
import errno
import glob
import os
import shutil
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from eclips_app.core.errors import EclipsError

_PART = ".part"


@contextlib.contextmanager
def whole_file(path: str | Path, *, keep: int = 0) -> Iterator[Path]:
    """Give a temporary path to write to; leaving the block puts the file in place of `path`.

    If the block raises, the temporary file is removed and what stood at `path` is untouched.

    Parameters
    ----------
    path : str or Path
        The target. A link is followed.
    keep : int
        How many earlier versions stay as ``name.1.suffix`` (the newest) and so on.

    Raises
    ------
    EclipsError
        If the folder is missing or cannot be written, or the disk is full.
    """
    target = check_target(path)
    stem = f".{target.stem[:80]}"
    _remove_leftovers(target.parent, stem, target.suffix)
    temporary = target.with_name(f"{stem}.{uuid.uuid4().hex[:8]}{_PART}{target.suffix}")
    try:
        yield temporary
        _flush_to_disk(temporary)
        if target.exists():
            shutil.copymode(target, temporary)
        _keep_earlier(target, keep)
        temporary.replace(target)
    except OSError as error:
        raise write_error(target, error) from error
    finally:
        temporary.unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # some network file systems flush no folders
        _flush_to_disk(target.parent)


def earlier_version(path: Path, number: int) -> Path:
    """Give the path of the `number`-th last version of a file, 1 for the newest."""
    return path.with_name(f"{path.stem}.{number}{path.suffix}")


def write_error(path: Path, error: OSError) -> EclipsError:
    """Say in one sentence why a file could not be written."""
    if error.errno in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT):
        return EclipsError(
            "the disk is full, nothing was changed", where=str(path), hint="Free some space or choose another place."
        )
    reason = error.strerror or str(error)
    return EclipsError(
        f"the file cannot be written ({reason}), nothing was changed", where=str(path), hint="Choose another place."
    )


def check_target(path: str | Path) -> Path:
    """Give the file that a path leads to, for writing; raises `EclipsError` if that is not possible."""
    target = Path(path).expanduser().resolve()
    if not target.name:
        raise EclipsError("no file name was given", where=str(target))
    if target.is_dir():
        raise EclipsError("this is a folder", where=str(target), hint="Give the name of a file.")
    if not target.parent.is_dir():
        raise EclipsError(f"the folder '{target.parent}' does not exist", where=target.name, hint="Make it first.")
    if target.exists() and not os.access(target, os.W_OK):
        raise EclipsError("the file is write-protected", where=str(target), hint="Choose another name.")
    return target


def _remove_leftovers(folder: Path, stem: str, suffix: str) -> None:
    """Take away what a crash left behind; a file written to within the last hour may be another process's."""
    for left in folder.glob(f"{glob.escape(stem)}.*{_PART}{glob.escape(suffix)}"):
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime > 3600:
                left.unlink()


def _flush_to_disk(path: Path) -> None:
    """Have the system write a file or (where it can) a folder's list to the disk."""
    if path.is_dir() and os.name == "nt":
        return  # Windows opens no folders
    # Windows flushes only what is open for writing.
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _keep_earlier(target: Path, keep: int) -> None:
    """Move the kept versions one on; the target itself stays where it is the whole time."""
    if keep < 1 or not target.exists():
        return
    for number in range(keep - 1, 0, -1):
        kept = earlier_version(target, number)
        if kept.exists():
            kept.replace(earlier_version(target, number + 1))
    newest = earlier_version(target, 1)
    newest.unlink(missing_ok=True)
    try:
        os.link(target, newest)
    except OSError:  # a file system without hard links
        _copy_whole(target, newest)


def _copy_whole(source: Path, target: Path) -> None:
    try:
        shutil.copy2(source, target)
    except OSError:
        target.unlink(missing_ok=True)
        raise
