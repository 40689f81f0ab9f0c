"""The covariance of the heights as maps of deviations, part by part (see `core.deviations`).

Noise comes as random draws. What is common to the whole image (gains, offsets, geometry, emission, pixel size) comes as the
change of the heights for one standard deviation of it: with the matrix H of the normal equations, signals that are off by y move
the heights by ``H^-1 J'W y``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from eclips_app.core.emission import EMISSION, Emission
from eclips_app.core.steps import ClosedLoop
from eclips_app.core.tolerance import GEOMETRY, Stated
from eclips_app.engine.acceptance import geometry_vector, with_geometry
from eclips_app.engine.forward import cells
from eclips_app.engine.forward.linearised import Linearised
from eclips_app.engine.refine.channels import Marginal
from eclips_app.engine.refine.draws import Draws, Solve, normal
from eclips_app.engine.refine.field import Field
from eclips_app.engine.refine.solver import GaussNewton

_MODEL_DRAWS = 4
_LEAST_EXCESS = 1e-3
_ALIKE = 0.15  #: of tan(tilt / 2)

Float = NDArray[np.float64]


@dataclass(frozen=True)
class Deviations:
    """Maps [n, row, col] on pixels in pixels, mean zero, and for each the part and the name of it."""

    maps: NDArray[np.float16]
    parts: list[tuple[str, str]]

    def with_map(self, part: str, name: str, pixels: NDArray[np.floating]) -> Deviations:
        """Give the same with one more map [row, col], in pixels."""
        one = (pixels - pixels.mean()).astype(np.float16)
        return Deviations(np.concatenate([self.maps, one[None]]), [*self.parts, (part, name)])

    def std(self) -> NDArray[np.float32]:
        """Give the standard deviation [row, col] in pixels."""
        total = np.zeros(self.maps.shape[1:], np.float32)
        for one in self.maps:
            total += np.square(one, dtype=np.float32)
        return np.sqrt(total)


class Collector:
    """Gathers maps about a solution with one sample per pixel."""

    def __init__(self, field: Field, solver: GaussNewton, solve: Solve) -> None:
        self.field, self.solver, self.solve = field, solver, solve
        self._maps: list[NDArray[np.float16]] = []
        self._parts: list[tuple[str, str]] = []

    def result(self) -> Deviations:
        """Give all maps so far."""
        return Deviations(np.stack(self._maps), self._parts)

    def add(self, part: str, name: str, corners: Tensor) -> None:
        """Take a change of the heights at the corners, in pixels."""
        middle = cells.heights(corners)
        self._maps.append((middle - middle.mean()).cpu().numpy().astype(np.float16))
        self._parts.append((part, name))

    def add_noise(self, found: Draws) -> None:
        """Take random draws."""
        count = len(found.heights)
        for number, one in enumerate(found.heights):
            self.add("noise", f"draw {number + 1}", one / count**0.5)

    def add_channels(self, found: Marginal, names: tuple[str, ...]) -> None:
        """Take what follows the errors of gains and offsets that are left."""
        for name, column in _components(names, found.covariance):
            mixed = torch.from_numpy(column).to(found.maps)
            self.add("gains", name, (mixed[:, None, None] * found.maps).sum(0))

    def add_detector(self, stated: Stated) -> None:
        """Take what follows the stated errors of geometry and emission, which a calibration finds together."""
        params = self.field.params
        emission, start = params.emission, geometry_vector(params.detector)
        names, covariance = stated.part((*GEOMETRY, *EMISSION) if emission.coefficients else GEOMETRY)
        for name, column in _components(names, covariance):
            change = {known: float(value) for known, value in zip(names, column, strict=True)}
            moved = with_geometry(params.detector, start + [change.get(n, 0.0) for n in GEOMETRY])
            bent = tuple(c + change.get(n, 0.0) for c, n in zip(emission.coefficients, EMISSION, strict=False))
            other = replace(params, detector=moved, emission=replace(emission, coefficients=bent))
            self._add_model("emission" if name in EMISSION else "geometry", name, other, 1.0)

    def add_emission(self, share: float) -> None:
        """Take a share of the difference between Lambert's law and the material's table."""
        emission = self.field.params.emission
        other = Emission("tabulated", emission.material) if emission.model == "lambert" else Emission()
        if share > 0 and self.field.params.detector.beam is not None:
            self._add_model("emission", f"{other.model} instead", replace(self.field.params, emission=other), share)

    def add_misfit(self, relative: float, seed: int) -> None:
        """Take signals that are off by a part of themselves, the same on facets of one orientation, as a calibration found.

        Random functions of the orientation, of that size and alike over some 17 degrees (sums of random waves).
        """
        if relative <= 0:
            return
        generator = torch.Generator().manual_seed(seed)
        about = self.solver.at.about
        slopes = about.scene.slopes
        length = (1.0 + (slopes**2).sum(0)).sqrt()
        for number in range(_MODEL_DRAWS):
            waves = torch.randn((len(about.images), 2), generator=generator) / _ALIKE
            phases = 2.0 * torch.pi * torch.rand((len(about.images), 1, 1), generator=generator)
            turned = torch.einsum("ks,src->krc", waves.to(slopes), slopes / (1.0 + length)) + phases.to(slopes)
            off = relative * 2.0**0.5 * torch.cos(turned) * about.images
            change = self.solver.at.fitted.factor * self.solver.material.scaled(off)
            moved = self.solve(self.solver.coupled(change)) / _MODEL_DRAWS**0.5
            self.add("emission", f"misfit {number + 1}", moved)

    def add_pixel_size(self, relative: float) -> None:
        """Take the pixel size: heights go with it, as slopes are what is measured."""
        if relative > 0:
            heights = self.solver.at.height_nm / self.field.pixel_size_nm
            self.add("pixel size", "pixel size", relative * (heights - heights.mean()))

    def add_discrepancy(self, excess: Tensor, seed: int, check: Callable[[], None]) -> None:
        """Take errors as large as what chi-square is above 1 by, [row, col], alike over some pixels as edges are."""
        if float(excess.max()) < _LEAST_EXCESS:
            return
        generator = torch.Generator().manual_seed(seed)
        size = (excess / self.solver.weight.clamp(min=1e-30)).sqrt() * (self.solver.weight > 0)
        for number in range(_MODEL_DRAWS):
            check()
            rough = torch.nn.functional.avg_pool2d(normal(size, generator), 3, 1, 1) * 3.0
            self.add("model", f"draw {number + 1}", self.solve(self.solver.coupled(size * rough)) / _MODEL_DRAWS**0.5)

    def _add_model(self, part: str, name: str, params: ClosedLoop, share: float) -> None:
        """Take what another model of the same heights would have made of them."""
        other = replace(self.field, params=params).model(1)
        images = Linearised(other, self.solver.at.height_nm).images
        change = self.solver.at.fitted.factor * self.solver.material.scaled(images - self.solver.at.about.images)
        self.add(part, name, share * self.solve(self.solver.coupled(change)))


def _components(names: tuple[str, ...], covariance: Float) -> list[tuple[str, Float]]:
    """Give independent errors that together have a covariance, each under the name of the parameter that is most in it."""
    if not names:
        return []
    values, vectors = np.linalg.eigh(covariance / np.sqrt(np.outer(scale := np.diag(covariance), scale)))
    columns = (np.sqrt(scale)[:, None] * vectors * np.sqrt(np.clip(values, 0.0, None))).T
    found = [(int(np.abs(vector).argmax()), column) for vector, column in zip(vectors.T, columns, strict=True)]
    return [(names[place], column) for place, column in sorted(found, key=lambda each: each[0])]
