"""Our safetensors files against the format's own library, and hostile ones."""

from __future__ import annotations

import json

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from eclips_app.core.errors import EclipsError
from eclips_app.engine.training.weights import read_weights, write_weights

_TENSORS = {
    "stem.weight": torch.randn(4, 3, generator=torch.Generator().manual_seed(1)),
    "flag": torch.tensor([True, False, True]),
    "count": torch.tensor(7),
    "half": torch.arange(5, dtype=torch.bfloat16),
    "wide": torch.arange(6, dtype=torch.float64).reshape(2, 3).T,  # not contiguous
    "none": torch.empty(0, 3),
}


def _same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[n], b[n]) and a[n].dtype == b[n].dtype for n in a)


def test_our_files_are_read_by_the_library(tmp_path):
    file = tmp_path / "a.safetensors"
    write_weights(file, _TENSORS, {"model": "vft", "note": "µ"})
    assert _same(load_file(file), _TENSORS)


def test_the_librarys_files_are_read_by_us(tmp_path):
    file = tmp_path / "a.safetensors"
    save_file({n: t.contiguous() for n, t in _TENSORS.items()}, file, {"model": "vft"})
    tensors, metadata = read_weights(file)
    assert _same(tensors, _TENSORS)
    assert metadata == {"model": "vft"}


def test_round_trip_and_equal_bytes(tmp_path):
    one, two = tmp_path / "1.safetensors", tmp_path / "2.safetensors"
    write_weights(one, _TENSORS, {"b": "2", "a": "1"})
    write_weights(two, dict(reversed(_TENSORS.items())), {"a": "1", "b": "2"})
    assert _same(read_weights(one)[0], _TENSORS)
    assert one.read_bytes() == two.read_bytes()


def _file(header, data=b"", length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return (len(text) if length is None else length).to_bytes(8, "little") + text + data


def _entry(shape=(2,), offsets=(0, 8), dtype="F32"):
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


_HOSTILE = {
    "empty": b"",
    "cut in the length": b"\x01\x02",
    "length beyond the file": _file({}, length=2**63),
    "not JSON": _file(b"{nothing}"),
    "not UTF-8": _file(b'{"\xff": 1}'),
    "nested": _file(b"[" * 100_000),
    "a list": _file(b"[]"),
    "twins": _file(b'{"a":' + json.dumps(_entry()).encode() + b',"a":' + json.dumps(_entry()).encode() + b"}", bytes(8)),
    "metadata not texts": _file({"__metadata__": {"a": 1}}),
    "metadata a list": _file({"__metadata__": []}),
    "unknown type": _file({"a": _entry(dtype="F8")}, bytes(8)),
    "type a list": _file({"a": _entry(dtype=["F32"])}, bytes(8)),
    "missing key": _file({"a": {"dtype": "F32", "shape": [2]}}, bytes(8)),
    "negative shape": _file({"a": _entry(shape=(-2, -1))}, bytes(8)),
    "true as a size": _file({"a": _entry(shape=(True, 2))}, bytes(8)),
    "wrong bytes": _file({"a": _entry(shape=(3,))}, bytes(8)),
    "huge shape": _file({"a": _entry(shape=(2**62, 4), offsets=(0, 0))}),
    "beyond the end": _file({"a": _entry(offsets=(8, 16))}, bytes(8)),
    "backwards": _file({"a": _entry(offsets=(8, 0))}, bytes(8)),
    "overlap": _file({"a": _entry(), "b": _entry()}, bytes(8)),
    "gap": _file({"a": _entry(), "b": _entry(offsets=(12, 20))}, bytes(20)),
    "rest": _file({"a": _entry()}, bytes(12)),
}  # fmt: skip


@pytest.mark.parametrize("kind", _HOSTILE)
def test_hostile_files_are_refused_in_a_sentence(tmp_path, kind):
    file = tmp_path / "bad.safetensors"
    file.write_bytes(_HOSTILE[kind])
    with pytest.raises(EclipsError, match="not a sound safetensors file"):
        read_weights(file)


@given(st.binary(max_size=64), st.integers(0, 200), st.integers(0, 255))
def test_damaged_files_never_crash(tmp_path_factory, tail, at, value):
    file = tmp_path_factory.mktemp("w") / "a.safetensors"
    write_weights(file, {"a": torch.zeros(3), "b": torch.ones(2, 2)}, {"model": "x"})
    content = bytearray(file.read_bytes())
    content[at % len(content)] = value
    file.write_bytes(bytes(content) + tail)
    try:
        tensors, _ = read_weights(file)
    except EclipsError:
        return
    assert sum(t.numel() * t.element_size() for t in tensors.values()) <= len(content) + len(tail)


def test_missing_file_and_folder_are_told(tmp_path):
    with pytest.raises(EclipsError, match="cannot be read"):
        read_weights(tmp_path / "none.safetensors")
    with pytest.raises(EclipsError, match="cannot be written"):
        write_weights(tmp_path / "no" / "a.safetensors", _TENSORS, {})
