"""What a report says of the detector and its calibration."""

from __future__ import annotations

from collections.abc import Iterator

from eclips_app.core.detector import Detector
from eclips_app.core.report import Report
from eclips_app.core.schema import load
from eclips_app.core.units import format_length
from eclips_app.io import certificate_words as words
from eclips_app.io.certificate import parameter_row
from eclips_app.io.report.content import Block, Column, Pairs, Table, Text
from eclips_app.io.report.subject import Subject
from eclips_app.model.items import DetectorItem

_COLUMNS = (
    Column("Parameter", 44), Column("Value", 24, True), Column("u (k = 1)", 22, True), Column("U (k = 2)", 22, True),
    Column("Unit", 14), Column("Start", 24, True), Column("", 16),
)  # fmt: skip


def blocks(subject: Subject, _: Report) -> Iterator[Block]:
    """Tell of the detector that the run was made with, else of the one in use."""
    said = subject.run.params.get("detector") if subject.run is not None else None
    items = subject.of_kind(DetectorItem)
    detector = load(Detector, said, "run") if isinstance(said, dict) else items[0].detector if items else None
    if detector is None:
        return
    yield Pairs(tuple(_geometry(detector)))
    found = detector.calibration or {}
    values = [each for each in words.list_of(found, "values") if isinstance(each, dict)]
    if not values:
        yield Text("The detector was not calibrated: its dimensions are taken as stated in its file.", "alert")
        return
    yield Pairs((
        ("Calibrated", words.date_of(found)), ("Method", words.text_of(found.get("method"))),
        ("With", ", ".join(words.text_of(o.get("name")) for o in words.list_of(found, "observations") if isinstance(o, dict))),
    ))  # fmt: skip
    yield Table(_COLUMNS, tuple(parameter_row(each) for each in values))
    yield from (Text(words.text_of(each), "alert") for each in words.list_of(found, "warnings"))


def _geometry(detector: Detector) -> Iterator[tuple[str, str]]:
    yield "Detector", detector.name
    yield "Distance to specimen", f"{detector.distance_mm:g} mm"
    yield "Radii", f"{detector.inner_radius_mm:g} to {detector.outer_radius_mm:g} mm"
    yield "Segments", ", ".join(f"{s.name} at {s.azimuth_deg:g}°" for s in detector.quadrants)
    if detector.beam is not None:
        yield "Beam", f"{detector.beam.energy_kev:g} keV, probe {format_length(detector.beam.probe_fwhm_nm)} (FWHM)"
