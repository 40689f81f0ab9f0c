"""Measurements of AFM files beside independent libraries: surfalize and SurfaceTopography."""

from __future__ import annotations

import importlib.util
import math
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eclips_app.cli.bench_metrology import difference_percent, measured
from eclips_app.cli.tables import Table
from eclips_app.core.context import SilentContext
from eclips_app.core.errors import EclipsError
from eclips_app.core.shapes import Shape
from eclips_app.core.steps import ReadHeightMap, run_step

#: Files with square, gap-free height channels, from smooth to rough.
FILES = ("example_ps.tiff", "Park_20210916_034.tiff", "spot_1-1000nm.ibw", "Veeco_20160622.003", "di-1.di")
_QUICK = 3
_COLUMNS = ("file", "quantity", "unit", "ours", "theirs", "library", "difference %", "reason")

_CURVE = "their curve's areas end at the nearest of its points, ours at the exact ratio"
_LINE = "other points of the curve in the line of least squares"
_LAGS = (
    "between pixels they interpolate by cubic splines, we linearly; their lags reach to the whole side, ours to half"
)
_BORDER = "they divide by the area of the pixels' centres, we by that of the pixels"
_FOLD = "they bin wavenumbers by angle, so that those on the axes add up; ours are rays"
_SLOPE = "they take differences of neighbours, we those over seven points (ISO 21920-2)"
_PITS = "they count the lowest point of a section as depth even where it lies above the mean line"
_ENDS = "ends: they mirror the heights, we keep the filter's weight"

#: ISO 25178 names, by what theirs is in nm (or by what to multiply it), and why it differs.
_AREAL: dict[str, tuple[float, str]] = {
    "Sq": (1e3, ""), "Sa": (1e3, ""), "Ssk": (1, ""), "Sku": (1, ""), "Sp": (1e3, ""), "Sv": (1e3, ""), "Sz": (1e3, ""),
    "Sdq": (1, ""), "Sdr": (1, ""), "Sal": (1e3, _LAGS), "Str": (1, _LAGS), "Sk": (1e3, _LINE), "Spk": (1e3, _CURVE),
    "Svk": (1e3, _CURVE), "Smr1": (1, _LINE), "Smr2": (1, _LINE), "Sxp": (1e3, ""), "Vmp": (1e3, _CURVE),
    "Vmc": (1e3, _CURVE), "Vvc": (1e3, _CURVE), "Vvv": (1e3, _CURVE), "S5p": (1e3, ""), "S5v": (1e3, ""),
    "S10z": (1e3, ""), "Spd": (1, _BORDER), "Svd": (1, _BORDER), "Spc": (1e-3, ""), "Svc": (1e-3, ""),
    "Std": (1, _FOLD),
}  # fmt: skip
_OURS = {"Std": "Std texture direction"}
_PROFILE: dict[str, tuple[float, str]] = {
    "Rq": (1e3, ""), "Ra": (1e3, ""), "Rsk": (1, ""), "Rku": (1, ""), "Rt": (1e3, ""), "Rz": (1e3, ""), "Rp": (1e3, ""),
    "Rv": (1e3, _PITS), "Rdq": (1, _SLOPE), "Rk": (1e3, _LINE), "Rpk": (1e3, _CURVE), "Rvk": (1e3, _CURVE),
}  # fmt: skip


def tables(folder: Path, *, quick: bool = False) -> list[Table]:
    """Give the tables of the libraries that are installed; without files or libraries, a table that says so."""
    files = [folder / name for name in FILES[: _QUICK if quick else None] if (folder / name).is_file()]
    title = "Measurements of AFM files beside independent libraries"
    missing = [name for name in ("surfalize", "SurfaceTopography") if importlib.util.find_spec(name) is None]
    notes = [f"{name} is not installed, so its values are missing (pip install {name})." for name in missing]
    if not files:
        notes.append("The AFM files are not there; --shared names their folder.")
    rows: list[tuple[Any, ...]] = []
    for path in files:
        try:
            height, size = read(path)
        except EclipsError as error:
            notes.append(f"{path.name}: {error}")
            continue
        if "surfalize" not in missing:
            rows += beside_surfalize(path.name, height, size)
        if "SurfaceTopography" not in missing:
            rows += beside_surface_topography(path.name, height, size)
    return [Table(title, _COLUMNS, tuple(rows), tuple(notes))]


def read(path: Path) -> tuple[NDArray[np.float64], tuple[float, float]]:
    """Read heights [row, col] in nm and the pixel size (x, y) in nm.

    Raises
    ------
    EclipsError
        If the file cannot be read.
    """
    found = run_step("read-height-map", {}, ReadHeightMap(str(path)), SilentContext())
    x, y = found.info["pixel_size_nm"]
    return found.arrays["height"].astype(np.float64), (float(x), float(y))


def beside_surfalize(name: str, height: NDArray[np.float64], size: tuple[float, float]) -> list[tuple[Any, ...]]:
    """Give rows of areal and profile parameters, after a plane is taken out."""
    from surfalize import Profile, Surface
    from surfalize.abbottfirestone import AbbottFirestoneCurve
    from surfalize.filter import GaussianFilter

    values = measured("roughness-area", height, size).info["values"] | measured("features", height, size).info["values"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it tells by warnings what is not defined
        surface = Surface(height / 1e3, size[0] / 1e3, size[1] / 1e3).level()
        curve = AbbottFirestoneCurve(surface)
        rows = []
        for short, (factor, reason) in _AREAL.items():
            of = curve if short[0] == "V" else surface
            theirs = float(getattr(of, short.lower() if short[0] == "V" else short)()) * factor
            rows.append(_row(name, short, values[_OURS.get(short, short)], theirs, "surfalize", reason))
        cutoff = 20 * size[0]
        smooth = GaussianFilter(cutoff / 1e3, "lowpass")(surface)
        ours = measured("roughness-area", height, size, s_filter_nm=cutoff).info["values"]["Sq"]
        rows.append(_row(name, "Sq, S-filter of 20 pixels", ours, float(smooth.level().Sq()) * 1e3, "surfalize", _ENDS))
        middle = height.shape[0] // 2
        line = Shape("line", ((0.0, float(middle)), (height.shape[1] - 1.0, float(middle))))
        ours = measured("roughness-profile", height, size, (line,), lambda_c_nm=0).info["values"]
        theirs_line = Profile(height[middle] / 1e3, size[0] / 1e3).level()
        for short, (factor, reason) in _PROFILE.items():
            rows.append(
                _row(name, short, ours[short], float(getattr(theirs_line, short)()) * factor, "surfalize", reason)
            )
    return rows


def beside_surface_topography(
    name: str, height: NDArray[np.float64], size: tuple[float, float]
) -> list[tuple[Any, ...]]:
    """Give rows of rms height, spectra and bearing area, after a plane is taken out."""
    from eclips_app.metrology.forms import without_form

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ImportWarning)  # it asks for MPI
        from SurfaceTopography import Topography, UniformLineScan

    level = without_form(height, np.isfinite(height), "plane")
    extent = height.shape[1] * size[0], height.shape[0] * size[1]
    # The library counts along x first; without a window, as for periodic maps, the whole density can be compared.
    theirs = Topography(level.T, extent, periodic=True)
    whole = measured("roughness-area", height, size).info["values"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # they mean to rename it
        rms = float(theirs.rms_height_from_area())
    rows = [_row(name, "Sq", whole["Sq"], rms, "SurfaceTopography", "")]
    ours = measured("spectrum-area", height, size, window="none")
    *_, density = theirs.power_spectrum_from_area(return_map=True, reliable=False)
    found = 10 ** ours.arrays["log10 psd"]
    at = np.unravel_index(int(np.argmax(found)), found.shape)
    their_peak = float(np.fft.fftshift(density.T)[at])
    peak = {"value": float(found[at]), "unit": "nm⁴"}
    rows.append(_row(name, "highest of the PSD of the area", peak, their_peak, "SurfaceTopography", ""))
    middle = height.shape[0] // 2
    profile = without_form(height[middle], np.ones(height.shape[1], dtype=bool), "plane")
    scan = UniformLineScan(profile, extent[0], periodic=False)
    q, line_density = scan.power_spectrum_from_profile(window="hann", resampling_method=None, reliable=False)
    line = Shape("line", ((0.0, float(middle)), (height.shape[1] - 1.0, float(middle))))
    curve = measured("spectrum-profile", height, size, (line,)).arrays
    for part, word in ((1, "tenth wavenumber"), (len(q) // 2, "middle wavenumber")):
        number = 10 if part == 1 else part
        value = {"value": float(curve["psd/y"][number - 1]), "unit": "nm³"}
        rows.append(
            _row(name, f"PSD of the middle row, {word}", value, float(line_density[number]), "SurfaceTopography", "")
        )
    bearing = measured("bearing", height, size).info["values"]["Smr(0 nm)"]
    theirs_bearing = 100 * float(np.ravel(theirs.bearing_area(np.zeros(1)))[0])
    reason = "they take the surface between pixels as triangles, and cut it exactly"
    rows.append(_row(name, "Smr(0 nm)", bearing, theirs_bearing, "SurfaceTopography", reason))
    return rows


def _row(file: str, quantity: str, ours: dict[str, Any], theirs: float, library: str, reason: str) -> tuple[Any, ...]:
    value = ours["value"]
    other = theirs if math.isfinite(theirs) else None
    difference = None if other is None else difference_percent(value, other)
    if value is None or other is None:
        reason = reason if (value is None) != (other is None) else "not defined: it does not fall within the field"
    return (file, quantity, ours["unit"], value, other, library, difference, reason)
