"""The project file: HDF5, suffix ``.eclips``, readable by any HDF5 program, written whole or not at all."""

from __future__ import annotations

import contextlib
import io
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from eclips_app.core.context import Context, SilentContext
from eclips_app.core.errors import EclipsError
from eclips_app.core.steps import Arrays, LoadProject, SaveProject, StepResult
from eclips_app.io import project_layout as layout
from eclips_app.io.atomic import earlier_version, whole_file

SUFFIX = ".eclips"

#: Deflate makes data at most this much smaller; an array that claims more is not backed by data.
_MOST_COMPRESSION = 1100


def save_step(inputs: Arrays, params: SaveProject, context: Context) -> StepResult:
    """Write a project; the step ``save-project``."""
    path = write_project(params.path, params.state, inputs, keep=params.keep, context=context)
    return StepResult(info={"path": str(path)})


def load_step(inputs: Arrays, params: LoadProject, context: Context) -> StepResult:
    """Read a project; the step ``load-project``."""
    state, arrays = read_project(params.path, context)
    return StepResult(arrays, {"state": state, "path": params.path})


def write_project(
    path: str | Path,
    state: Mapping[str, Any],
    arrays: Mapping[str, NDArray[Any]],
    *,
    keep: int = 3,
    context: Context | None = None,
) -> Path:
    """Write a project beside its target, read it back, compare every array, and only then put it in place.

    Parameters
    ----------
    path : str or Path
        Target; the suffix ``.eclips`` is added if there is none.
    state, arrays : mapping
        What `model.snapshot.to_state` gave.
    keep : int
        Earlier versions that stay as ``name.1.eclips`` and so on.

    Returns
    -------
    Path
        Where it was written.

    Raises
    ------
    EclipsError
        If it cannot be written or does not read back alike; what stood there is untouched.
    """
    context = context or SilentContext()
    target = Path(path) if Path(path).suffix else Path(path).with_suffix(SUFFIX)
    content: dict[str, Any] = json.loads(json.dumps(state, allow_nan=False))
    with whole_file(target, keep=keep) as temporary:
        with _writing(temporary) as file:
            hashes = layout.write_content(file, content, arrays, context)
        _verify(temporary, content, hashes, context)
    context.progress(1.0, "Saved")
    return target


def read_project(path: str | Path, context: Context | None = None) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Read state and arrays of a project.

    Raises
    ------
    EclipsError
        If the file is missing, no project, damaged, or from a newer program.
    """
    state = read_state(path)
    return state, read_arrays(path, layout.array_keys(state), context)


def read_arrays(path: str | Path, keys: Sequence[str], context: Context | None = None) -> dict[str, NDArray[Any]]:
    """Read some arrays of a project by their keys; raises as `read_project`."""
    context = context or SilentContext()
    arrays = {}
    with _reading(Path(path)) as file:
        for i, key in enumerate(keys):
            context.progress(i / len(keys), "Reading")
            arrays[key] = _read_array(file, key)
    context.progress(1.0, "Read")
    return arrays


def read_state(path: str | Path) -> dict[str, Any]:
    """Read what a project holds without its arrays; raises as `read_project`."""
    with _reading(Path(path)) as file:
        return _read_state(file)


def array_shapes(path: str | Path) -> dict[str, tuple[tuple[int, ...], str]]:
    """Give shape and type of every array of a project by key, without reading them; raises as `read_project`."""
    with _reading(Path(path)) as file:
        found = {key: _find_array(file, key) for key in layout.array_keys(_read_state(file))}
        return {
            key: (dataset.shape if index is None else dataset.shape[1:], str(dataset.dtype))
            for key, (dataset, index) in found.items()
        }


class _Sink(io.RawIOBase):
    """A file that HDF5 writes to. After a failed write it pretends, so that HDF5 can close; `error` says what happened.

    Left to itself, HDF5 keeps a file open for good that it cannot flush, and tries again when the process ends.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("x+b", buffering=0)
        self.error: OSError | None = None

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def readinto(self, buffer: Any, /) -> int:
        view = memoryview(buffer).cast("B")
        done = 0
        while done < len(view) and (count := self._file.readinto(view[done:])):
            done += count
        return done

    def write(self, data: Any, /) -> int:
        left = memoryview(data).cast("B")
        size = len(left)
        try:
            while len(left) and self.error is None:
                left = left[self._file.write(left) :]
        except OSError as error:
            self.error = error
        return size

    def truncate(self, size: int | None = None, /) -> int:
        try:
            return self._file.truncate(size)
        except OSError as error:
            self.error = self.error or error
            return size or 0

    def close(self) -> None:
        self._file.close()
        super().close()


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[h5py.File]:
    sink = _Sink(path)
    try:
        # Attributes above 64 KiB need the format of 1.8, virtual datasets that of 1.10.
        with h5py.File(sink, "w", libver=("v108", "v110")) as file:
            yield file
    except (OSError, RuntimeError):
        if sink.error is None:
            raise
    finally:
        sink.close()
    if sink.error is not None:
        raise sink.error


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[h5py.File]:
    if not path.is_file():
        raise EclipsError("there is no such file", where=str(path))
    if not h5py.is_hdf5(path):
        raise EclipsError("this is no ECLIPS project, or it is damaged", where=str(path), hint=_earlier_hint(path))
    try:
        with h5py.File(path, "r", locking=False) as file:
            yield file
    except EclipsError as error:
        raise EclipsError(error.what, where=str(path), hint=error.hint or _earlier_hint(path)) from error
    except (OSError, LookupError, ValueError, TypeError, RuntimeError, RecursionError) as error:
        text = "the project is damaged and cannot be read"
        raise EclipsError(text, where=str(path), hint=_earlier_hint(path)) from error


def _earlier_hint(path: Path) -> str:
    earlier = earlier_version(path, 1)
    return f"Open the version saved before it, {earlier.name}." if earlier.is_file() else ""


def _read_state(file: h5py.File) -> dict[str, Any]:
    schema, _, version = str(file.attrs.get("schema", "")).partition("/")
    if schema != layout.SCHEMA:
        raise EclipsError("this HDF5 file is no ECLIPS project")
    if not version.isdecimal() or int(version) > layout.LAYOUT_VERSION:
        hint = "Open it with a newer version of ECLIPS."
        raise EclipsError(f"the version {version} of the project is not known", hint=hint)
    dataset = _own_dataset(file, "state")
    if h5py.check_string_dtype(dataset.dtype) is None or dataset.shape != ():
        raise EclipsError("the project is damaged: 'state' is no text")
    text = dataset.asstr()[()]
    if layout.text_hash(text) != dataset.attrs.get("sha256"):
        raise EclipsError("the project is damaged: 'state' does not match its checksum")
    state = json.loads(text)
    if not isinstance(state, dict):
        raise EclipsError("the project is damaged: 'state' is no object")
    return state


def _own_dataset(file: h5py.File, path: str) -> h5py.Dataset:
    """Give a dataset that lies in this file; links, virtual datasets and external storage lead elsewhere and are refused."""
    node: Any = file
    for part in path.split("/"):
        if not isinstance(node, h5py.Group) or not isinstance(node.get(part, getlink=True), h5py.HardLink):
            raise EclipsError(f"the project is damaged: '{path}' is missing or leads elsewhere")
        node = node[part]
    if not isinstance(node, h5py.Dataset) or node.is_virtual or node.external:
        raise EclipsError(f"the project is damaged: '{path}' is no array of this file")
    return node


def _find_array(file: h5py.File, key: str) -> tuple[h5py.Dataset, int | None]:
    """Give the dataset that holds an array, and which segment of it (None: all of it)."""
    parts = layout.check_key(key)
    index = None
    if len(parts) == 3:
        dataset = _own_dataset(file, key)
    elif f"{parts[0]}/{parts[1]}/segments" in file:
        dataset = _own_dataset(file, f"{parts[0]}/{parts[1]}/segments/{parts[3]}")
    else:
        dataset, index = _own_dataset(file, "/".join(parts[:3])), int(parts[3])
    if dataset.dtype.kind not in "biuf":
        raise EclipsError(f"the project is damaged: '{key}' does not hold numbers")
    if dataset.nbytes > _MOST_COMPRESSION * dataset.id.get_storage_size():
        raise EclipsError(f"the project is damaged: '{key}' is larger than the data behind it")
    return dataset, index


def _read_array(file: h5py.File, key: str) -> NDArray[Any]:
    dataset, index = _find_array(file, key)
    return np.asarray(dataset[()] if index is None else dataset[index])


def _verify(path: Path, state: dict[str, Any], hashes: Mapping[str, str], context: Context) -> None:
    """Read a file that was just written and compare it with what was to be written."""
    with _reading(path) as file:
        if _read_state(file) != state:
            raise EclipsError("the project did not read back as it was written", hint="Save it at another place.")
        for i, (key, expected) in enumerate(hashes.items()):
            context.progress(0.7 + 0.3 * i / len(hashes), "Checking")
            if layout.array_hash(_read_array(file, key)) != expected:
                raise EclipsError(f"'{key}' did not read back as it was written", hint="Save it at another place.")
