"""The options of each kind of measurement, from which forms and command lines build themselves.

Lengths are in nm. None: chosen from the data; the measurement's notes say what was chosen.
"""

from __future__ import annotations

from dataclasses import dataclass

from eclips_app.core.schema import choice, quantity

_FILTERS = ("gaussian", "robust", "spline")


@dataclass(frozen=True)
class NoOptions:
    """A kind without options."""


@dataclass(frozen=True)
class StandardStep:
    """Of the step height after ISO 5436-1."""

    margin: float = quantity(
        1 / 3, label="Left out at the edges", low=0.0, high=0.45,
        help="Part of the feature's width that is left out on both sides of each edge; the standard: a third.",
    )  # fmt: skip


@dataclass(frozen=True)
class HistogramStep:
    """Of the step height between the two levels of an area."""

    bins: int = quantity(0, label="Bins", low=0, high=10_000, help="0: by the rule of Freedman and Diaconis.")
    form: str = choice("none", "none", "plane", label="Taken out first", help="plane: one plane under both levels.")


@dataclass(frozen=True)
class Edge:
    """Of an edge's position and width."""

    model: str = choice("erf", "erf", "logistic", label="Shape of the edge")
    low_percent: float = quantity(10.0, label="Width from", unit="%", low=0.1, high=49.0)


@dataclass(frozen=True)
class Pitch:
    """Of the period of a grating."""

    expected_nm: float | None = quantity(
        None, label="Expected pitch", unit="nm", low=1e-3, high=1e9, help="None: from the highest peak of the spectrum."
    )


@dataclass(frozen=True)
class CriticalDimension:
    """Of a line's or trench's width."""

    top_percent: float = quantity(90.0, label="Top at", unit="%", low=50.0, high=99.9)
    bottom_percent: float = quantity(10.0, label="Bottom at", unit="%", low=0.1, high=50.0)


@dataclass(frozen=True)
class Volume:
    """Of volumes above and below a reference."""

    reference: str = choice(
        "rim", "rim", "level", "minimum", label="Reference",
        help="rim: the plane through the area's rim. level: a height. minimum: the lowest point of the area.",
    )  # fmt: skip
    level_nm: float = quantity(0.0, label="Level", unit="nm", low=-1e9, high=1e9)
    rim_px: float = quantity(2.0, label="Width of the rim", unit="px", low=1.0, high=1e4)


@dataclass(frozen=True)
class Bearing:
    """Of the bearing (Abbott-Firestone) curve."""

    form: str = choice("plane", "none", "plane", "polynomial", label="Form taken out (F)")
    c_nm: float | None = quantity(
        None, label="Height c for the material ratio", unit="nm", low=-1e9, high=1e9, help="None: 0, the mean height."
    )
    mr_percent: float = quantity(50.0, label="Material ratio for the height", unit="%", low=0.0, high=100.0)


@dataclass(frozen=True)
class AreaRoughness:
    """Of areal surface texture; nesting indices after ISO 25178-3, filters after ISO 16610."""

    form: str = choice("plane", "none", "plane", "polynomial", label="Form taken out (F)")
    degree: int = quantity(2, label="Degree of the polynomial", low=1, high=12)
    s_filter_nm: float | None = quantity(
        None, label="S-filter", unit="nm", low=0, high=1e9, help="0: none. None: none, the pixels are the limit."
    )
    l_filter_nm: float | None = quantity(
        None, label="L-filter", unit="nm", low=0, high=1e9, help="0 or None: none: the surface is an S-F surface."
    )
    filter: str = choice("gaussian", *_FILTERS, label="Filter", help="ISO 16610-61, -71 (robust) or -62 (spline).")
    acf_level: float = quantity(0.2, label="Autocorrelation falls to", low=0.05, high=0.95)
    p_percent: float = quantity(10.0, label="Volumes: peaks above", unit="%", low=0.1, high=49.0)
    q_percent: float = quantity(80.0, label="Volumes: valleys below", unit="%", low=51.0, high=99.9)


@dataclass(frozen=True)
class Features(AreaRoughness):
    """Of the significant hills and dales of an area."""

    pruning_percent: float = quantity(5.0, label="Wolf pruning", unit="% of Sz", low=0.1, high=50.0)


@dataclass(frozen=True)
class ProfileRoughness:
    """Of profile surface texture; ISO 21920-2, defaults after ISO 21920-3, filters after ISO 16610."""

    form: str = choice("plane", "none", "plane", "polynomial", label="Form taken out (F)")
    degree: int = quantity(2, label="Degree of the polynomial", low=1, high=12)
    lambda_s_nm: float | None = quantity(
        None, label="λs", unit="nm", low=0, high=1e9, help="0: none. None: none, the pixels are the limit."
    )
    lambda_c_nm: float | None = quantity(
        None, label="λc", unit="nm", low=0, high=1e9, help="None: a fifth of the profile's length. 0: none (P profile)."
    )
    filter: str = choice("gaussian", *_FILTERS, label="Filter", help="ISO 16610-21, -31 (robust) or -22 (spline).")
    c_nm: float | None = quantity(
        None,
        label="Depth c for the material ratio",
        unit="nm",
        low=0,
        high=1e9,
        help="Below the highest point. None: none.",
    )


@dataclass(frozen=True)
class Spectrum:
    """Of power spectrum and autocorrelation."""

    form: str = choice("plane", "none", "plane", "polynomial", label="Form taken out (F)")
    degree: int = quantity(2, label="Degree of the polynomial", low=1, high=12)
    window: str = choice("hann", "hann", "none", label="Window")
