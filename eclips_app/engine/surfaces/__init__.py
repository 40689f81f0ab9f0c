"""Synthetic specimens of known shape: heights in nm, [row, col], on pixels of a given size, the same for the same seed.

Their parameters, with units, limits and defaults, are the fields of `core.specimen.Specimen`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from numpy.typing import NDArray

from eclips_app.core.context import Context
from eclips_app.core.errors import EclipsError
from eclips_app.core.specimen import Specimen, surface_parameters
from eclips_app.core.steps import StepResult
from eclips_app.engine.surfaces.faceted import grating, spiral, steps, vickers
from eclips_app.engine.surfaces.grid import Check, Heights, Shape
from eclips_app.engine.surfaces.selfaffine import rough
from eclips_app.engine.surfaces.separate import particles, pits, sphere

__all__ = [
    "KINDS", "grating", "particles", "pits", "rough", "specimen_step", "sphere", "spiral", "steps", "surface_parameters",
    "vickers",
]  # fmt: skip


class Generator(Protocol):
    """Makes a surface: shape [rows, columns], nm per pixel, seed, and parameters of `Specimen` by name."""

    def __call__(
        self, shape: Shape, pixel_size_nm: float, seed: int = 0, check: Check = ..., **given: float
    ) -> Heights:
        """Give heights in nm."""
        ...


KINDS: dict[str, Generator] = {
    "vickers": vickers, "steps": steps, "particles": particles, "sphere": sphere, "rough": rough, "spiral": spiral,
    "grating": grating, "pits": pits,
}  # fmt: skip


def specimen_step(inputs: Mapping[str, NDArray[Any]], params: Specimen, context: Context) -> StepResult:
    """Make a surface; gives ``height`` [row, col] in nm.

    Raises
    ------
    EclipsError
        There is no such kind, or its faces do not fit each other.
    """
    make = KINDS.get(params.kind)
    if make is None:
        raise EclipsError(f"there is no surface '{params.kind}'", hint=f"Choose one of {', '.join(KINDS)}.")
    context.check()
    names = (name for name in surface_parameters(params.kind) if name != "seed")
    given = {name: value for name in names if (value := getattr(params, name)) is not None}
    shape = params.rows, params.columns
    return StepResult({"height": make(shape, params.pixel_size_nm, params.seed, context.check, **given)})
