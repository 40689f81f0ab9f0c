"""Where the segments lie in space and which directions of emission they catch, for straight flight; numpy alone.

Frame of the specimen: x right, y up, z toward the pole piece; the detector plane is turned about x, then about y.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from eclips_app.core.detector import Detector, Segment

Float = NDArray[np.float64]

_STEP_DEG = 3.0  #: arcs of an outline are drawn with a corner this often


def frame(detector: Detector) -> tuple[Float, Float]:
    """Give the centre of the detector plane in mm [3] and its axes as columns [3, 3]: along x, along y, normal."""
    ax, ay = np.radians(detector.tilt_deg)
    about_x = np.array([[1, 0, 0], [0, np.cos(ax), -np.sin(ax)], [0, np.sin(ax), np.cos(ax)]])
    about_y = np.array([[np.cos(ay), 0, np.sin(ay)], [0, 1, 0], [-np.sin(ay), 0, np.cos(ay)]])
    return np.array([*detector.center_mm, detector.distance_mm]), about_y @ about_x


def outline(detector: Detector, segment: Segment) -> Float:
    """Give the outline of a segment in space, in mm [n, 3]: along the outer arc and back along the inner one."""
    centre, axes = frame(detector)
    inner, outer = detector.radii_mm(segment)
    corners = max(2, int(np.ceil(segment.span_deg / _STEP_DEG)) + 1)
    half = segment.span_deg / 2
    azimuth = np.radians(segment.azimuth_deg + np.linspace(-half, half, corners))
    radius = np.concatenate([np.full(corners, outer), np.full(corners, inner)])
    around = np.concatenate([azimuth, azimuth[::-1]])
    plane = np.stack([radius * np.cos(around), radius * np.sin(around)], axis=1)
    points: Float = centre + plane @ axes[:, :2].T
    return points


def take_off_range_deg(detector: Detector, segment: Segment) -> tuple[float, float]:
    """Give the lowest and highest take-off angle (elevation) in degrees that reach a segment, offset and tilt included."""
    points = outline(detector, segment)
    elevation = np.degrees(np.arctan2(points[:, 2], np.hypot(points[:, 0], points[:, 1])))
    return float(elevation.min()), float(elevation.max())


def acceptance_map(detector: Detector, size_px: int = 256) -> NDArray[np.int8]:
    """Give which segment catches each direction of emission, -1 for none, [size_px, size_px].

    The hemisphere is seen from above, x right and y up (row 0 is the top): a direction lies at its horizontal part
    (sin t cos f, sin t sin f). Equal areas then hold equal numbers of electrons from a flat specimen under the cosine law
    (Nusselt's analogue), so that a segment's part of the unit disc is the part of the emission that it collects.
    """
    grid = (np.arange(size_px) + 0.5) * 2 / size_px - 1
    x, y = grid[None, :], -grid[:, None]
    inside = x**2 + y**2 < 1
    z = np.sqrt(np.maximum(1 - x**2 - y**2, 0))
    centre, axes = frame(detector)
    facing = x * axes[0, 2] + y * axes[1, 2] + z * axes[2, 2]
    reach = float(centre @ axes[:, 2])
    lands = inside & (facing > 1e-9) & (reach > 0)
    length = reach / np.where(lands, facing, 1.0)
    across = [length * (x * axes[0, i] + y * axes[1, i] + z * axes[2, i]) - centre @ axes[:, i] for i in (0, 1)]
    radius, azimuth = np.hypot(*across), np.degrees(np.arctan2(across[1], across[0]))
    caught = np.full(radius.shape, -1, dtype=np.int8)
    for index, segment in enumerate(detector.quadrants):
        inner, outer = detector.radii_mm(segment)
        turn = np.abs((azimuth - segment.azimuth_deg + 180) % 360 - 180)
        caught[lands & (radius >= inner) & (radius <= outer) & (turn <= segment.span_deg / 2)] = index
    return caught


def collected_parts(caught: NDArray[np.int8], segments: int) -> Float:
    """Give the part (0 to 1) of a flat specimen's electrons that each segment collects, from `acceptance_map`."""
    disc = np.pi / 4 * caught.size
    return np.bincount(caught[caught >= 0].ravel(), minlength=segments) / disc


def overlapping(detector: Detector) -> list[tuple[str, str]]:
    """Name the pairs of segments that cover the same place of the detector."""
    pairs = []
    for i, one in enumerate(detector.quadrants):
        for other in detector.quadrants[i + 1 :]:
            (a, b), (c, d) = detector.radii_mm(one), detector.radii_mm(other)
            turn = abs((one.azimuth_deg - other.azimuth_deg + 180) % 360 - 180)
            if min(b, d) - max(a, c) > 1e-6 and (one.span_deg + other.span_deg) / 2 - turn > 1e-6:
                pairs.append((one.name, other.name))
    return pairs
