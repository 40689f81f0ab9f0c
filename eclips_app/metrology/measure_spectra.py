"""Power spectral density and autocorrelation of profiles and areas as measurements."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from eclips_app.core.errors import EclipsError
from eclips_app.core.measuring_options import Spectrum as Options
from eclips_app.core.units import Quantity
from eclips_app.metrology import spectra
from eclips_app.metrology.forms import without_form
from eclips_app.metrology.reading import Floats, Line, Patch, Reading, Stretch
from eclips_app.metrology.roughness import check_rough
from eclips_app.metrology.roughness_spatial import decay_lengths

_MOST_MISSING = 0.05
_LEAST_PIXELS = 4


def profile(lines: Sequence[Line], stretches: Sequence[Stretch], options: Options) -> Reading:
    """Give density (nm³) and autocorrelation of a profile."""
    line = lines[0]
    used = np.isfinite(line.height_nm)
    z = without_form(line.height_nm, used, options.form, options.degree)
    check_rough(z[used], line.height_nm)
    z, note = _filled(z, used)
    spectrum = spectra.of_profile(z, line.step_nm, options.window)
    lags = spectra.autocorrelation_of_profile(z, used)
    distance = np.arange(len(lags)) * line.step_nm
    arrays = {
        "psd/x": spectrum.q, "psd/y": spectrum.density, "autocorrelation/x": distance, "autocorrelation/y": lags,
    }  # fmt: skip
    below = np.flatnonzero(lags <= 1 / math.e)
    length = math.nan
    if len(below) and below[0] > 0:
        i = int(below[0])
        length = float(distance[i] - line.step_nm * (1 / math.e - lags[i]) / (lags[i - 1] - lags[i]))
    return Reading(_values(spectrum, z[used], length), (_about(options), *note), arrays)


def area(patches: Sequence[Patch], stretches: Sequence[Stretch], options: Options) -> Reading:
    """Give the radially averaged density (nm⁴) and the autocorrelation of an area."""
    patch = patches[0]
    if min(patch.height.shape) < _LEAST_PIXELS:
        raise EclipsError(
            f"an area of fewer than {_LEAST_PIXELS} rows or columns has no spectrum", hint="Draw it larger."
        )
    z = without_form(patch.height, patch.inside, options.form, options.degree)
    check_rough(z[patch.inside], patch.height[patch.inside])
    z, note = _filled(z, patch.inside)
    spectrum, density = spectra.of_area(z, patch.size_nm, options.window)
    correlation = spectra.autocorrelation_of_area(z, patch.inside)
    with np.errstate(divide="ignore"):
        shown = np.log10(density)
    arrays = {"psd/x": spectrum.q, "psd/y": spectrum.density, "log10 psd": shown, "autocorrelation": correlation}
    length, _ = decay_lengths(correlation, patch.axes, 1 / math.e)
    return Reading(_values(spectrum, z[patch.inside], length), (_about(options), *note), arrays)


def _values(spectrum: spectra.Spectrum, z: Floats, length: float) -> dict[str, Quantity]:
    return {
        "rms": Quantity(float(z.std()), "nm"),
        "rms of the spectrum": Quantity(math.sqrt(spectrum.mean_square), "nm"),
        "dominant wavelength": Quantity(spectrum.dominant_wavelength_nm, "nm"),
        "correlation length": Quantity(length, "nm"),
    }


def _filled(z: Floats, used: np.ndarray) -> tuple[Floats, tuple[str, ...]]:
    """Set what is missing to the form's height; refuse where it is more than a few per cent."""
    missing = 1 - float(np.count_nonzero(used)) / used.size
    if missing > _MOST_MISSING:
        raise EclipsError(
            f"{100 * missing:.0f} % of the heights are missing, and a spectrum needs all",
            hint="Choose a rectangle (or a line) without holes.",
        )
    note = (f"{100 * missing:.2g} % of the heights are missing and were set to the form's.",) if missing else ()
    return np.where(used, z, 0.0), note


def _about(options: Options) -> str:
    window = "Hann window" if options.window == "hann" else "no window"
    return f"Wavenumbers are in rad/nm; {window}; the correlation length is that at which the autocorrelation is 1/e."
