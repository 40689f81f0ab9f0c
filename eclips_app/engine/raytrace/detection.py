"""Where an electron lands on the detector's plane, in straight flight or from a table of curved ones."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from eclips_app.core.detector import Detector
from eclips_app.core.errors import EclipsError
from eclips_app.engine.compiled import compiled
from eclips_app.engine.raytrace.bvh import Bvh

Float = NDArray[np.float64]

_NM_PER_MM = 1e6
_SAGITTA = 1e-3  #: of the mesh's mean edge: how far a straight piece of a curved path may be off


@dataclass(frozen=True)
class Flight:
    """How electrons of several energies get from the specimen to the detector in the field of an axisymmetric column.

    Attributes
    ----------
    energies_ev : array [e]
        Start energies in eV.
    share : array [e]
        Part of the electrons with each energy, at every tilt and direction alike; its sum is made 1.
    response : array [e]
        Signal of an electron of this start energy, 0 below the threshold of the detector.
    field_v_per_mm : float
        dU/dz near the specimen in V/mm (minus the field strength E_z): positive pulls electrons up.
    polar_rad : array [j]
        Start angles from +z, rising.
    heights_mm : array [h]
        Heights above the specimen, rising, the last not below the detector's face; straight pieces are taken in between.
    radii_mm : array [e, j, h]
        Distance from the axis at which an electron that starts on the axis passes each height; NaN if it never comes there.
    """

    energies_ev: Float
    share: Float
    response: Float
    field_v_per_mm: float
    polar_rad: Float
    heights_mm: Float
    radii_mm: Float


class Face(NamedTuple):
    """The detector: centre, normal and two axes of its plane in mm; segments [k, 4]: radii in mm, azimuth, half span in rad."""

    centre: Float
    normal: Float
    first: Float
    second: Float
    segments: Float


class Paths(NamedTuple):
    """A `Flight` for the loops; without radii the flight is straight."""

    cumulated: Float  #: share of the energies up to each, all but the last
    response: Float
    energies: Float  #: eV
    force: float  #: eV/nm, up
    step: float  #: nm^2: square of a straight piece's length times the curvature
    polar: Float
    heights: Float
    radii: Float


def face(detector: Detector) -> Face:
    """Place the detector in the frame of the specimen: turned about x, then about y, then moved."""
    about_x, about_y = (math.radians(angle) for angle in detector.tilt_deg)
    cos_x, sin_x, cos_y, sin_y = math.cos(about_x), math.sin(about_x), math.cos(about_y), math.sin(about_y)
    first = np.array([cos_y, 0.0, -sin_y])
    second = np.array([sin_y * sin_x, cos_x, cos_y * sin_x])
    centre = np.array([*detector.center_mm, detector.distance_mm])
    normal = np.cross(first, second)
    if centre @ normal <= 0:
        raise EclipsError("the detector's face points away from the specimen", where="tilt_deg", hint="Lower the tilt.")
    segments = [
        (*detector.radii_mm(s), math.radians(s.azimuth_deg), math.radians(s.span_deg) / 2) for s in detector.quadrants
    ]
    return Face(centre, normal, first, second, np.array(segments))


def paths(flight: Flight | None, bvh: Bvh) -> Paths:
    """Prepare a flight above a surface.

    Raises
    ------
    EclipsError
        Arrays that do not belong together.
    """
    if flight is None:
        nothing, one = np.zeros(0), np.ones(1)
        return Paths(nothing, one, one, 0.0, 1.0, nothing, nothing, np.zeros((0, 0, 0)))
    energies, share, radii = (_copy(a) for a in (flight.energies_ev, flight.share, flight.radii_mm))
    polar, heights = _copy(flight.polar_rad), _copy(flight.heights_mm)
    if radii.shape != (len(energies), len(polar), len(heights)) or len(polar) < 2 or len(heights) < 1:
        raise EclipsError(f"landing radii of shape {radii.shape} do not fit their energies, angles and heights")
    if not energies.shape == share.shape == np.shape(flight.response) or (energies <= 0).any() or share.sum() <= 0:
        raise EclipsError("energies, shares and responses of the flight do not belong together")
    edges = np.linalg.norm(np.diff(bvh.corners, axis=1), axis=2)
    return Paths(
        np.cumsum(share)[:-1] / share.sum(),
        _copy(flight.response),
        energies,
        float(flight.field_v_per_mm) / _NM_PER_MM,
        8.0 * _SAGITTA * float(edges.mean()),
        polar,
        heights,
        radii,
    )


def _copy(array: Float) -> Float:
    """Copy: the loops are compiled once, for writable arrays in C order."""
    return np.array(array, dtype=np.float64, order="C")


@compiled(error_model="numpy")
def landing(face: Face, paths: Paths, ray: Float, place: Float, energy: int) -> tuple[float, float, bool]:
    """Give the landing point (u, v) on the detector's plane in mm from its centre, and whether there is one."""
    before = _beyond(face, place[0], place[1], 0.0)
    if paths.radii.size == 0:
        facing = ray[0] * face.normal[0] + ray[1] * face.normal[1] + ray[2] * face.normal[2]
        length = -before / facing
        u, v = _on_face(face, place[0] + length * ray[0], place[1] + length * ray[1], length * ray[2])
        return u, v, facing > 0.0 and length > 0.0
    flat = math.hypot(ray[0], ray[1])
    cosine, sine = (ray[0] / flat, ray[1] / flat) if flat > 0.0 else (1.0, 0.0)
    polar = math.atan2(flat, ray[2])
    if not paths.polar[0] <= polar <= paths.polar[-1]:
        return 0.0, 0.0, False
    node = _node(paths.polar, polar)
    part = (polar - paths.polar[node]) / (paths.polar[node + 1] - paths.polar[node])
    last_radius, last_height = 0.0, 0.0
    for level in range(len(paths.heights)):
        radius = (1.0 - part) * paths.radii[energy, node, level] + part * paths.radii[energy, node + 1, level]
        height = paths.heights[level]
        beyond = _beyond(face, place[0] + radius * cosine, place[1] + radius * sine, height)
        if math.isnan(beyond):
            break
        if beyond >= 0.0:
            share = before / (before - beyond)
            radius, height = last_radius + share * (radius - last_radius), last_height + share * (height - last_height)
            u, v = _on_face(face, place[0] + radius * cosine, place[1] + radius * sine, height)
            return u, v, True
        before, last_radius, last_height = beyond, radius, height
    return 0.0, 0.0, False


@compiled()
def _node(rising: Float, value: float) -> int:
    """Place of the last of the numbers, but for the very last, that is not above a value."""
    low, high = 0, len(rising) - 1
    while high - low > 1:
        middle = (low + high) // 2
        if rising[middle] <= value:
            low = middle
        else:
            high = middle
    return low


@compiled()
def _beyond(face: Face, x: float, y: float, z: float) -> float:
    """Signed distance in mm from the detector's plane, negative on the specimen's side."""
    away = (x - face.centre[0]) * face.normal[0] + (y - face.centre[1]) * face.normal[1]
    return float(away + (z - face.centre[2]) * face.normal[2])


@compiled()
def _on_face(face: Face, x: float, y: float, z: float) -> tuple[float, float]:
    """Coordinates in mm in the detector's plane."""
    x, y, z = x - face.centre[0], y - face.centre[1], z - face.centre[2]
    u = x * face.first[0] + y * face.first[1] + z * face.first[2]
    v = x * face.second[0] + y * face.second[1] + z * face.second[2]
    return u, v
