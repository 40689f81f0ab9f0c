"""Compilation of the engine's loops to machine code."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])


def compiled(**options: Any) -> Callable[[FunctionT], FunctionT]:
    """Compile with the machine code kept on disk, or in memory alone where there are no sources or no folder to write to."""

    def compile_it(function: FunctionT) -> FunctionT:
        if not getattr(sys, "frozen", False):
            with contextlib.suppress(RuntimeError):  # numba found no folder for its cache
                return cast(FunctionT, numba.njit(cache=True, **options)(function))
        return cast(FunctionT, numba.njit(**options)(function))

    return compile_it
