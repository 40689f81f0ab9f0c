"""Valid solid angle of a segmented detector: `T_k(t, f)`, its derivatives, cumulated tables and vectors.

The detector is a plane annulus at `distance_mm` above the specimen point, turned about x and then about y, divided into segments.
With Lambert emission and nothing in the way the signal of segment k is ``S n . A_k`` with the acceptance vector
``A_k = (1/pi) Int T_k w dw`` (frame: x right, y up, z toward the pole piece).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from eclips_app.core.detector import Detector, Segment
from eclips_app.core.errors import EclipsError
from eclips_app.core.tolerance import GEOMETRY
from eclips_app.engine.device import one_thread
from eclips_app.engine.optics import flight
from eclips_app.engine.optics.coverage import covered, frame, geometry_vector, remapped, with_geometry
from eclips_app.engine.optics.flight import Spectrum

__all__ = [
    "GEOMETRY", "Acceptance", "Coverage", "acceptance", "coverage", "coverage_slope", "geometry_vector", "incidence",
    "parallax_radius_mm", "table_gradients", "turn_gradients", "vector_gradients", "vectors", "with_geometry",
]  # fmt: skip

Float = NDArray[np.float64]

_NODES_RADIUS = 32
_NODES_AZIMUTH = 64
_CELLS = 360, 384  #: of the table that vectors of curved flight come from
_STEP_MM = 0.1
_PLANE = "distance_mm", "tilt_x_deg", "tilt_y_deg"  #: what moves the plane of landing


@dataclass(frozen=True)
class Acceptance:
    """`T_k` averaged over the cells of a polar grid.

    Attributes
    ----------
    theta : array [j + 1]
        Edges of the polar cells in radians, from 0 (toward the pole piece) to pi/2.
    phi : array [f + 1]
        Edges of the azimuth cells in radians, from +x toward +y.
    T : array [k, j, f]
        Part of the emission into the cell that lands on segment k, 0 to 1.
    """

    theta: Float
    phi: Float
    T: Float

    def cumulated(self) -> tuple[Float, Float]:
        """Give ``Cs_k(f, t)`` and ``Cc_k(f, t)`` at the cell edges, both [k, f, j + 1].

        ``Cs = Int_0^t T sin^2 t' dt'`` and ``Cc = Int_0^t T sin t' cos t' dt'``, exact for T constant in each cell.
        """
        return self.cumulate(_int_sin2(self.theta)), self.cumulate(_int_sin_cos(self.theta))

    def cumulate(self, integral: Float) -> Float:
        """Cumulate ``T`` over t, [k, f, j + 1], with the integral of the measure given at the edges [j + 1]."""
        cells = np.moveaxis(self.T, 1, 2) * np.diff(integral)
        return np.concatenate([np.zeros_like(cells[..., :1]), np.cumsum(cells, axis=-1)], axis=-1)

    def vectors(self) -> Float:
        """Give the acceptance vectors ``A_k`` [k, 3] that this table holds."""
        table = self.moments(1)
        return cast(Float, table[0, -1])

    def moments(self, azimuths: int) -> Float:
        """Give ``(1/pi) Int_0^t Int_f T_k w dw`` over sectors of azimuth, [azimuths, j + 1, k, 3].

        With the horizon ``t_max`` constant over a sector, the signal of a surface with normal n is
        ``Sum over sectors of n . moments(t_max)``; the azimuth integral of cos f and sin f is exact.
        `azimuths` must divide the number of azimuth cells.
        """
        cs, cc = self.cumulated()
        width = np.diff(self.phi)
        along = np.stack(
            [
                cs * np.diff(np.sin(self.phi))[:, None],
                cs * -np.diff(np.cos(self.phi))[:, None],
                cc * width[:, None],
            ],
            axis=-1,
        )
        k, cells, edges, _ = along.shape
        sectors = along.reshape(k, azimuths, cells // azimuths, edges, 3).sum(axis=2) / np.pi
        return np.ascontiguousarray(np.moveaxis(sectors, 0, 2))

    def limits(self) -> tuple[float, float]:
        """Give the smallest and largest polar angle in radians at which any segment catches anything."""
        seen = np.flatnonzero(self.T.max(axis=(0, 2)) > 1e-9)  # less is rounding
        if seen.size == 0:
            raise EclipsError("no segment of the detector can be reached from the specimen", hint="Check the geometry.")
        return float(self.theta[seen[0]]), float(self.theta[seen[-1] + 1])


class Coverage:
    """`T` of a detector as a differentiable function of its geometry.

    Calling it with a geometry vector [8] (float64, components `GEOMETRY`) gives the tensor [k, j, f] that `acceptance` holds;
    autograd and forward-mode derivatives go through, `torch.func` included. For straight flight they are exact at any
    geometry. For curved flight the paths are those of `detector` and the landing plane moves through them to first order: how
    the field itself changes with distance and radii is left out; `coverage_slope` has that.
    """

    def __init__(
        self,
        detector: Detector,
        polar_cells: int = 360,
        azimuth_cells: int = 768,
        spectrum: Spectrum | None = None,
        effort: flight.Effort = flight.FULL,
    ) -> None:
        """Take what `acceptance` takes; electrons are flown here, once."""
        self.detector, self.cells = detector, (polar_cells, azimuth_cells)
        self.geometry = torch.from_numpy(geometry_vector(detector))  #: of the detector itself
        edges, chosen = _edges(np.pi / 2, polar_cells), spectrum or flight.default_spectrum()
        self._flown: flight.EdgeMap | None = None
        if flight.is_straight(detector):
            counted = flight.response(detector, chosen)
            if counted <= 0:
                raise flight.nothing_counts()
            free = flight.clear_of_pole(detector, torch.from_numpy(edges)) * counted
            self._part = None if bool((free == 1).all()) else free[:, None]
        else:
            self._flown = flight.at_edges(flight.landing(detector, chosen, effort), edges, detector)

    def __call__(self, geometry: Tensor) -> Tensor:
        """Give T [k, j, f] at a geometry."""
        return self._table(geometry, moving=True)

    def table(self) -> Acceptance:
        """Give T of the detector itself."""
        with one_thread(), torch.no_grad():
            found = self._table(self.geometry, moving=False).numpy()
        return Acceptance(_edges(np.pi / 2, self.cells[0]), _edges(2 * np.pi, self.cells[1]), found)

    def moved(self, component: str, step: float) -> Float:
        """Give the central difference of T [k, j, f] over ``+-step`` of a component, per mm or degree.

        It serves tables better than the derivative: an edge moves over some cells instead of standing in one, whose middle
        is not where the edge is (that makes 0.3 % in the parallax).
        """
        change = step * torch.tensor([float(name == component) for name in GEOMETRY], dtype=torch.float64)
        with one_thread(), torch.no_grad():
            ahead, behind = (self._table(self.geometry + s * change, moving=component in _PLANE) for s in (1, -1))
            return cast(Float, ((ahead - behind) / (2 * step)).numpy())

    def _table(self, geometry: Tensor, *, moving: bool) -> Tensor:
        straight = covered(self.detector, geometry, *self.cells)
        if self._flown is None:
            return straight if self._part is None else straight * self._part
        angles, lands = flight.virtual_angles(self._flown, frame(geometry), self.cells[1], moving=moving)
        return remapped(straight, angles, lands, self._flown.weights)


def acceptance(
    detector: Detector,
    polar_cells: int = 360,
    azimuth_cells: int = 768,
    spectrum: Spectrum | None = None,
    effort: flight.Effort = flight.FULL,
) -> Acceptance:
    """Compute `T_k` of a detector on a polar grid over the upper half space.

    Edges of segments are anti-aliased: a cell holds the part of its area (in t and f) that lies inside, with the edge
    taken as straight within the cell; for a level, centred detector this is exact.

    Parameters
    ----------
    detector : Detector
        With potentials that are not zero the flight is curved (see `optics.flight`), which needs the beam's energy.
    polar_cells, azimuth_cells : int
        Cells from 0 to 90 degrees and all around.
    spectrum : (array [b], array [b]), optional
        Middles of the energy bins as fractions of the energy at the specimen, and their weights; by default
        `optics.flight.default_spectrum`. It matters only with potentials or a detection threshold.
    effort : Effort
        How finely electrons are followed where there are potentials.

    Raises
    ------
    EclipsError
        If potentials are given without a beam energy, turn the beam back, or lie on electrodes that touch; or if no electron
        is above the detection threshold.
    """
    return Coverage(detector, polar_cells, azimuth_cells, spectrum, effort).table()


def coverage(
    detector: Detector,
    geometry: Tensor,
    polar_cells: int = 360,
    azimuth_cells: int = 768,
    spectrum: Spectrum | None = None,
) -> Tensor:
    """Give `T` [k, j, f] at a geometry vector; see `Coverage`, which spares the flight where it is called repeatedly."""
    return Coverage(detector, polar_cells, azimuth_cells, spectrum)(geometry)


def coverage_slope(
    detector: Detector,
    component: str,
    cells: tuple[int, int] = (360, 768),
    spectrum: Spectrum | None = None,
    step: float = 0.02,
) -> Float:
    """Give dT [k, j, f] by a component of `GEOMETRY`, field and flight included, by a central difference of all.

    `step` is in mm or degrees.
    """
    change = step * (np.array(GEOMETRY) == component)
    start = geometry_vector(detector)
    ahead, behind = (acceptance(with_geometry(detector, start + s * change), *cells, spectrum).T for s in (1, -1))
    return (ahead - behind) / (2 * step)


def table_gradients(
    detector: Detector,
    polar_cells: int = 360,
    azimuth_cells: int = 768,
    spectrum: Spectrum | None = None,
    effort: flight.Effort = flight.FULL,
) -> tuple[Float, Float]:
    """Give dT/dX and dT/dY [k, j, f] per mm, for a beam position (X, Y) on the specimen in mm (scan parallax).

    Moving the beam by +X moves the detector's centre by -X as seen from the specimen point; the field stays, which changes
    little over a field of view. Differences over +-0.1 mm (`Coverage.moved`).
    """
    found = Coverage(detector, polar_cells, azimuth_cells, spectrum, effort)
    return -found.moved("center_x_mm", _STEP_MM), -found.moved("center_y_mm", _STEP_MM)


def incidence(x_mm: float, y_mm: float, pivot_mm: float | None) -> tuple[float, float]:
    """Give the turn (about x, about y) in radians that makes the beam at (X, Y) come straight down, to first order.

    The scan pivots about a point on the axis `pivot_mm` above the specimen, so that the beam travels along (X/P, Y/P, -1); None
    is a parallel beam. The turn R (right-handed about +x and +y) takes that direction to (0, 0, -1).
    """
    return (0.0, 0.0) if pivot_mm is None else (-y_mm / pivot_mm, x_mm / pivot_mm)


def turn_gradients(table: Acceptance) -> tuple[Float, Float]:
    """Give the change of T [k, j, f] per radian of turn about x and about y of the whole column as seen from the specimen.

    Emission that depends on the beam's direction is tabulated with the beam straight down. Where the beam comes in at an angle,
    one works in the frame turned by R (`incidence`): normals become R n and the table ``T'(w) = T(R^-1 w)``, to first order
    ``T + about_x dT_x + about_y dT_y`` with these derivatives. Lambert emission knows no beam and needs no turn. Central
    differences over the cells: ``dT_x = sin f dT/dt + cot t cos f dT/df`` and ``dT_y = -cos f dT/dt + cot t sin f dT/df``.
    """
    t, f = (table.theta[1:] + table.theta[:-1])[:, None] / 2, (table.phi[1:] + table.phi[:-1])[None, :] / 2
    along_t = np.gradient(table.T, float(table.theta[1]), axis=1)
    along_f = (np.roll(table.T, -1, axis=2) - np.roll(table.T, 1, axis=2)) / (2 * float(table.phi[1])) / np.tan(t)
    return np.sin(f) * along_t + np.cos(f) * along_f, -np.cos(f) * along_t + np.sin(f) * along_f


def vectors(detector: Detector) -> Float:
    """Give the acceptance vectors ``A_k`` [k, 3] by Gauss-Legendre quadrature over each segment's face.

    With P the vector from the specimen to a point of the face and n the face's normal, ``w dw = P (P.n) / |P|^4 dA``.
    For curved flight, or with a pole piece in the way, they come from the table of `acceptance`.
    """
    if not _face_is_all(detector):
        return acceptance(detector, *_CELLS).vectors()
    normal = _frame(detector)[1]
    found = []
    for segment in detector.quadrants:
        points, area = _face(detector, segment)
        s2 = np.einsum("ni,ni->n", points, points)
        found.append(np.einsum("ni,n->i", points, area * _along(points, normal) / s2**2) / np.pi)
    return np.stack(found)


def vector_gradients(detector: Detector) -> tuple[Float, Float]:
    """Give ``dA_k/dX`` and ``dA_k/dY`` [k, 3] in 1/mm, for a beam position (X, Y) on the specimen in mm.

    Moving the beam by +X moves the detector's centre by -X as seen from the specimen point.
    """
    if not _face_is_all(detector):
        theta, phi = _edges(np.pi / 2, _CELLS[0]), _edges(2 * np.pi, _CELLS[1])
        along_x, along_y = (Acceptance(theta, phi, slope).vectors() for slope in table_gradients(detector, *_CELLS))
        return along_x, along_y
    normal = _frame(detector)[1]
    gradients = []
    for axis in np.eye(3)[:2]:
        rows = []
        for segment in detector.quadrants:
            points, area = _face(detector, segment)
            s2 = np.einsum("ni,ni->n", points, points)
            facing, along = _along(points, normal), _along(points, axis)
            shift = axis * facing[:, None] + points * (axis @ normal) - 4 * points * (facing * along / s2)[:, None]
            rows.append(-np.einsum("ni,n->i", shift, area / s2**2) / np.pi)
        gradients.append(np.stack(rows))
    return gradients[0], gradients[1]


def parallax_radius_mm(detector: Detector) -> tuple[float, float]:
    """Give the radii of curvature (x, y) in mm as which a flat specimen reads without the scan parallax correction.

    Negative is a cap (high in the middle), as for every level annulus: off the axis the near segment catches more, and the
    specimen seems to fall away toward it. Positive would be a bowl.
    """
    pseudo_inverse = np.linalg.pinv(vectors(detector))
    along_x, along_y = (pseudo_inverse @ gradient for gradient in vector_gradients(detector))
    return float(-1.0 / along_x[0, 2]), float(-1.0 / along_y[1, 2])


def _frame(detector: Detector) -> tuple[Float, Float, Float, Float]:
    """Centre of the detector plane in mm, its normal and its two axes."""
    ax, ay = np.deg2rad(detector.tilt_deg)
    about_x = np.array([[1, 0, 0], [0, np.cos(ax), -np.sin(ax)], [0, np.sin(ax), np.cos(ax)]])
    about_y = np.array([[np.cos(ay), 0, np.sin(ay)], [0, 1, 0], [-np.sin(ay), 0, np.cos(ay)]])
    turn = about_y @ about_x
    centre = np.array([*detector.center_mm, detector.distance_mm])
    if centre @ turn[:, 2] <= 0:
        raise EclipsError(
            "the detector's face points away from the specimen", where="tilt_deg", hint="Lower the tilt or the offset."
        )
    return centre, turn[:, 2], turn[:, 0], turn[:, 1]


def _face(detector: Detector, segment: Segment) -> tuple[Float, Float]:
    """Quadrature points [n, 3] of a segment in mm and their areas; points below the specimen's plane weigh nothing."""
    centre, _, e1, e2 = _frame(detector)
    inner, outer = detector.radii_mm(segment)
    x, wx = _gauss(_NODES_RADIUS)
    y, wy = _gauss(_NODES_AZIMUTH)
    radius = 0.5 * (outer + inner) + 0.5 * (outer - inner) * x[:, None]
    half = np.deg2rad(segment.span_deg) / 2
    azimuth = np.deg2rad(segment.azimuth_deg) + half * y[None, :]
    u, v = (radius * np.cos(azimuth)).ravel(), (radius * np.sin(azimuth)).ravel()
    area = (0.5 * (outer - inner) * wx[:, None] * radius * half * wy[None, :]).ravel()
    points = centre + u[:, None] * e1 + v[:, None] * e2
    return points, np.where(points[:, 2] > 0, area, 0.0)


@lru_cache
def _gauss(count: int) -> tuple[Float, Float]:
    """Nodes and weights of Gauss and Legendre on -1 to 1."""
    return cast(tuple[Float, Float], np.polynomial.legendre.leggauss(count))


def _along(points: Float, axis: Float) -> Float:
    """Component of points [n, 3] along an axis; so short a product is slower with the threads of a library."""
    return np.asarray(points[:, 0] * axis[0] + points[:, 1] * axis[1] + points[:, 2] * axis[2])


def _face_is_all(detector: Detector) -> bool:
    """Whether the acceptance follows from the segments' faces alone: straight flight, and nothing in front of them."""
    pole = detector.pole_piece
    return flight.is_straight(detector) and (pole is None or pole.distance_mm >= detector.distance_mm)


def _edges(end: float, cells: int) -> Float:
    return np.linspace(0.0, end, cells + 1)


def _int_sin2(t: Float) -> Float:
    return t / 2 - np.sin(2 * t) / 4


def _int_sin_cos(t: Float) -> Float:
    return np.sin(t) ** 2 / 2
