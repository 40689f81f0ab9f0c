"""The covariance of a height map as maps of deviations, and what of a map is not to be trusted.

A reconstruction gives ``deviations`` [n, row, col] (float16, in units of the pixel size) with ``Cov(h) = Sum_i d_i d_i'``, and
``info["deviation_parts"]``, for each map the part of the budget that it belongs to and a name: ``["noise", "draw 1"]``,
``["geometry", "distance_mm"]``. The variance of any functional ``a.h`` is ``Sum_i (a.d_i)^2``, part by part.
"""

from __future__ import annotations

#: Parts of the budget in the order in which they are told, and what each is.
PARTS: dict[str, str] = {
    "noise": "Shot and read-out noise, and what the prior leaves open",
    "gains": "Gains and offsets of the segments",
    "geometry": "Geometry of the detector",
    "emission": "Emission model",
    "pixel size": "Pixel size",
    "model": "Model discrepancy (from chi-square)",
}

#: Bits of the array ``flags`` (uint8 [row, col]): why the height of a pixel is not to be trusted.
NO_DATA = 1
CLIPPED = 2
OCCLUDED = 4
OUT_OF_MODEL = 8

FLAGS: dict[int, str] = {
    NO_DATA: "no data: excluded, or too few segments; the height is carried across",
    CLIPPED: "clipped in a segment, which is left out there",
    OCCLUDED: "occluded: other parts of the surface block much of what the detector would see",
    OUT_OF_MODEL: "out of model: chi-square says that more than noise is left over",
}
