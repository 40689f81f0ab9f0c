"""Integrators: heights from slopes by one of several methods behind one function, `integrate_by`.

least-squares
    The best linear unbiased estimate; the one to measure with.
wiener
    Least squares, shrunk where spatial frequencies hold more noise than surface; for flat and noisy surfaces.
bilateral
    One-sided differences with weights; for cliffs within a pixel, which least squares would smear.
pinn
    Least squares corrected by a network and then refined on the image at hand; a denoiser that knows steps and facets.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

Report = Callable[[float], None]

#: A function ``(p, q, mask, report) -> (height, Integration)`` for each method.
METHODS = {
    "least-squares": "eclips_app.engine.integrators.least_squares:integrate",
    "wiener": "eclips_app.engine.integrators.wiener:integrate",
    "bilateral": "eclips_app.engine.integrators.bilateral:integrate",
    "pinn": "eclips_app.engine.integrators.pinn:integrate",
}
_NOISE = "noise of the signals alone, taken as white and even over the field; no error of model or geometry"


@dataclass(frozen=True)
class Integration:
    """What the integrator did.

    Attributes
    ----------
    method : str
        How the equations were solved.
    iterations : int
    residual : float
        What was left when it stopped, relative to the start.
    tolerance : float
        Residual at which it stops.
    error_share : tuple of float
        Variance of the error in each ring of spatial frequency (`engine.dct.rings`) in units of least squares'; empty: one.
    std_holds : str
        What a standard deviation after `engine.uncertainty.height_std` with these shares is one of.
    """

    method: str
    iterations: int
    residual: float
    tolerance: float = 1e-5
    error_share: tuple[float, ...] = ()
    std_holds: str = _NOISE

    @property
    def converged(self) -> bool:
        """Whether the stopping rule was met."""
        return self.residual <= self.tolerance


def nothing(fraction: float = 0.0) -> None:
    """Report of progress that nobody reads."""


def integrate_by(
    method: str, p: Tensor, q: Tensor, mask: Tensor | None = None, report: Report = nothing
) -> tuple[Tensor, Integration]:
    """Integrate slopes to a height in units of the pixel size by one of `METHODS`.

    Parameters
    ----------
    method : str
    p, q : Tensor [row, col]
        Slopes ``dh/dx`` (x to the right) and ``dh/dy`` (y **up**, against the rows); finite everywhere.
    mask : Tensor [row, col] of bool, optional
        True where the slopes are data. Elsewhere the height is a membrane between its surroundings.
    report : callable
        Called with the part done, several times a second; may raise to stop.

    Returns
    -------
    height : Tensor [row, col]
        Its mean is zero.
    how : Integration
    """
    module, _, function = METHODS[method].partition(":")
    found: tuple[Tensor, Integration] = getattr(importlib.import_module(module), function)(p, q, mask, report)
    return found
