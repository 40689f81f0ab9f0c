"""The certificate of a calibration: a few A4 sheets that say what was found, how well, and from what.

Everything comes from the detector file alone, so that it can be printed again whenever the file is there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from eclips_app.core.calibration import FREE, KINDS
from eclips_app.core.detector import Detector
from eclips_app.core.errors import EclipsError
from eclips_app.core.units import format_length
from eclips_app.io.certificate_words import (
    correlations,
    count,
    date_of,
    list_of,
    number_of,
    numbers_of,
    rounded,
    shortened,
    text_of,
    word_of,
)
from eclips_app.version import VERSION

#: What an acquisition is told by: words and unit.
_CONDITIONS = {
    "instrument": ("Instrument", ""), "detector": ("Detector", ""), "energy_kev": ("Beam energy", "keV"),
    "working_distance_mm": ("Working distance", "mm"), "contrast": ("Contrast", ""), "brightness": ("Brightness", ""),
    "gain": ("Gain", ""), "offset": ("Offset", ""), "dwell_us": ("Dwell time", "µs"),
    "scan_rotation_deg": ("Scan rotation", "°"), "date": ("Images taken", ""),
}  # fmt: skip
_NOTE = (
    "u is the standard uncertainty (k = 1) of the least-squares fit, prior knowledge included; U = 2u is the expanded "
    "uncertainty (k = 2, about 95 % if the errors are normal). Gains are relative to their mean. Uncertainties hold for the "
    "conditions below and for the model of this program."
)


def write_certificate(path: Path, detector: Detector) -> None:
    """Write the certificate of a calibrated detector as PDF, whole or not at all.

    Raises
    ------
    EclipsError
        The detector was never calibrated, or the file cannot be written.
    """
    from eclips_app.io import sheets  # late: Matplotlib takes half a second to import

    with sheets.drawn():
        made = certificate(detector)
        sheets.write_pdf(path, made, f"Calibration certificate: {detector.name}", f"ECLIPS {VERSION}")


def certificate(detector: Detector) -> Any:
    """Give the sheets (`io.sheets.Sheets`) of a certificate.

    Raises
    ------
    EclipsError
        The detector was never calibrated.
    """
    from eclips_app.io.sheets import ALERT, Sheets

    found = detector.calibration or {}
    if not isinstance(found.get("values"), list):
        raise EclipsError(
            "the detector file holds no result of a calibration", where=detector.name, hint="Calibrate it first."
        )
    made = Sheets()
    made.title("Calibration certificate", 20)
    made.title(detector.name, 12)
    made.heading("Calibration")
    made.pairs(list(_summary(found)))
    if warnings := [text_of(each) for each in list_of(found, "warnings")]:
        made.heading("Warnings")
        for warning in warnings:
            made.text(warning, color=ALERT)
    _observations(made, found)
    _parameters(made, found)
    _curve(made, found)
    made.heading("Conditions")
    made.pairs(list(_conditions(detector, found)))
    _inputs(made, found)
    made.finish(f"{detector.name}, calibrated {date_of(found)}. Written by ECLIPS {VERSION}.")
    return made


def _summary(found: dict[str, Any]) -> Iterator[tuple[str, str]]:
    emission = found.get("emission") if isinstance(found.get("emission"), dict) else {}
    assert isinstance(emission, dict)
    model, material = text_of(emission.get("model")), text_of(emission.get("material"))
    yield "Name", text_of(found.get("name"))
    yield "Method", text_of(found.get("method"))
    yield "Date", date_of(found)
    yield "Program", text_of(found.get("program"))
    yield "Emission", f"{model}, {material}" if material and model != "lambert" else model
    if (error := number_of(found.get("model_error_percent"))) is not None:
        yield (
            "Error of the model",
            f"{error:.2g} % of the signal, beyond noise; every height measured with it bears that",
        )
    chi2, freedom = number_of(found.get("chi2")), number_of(found.get("degrees_of_freedom"))
    if chi2 is not None and freedom:
        yield (
            "Chi-square",
            f"{chi2 / freedom:.3g} for each of {count(freedom)} degrees of freedom, with noise alone",
        )


def _parameters(made: Any, found: dict[str, Any]) -> None:
    from eclips_app.io.sheets import Column

    columns = (
        Column("Parameter", 0), Column("Value", 66, True), Column("u (k = 1)", 88, True), Column("U (k = 2)", 110, True),
        Column("Unit", 113), Column("Start", 138, True), Column("", 142),
    )  # fmt: skip
    made.heading("Parameters", keep=30)
    made.table(columns, [parameter_row(each) for each in list_of(found, "values") if isinstance(each, dict)])
    made.text(_NOTE, 7.5)
    for sentence in correlations(found):
        made.text(sentence, 8)


def parameter_row(parameter: dict[str, Any]) -> tuple[str, ...]:
    """Give a parameter as a row of a table: name, value, u, U, unit, start, and how it came about."""
    value, std = number_of(parameter.get("value")), number_of(parameter.get("std"))
    free = parameter.get("mode") == FREE
    note = "fitted" if free else "fixed"
    note = "at its limit" if parameter.get("at_limit") else "not determined" if free and not std else note
    deviations = (rounded(std, std), rounded(2 * std, std)) if std else ("–", "–")
    name, unit = word_of(text_of(parameter.get("name"))), text_of(parameter.get("unit"))
    return name, rounded(value, std), *deviations, unit, rounded(number_of(parameter.get("start")), std), note


def _observations(made: Any, found: dict[str, Any]) -> None:
    from eclips_app.io.sheets import Column

    columns = (
        Column("Observation", 0), Column("Chi-square", 64, True), Column("Residual", 84, True), Column("What was found", 88)
    )  # fmt: skip
    rows = [_observed(each) for each in list_of(found, "observations") if isinstance(each, dict)]
    if rows:
        made.heading("Calibrated with", keep=30)
        made.table(columns, rows)
        made.text(
            "Residual: root mean square of measured minus modelled signal. Chi-square: 1 is what noise alone would leave.",
            7.5,
        )


def _observed(record: dict[str, Any]) -> tuple[str, ...]:
    chi2, residual = number_of(record.get("chi2")), number_of(record.get("residual_percent"))
    kind = text_of(record.get("kind"))
    name = text_of(record.get("name")) or KINDS.get(kind, kind)
    told = "–" if chi2 is None else f"{chi2:.3g}", "–" if residual is None else f"{residual:.2g} %"
    return shortened(name, 30), *told, text_of(record.get("text")).removeprefix(f"{name}: ")


def _curve(made: Any, found: dict[str, Any]) -> None:
    said = found.get("curve")
    curve: dict[str, Any] = said if isinstance(said, dict) else {}
    tilts = numbers_of(curve.get("tilt_deg"))
    if not tilts:
        return
    made.heading("How strongly the signals follow a slope", keep=80)
    axes = made.diagram(72)
    styles = {
        "lambert": ("Lambert's law", "#8a919c", "--"), "tabulated": ("Monte Carlo table", "#0a7d76", ":"),
        "fitted": ("this calibration", "#b3400a", "-"),
    }  # fmt: skip
    for key, (label, color, style) in styles.items():
        values = numbers_of(curve.get(key))
        if len(values) == len(tilts):
            axes.plot(tilts, values, style, color=color, label=label, linewidth=1.4)
    for number, point in enumerate(each for each in list_of(curve, "measured") if isinstance(each, dict)):
        at, value, std = (number_of(point.get(key)) for key in ("tilt_deg", "value", "std"))
        if at is not None and value is not None:
            label = "measured" if number == 0 else ""
            axes.errorbar(
                [at], [value], [2 * (std or 0.0)], fmt="o", color="#1c1f26", markersize=3, capsize=2, label=label
            )
    axes.set_xlabel("Tilt of the surface / °", fontsize=8)
    axes.set_ylabel("Slope gain k", fontsize=8)
    axes.grid(color="#e6e8ec", linewidth=0.5)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize=7.5, frameon=False)
    made.text("Slope gain k: (A − C) / (A + C) of opposite sides over the slope. Bars: two standard deviations.", 7.5)


def acquisition_rows(acquisition: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Give what the microscope wrote of an image, in words; nothing for what it did not write."""
    for key, (word, unit) in _CONDITIONS.items():
        number = number_of(acquisition.get(key))
        yield word, f"{number:.5g} {unit}".strip() if number is not None else text_of(acquisition.get(key))


def _conditions(detector: Detector, found: dict[str, Any]) -> Iterator[tuple[str, str]]:
    acquisition = found.get("acquisition")
    yield from acquisition_rows(acquisition if isinstance(acquisition, dict) else {})
    if detector.beam is not None:
        energy, probe = detector.beam.energy_kev, detector.beam.probe_fwhm_nm
        yield "Beam", f"{energy:g} keV, probe {format_length(probe)} (FWHM)"
    if detector.bias is not None:
        yield "Bias", f"specimen {detector.bias.specimen_v:g} V, detector {detector.bias.detector_v:g} V"
    segments = ", ".join(f"{s.name} {s.azimuth_deg:g}° ({s.span_deg:g}°)" for s in detector.quadrants)
    yield "Segments: azimuth (span)", segments


def _inputs(made: Any, found: dict[str, Any]) -> None:
    """Write the files with their hashes."""
    sources = [
        each
        for record in list_of(found, "observations")
        if isinstance(record, dict)
        for each in list_of(record, "sources")
    ]
    files = [each if isinstance(each, dict) else {"path": each} for each in sources]
    lines = {text_of(each.get("path")): text_of(each.get("sha256")) or "hash not recorded" for each in files}
    if lines:
        made.heading("Files (SHA-256)")
    names = [(shortened(Path(path.replace("\\", "/")).name, 34), digest) for path, digest in lines.items()]
    made.pairs(names, 7, 52, "mono")
