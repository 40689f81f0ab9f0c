"""Weights of networks as safetensors files: 8 bytes with the length of a JSON header, the header, then raw little-endian values.

Nothing in such a file is ever executed. What does not fit the format to the byte is refused.
Format: https://github.com/huggingface/safetensors (README, "Format").
"""

from __future__ import annotations

import json
import math
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch

from eclips_app.core.errors import EclipsError

_TYPES = {
    "F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16, "I64": torch.int64,
    "I32": torch.int32, "I16": torch.int16, "I8": torch.int8, "U8": torch.uint8, "BOOL": torch.bool,
}  # fmt: skip
_NAMES = {dtype: name for name, dtype in _TYPES.items()}
_LENGTH = 8  #: bytes that hold the header's length
_LONGEST_HEADER = 10_000_000
_LARGEST_DIMENSION = 1 << 40
_LARGEST_FILE = 1 << 30

Tensors = dict[str, torch.Tensor]
Net = TypeVar("Net", bound=torch.nn.Module)


def write_weights(path: Path, tensors: Mapping[str, torch.Tensor], metadata: Mapping[str, str]) -> None:
    """Write tensors and texts about them; the file is there complete or not at all."""
    header: dict[str, Any] = {"__metadata__": dict(sorted(metadata.items()))}
    parts, end = [], 0
    # Wide types first keep every tensor aligned to its own size.
    for name, tensor in sorted(tensors.items(), key=lambda item: (-item[1].element_size(), item[0])):
        flat = tensor.detach().cpu().contiguous().reshape(-1)
        parts.append(flat.view(torch.uint8).numpy().tobytes())
        begin, end = end, end + len(parts[-1])
        header[name] = {"dtype": _NAMES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [begin, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _LENGTH)
    write_whole(path, b"".join([len(text).to_bytes(_LENGTH, "little"), text, *parts]))


def write_whole(path: Path, content: bytes) -> None:
    """Write a file by way of a temporary one beside it.

    Raises
    ------
    EclipsError
        The folder is missing or does not let us write.
    """
    try:
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            Path(temporary).chmod(0o644)
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise EclipsError(f"cannot be written ({error.strerror})", where=str(path)) from error


def read_weights(path: Path) -> tuple[Tensors, dict[str, str]]:
    """Give the tensors of a file by name, and the texts about them.

    Raises
    ------
    EclipsError
        The file cannot be read, or is not sound in every byte.
    """
    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise _unsound(path, "it is larger than 1 GiB")
        content = path.read_bytes()
    except OSError as error:
        raise EclipsError(f"cannot be read ({error.strerror})", where=str(path)) from error
    header, start = _header(path, content)
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise _unsound(path, "its metadata are not texts")
    values = bytearray(content[start:])
    places = {name: _place(path, name, entry) for name, entry in header.items()}
    _check_cover(path, [place[2:] for place in places.values()], len(values))
    return {name: _tensor(values, *place) for name, place in places.items()}, metadata


def _unsound(path: Path, why: str) -> EclipsError:
    return EclipsError(f"this is not a sound safetensors file: {why}", where=str(path))


def _header(path: Path, content: bytes) -> tuple[dict[str, Any], int]:
    """Give the header and where the values begin."""
    length = int.from_bytes(content[:_LENGTH], "little")
    if len(content) < _LENGTH or length > min(_LONGEST_HEADER, len(content) - _LENGTH):
        raise _unsound(path, "its header is cut off or too long")
    try:
        header = json.loads(content[_LENGTH : _LENGTH + length], object_pairs_hook=_without_twins)
    except (ValueError, RecursionError) as error:  # wrong JSON, not UTF-8, or nested without end
        raise _unsound(path, "its header is not JSON with each key once") from error
    if not isinstance(header, dict):
        raise _unsound(path, "its header is not an object")
    return header, _LENGTH + length


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice")
    return found


def _place(path: Path, name: str, entry: Any) -> tuple[torch.dtype, list[int], int, int]:
    """Give type, shape, first byte and end of a tensor."""
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise _unsound(path, f"the entry of '{name}' is not dtype, shape and data_offsets")
    dtype = _TYPES.get(entry["dtype"]) if isinstance(entry["dtype"], str) else None
    if dtype is None:
        raise _unsound(path, f"the type of '{name}' is unknown")
    shape, offsets = entry["shape"], entry["data_offsets"]
    if not _whole(shape) or not _whole(offsets) or len(offsets) != 2 or len(shape) > 16:
        raise _unsound(path, f"shape or offsets of '{name}' are not whole numbers")
    if offsets[1] - offsets[0] != math.prod(shape) * dtype.itemsize:
        raise _unsound(path, f"'{name}' does not have the bytes of its shape")
    return dtype, shape, offsets[0], offsets[1]


def _whole(values: Any) -> bool:
    return isinstance(values, list) and all(type(n) is int and 0 <= n < _LARGEST_DIMENSION for n in values)


def _check_cover(path: Path, places: list[tuple[int, int]], size: int) -> None:
    """Make sure that the tensors lie end to end and fill the file."""
    at = 0
    for begin, end in sorted(places):
        if begin != at:
            raise _unsound(path, "its tensors overlap or leave gaps")
        at = end
    if at != size:
        raise _unsound(path, "its tensors do not fill it")


def _tensor(values: bytearray, dtype: torch.dtype, shape: list[int], begin: int, end: int) -> torch.Tensor:
    if begin == end:
        return torch.empty(shape, dtype=dtype)
    part = torch.frombuffer(values, dtype=torch.uint8, count=end - begin, offset=begin).clone()  # aligned by the copy
    return part.view(dtype).reshape(shape)


def check_output(path: str) -> Path:
    """Give the path of weights to write.

    Raises
    ------
    EclipsError
        Another suffix than .safetensors, or no such folder.
    """
    output = Path(path)
    if output.suffix != ".safetensors":
        raise EclipsError("weights are written as .safetensors", where=path, hint="Give a name with that suffix.")
    if not output.absolute().parent.is_dir():
        raise EclipsError("this folder does not exist", where=str(output.absolute().parent), hint="Make it first.")
    return output


def put_into(net: Net, tensors: Tensors, where: str, device: torch.device | None = None) -> Net:
    """Give a network ready to use, on the processor by default, with weights that were read.

    Raises
    ------
    EclipsError
        They are not those of such a network.
    """
    try:
        net.load_state_dict(tensors)
    except RuntimeError as error:
        raise EclipsError("its tensors do not fit the network that it describes", where=where) from error
    return net.to(device or torch.device("cpu")).eval().requires_grad_(False)
