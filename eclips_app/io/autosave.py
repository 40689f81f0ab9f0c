"""Safety copies of unsaved work: written now and then, dropped on a clean end, offered again after a crash.

Every running window holds a lock on a file beside its copy; the system lets go of the lock when the process ends, however
that happens. A copy whose lock is free was left behind.
"""

from __future__ import annotations

import contextlib
import os
import sys
import uuid
from pathlib import Path
from typing import IO

import platformdirs

_SUFFIX = ".eclips"
_own: _Copy | None = None


def folder() -> Path:
    """Give the folder of the safety copies, in the user's state folder; it is made if missing."""
    path = _folder()
    path.mkdir(parents=True, exist_ok=True)
    return path


def own_path() -> Path:
    """Give where this process keeps its safety copy; from now on others see it as in use."""
    global _own
    if _own is None:
        _own = _Copy(folder() / f"{os.getpid()}-{uuid.uuid4().hex[:8]}{_SUFFIX}")
    return _own.path


def discard_own() -> None:
    """Drop this process's safety copy: the work is saved, or not wanted. Nothing happens if there is none."""
    global _own
    if _own is not None:
        _own.drop()
        _own = None


def recoverable() -> list[Path]:
    """Give the safety copies that ended processes left behind, the newest first; each opens like a project."""
    # Names that begin with a dot are copies being written.
    found = [path for path in _folder().glob(f"*{_SUFFIX}") if not path.name.startswith(".") and not _in_use(path)]
    return sorted(found, key=lambda path: path.stat().st_mtime, reverse=True)


def discard(path: Path) -> None:
    """Delete a safety copy that was left behind."""
    path.unlink(missing_ok=True)
    _lock_path(path).unlink(missing_ok=True)


def _folder() -> Path:
    return Path(platformdirs.user_state_dir("eclips", appauthor=False)) / "recovery"


class _Copy:
    """The place of a safety copy, with the lock that says it is in use."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = _lock_path(path).open("wb")
        _lock(self._lock)

    def drop(self) -> None:
        self._lock.close()
        discard(self.path)


def _lock_path(path: Path) -> Path:
    return path.with_suffix(".lock")


def _in_use(path: Path) -> bool:
    if _own is not None and path == _own.path:
        return True
    with contextlib.suppress(FileNotFoundError), _lock_path(path).open("r+b") as file:
        return not _lock(file)
    return False


def _lock(file: IO[bytes]) -> bool:
    """Take the lock of an open file without waiting; closing the file lets go of it. False if another has it."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
