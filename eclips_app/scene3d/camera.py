"""Where a surface is looked at from: a turntable camera whose state is a few numbers that fit JSON."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eclips_app.core import schema
from eclips_app.core.schema import choice, quantity

_VIEW_ANGLE_DEG = 30.0


@dataclass(frozen=True)
class Camera:
    """A view. Azimuth and elevation tell where the eye stands: azimuth from +x toward +y, elevation from the specimen plane.

    `center_nm` (x, y, z) is the point in the middle of the picture, in scene nm before exaggeration. `view_height_nm` is the
    height of the picture, in perspective that of the plane through the centre.
    """

    projection: str = choice("parallel", "parallel", "perspective", label="Projection")
    azimuth_deg: float = quantity(-60.0, label="Azimuth", unit="°", low=-360, high=360)
    elevation_deg: float = quantity(35.0, label="Elevation", unit="°", low=-90, high=90)
    center_nm: tuple[float, float, float] = quantity((0.0, 0.0, 0.0), label="Centre", unit="nm", low=-1e12, high=1e12)
    view_height_nm: float = quantity(1000.0, label="View height", unit="nm", low=1e-6, high=1e12)

    def to_json(self) -> dict[str, Any]:
        """Give the state for a file."""
        content: dict[str, Any] = schema.dump(self)
        return content

    def axes(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Give the unit vectors right, up and toward the eye in the scene."""
        a, e = math.radians(self.azimuth_deg), math.radians(self.elevation_deg)
        eye = np.array([math.cos(e) * math.cos(a), math.cos(e) * math.sin(a), math.sin(e)])
        up = np.array([-math.sin(e) * math.cos(a), -math.sin(e) * math.sin(a), math.cos(e)])
        return np.cross(up, eye), up, eye

    def orbited(self, azimuth_deg: float, elevation_deg: float) -> Camera:
        """Turn by these angles; elevation stops at straight down and straight up."""
        azimuth = (self.azimuth_deg + azimuth_deg + 180.0) % 360.0 - 180.0
        return replace(
            self, azimuth_deg=azimuth, elevation_deg=min(90.0, max(-90.0, self.elevation_deg + elevation_deg))
        )

    def panned(self, right_nm: float, up_nm: float, exaggeration: float) -> Camera:
        """Move the centre within the picture's plane by drawn lengths."""
        right, up, _ = self.axes()
        step = right * right_nm + up * up_nm
        x, y, z = self.center_nm
        return replace(self, center_nm=(x + float(step[0]), y + float(step[1]), z + float(step[2]) / exaggeration))

    def zoomed(self, factor: float) -> Camera:
        """Show `factor` times as much; below 1 comes nearer."""
        return replace(self, view_height_nm=min(1e12, max(1e-6, self.view_height_nm * factor)))

    def distance_nm(self, reach_nm: float) -> float:
        """Distance from eye to centre; in parallel projection just far enough to have a scene of `reach_nm` in front."""
        if self.projection == "perspective":
            return 0.5 * self.view_height_nm / math.tan(math.radians(_VIEW_ANGLE_DEG / 2))
        return reach_nm + self.view_height_nm

    @property
    def view_angle_deg(self) -> float:
        """Opening angle of the perspective."""
        return _VIEW_ANGLE_DEG


#: Where the eye stands in each preset: azimuth and elevation in degrees. "top" shows the map as the image does.
PRESETS = {"top": (-90.0, 90.0), "front": (-90.0, 0.0), "right": (0.0, 0.0), "isometric": (-45.0, 35.264)}


def camera_from_json(data: Any) -> Camera:
    """Read a camera's state.

    Raises
    ------
    EclipsError
        Names the key and its range.
    """
    return schema.load(Camera, data, "camera")
