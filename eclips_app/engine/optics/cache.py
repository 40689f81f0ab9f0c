"""Results of the electron optics kept on disk, found by a hash of all that they follow from.

The folder is that of the environment variable ECLIPS_CACHE, else ``eclips`` in the user's folder for caches. It is a cache and
no more: a file that is damaged or cannot be written is computed again without a word, and the oldest files make room.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Arrays = dict[str, NDArray[Any]]

_LIMIT_BYTES = 256 << 20
_SUFFIX = ".npz"


def folder() -> Path:
    """Give the folder of the cache; it need not exist."""
    chosen = os.environ.get("ECLIPS_CACHE")
    if chosen:
        return Path(chosen)
    home = Path.home()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", home / "AppData" / "Local")) / "eclips" / "cache"
    if sys.platform == "darwin":
        return home / "Library" / "Caches" / "eclips"
    return Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache") / "eclips"


def kept(kind: str, inputs: Any, names: tuple[str, ...], compute: Callable[[], Arrays]) -> Arrays:
    """Give the arrays `names` that `compute` makes, from the disk where they are there.

    Parameters
    ----------
    kind : str
        What it is and the version of what makes it; part of the file's name.
    inputs : JSON value
        All that the result follows from.
    """
    key = hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()[:32]
    path = folder() / f"{kind}-{key}{_SUFFIX}"
    found = _read(path, names)
    if found is None:
        found = compute()
        _write(path, found)
    return found


def _read(path: Path, names: tuple[str, ...]) -> Arrays | None:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as data:
            found = {name: data[name] for name in names}
        os.utime(path)  # the least recently used goes first
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    return found


def _write(path: Path, arrays: Arrays) -> None:
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, suffix=".part")
        try:
            with os.fdopen(handle, "wb") as file:
                np.savez(file, allow_pickle=False, **arrays)
            Path(name).replace(path)
        except OSError:
            Path(name).unlink(missing_ok=True)
            raise
        _make_room(path.parent)


def _make_room(where: Path) -> None:
    """Remove the least recently used files above the limit."""
    files = sorted(((f.stat().st_mtime, f.stat().st_size, f) for f in where.glob(f"*{_SUFFIX}")), reverse=True)
    total = 0
    for _, size, file in files:
        total += size
        if total > _LIMIT_BYTES:
            file.unlink(missing_ok=True)
