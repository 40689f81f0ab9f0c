"""Mixed precision, where it is faster."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from torch import Tensor, nn


def choose_precision(wanted: str, net: nn.Module, loss: Callable[[], Tensor], device: torch.device) -> str:
    """Give "float32" or "bfloat16" for ``auto``, ``float32`` or ``bfloat16``.

    On CUDA both are tried. On CPUs products in bfloat16 are not: without units for them they take 30 times as long.
    """
    if wanted != "auto":
        return wanted
    if device.type != "cuda" or not torch.cuda.is_bf16_supported():
        return "float32"
    times = {name: _trial_s(net, loss, mixed=name == "bfloat16") for name in ("float32", "bfloat16")}
    return min(times, key=lambda name: times[name])


def _trial_s(net: nn.Module, loss: Callable[[], Tensor], *, mixed: bool) -> float:
    """Give the time in seconds of a few passes forward and backward on CUDA."""
    begin = 0.0
    for number in range(6):
        if number == 2:  # the first ones choose algorithms
            torch.cuda.synchronize()
            begin = time.monotonic()
        with torch.autocast("cuda", torch.bfloat16, enabled=mixed):
            found = loss()
        found.backward()  # type: ignore[no-untyped-call]
    torch.cuda.synchronize()
    net.zero_grad()
    return time.monotonic() - begin
