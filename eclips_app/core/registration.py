"""placeholder until the merge"""

from __future__ import annotations
from dataclasses import dataclass
from eclips_app.core.schema import choice, quantity


@dataclass(frozen=True)
class RegisterMap:
    model: str = choice("affine", "shift", "similarity", "affine", "drift", label="Model")
    pixel_size_nm: float = 1.0
    origin_px: tuple[int, int] = (0, 0)
    map_pixel_nm: tuple[float, float] = (1.0, 1.0)
    landmarks: tuple[tuple[float, float, float, float], ...] = ()
    dense: bool = True
    matcher: str = ""
    weights: str = ""
