"""Valid solid angle of a segmented detector for straight flight: `T_k(t, f)`, its cumulated tables and vectors.

The detector is a plane annulus at `distance_mm` above the specimen point, turned about x and then about y, divided into segments.
With Lambert emission and nothing in the way the signal of segment k is ``S n . A_k`` with the acceptance vector
``A_k = (1/pi) Int T_k w dw`` (frame: x right, y up, z toward the pole piece).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from eclips_app.core.detector import Detector, Segment
from eclips_app.core.errors import EclipsError

Float = NDArray[np.float64]

_NODES_RADIUS = 32
_NODES_AZIMUTH = 64


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
        return self._cumulate(_int_sin2(self.theta)), self._cumulate(_int_sin_cos(self.theta))

    def _cumulate(self, integral: Float) -> Float:
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
        seen = np.flatnonzero(self.T.any(axis=(0, 2)))
        if seen.size == 0:
            raise EclipsError("no segment of the detector can be reached from the specimen", hint="Check the geometry.")
        return float(self.theta[seen[0]]), float(self.theta[seen[-1] + 1])


def acceptance(detector: Detector, polar_cells: int = 360, azimuth_cells: int = 768) -> Acceptance:
    """Compute `T_k` of a detector for straight flight on a polar grid over the upper half space.

    Edges of segments are anti-aliased: a cell holds the part of its area (in t and f) that lies inside, with the edge
    taken as straight within the cell; for a level, centred detector this is exact.
    """
    theta = np.linspace(0.0, np.pi / 2, polar_cells + 1)
    phi = np.linspace(0.0, 2 * np.pi, azimuth_cells + 1)
    half_t, half_f = theta[1] / 2, phi[1] / 2
    t, f = (theta[:-1] + half_t)[:, None], (phi[:-1] + half_f)[None, :]
    centre, normal, _, _ = _frame(detector)
    reach = float(centre @ normal)
    shifted = [(t, f), (t - half_t, f), (t + half_t, f), (t, f - half_f), (t, f + half_f)]
    hits = [_landing(detector, tt, ff) for tt, ff in shifted]
    tables = [_coverage(detector, segment, reach, hits) for segment in detector.quadrants]
    return Acceptance(theta, phi, np.stack(tables))


def vectors(detector: Detector) -> Float:
    """Give the acceptance vectors ``A_k`` [k, 3] by Gauss-Legendre quadrature over each segment's face.

    With P the vector from the specimen to a point of the face and n the face's normal, ``w dw = P (P.n) / |P|^4 dA``.
    """
    normal = _frame(detector)[1]
    found = []
    for segment in detector.quadrants:
        points, area = _face(detector, segment)
        s2 = np.einsum("ni,ni->n", points, points)
        found.append(np.einsum("ni,n->i", points, area * (points @ normal) / s2**2) / np.pi)
    return np.stack(found)


def vector_gradients(detector: Detector) -> tuple[Float, Float]:
    """Give ``dA_k/dX`` and ``dA_k/dY`` [k, 3] in 1/mm, for a beam position (X, Y) on the specimen in mm.

    Moving the beam by +X moves the detector's centre by -X as seen from the specimen point.
    """
    normal = _frame(detector)[1]
    gradients = []
    for axis in np.eye(3)[:2]:
        rows = []
        for segment in detector.quadrants:
            points, area = _face(detector, segment)
            s2 = np.einsum("ni,ni->n", points, points)
            facing, along = points @ normal, points @ axis
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
    x, wx = np.polynomial.legendre.leggauss(_NODES_RADIUS)
    y, wy = np.polynomial.legendre.leggauss(_NODES_AZIMUTH)
    radius = 0.5 * (outer + inner) + 0.5 * (outer - inner) * x[:, None]
    half = np.deg2rad(segment.span_deg) / 2
    azimuth = np.deg2rad(segment.azimuth_deg) + half * y[None, :]
    u, v = (radius * np.cos(azimuth)).ravel(), (radius * np.sin(azimuth)).ravel()
    area = (0.5 * (outer - inner) * wx[:, None] * radius * half * wy[None, :]).ravel()
    points = centre + u[:, None] * e1 + v[:, None] * e2
    return points, np.where(points[:, 2] > 0, area, 0.0)


def _landing(detector: Detector, t: Float, f: Float) -> tuple[Float, Float, NDArray[np.bool_]]:
    """Radius in mm and azimuth in radians on the detector plane where a direction lands, and whether it does."""
    centre, normal, e1, e2 = _frame(detector)
    w = np.stack(np.broadcast_arrays(np.sin(t) * np.cos(f), np.sin(t) * np.sin(f), np.cos(t)), axis=-1)
    facing = w @ normal
    lands = facing > 1e-9
    length = (centre @ normal) / np.where(lands, facing, 1.0)
    point = w * length[..., None] - centre
    u, v = point @ e1, point @ e2
    return np.hypot(u, v), np.arctan2(v, u), lands


def _coverage(
    detector: Detector, segment: Segment, reach: float, hits: list[tuple[Float, Float, NDArray[np.bool_]]]
) -> Float:
    """Part of each cell inside a segment; `hits` are the cell's centre, then -t, +t, -f and +f half a cell away."""
    inner, outer = detector.radii_mm(segment)
    # As an angle the radius grows evenly with t, so that the straight edge within a cell is exact when level.
    angles = [np.arctan(radius / reach) for radius, _, _ in hits]
    widths = np.abs(angles[2] - angles[1]), np.abs(angles[4] - angles[3])
    inside = _half_plane(np.arctan(outer / reach) - angles[0], *widths)
    inside += _half_plane(angles[0] - np.arctan(inner / reach), *widths) - 1.0
    if segment.span_deg < 360:
        half = np.deg2rad(segment.span_deg) / 2
        turn = [_wrap(azimuth - np.deg2rad(segment.azimuth_deg)) for _, azimuth, _ in hits]
        spread = np.abs(_wrap(turn[2] - turn[1])), np.abs(_wrap(turn[4] - turn[3]))
        sides = _half_plane(half - turn[0], *spread) + _half_plane(half + turn[0], *spread) - 1.0
        inside = np.clip(inside, 0, 1) * np.clip(sides, 0, 1)
    return np.where(hits[0][2], np.clip(inside, 0, 1), 0.0)


def _half_plane(distance: Float, width_a: Float, width_b: Float) -> Float:
    """Part of a box on the positive side of a straight edge, from the edge function at its centre and its changes across.

    It is the distribution function of the sum of two independent uniform variables.
    """
    widest = np.maximum(np.maximum(width_a, width_b), 1e-12)
    a, b = np.maximum(width_a, 1e-4 * widest), np.maximum(width_b, 1e-4 * widest)

    def ramp(x: Float) -> Float:
        positive: Float = np.maximum(x, 0.0)
        return positive * positive

    d = np.clip(distance, -(a + b) / 2, (a + b) / 2)
    total = ramp(d + (a + b) / 2) - ramp(d + (a - b) / 2) - ramp(d - (a - b) / 2) + ramp(d - (a + b) / 2)
    part: Float = total / (2 * a * b)
    return part


def _wrap(angle: Float) -> Float:
    return (angle + np.pi) % (2 * np.pi) - np.pi


def _int_sin2(t: Float) -> Float:
    return t / 2 - np.sin(2 * t) / 4


def _int_sin_cos(t: Float) -> Float:
    return np.sin(t) ** 2 / 2
