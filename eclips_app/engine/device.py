"""Choice of the device that Torch computes on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numba
import numpy as np
import torch
from numpy.typing import NDArray

from eclips_app.core.errors import EclipsError
from eclips_app.engine.compiled import compiled


def choose_device(wanted: str) -> torch.device:
    """Give the device for ``auto``, ``cpu`` or ``cuda``; `EclipsError` where CUDA is wanted and absent."""
    if wanted == "cpu":
        return torch.device("cpu")
    if torch.cuda.is_available():
        return torch.device("cuda")
    if wanted == "cuda":
        raise EclipsError("this computer offers no CUDA device", hint="Choose the device 'auto' or 'cpu'.")
    return torch.device("cpu")


@contextmanager
def one_thread() -> Iterator[None]:
    """Let Torch compute with one thread on the CPU; the number of before comes back at the end.

    Many small operations cost more in handing out than two threads save: 1024 x 1024 pixels take 0.2 s so and 0.4 s with two.
    Transforms bring threads of their own.
    """
    _wake_loops(np.zeros(1))
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@compiled(parallel=True)
def _wake_loops(values: NDArray[np.float64]) -> None:
    """Do next to nothing: the first parallel loop sets how many threads OpenMP has, for Torch too, whatever Torch was told.

    Torch's sums then depend on whether loops have run before.
    """
    for i in numba.prange(values.size):
        values[i] += 1.0
