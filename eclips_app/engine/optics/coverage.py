"""Coverage of directions by the segments of a detector, on Torch: `T_k(t, f)` with exact derivatives by its geometry.

The detector is a plane annulus whose centre lies `distance_mm` above and `center_mm` beside the specimen point, turned about x
and then about y. Every function here takes the geometry as a vector with the components `GEOMETRY`, so that autograd and
forward-mode derivatives (`torch.func.jvp`) go through it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from eclips_app.core.detector import Detector
from eclips_app.core.errors import EclipsError
from eclips_app.engine.optics.watch import check

#: Directions nearer to the axis than this part of a half cell are taken there: on the axis itself there is no azimuth.
_OFF_AXIS = 0.01
#: A cell that the flight maps to less than this part of a cell takes the value at its edge.
_NARROW = 1e-3


def geometry_vector(detector: Detector) -> NDArray[np.float64]:
    """Give the geometry of a detector as a vector [8] with the components `GEOMETRY` (the azimuth is 0)."""
    return np.array(
        [
            detector.distance_mm,
            detector.inner_radius_mm,
            detector.outer_radius_mm,
            *detector.center_mm,
            *detector.tilt_deg,
            0.0,
        ]
    )


def with_geometry(detector: Detector, geometry: NDArray[np.float64]) -> Detector:
    """Give a detector with another geometry vector; the inverse of `geometry_vector`."""
    distance, inner, outer, x, y, tilt_x, tilt_y, azimuth = (float(value) for value in geometry)
    inward, outward = inner - detector.inner_radius_mm, outer - detector.outer_radius_mm
    segments = tuple(
        replace(
            segment,
            azimuth_deg=segment.azimuth_deg + azimuth,
            inner_radius_mm=None if segment.inner_radius_mm is None else segment.inner_radius_mm + inward,
            outer_radius_mm=None if segment.outer_radius_mm is None else segment.outer_radius_mm + outward,
        )
        for segment in detector.quadrants
    )
    return replace(
        detector, distance_mm=distance, inner_radius_mm=inner, outer_radius_mm=outer,
        center_mm=(x, y), tilt_deg=(tilt_x, tilt_y), quadrants=segments,
    )  # fmt: skip


@dataclass(frozen=True)
class Frame:
    """The detector plane as seen from the specimen point."""

    centre: Tensor  #: [3] in mm
    normal: Tensor  #: [3], away from the specimen
    along: tuple[Tensor, Tensor]  #: the two axes [3] in the plane
    reach: Tensor  #: distance of the specimen point from the plane in mm


def frame(geometry: Tensor) -> Frame:
    """Give the detector plane of a geometry vector.

    Raises
    ------
    EclipsError
        If its face points away from the specimen.
    """
    distance, _, _, x, y = geometry[:5]
    ax, ay = torch.deg2rad(geometry[5]), torch.deg2rad(geometry[6])
    zero = torch.zeros_like(ax)
    normal = torch.stack([torch.sin(ay) * torch.cos(ax), -torch.sin(ax), torch.cos(ay) * torch.cos(ax)])
    e1 = torch.stack([torch.cos(ay), zero, -torch.sin(ay)])
    e2 = torch.stack([torch.sin(ay) * torch.sin(ax), torch.cos(ax), torch.cos(ay) * torch.sin(ax)])
    centre = torch.stack([x, y, distance])
    reach = (centre * normal).sum()
    if reach <= 0:
        raise EclipsError(
            "the detector's face points away from the specimen", where="tilt_deg", hint="Lower the tilt or the offset."
        )
    return Frame(centre, normal, (e1, e2), reach)


@dataclass(frozen=True)
class Hits:
    """Where the directions of a grid meet the detector plane: at the middle of each cell, and how much that changes across.

    All [j, f], or broadcast to it.
    """

    angle: Tensor  #: arc tangent of radius over reach, which grows evenly with t where the detector is level
    angle_across: tuple[Tensor, Tensor]  #: change over the cell along t and along f
    azimuth: Tensor  #: in the detector plane, radians
    azimuth_across: tuple[Tensor, Tensor]
    lands: Tensor  #: bool; False where the direction never meets the plane


def hits(plane: Frame, polar_cells: int, azimuth_cells: int) -> Hits:
    """Follow straight lines from the specimen point to the detector plane."""
    step_t, step_f = np.pi / 2 / polar_cells, 2 * np.pi / azimuth_cells
    device = plane.centre.device
    t = (torch.arange(polar_cells, dtype=torch.float64, device=device) + 0.5)[:, None] * step_t
    f = (torch.arange(azimuth_cells, dtype=torch.float64, device=device) + 0.5)[None, :] * step_f
    low = (t - step_t / 2).clamp(min=_OFF_AXIS * step_t / 2)
    angle, azimuth, lands = _meet(plane, t, f)
    (angle_a, azimuth_a, _), (angle_b, azimuth_b, _) = _meet(plane, low, f), _meet(plane, t + step_t / 2, f)
    # One more column than cells, as the last edge is the first.
    (angle_f, azimuth_f, _) = _meet(plane, t, f - step_f / 2)
    around = [torch.cat([edge, edge[:, :1]], dim=1).diff(dim=1) for edge in (angle_f, azimuth_f)]
    return Hits(
        angle,
        ((angle_b - angle_a).abs(), around[0].abs()),
        azimuth,
        (_wrap(azimuth_b - azimuth_a).abs(), _wrap(around[1]).abs()),
        lands,
    )


def covered(detector: Detector, geometry: Tensor, polar_cells: int, azimuth_cells: int) -> Tensor:
    """Give the part of each direction cell [k, j, f] that a straight line carries onto each segment.

    A cell holds the part of its area (in t and f) that lies inside, with the edge taken as straight within the cell; for a
    level, centred detector this is exact.
    """
    plane = frame(geometry)
    found = hits(plane, polar_cells, azimuth_cells)
    shift = geometry[1] - detector.inner_radius_mm, geometry[2] - detector.outer_radius_mm
    rings: dict[tuple[float, float], Tensor] = {}
    tables = []
    for segment in detector.quadrants:
        check()
        radii = detector.radii_mm(segment)
        if radii not in rings:
            inner, outer = (torch.atan((r + s) / plane.reach) for r, s in zip(radii, shift, strict=True))
            rings[radii] = ring_part(found, inner, outer)
        inside = rings[radii]
        if segment.span_deg < 360:
            middle = torch.deg2rad(segment.azimuth_deg + geometry[7])
            inside = inside * sector_part(found, middle, float(np.deg2rad(segment.span_deg)) / 2)
        tables.append(torch.where(found.lands, inside, torch.zeros_like(inside)))
    return torch.stack(tables)


def ring_part(found: Hits, inner: Tensor, outer: Tensor) -> Tensor:
    """Give the part of each cell between two radii, given as angles (see `Hits.angle`)."""
    part = half_plane(outer - found.angle, *found.angle_across) + half_plane(found.angle - inner, *found.angle_across)
    return (part - 1.0).clamp(0, 1)


def sector_part(found: Hits, middle: Tensor, half: float) -> Tensor:
    """Give the part of each cell within `half` radians of the azimuth `middle`."""
    turn = _wrap(found.azimuth - middle)
    part = half_plane(half - turn, *found.azimuth_across) + half_plane(half + turn, *found.azimuth_across)
    return (part - 1.0).clamp(0, 1)


def half_plane(distance: Tensor, width_a: Tensor, width_b: Tensor) -> Tensor:
    """Part of a box on the positive side of a straight edge, from the edge function at its centre and its changes across.

    It is the distribution function of the sum of two independent uniform variables.
    """
    widest = torch.maximum(width_a, width_b).clamp(min=1e-12)
    a, b = torch.maximum(width_a, 1e-4 * widest), torch.maximum(width_b, 1e-4 * widest)
    outer, inner = (a + b) / 2, (a - b) / 2
    d = torch.minimum(torch.maximum(distance, -outer), outer)
    total = (d + outer).square() - (d + inner).relu().square() - (d - inner).relu().square()
    return total / (2 * a * b)


def remapped(straight: Tensor, angles: Tensor, lands: Tensor, weights: Tensor) -> Tensor:
    """Average a table of straight flight over electrons that land as if they had started at other angles.

    Parameters
    ----------
    straight : tensor [k, cell of t_v, f]
        Coverage of straight directions, cells even from 0 to 90 degrees.
    angles : tensor [energy, cell edge, f or 1]
        Virtual angle t_v of the start angles at the edges of the result's cells, in radians.
    lands : tensor [energy, cell, f or 1]
        Part of the cell's electrons that land at all.
    weights : tensor [energy]
        Of the energies.

    Returns
    -------
    Tensor
        [k, cell, f]: the mean of `straight` over the part of t_v that each cell is mapped to, exact for tables that are
        constant within their cells, with t_v linear in the start angle within a cell.
    """
    cells, azimuths = straight.shape[1:]
    density = straight.permute(1, 2, 0).contiguous()  # segments last: one look-up serves them all
    total = torch.cat([torch.zeros_like(density[:1]), density.cumsum(dim=0)])
    result = torch.zeros((), dtype=straight.dtype, device=straight.device)
    for angle, part, weight in zip(angles, lands, weights, strict=True):
        check()
        place = (angle * (cells / (np.pi / 2))).clamp(0, cells)
        cell = place.detach().floor().clamp(max=cells - 1).long()
        inside = _rows(density, cell)
        sums = torch.addcmul(_rows(total, cell), inside, (place - cell)[..., None])
        width = place.diff(dim=0)
        narrow = width.abs() < _NARROW
        share = weight * part / torch.where(narrow, torch.ones_like(width), width)
        mean = torch.where(narrow[..., None], inside[:-1], sums.diff(dim=0)) if narrow.any() else sums.diff(dim=0)
        result = result + share[..., None] * mean
    return result.expand(-1, azimuths, -1).permute(2, 0, 1).contiguous()


def _rows(table: Tensor, cell: Tensor) -> Tensor:
    """Give the entries [j, f, k] of a table [cell, f, k] at cells [j, f] or, the same for all f, [j, 1]."""
    if cell.shape[1] == 1:
        return table.index_select(0, cell[:, 0])
    count = table.shape[1]
    flat = cell * count + torch.arange(count, device=cell.device)
    return table.reshape(-1, table.shape[2]).index_select(0, flat.reshape(-1)).view(*cell.shape, -1)


def _meet(plane: Frame, t: Tensor, f: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Radius angle and azimuth on the detector plane where a direction meets it, and whether it does."""
    sine, up = torch.sin(t), torch.cos(t)
    x, y = sine * torch.cos(f), sine * torch.sin(f)
    facing = x * plane.normal[0] + y * plane.normal[1] + up * plane.normal[2]
    lands = facing > 1e-9
    length = plane.reach / torch.where(lands, facing, torch.ones_like(facing))
    point = [length * w - plane.centre[i] for i, w in enumerate((x, y, up))]
    first, second = plane.along
    u = point[0] * first[0] + point[1] * first[1] + point[2] * first[2]
    v = point[0] * second[0] + point[1] * second[1] + point[2] * second[2]
    angle = torch.atan(torch.hypot(u, v) / plane.reach)
    far = torch.full_like(angle, np.pi / 2)  # along the plane and away from it: met at infinity
    return torch.where(lands, angle, far), torch.atan2(v, u), lands


def _wrap(angle: Tensor) -> Tensor:
    return torch.remainder(angle + np.pi, 2 * np.pi) - np.pi
