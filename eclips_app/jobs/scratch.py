"""Arrays that the window's process and the engine processes share: files mapped into memory.

Plain files rather than `multiprocessing.shared_memory`, whose resource tracker on Python 3.11 removes what is still in
use. Space is reserved before it is written, because running out of it inside a mapping would kill the process.
"""

from __future__ import annotations

import errno
import mmap
import os
import re
import shutil
import sys
import tempfile
import uuid
import weakref
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eclips_app.core.errors import EclipsError

#: An array, or equal-sized arrays that are stacked along a new first axis while they are copied.
ArrayInput = NDArray[Any] | Sequence[NDArray[Any]]

_ALIGNMENT = 64  # bytes; a cache line, enough for every vector instruction
_SPARE_BYTES = 64 << 20
_NAME = re.compile(r"eclips_(\d+)_\w+")
_undeletable: set[Path] = set()  # Windows keeps a file while any process maps it


@dataclass(frozen=True)
class SharedArray:
    """Where the elements of an array lie, so that another process can map them; strides and offset in bytes."""

    name: str
    path: str
    dtype: str
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int


class _Mapping(mmap.mmap):
    """A scratch file mapped read-only. Every array made from it keeps it alive through `ndarray.base`."""

    path: Path
    finalizer: weakref.finalize[Any, Any] | None = None


class Scratch:
    """Makes and opens shared arrays; a file goes when the last array that rests on it does, or when its owner ends.

    Parameters
    ----------
    owner : int, optional
        Id of the process whose end makes the files litter (see `sweep`): the window's. Default: this process.
    tag : str
        Part of the file names, letters and digits, that tells the engine processes of one owner apart.
    folders : sequence of Path, optional
        Where files may be, the preferred place first. Default: memory (/dev/shm) where there is one, then the temp folder.
    """

    def __init__(self, owner: int | None = None, tag: str = "w", folders: Sequence[Path] | None = None) -> None:
        self.owner = os.getpid() if owner is None else owner
        self.tag = tag
        self.folders = tuple(folders) if folders is not None else default_folders()
        self._open: weakref.WeakValueDictionary[str, _Mapping] = weakref.WeakValueDictionary()

    def put(self, arrays: Mapping[str, ArrayInput]) -> dict[str, NDArray[Any]]:
        """Give equal, read-only arrays that are shared; what is shared already is not copied.

        All copies of one call lie in one file, so that a result costs one file handle.

        Raises
        ------
        EclipsError
            If there is no room, or arrays to be stacked differ in shape.
        TypeError
            If an array holds other things than numbers or truth values.
        """
        shared = {name: value for name, value in arrays.items() if is_shared(value)}
        layouts: dict[str, tuple[np.dtype[Any], tuple[int, ...], int]] = {}
        size = 0
        for name, value in arrays.items():
            if name not in shared:
                dtype, shape = _form(name, value)
                layouts[name] = dtype, shape, size
                size += -(-dtype.itemsize * int(np.prod(shape, dtype=np.int64)) // _ALIGNMENT) * _ALIGNMENT
        if layouts:
            mapping = self._write(size, arrays, layouts)
            for name, (dtype, shape, offset) in layouts.items():
                shared[name] = np.ndarray(shape, dtype, mapping, offset)
        return {name: np.asarray(shared[name]) for name in arrays}

    def open(self, shared: Iterable[SharedArray], *, adopt: bool = False) -> dict[str, NDArray[Any]]:
        """Map arrays of another process, read-only.

        Parameters
        ----------
        shared : iterable of SharedArray
            What the other process gave.
        adopt : bool
            Whether the files are this process's to remove from now on.
        """
        opened = {}
        for item in shared:
            mapping = self._open.get(item.path) or self._map(Path(item.path), adopt)
            opened[item.name] = np.ndarray(item.shape, np.dtype(item.dtype), mapping, item.offset, item.strides)
        return opened

    def forget(self, tag: str) -> None:
        """Remove the files that an ended engine process left and nobody here has taken over."""
        for folder in self.folders:
            for path in folder.glob(f"eclips_{self.owner}_{tag}_*"):
                if str(path) not in self._open:
                    _remove(path)

    def _write(
        self,
        size: int,
        arrays: Mapping[str, ArrayInput],
        layouts: Mapping[str, tuple[np.dtype[Any], tuple[int, ...], int]],
    ) -> _Mapping:
        path = self._reserve(max(size, 1))
        try:
            with path.open("r+b") as file:
                writable = mmap.mmap(file.fileno(), 0)
            for name, (dtype, shape, offset) in layouts.items():
                _copy(arrays[name], np.ndarray(shape, dtype, writable, offset))
            return self._map(path, adopt=True)
        except BaseException:
            _remove(path)
            raise

    def _reserve(self, size: int) -> Path:
        """Make a file of `size` bytes in the first folder that has room."""
        for leftover in tuple(_undeletable):
            _remove(leftover)
        for folder in self.folders:
            if free_bytes(folder) < size + _SPARE_BYTES:
                continue
            path = folder / f"eclips_{self.owner}_{self.tag}_{uuid.uuid4().hex}"
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
            try:
                _fill(descriptor, size)
                return path
            except OSError as error:
                _remove(path)
                if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                    raise
            finally:
                os.close(descriptor)
        places = ", ".join(f"{max(free_bytes(f), 0) / 1e9:.1f} GB in {f}" for f in self.folders)
        raise EclipsError(
            f"there is no room for {size / 1e9:.1f} GB of image data (free: {places})",
            hint="Crop the images, close other programs, or free space on the disk.",
        )

    def _map(self, path: Path, adopt: bool) -> _Mapping:
        with path.open("rb") as file:
            mapping = _Mapping(file.fileno(), 0, access=mmap.ACCESS_READ)
        mapping.path = path
        if adopt:
            mapping.finalizer = weakref.finalize(mapping, _remove_own, path, os.getpid())
        self._open[str(path)] = mapping
        return mapping


def is_shared(value: ArrayInput) -> bool:
    """Whether an array lies in a scratch file."""
    return isinstance(value, np.ndarray) and _mapping_of(value) is not None


def describe(arrays: Mapping[str, NDArray[Any]], *, hand_over: bool = False) -> tuple[SharedArray, ...]:
    """Say where shared arrays lie; with `hand_over` their files are left for the receiver to remove.

    The caller keeps the arrays until the receiver has opened them, unless it handed them over.
    """
    described = []
    for name, array in arrays.items():
        mapping = _mapping_of(array)
        if mapping is None:
            raise TypeError(f"array '{name}' is not shared")
        start = np.frombuffer(mapping, np.uint8).ctypes.data
        offset = array.ctypes.data - start if array.size else 0
        described.append(SharedArray(name, str(mapping.path), array.dtype.str, array.shape, array.strides, offset))
        if hand_over and mapping.finalizer is not None:
            mapping.finalizer.detach()
    return tuple(described)


def sweep(folders: Sequence[Path] | None = None) -> int:
    """Remove the scratch files of programs that are gone, and give how many there were."""
    count = 0
    for folder in folders if folders is not None else default_folders():
        for path in folder.glob("eclips_*"):
            match = _NAME.fullmatch(path.name)
            if match and not _is_running(int(match[1])):
                _remove(path)
                count += 1
    return count


def allow_many_files(count: int = 8192) -> None:
    """Let this process hold that many files open if the system permits: each result in use costs one."""
    if sys.platform != "win32":
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        limit = count if hard == resource.RLIM_INFINITY else min(count, hard)
        if soft != resource.RLIM_INFINITY and soft < limit:
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))


def default_folders() -> tuple[Path, ...]:
    """Give where shared arrays may lie: in memory where the system offers it, else in the temp folder."""
    memory = Path("/dev/shm")
    temp = Path(tempfile.gettempdir())
    return (memory, temp) if memory.is_dir() and os.access(memory, os.W_OK) else (temp,)


def free_bytes(folder: Path) -> int:
    """Give the room in a folder, in bytes; one in memory also shrinks with the memory that other programs use."""
    free = shutil.disk_usage(folder).free
    meminfo = Path("/proc/meminfo")
    if folder == Path("/dev/shm") and meminfo.exists():
        available = re.search(r"MemAvailable:\s+(\d+) kB", meminfo.read_text())
        if available:
            free = min(free, int(available[1]) * 1024 * 3 // 4)  # the step itself needs memory too
    return free


def _form(name: str, value: ArrayInput) -> tuple[np.dtype[Any], tuple[int, ...]]:
    parts = [value] if isinstance(value, np.ndarray) else list(value)
    dtype = np.result_type(*(part.dtype for part in parts)) if len(parts) > 1 else parts[0].dtype
    if dtype.kind not in "biufc":
        raise TypeError(f"array '{name}' holds {dtype}, not numbers")
    if any(part.shape != parts[0].shape for part in parts):
        raise EclipsError(f"the images of '{name}' differ in size", hint="Give images of equal size.")
    return dtype, parts[0].shape if isinstance(value, np.ndarray) else (len(parts), *parts[0].shape)


def _copy(source: ArrayInput, target: NDArray[Any]) -> None:
    if isinstance(source, np.ndarray):
        np.copyto(target, source)
    else:
        for part, place in zip(source, target, strict=True):
            np.copyto(place, part)


def _fill(descriptor: int, size: int) -> None:
    """Give a file real space, so that a full disk is an error here and no fatal fault later."""
    try:
        os.posix_fallocate(descriptor, 0, size)
    except (AttributeError, OSError) as error:  # not on macOS and Windows, nor on every file system
        if isinstance(error, OSError) and error.errno not in (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS):
            raise
        block = memoryview(bytes(1 << 20))
        while size > 0:
            size -= os.write(descriptor, block[:size])


def _mapping_of(array: NDArray[Any]) -> _Mapping | None:
    base: Any = array
    while isinstance(base, np.ndarray):
        base = base.base
    if isinstance(base, memoryview):
        base = base.obj
    return base if isinstance(base, _Mapping) else None


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
        _undeletable.discard(path)
    except PermissionError:
        _undeletable.add(path)


def _remove_own(path: Path, process: int) -> None:
    if os.getpid() == process:  # not in a forked child, which inherits the finalizer
        _remove(path)


def _is_running(process: int) -> bool:
    if sys.platform == "win32":
        import ctypes

        handle = ctypes.windll.kernel32.OpenProcess(0x1000, False, process)  # PROCESS_QUERY_LIMITED_INFORMATION
        ctypes.windll.kernel32.CloseHandle(handle)
        return bool(handle)
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True  # another user's
    except OverflowError:
        return False
    return True
