"""How well a detector, its amplifiers, the pixel size and the emission are known: stated, never guessed.

A detector file may state it in ``calibration``: ``"parameters"``, a list of names, and ``"covariance"``, a matrix in the order
of the list. Names are those of `GEOMETRY`, ``gain:E`` (relative) and ``offset:E`` (grey values) for a segment E, and those of
`EMISSION` and `SCAN`. What the user types goes before what the file states. A detector of typical dimensions has the tolerances
`TYPICAL`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eclips_app.core.detector import Detector
from eclips_app.core.emission import EMISSION
from eclips_app.core.errors import EclipsError
from eclips_app.core.schema import quantity

#: Components of a detector's geometry. `azimuth_deg` turns all segments together; the radii are the detector's own, and
#: segments that carry radii of their own move them by the same amount.
GEOMETRY = (
    "distance_mm", "inner_radius_mm", "outer_radius_mm", "center_x_mm", "center_y_mm", "tilt_x_deg", "tilt_y_deg", "azimuth_deg",
)  # fmt: skip

#: Of the scan: curvature 1/P of the beam's arrival for a pivot P above the specimen (0: parallel beam), and height of a pixel
#: over its width.
SCAN = ("scan_curvature_per_m", "pixel_aspect")


@dataclass(frozen=True)
class Tolerances:
    """Standard deviations; None: what the detector's calibration states, else nothing is stated."""

    distance_mm: float | None = quantity(None, label="Specimen distance", unit="mm", low=0, high=50)
    inner_radius_mm: float | None = quantity(None, label="Inner radius", unit="mm", low=0, high=50)
    outer_radius_mm: float | None = quantity(None, label="Outer radius", unit="mm", low=0, high=50)
    center_mm: float | None = quantity(None, label="Axis offset, each direction", unit="mm", low=0, high=50)
    tilt_deg: float | None = quantity(None, label="Tilt, each axis", unit="°", low=0, high=60)
    azimuth_deg: float | None = quantity(None, label="Azimuth of the set", unit="°", low=0, high=180)
    gain_percent: float | None = quantity(
        None,
        label="Gains",
        unit="%",
        low=0,
        high=100,
        help="Of each segment against the others; they are refitted within it.",
    )
    offset_grey: float | None = quantity(
        None, label="Offsets", unit="grey", low=0, high=1e9, help="Black level of each segment; refitted within it."
    )
    pixel_size_percent: float | None = quantity(None, label="Pixel size", unit="%", low=0, high=50)
    emission_percent: float | None = quantity(
        None, label="Emission model", unit="%", low=0, high=400,
        help="Of the difference between Lambert's law and the material's table; two Monte Carlo codes differ by some 40 % of it.",
    )  # fmt: skip


#: Of a detector whose dimensions nobody has measured: lengths in parts of their value, the others as in `Tolerances`.
TYPICAL_LENGTH = 0.05
TYPICAL = Tolerances(center_mm=0.3, tilt_deg=1.0, azimuth_deg=2.0, gain_percent=1.0)


@dataclass(frozen=True)
class Stated:
    """What is stated of a detector.

    Attributes
    ----------
    names : tuple of str
        Parameters as in the module's text; those of no variance are left out.
    covariance : array [n, n]
        Of them, in their units.
    missing : tuple of str
        Groups of which nothing is stated: "gains", "geometry", "pixel size", "emission".
    pixel_size, emission : float
        Relative standard deviation, and share of the difference between emission models; 0 where nothing is stated.
    misfit : float
        Part of the signal by which the calibrated model missed the objects of known shape, alike on facets of one orientation.
    """

    names: tuple[str, ...]
    covariance: NDArray[np.float64]
    missing: tuple[str, ...]
    pixel_size: float
    emission: float
    misfit: float = 0.0

    def part(self, names: tuple[str, ...]) -> tuple[tuple[str, ...], NDArray[np.float64]]:
        """Give those of `names` that vary, and their covariance."""
        chosen = [i for i, name in enumerate(self.names) if name in names]
        return tuple(self.names[i] for i in chosen), self.covariance[np.ix_(chosen, chosen)]


def stated(
    detector: Detector, typed: Tolerances | None = None, *, levelled: bool = False, coefficients: bool = True
) -> Stated:
    """Give what is known of a detector's uncertainties.

    Parameters
    ----------
    typed : Tolerances, optional
        Typed by the user.
    levelled : bool
        Whether gains were chosen that make the image level; then they have at least the tolerance of `TYPICAL`.
    coefficients : bool
        Whether the emission is parametric; else what is known of its coefficients says nothing.

    Raises
    ------
    EclipsError
        If the calibration in the detector file cannot be read as such.
    """
    typed = typed or Tolerances()
    names, covariance = _calibrated(detector)
    variances: dict[str, float] = {}
    for field in fields(Tolerances):
        value = getattr(typed, field.name)
        known = parameters_of(field.name, detector)
        if value is None and detector.is_typical:
            value = _typical(field.name, detector)
        if value is None and levelled and field.name == "gain_percent" and not set(known) & set(names):
            value = TYPICAL.gain_percent
        if value is not None:
            variances.update({name: (0.01 * value if field.name.endswith("percent") else value) ** 2 for name in known})
    unused = () if coefficients and typed.emission_percent is None else EMISSION
    kept = [i for i, name in enumerate(names) if name not in variances and name not in unused]
    everything = (*(names[i] for i in kept), *variances)
    matrix = np.zeros((len(everything), len(everything)))
    matrix[: len(kept), : len(kept)] = covariance[np.ix_(kept, kept)]
    matrix[range(len(kept), len(everything)), range(len(kept), len(everything))] = list(variances.values())
    vary = [i for i in range(len(everything)) if matrix[i, i] > 0]
    return Stated(
        tuple(everything[i] for i in vary), matrix[np.ix_(vary, vary)], _missing(everything, typed),
        0.01 * (typed.pixel_size_percent or 0.0), 0.01 * (typed.emission_percent or 0.0),
        _misfit(detector) if typed.emission_percent is None else 0.0,
    )  # fmt: skip


def gain_names(detector: Detector) -> tuple[str, ...]:
    """Give the names of the gains, in the order of the segments."""
    return tuple(f"gain:{segment.name}" for segment in detector.quadrants)


def offset_names(detector: Detector) -> tuple[str, ...]:
    """Give the names of the offsets, in the order of the segments."""
    return tuple(f"offset:{segment.name}" for segment in detector.quadrants)


def parameters_of(field: str, detector: Detector) -> tuple[str, ...]:
    """Give the parameters that a field of `Tolerances` speaks of."""
    several: dict[str, tuple[str, ...]] = {
        "center_mm": ("center_x_mm", "center_y_mm"), "tilt_deg": ("tilt_x_deg", "tilt_y_deg"),
        "gain_percent": gain_names(detector), "offset_grey": offset_names(detector),
        "pixel_size_percent": (), "emission_percent": (),
    }  # fmt: skip
    return several.get(field, (field,))


def _typical(field: str, detector: Detector) -> float | None:
    if field in ("distance_mm", "inner_radius_mm", "outer_radius_mm"):
        return TYPICAL_LENGTH * float(getattr(detector, field))
    value: float | None = getattr(TYPICAL, field)
    return value


def _misfit(detector: Detector) -> float:
    found = (detector.calibration or {}).get("model_error_percent", 0.0)
    if isinstance(found, bool) or not isinstance(found, (int, float)) or not 0 <= found <= 100:
        raise EclipsError(
            f"the model's error is {found!r}", where="calibration: model_error_percent", hint="Give 0 to 100 percent."
        )
    return 0.01 * float(found)


def _missing(names: tuple[str, ...], typed: Tolerances) -> tuple[str, ...]:
    there = {
        "gains": any(name.startswith(("gain:", "offset:")) for name in names),
        "geometry": any(name in GEOMETRY for name in names),
        "pixel size": typed.pixel_size_percent is not None,
        "emission": typed.emission_percent is not None or any(name in EMISSION for name in names),
    }
    return tuple(name for name, known in there.items() if not known)


def _calibrated(detector: Detector) -> tuple[tuple[str, ...], NDArray[np.float64]]:
    """Read names and covariance from the detector's calibration; none where it does not hold them."""
    content: dict[str, Any] = detector.calibration or {}
    if "covariance" not in content:
        return (), np.zeros((0, 0))
    names = content.get("parameters")
    known = {*GEOMETRY, *gain_names(detector), *offset_names(detector), *EMISSION, *SCAN}
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise EclipsError(
            "the calibration has a covariance without its list of 'parameters'",
            where="calibration",
            hint="Add the list.",
        )
    if unknown := [name for name in names if name not in known]:
        raise EclipsError(
            f"the calibration names the parameter '{unknown[0]}', which is not known", where="calibration",
            hint=f"Known ones: {', '.join(sorted(known))}.",
        )  # fmt: skip
    try:
        matrix = np.array(content["covariance"], dtype=float).reshape(len(names), len(names))
        sound = bool(np.isfinite(matrix).all()) and bool(np.allclose(matrix, matrix.T, rtol=1e-6, atol=1e-300))
        sound = sound and bool((np.linalg.eigvalsh(matrix) >= -1e-9 * max(np.trace(matrix), 1e-300)).all())
    except (TypeError, ValueError):
        sound = False
    if not sound:
        raise EclipsError(
            f"the calibration's covariance is no covariance matrix of {len(names)} parameters", where="calibration",
            hint="Give rows of numbers, symmetric, with no negative variance.",
        )  # fmt: skip
    return tuple(names), matrix


def std_of(stated: Stated, name: str) -> float:
    """Give the standard deviation of a parameter; 0 where nothing is stated."""
    return math.sqrt(stated.covariance[i, i]) if (i := _index(stated.names, name)) is not None else 0.0


def _index(names: tuple[str, ...], name: str) -> int | None:
    return names.index(name) if name in names else None
