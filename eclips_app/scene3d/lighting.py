"""The lights on a surface, as numbers that forms and files can hold."""

from __future__ import annotations

from dataclasses import dataclass

from eclips_app.core.schema import quantity


@dataclass(frozen=True)
class Lighting:
    """A raking light over a light at the eye; level ground seen from above always has the colours of the colour bar."""

    azimuth_deg: float = quantity(135.0, label="Light from", unit="°", low=-360, high=360)
    elevation_deg: float = quantity(35.0, label="Light elevation", unit="°", low=5, high=90)
    shading: float = quantity(0.7, label="Shading", low=0, high=1, help="0 shows the plain colours.")
    raking: float = quantity(0.6, label="Raking light", low=0, high=1, help="Share of the raking light in the shading.")
