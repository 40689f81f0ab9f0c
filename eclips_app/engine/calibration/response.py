"""What the segments of a detector give for a facet of any orientation, as a function of geometry and emission.

Nothing but the facet's own tangent plane blocks the view: that is exact on convex bodies (spheres, flats) and where no horizon
reaches the lowest direction that the detector sees. The signal is a sum of few *moments*, integrals of known functions of
normal and direction over the valid solid angle ``T_k``, weighted with the emission's coefficients; the moments are splines over
the orientation, so that any number of pixels costs next to nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.interpolate import NdBSpline, make_interp_spline

from eclips_app.core.detector import Detector
from eclips_app.core.emission import COEFFICIENTS, Emission
from eclips_app.engine.acceptance import GEOMETRY, Coverage, geometry_vector
from eclips_app.engine.emission.expansion import Expansion, expand
from eclips_app.engine.emission.model import coefficients_of, lambert
from eclips_app.engine.forward.model import arrival, density, emitted_spectrum
from eclips_app.engine.stereographic import stereographic

Float = NDArray[np.float64]

STEEPEST_DEG = 75.0  #: tilt up to which responses are known
_CELLS = 90, 144  #: polar and azimuth cells of the valid solid angle
_NODES = 33  #: of the splines along each axis of the orientation
_REACH = float(np.tan(np.deg2rad(STEEPEST_DEG) / 2))  #: of the stereographic coordinates
_DEGREE = 3
#: In mm or degrees, over which tables are differentiated: edges move over some cells, for in one their derivative is rough.
_STEP = 0.15


@dataclass(frozen=True)
class Answer:
    """Signals of a facet in units of a flat's mean, and their derivatives.

    Attributes
    ----------
    signal : array [n, k]
    by_geometry : array [n, k, 8]
        Per mm or degree (`acceptance.GEOMETRY`).
    by_emission : array [n, k, 6]
        By the coefficients of the parametric model; zero for other models.
    by_slope : array [n, k, 2]
        By the slopes (right, up).
    """

    signal: Float
    by_geometry: Float
    by_emission: Float
    by_slope: Float


class Response:
    """Signals of facets for one detector; geometry and coefficients may change.

    Parameters
    ----------
    detector : Detector
        Curved flight is that of this detector, whatever the geometry (see `acceptance.Coverage`).
    emission : Emission
        "parametric" takes any coefficients; others have none.
    components : sequence of str
        Of the geometry, by which derivatives are wanted; the others are given as zero.
    """

    def __init__(self, detector: Detector, emission: Emission, components: Sequence[str] = GEOMETRY) -> None:
        self.is_parametric = emission.model == "parametric"
        self._components = [GEOMETRY.index(name) for name in components]
        self._coverage = Coverage(detector, *_CELLS, emitted_spectrum(detector, emission))
        table = self._coverage.table()
        low, high = table.limits()
        step = float(table.theta[1])
        self._rows = slice(max(0, round(low / step) - 12), min(_CELLS[0], round(high / step) + 12))
        t = ((table.theta[1:] + table.theta[:-1]) / 2)[self._rows]
        f = (table.phi[1:] + table.phi[:-1]) / 2
        self._theta, self._phi = (each.ravel() for each in np.meshgrid(t, f, indexing="ij"))
        self._solid = np.sin(self._theta) * step * float(table.phi[1]) / np.pi
        along = np.linspace(-_REACH, _REACH, _NODES)
        u, v = np.repeat(along, _NODES), np.tile(along, _NODES)
        limits = float(t[0]), float(t[-1])
        kernels = _parametric_kernels if self.is_parametric else _expanded_kernels(detector, emission, limits)
        self._kernels = kernels(_normals(u, v), self._theta, self._phi) * self._solid  # [b, node, direction]
        self._along = along
        self._geometry: Float | None = None
        self._spline: tuple[NdBSpline, NdBSpline] | None = None

    def at(self, geometry: Float, coefficients: Float, slopes: Float) -> Answer:
        """Give the signals of facets with slopes [2, n] (right, up) for unit yield at normal incidence.

        `coefficients` [6] are those of `core.emission.COEFFICIENTS`; used by the parametric model alone.
        """
        everything, values = self._splines(geometry)
        u, v, by_slope = _stereographic(slopes)
        points = np.stack([u, v], axis=-1)
        moments = everything(points)  # [n, b, k, 1 + components]
        weights, changes, factor, (by_first, by_second, by_steepness) = self._weights(coefficients, slopes)
        signal = np.einsum("b,nbkg->nkg", weights, moments)
        shapes = [np.einsum("b,nbk->nk", weights, values(points, nu=nu)) for nu in ((1, 0), (0, 1))]
        turned = np.einsum("nkc,ncs->nks", np.stack(shapes, -1), by_slope)
        turned = turned * factor[:, None, None] + signal[..., 0][..., None] * by_steepness[:, None, :]
        by_emission = np.einsum("cb,nbk->nkc", changes, moments[..., 0]) * factor[:, None, None]
        by_emission[..., 0] += signal[..., 0] * by_first[:, None]
        by_emission[..., 1] += signal[..., 0] * by_second[:, None]
        by_geometry = np.zeros((*signal.shape[:2], len(GEOMETRY)))
        by_geometry[..., self._components] = signal[..., 1:] * factor[:, None, None]
        return Answer(signal[..., 0] * factor[:, None], by_geometry, by_emission, turned)

    def _weights(self, coefficients: Float, slopes: Float) -> tuple[Float, Float, Float, tuple[Float, Float, Float]]:
        """Give weights of the moments [b] and their derivatives [6, b], the yield [n], and its own by each of two and slope."""
        count = len(self._kernels)
        nothing = np.zeros(slopes.shape[1])
        if not self.is_parametric:
            flat = np.zeros((slopes.shape[1], 2))
            return np.ones(count), np.zeros((len(COEFFICIENTS), count)), nothing + 1.0, (nothing, nothing, flat)
        steep = (slopes**2).sum(axis=0)
        s2 = steep / (1 + steep)
        weights = np.array([1.0, *coefficients[2:]])
        changes = np.zeros((len(COEFFICIENTS), count))
        changes[range(2, 6), range(1, 5)] = 1.0
        growth = 1 + coefficients[0] * s2 + coefficients[1] * s2**2
        slope = (coefficients[0] + 2 * coefficients[1] * s2) * 2 / (1 + steep) ** 2
        return weights, changes, growth, (s2, s2**2, slope[:, None] * slopes.T)

    def _splines(self, geometry: Float) -> tuple[NdBSpline, NdBSpline]:
        """Give splines over the orientation: moments with their change by the geometry [b, k, 1 + g], and alone [b, k]."""
        if self._spline is None or self._geometry is None or not np.array_equal(geometry, self._geometry):
            tables = self._tables(geometry)
            # One product of matrices, for that is most of the time of a fit: einsum takes twice as long for the same bits.
            kernels, count = self._kernels, self._kernels.shape[-1]
            product = kernels.reshape(-1, count) @ tables.reshape(-1, count).T
            moments = product.reshape(*kernels.shape[:2], *tables.shape[:2]).transpose(1, 0, 3, 2)
            grid = moments.reshape(_NODES, _NODES, *moments.shape[1:])  # [u, v, b, k, 1 + g]
            first = make_interp_spline(self._along, grid, k=_DEGREE, axis=0)
            second = make_interp_spline(self._along, first.c, k=_DEGREE, axis=1)
            knots, coefficients = (first.t, second.t), np.moveaxis(second.c, 0, 1)
            self._spline = (
                NdBSpline(knots, np.ascontiguousarray(coefficients), _DEGREE),
                NdBSpline(knots, np.ascontiguousarray(coefficients[..., 0]), _DEGREE),
            )
            self._geometry = geometry.copy()
        return self._spline

    def _tables(self, geometry: Float) -> Float:
        """Give ``T_k`` and its derivatives by the wanted components, [1 + g, k, direction].

        Central differences: the table costs so little that forward-mode derivatives take six times as long.
        """
        point = torch.from_numpy(np.ascontiguousarray(geometry))
        with torch.no_grad():
            changes = [
                (self._coverage(point + along) - self._coverage(point - along)) / (2 * _STEP)
                for along in _STEP * torch.eye(len(GEOMETRY), dtype=point.dtype)[self._components]
            ]
            stacked = torch.stack([self._coverage(point), *changes])[:, :, self._rows]
        return np.asarray(stacked.reshape(*stacked.shape[:2], -1).numpy())


def facet_signals(detector: Detector, emission: Emission) -> Callable[[Float], Float]:
    """Give the function from slopes [2, n] to the signals [n, k] of facets, for a detector as it is.

    Raises
    ------
    EclipsError
        As `emission.model.density_of`.
    """
    is_parametric = emission.model == "parametric"
    coefficients = (
        coefficients_of(emission, *arrival(detector, emission)) if is_parametric else (0.0,) * len(COEFFICIENTS)
    )
    response, geometry = Response(detector, emission, ()), geometry_vector(detector)
    return lambda slopes: response.at(geometry, np.array(coefficients), slopes).signal


def _parametric_kernels(normals: tuple[Float, Float], theta: Float, phi: Float) -> Float:
    """Give the functions whose sum the parametric model is (`emission.model.parametric`), without its yield, [5, n, w]."""
    alpha, fall = (each[:, None] for each in normals)
    mu = lambert(alpha, theta, phi - fall)
    found = np.empty((5, *mu.shape))
    np.maximum(mu, 0.0, out=found[0])
    u = mu * np.cos(alpha) - np.cos(theta)
    s2 = np.sin(alpha) ** 2
    np.multiply(found[0], 2 * mu**2 - 1, out=found[1])
    np.multiply(found[0], u, out=found[2])
    np.multiply(found[2], s2, out=found[3])
    np.multiply(found[0], u**2 - s2 / 4, out=found[4])
    return found


def _expanded_kernels(
    detector: Detector, emission: Emission, limits: tuple[float, float]
) -> Callable[[tuple[Float, Float], Float, Float], Float]:
    """Give the one function of an emission model without coefficients, as the forward model expands it."""
    expansion: Expansion = expand(density(detector, emission), limits)

    def kernels(normals: tuple[Float, Float], theta: Float, phi: Float) -> Float:
        alpha, fall = normals
        slopes = -np.tan(np.minimum(alpha, np.deg2rad(89.0))) * np.stack([np.cos(fall), np.sin(fall)])
        weights = expansion.weights(torch.from_numpy(slopes)).numpy()
        radial = np.stack([np.interp(theta, expansion.theta, each) for each in expansion.direction])
        along = np.stack([
            radial[r] * (np.sin(m * phi) if sine else np.cos(m * phi)) for r, m, sine in expansion.functions
        ])  # fmt: skip
        mu = lambert(alpha[:, None], theta, phi - fall[:, None])
        return np.where(mu > 0, np.maximum(weights.T @ along, 0.0), 0.0)[None]

    return kernels


def _normals(u: Float, v: Float) -> tuple[Float, Float]:
    """Give tilt and azimuth of the normal in radians for stereographic coordinates, ``(u, v) = tan(alpha / 2) (cos, sin)``."""
    return 2 * np.arctan(np.hypot(u, v)), np.arctan2(v, u)


def _stereographic(slopes: Float) -> tuple[Float, Float, Float]:
    """Give the coordinates u, v [n] of slopes [2, n], and their derivatives [n, coordinate, slope]."""
    p, q = slopes
    u, v = stereographic(slopes)
    length = np.sqrt(1 + p**2 + q**2)
    part = 1 / (length * (1 + length))
    rows = [[-1 / (1 + length) - u * p * part, -u * q * part], [-v * p * part, -1 / (1 + length) - v * q * part]]
    return u, v, np.moveaxis(np.array(rows), -1, 0)
