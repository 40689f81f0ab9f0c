"""The electron-optical forward model (BSESM): heights to the images of all segments, for one detector and emission model.

Slopes are central differences of the heights, one-sided at the border. In units of the mean signal of a flat,
``image_k = pixels(rho * signal_k) / flat``; gains, offsets and noise are the caller's (`engine.simulate`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray

from eclips_app.core.detector import Detector
from eclips_app.core.emission import Emission
from eclips_app.core.errors import EclipsError
from eclips_app.engine import acceptance as optics
from eclips_app.engine.emission.expansion import Expansion, expand
from eclips_app.engine.emission.model import Density, density_of
from eclips_app.engine.emission.tables import read_table
from eclips_app.engine.forward import kernels
from eclips_app.engine.forward.image import PixelResponse, probe_sigma
from eclips_app.engine.forward.march import tile_maxima
from eclips_app.engine.forward.quadrature import signal
from eclips_app.engine.forward.scene import Plan, Scene
from eclips_app.engine.forward.tables import NODES, Sectors, sectors
from eclips_app.engine.optics import flight
from eclips_app.engine.optics.flight import Spectrum

_DRAFT_STEP_DEG = 5.0
_WORK = 1 << 24  #: samples times sectors times segments rendered between two checks for cancellation


@dataclass(frozen=True)
class Fineness:
    """How fine the tables of a detector are.

    Attributes
    ----------
    polar_cells, azimuth_cells : int
        Of the valid solid angle; azimuths at least, a multiple of the number of sectors is used.
    nodes : int
        Of the tables by the slope of the horizon.
    effort : Effort
        Of the electrons' flight where there are potentials.
    """

    polar_cells: int
    azimuth_cells: int
    nodes: int
    effort: flight.Effort


FULL = Fineness(360, 768, NODES, flight.FULL)
#: For pictures that follow a slider: a tenth of the time, and signals within some 2 %.
DRAFT = Fineness(120, 192, 257, flight.DRAFT)


@dataclass(frozen=True)
class Parallax:
    """Scan parallax: where the field lies in the frame of the column.

    Attributes
    ----------
    center_mm : tuple
        Middle of the field from the beam's axis (x, y).
    pivot_mm : float, optional
        Height above the specimen of the point about which the scan pivots; None: the beam stays parallel. It matters only to
        emission that depends on the beam's direction, and there to first order of the beam's inclination on gentle slopes.
    """

    center_mm: tuple[float, float] = (0.0, 0.0)
    pivot_mm: float | None = None


@dataclass(frozen=True)
class ForwardModel:
    """Renders height maps; made by `forward_model`.

    Attributes
    ----------
    expansion : Expansion
        Functions of the normal and of the direction.
    sectors : Sectors
        Tables; with parallax three for each segment: on the axis, and their changes per mm along x and y.
    spacing_nm : float
        Distance of the height samples.
    response : PixelResponse
        From samples to pixels.
    flat : float
        Mean signal of a flat over the segments, for unit brightness.
    parallax : Parallax, optional
    """

    expansion: Expansion
    sectors: Sectors
    spacing_nm: float
    response: PixelResponse
    flat: float
    parallax: Parallax | None = None

    def to(self, device: torch.device, dtype: torch.dtype) -> ForwardModel:
        """Give the same model for tensors on another device and in another precision."""
        return replace(self, sectors=self.sectors.to(device, dtype))

    def resampled(self, subpixels: int) -> ForwardModel:
        """Give the same model with another number of samples along the edge of a pixel; not where it is delocalised."""
        assert self.response.exit_kernel is None  # its kernel is on samples
        times = self.response.subpixels / subpixels
        response = PixelResponse(subpixels, self.response.probe_sigma / times)
        return replace(self, spacing_nm=self.spacing_nm * times, response=response)

    def images(
        self, height_nm: torch.Tensor, rho: torch.Tensor | None = None, normal_slopes: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Give the images [k, row, col] in units of a flat; differentiable backward and forward.

        Parameters
        ----------
        height_nm : tensor [row * subpixels, col * subpixels]
        rho : tensor of the same shape, optional
            Material factor.
        normal_slopes : tensor [2, …], optional
            Slopes (right, up) of the tangent planes where they are unknowns of their own; default: those of the heights.
        """
        height = self.local(height_nm)
        tangents = (
            slopes(height) if normal_slopes is None else normal_slopes + slopes(height - height_nm / self.spacing_nm)
        )
        samples = self.placed(signal(height, tangents, self.expansion.weights(tangents), self.sectors))
        return self.response(samples if rho is None else samples * rho) / self.flat

    def samples(self, height_nm: NDArray[np.float64], report: Callable[[float], None] | None = None) -> torch.Tensor:
        """Give the signal at each height sample for unit brightness [k, row, col], without derivatives, on the CPU.

        `report` is called with the part done after some rows; it may raise to stop.
        """
        with torch.no_grad():
            height = self.local(torch.from_numpy(height_nm).to(self.sectors.total))
            total, rows, columns = self.sectors.total, *height.shape
            plan = Plan(self.sectors.taken.numpy(), *self.sectors.plan)
            tiles, winner = tile_maxima(height.numpy()), np.empty((0, 0, 0), np.int16)
            out = torch.empty((len(total), rows, columns), dtype=total.dtype)
            # Slopes and weights of all rows at once would take several times the memory of the images.
            band = max(1, _WORK // (columns * len(plan.directions.T) * len(total)))
            for first in range(0, rows, band):
                end, above = min(first + band, rows), max(first - 1, 0)
                tangents = slopes(height[above : end + 1])[:, first - above :][:, : end - first].contiguous()
                weights = self.expansion.weights(tangents)
                strip = torch.einsum("kj,jrc->krc", total, weights).contiguous()
                scene = Scene(height.numpy(), tangents.numpy(), weights.numpy())
                kernels.signal_rows(scene, tiles, plan, (first, end), winner, strip.numpy())
                out[:, first:end] = strip
                if report is not None:
                    report(end / rows)
            return self.placed(out)

    def local(self, height_nm: torch.Tensor) -> torch.Tensor:
        """Give the heights in pixels as the tables see them.

        A beam that arrives inclined sees the specimen turned: with the pivot P that is the parabola ``(X^2 + Y^2) / 2 P``.
        """
        height = height_nm / self.spacing_nm
        if self.parallax is None or self.parallax.pivot_mm is None:
            return height
        x, y = self._positions_mm(height)
        bowl = (x**2 + y[:, None] ** 2) / (2.0 * self.parallax.pivot_mm) * (1e6 / self.spacing_nm)
        return height - bowl

    def placed(self, samples: torch.Tensor) -> torch.Tensor:
        """Put together what the tables give on the axis and per mm of beam position."""
        if self.parallax is None:
            return samples
        x, y = self._positions_mm(samples)
        on_axis, along_x, along_y = samples.chunk(3)
        return on_axis + x * along_x + y[:, None] * along_y

    def placed_adjoint(self, samples: torch.Tensor) -> torch.Tensor:
        """Give the adjoint of `placed`."""
        if self.parallax is None:
            return samples
        x, y = self._positions_mm(samples)
        return torch.cat([samples, x * samples, y[:, None] * samples])

    def _positions_mm(self, like: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Give X [col] and Y [row] of the samples in the frame of the column."""
        assert self.parallax is not None
        rows, columns = like.shape[-2:]
        spacing = self.spacing_nm * 1e-6
        across = (torch.arange(columns, dtype=like.dtype, device=like.device) - (columns - 1) / 2) * spacing
        down = (torch.arange(rows, dtype=like.dtype, device=like.device) - (rows - 1) / 2) * spacing
        return across + self.parallax.center_mm[0], self.parallax.center_mm[1] - down


def slopes(height: torch.Tensor) -> torch.Tensor:
    """Give the slopes (right, up) [2, row, col] of heights in pixels: central differences, one-sided at the border."""
    down, right = torch.gradient(height, dim=(0, 1))
    return torch.stack([right, -down])


def forward_model(
    detector: Detector,
    pixel_size_nm: float,
    *,
    emission: Emission | None = None,
    azimuths: int = 32,
    subpixels: int = 1,
    delocalised: bool = False,
    parallax: Parallax | None = None,
    dtype: torch.dtype = torch.float64,
    fineness: Fineness = FULL,
) -> ForwardModel:
    """Prepare the forward model of a detector.

    Parameters
    ----------
    detector : Detector
        Geometry, beam, potentials, response; gains and offsets are not applied.
    pixel_size_nm : float
        Of the images; heights have `subpixels` samples along each edge of a pixel.
    emission : Emission, optional
        Default: Lambert.
    azimuths : int
        Sectors in which the horizon is found.
    delocalised : bool
        Blur by the exit radius of the emission's material at the beam's energy.
    parallax : Parallax, optional
        Where the field lies; default: on the axis, all of it.
    dtype : torch.dtype
        Precision of the tables, and so of what is rendered.
    fineness : Fineness
        Of the tables.

    Raises
    ------
    EclipsError
        Emission or delocalisation without beam energy or table, a detector that nothing reaches.
    """
    chosen = emission or Emission()
    if parallax is not None and chosen.model == "lambert":
        parallax = Parallax(parallax.center_mm)  # Lambert emission knows no beam: how it arrives does not matter
    spacing = pixel_size_nm / subpixels
    expansion, table = detector_tables(detector, chosen, azimuths, parallax, fineness=fineness)
    flat = torch.zeros((2, 1, 1), dtype=torch.float64)
    level = torch.einsum("kj,jrc->k", table.total, expansion.weights(flat))[: len(detector.quadrants)]
    kernel = _exit_kernel(detector, chosen, spacing) if delocalised else None
    sigma = probe_sigma(detector.beam.probe_fwhm_nm, spacing) if detector.beam else 0.0
    response = PixelResponse(subpixels, sigma, kernel)
    model = ForwardModel(expansion, table, spacing, response, float(level.mean()), parallax)
    return model.to(torch.device("cpu"), dtype)


def detector_tables(
    detector: Detector,
    emission: Emission,
    azimuths: int,
    parallax: Parallax | None = None,
    geometry: torch.Tensor | None = None,
    fineness: Fineness = FULL,
) -> tuple[Expansion, Sectors]:
    """Give the emission's expansion and the sectors' tables (float64) of a detector.

    A `geometry` vector (`acceptance.GEOMETRY`) that carries derivatives makes the tables carry them too; the expansion, which
    covers the polar angles that the detector reaches, is that of `detector`.
    """
    spectrum = emitted_spectrum(detector, emission)
    cells = fineness.polar_cells, azimuths * math.ceil(fineness.azimuth_cells / azimuths)
    table = optics.acceptance(detector, *cells, spectrum, fineness.effort)
    low, high = table.limits()
    cell = float(table.theta[1])  # tables that move reach a little farther
    limits = max(low - 4 * cell, 0.0), min(high + 4 * cell, np.pi / 2)
    if fineness == FULL:
        expansion = expand(density(detector, emission), limits)
    else:
        step = np.deg2rad(_DRAFT_STEP_DEG)  # so that most neighbours of a detector have the same
        expansion = _expanded(
            emission, *arrival(detector, emission), int(limits[0] / step), math.ceil(limits[1] / step)
        )
    T = torch.from_numpy(table.T)
    if geometry is not None:
        T = optics.coverage(detector, geometry, *cells, spectrum)
    if parallax is not None:
        moved = _position_gradients(detector, table, parallax, spectrum, fineness.effort)
        T = torch.cat([T, *(torch.from_numpy(g) for g in moved)])
    return expansion, sectors(T, table.theta, table.phi, expansion, azimuths, fineness.nodes)


def density(detector: Detector, emission: Emission) -> Density:
    """Give the emission density of a model at the energy with which the detector's beam arrives."""
    return density_of(emission, *arrival(detector, emission))


def arrival(detector: Detector, emission: Emission) -> tuple[float | None, float]:
    """Give the energy in keV with which the beam arrives, and above which electrons count when they leave."""
    if emission.model == "lambert":
        return None, 0.0
    bias, response = detector.bias, detector.response
    gained = 1e-3 * (bias.detector_v - bias.specimen_v) if bias else 0.0
    threshold = max(0.0, response.threshold_kev - gained) if response else 0.0
    return flight.landing_energy_kev(detector) if detector.beam else None, threshold


@lru_cache(maxsize=16)
def _expanded(emission: Emission, energy_kev: float | None, threshold_kev: float, low: int, high: int) -> Expansion:
    """Expand a density between limits in steps of `_DRAFT_STEP_DEG`."""
    step = np.deg2rad(_DRAFT_STEP_DEG)
    return expand(density_of(emission, energy_kev, threshold_kev), (low * step, min(high * step, np.pi / 2)))


def emitted_spectrum(detector: Detector, emission: Emission) -> Spectrum | None:
    """Give the energies with which a material's electrons leave; None for emission that needs no table."""
    if not emission.needs_table or detector.beam is None:
        return None
    return read_table(emission.material).spectrum_at(flight.landing_energy_kev(detector))


def _position_gradients(
    detector: Detector, table: optics.Acceptance, parallax: Parallax, spectrum: Spectrum | None, effort: flight.Effort
) -> tuple[NDArray[np.float64], ...]:
    """Give the change of T per mm of beam position: the detector moves the other way, and turns if the beam does."""
    polar_cells, azimuth_cells = table.T.shape[1:]
    moved = optics.table_gradients(detector, polar_cells, azimuth_cells, spectrum, effort)
    if parallax.pivot_mm is None:
        return moved
    turned = np.stack(optics.turn_gradients(table))
    turns = (optics.incidence(1.0, 0.0, parallax.pivot_mm), optics.incidence(0.0, 1.0, parallax.pivot_mm))
    return tuple(m + np.tensordot(turn, turned, 1) for m, turn in zip(moved, turns, strict=True))


def _exit_kernel(detector: Detector, emission: Emission, spacing_nm: float) -> torch.Tensor:
    if detector.beam is None:
        raise EclipsError(
            "the exit radius of the electrons depends on the beam energy, which the detector file does not give",
            where="beam", hint="Add 'beam' with 'energy_kev', or leave the delocalisation out.",
        )  # fmt: skip
    return torch.from_numpy(read_table(emission.material).kernel(flight.landing_energy_kev(detector), spacing_nm))
