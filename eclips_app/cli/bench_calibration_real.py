"""Calibration on measured images: a Vickers indent, spheres, and a stepped pyramid by the sphere of its microscope.

Detectors are presets of typical dimensions (distance and radii known to 5 %), with the azimuths of the notes beside the files.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from eclips_app.cli.bench_real import SETS, Images, RealSet, read_set
from eclips_app.cli.bench_shapes import face_planes
from eclips_app.cli.tables import Table
from eclips_app.core import schema
from eclips_app.core.calibration import (
    FIXED,
    Calibrate,
    Facets,
    FindReference,
    Flat,
    Indent,
    Observation,
    Parameter,
    Sphere,
    calibrated_detector,
)  # fmt: skip
from eclips_app.core.context import Context, SilentContext
from eclips_app.core.detector import Detector
from eclips_app.core.emission import EMISSION, Emission
from eclips_app.core.steps import ClosedLoop, StepResult, run_step
from eclips_app.core.tolerance import GEOMETRY, offset_names

_VICKERS, _PYRAMID, _BALL = "fei_abs3_vickers", "quanta_4q_steppyramid", "quanta_4q_sphere"
_SPHERES = (("zeiss_qbsd_sphere", "Fe"), (_BALL, "Fe"), ("quanta_8seg_Ta_sphere", "W"))

_STEEPEST_DEG = 50.0
_UNSURE_DEG = 10.0  #: of a tilt that images are asked for


def tables(folder: Path, context: Context) -> list[Table]:
    """Calibrate on the sets in a folder."""
    sets = {each.folder: each for each in SETS if (folder / each.folder).is_dir()}
    made = []
    if _VICKERS in sets:
        made.append(_vickers(folder, sets[_VICKERS], context))
    spheres = [(sets[name], material) for name, material in _SPHERES if name in sets]
    if spheres:
        made.append(_sphere_table(folder, spheres, context))
    if {_PYRAMID, _BALL} <= set(sets):
        made.append(_pyramid(folder, sets[_PYRAMID], sets[_BALL], context))
    return made


def _observation(which: RealSet, images: Images, *, shifted: bool = True, **what: Any) -> Observation:
    shifts = images.shifts_px if shifted else ()
    return Observation(
        pixel_size_nm=which.pixel_nm, crop=images.crop, shifts_px=shifts, clip_low=images.clip_low,
        clip_high=images.clip_high, **what,
    )  # fmt: skip


def _found(observation: Observation, images: Images, detector: Detector) -> Observation:
    params = FindReference(detector, observation)
    info = run_step("find-reference", {"segments": images.segments}, params, SilentContext()).info
    return schema.load(Observation, info["observation"])


def _calibrated(detector: Detector, seen: list[tuple[Observation, Images]], **others: Any) -> dict[str, Any]:
    inputs = {f"segments/{n}": images.segments for n, (_, images) in enumerate(seen)}
    params = Calibrate(detector, tuple(observation for observation, _ in seen), **others)
    return run_step("calibrate", inputs, params, SilentContext()).info


def _levels(detector: Detector) -> tuple[Parameter, ...]:
    return tuple(Parameter(name) for name in offset_names(detector))


# The indent


def _vickers(folder: Path, which: RealSet, context: Context) -> Table:
    """Calibrate on two opposite faces and ask the images for the tilt of the others, then on all four."""
    images = read_set(folder, which)
    detector = which.detector()
    found = _found(_observation(which, images, shifted=False, indent=Indent()), images, detector)
    assert found.indent is not None
    rows: list[tuple[Any, ...]] = []
    for used, others in (((0, 2), (1, 3)), ((1, 3), (0, 2))):
        context.progress(0.1, f"{which.folder}: faces {used}")
        given = replace(
            found, series="indent", tilt_std_deg=0.5, name=str(used), indent=replace(found.indent, faces=used)
        )
        asked = replace(
            given, name=str(others), indent=replace(found.indent, faces=others, face_std_deg=_UNSURE_DEG / 2)
        )
        info = _calibrated(
            detector, [(given, images), (asked, images)], parameters=_levels(detector), emission=Emission()
        )
        facts = info["observations"][1]["found"]
        rows.append((
            f"faces {used}", f"faces {others}, as asked", facts["face_deg_asked"], facts["face_deg_asked_std"], None,
            info["model_error_percent"],
        ))  # fmt: skip
    info = _calibrated(detector, [(found, images)], parameters=_levels(detector), emission=Emission())
    height = _reconstructed(calibrated_detector(info, "2000-01-01"), found, images).arrays["height"]
    planes = face_planes(height, which.pixel_nm)
    rows += [
        ("all four", f"face {n}, Standard", tilt, None, rms, info["model_error_percent"])
        for n, (tilt, rms) in enumerate(planes)
    ]
    columns = ("calibrated_on", "measured", "tilt_deg", "std_deg", "plane_rms_nm", "model_error_percent")
    note = "22.0 degrees when pressed; gains and black levels free. sem2surface, its scale fitted to it: planes of 34 nm rms."
    return Table("Vickers indent, three segments", columns, tuple(rows), (note,))


def _reconstructed(detector: Detector, found: Observation, images: Images) -> StepResult:
    """Reconstruct the surroundings of an indent."""
    assert found.indent is not None
    assert found.indent.center_px is not None
    assert found.indent.radius_px is not None
    (row, column), reach = found.indent.center_px, 1.3 * found.indent.radius_px
    crop = (int(row - reach), int(column - reach), int(row + reach), int(column + reach))
    params = ClosedLoop(detector, found.pixel_size_nm, crop, clip_high=found.clip_high, device="cpu", draws=2)
    return run_step("reconstruct-closed-loop", {"segments": images.segments}, params, SilentContext())


# Spheres


def _sphere_table(folder: Path, spheres: list[tuple[RealSet, str]], context: Context) -> Table:
    rows: list[tuple[Any, ...]] = []
    for which, material in spheres:
        images = read_set(folder, which)
        detector = which.detector()
        shape = _observation(which, images, shifted=False, sphere=Sphere(max_tilt_deg=_STEEPEST_DEG))
        found = _found(shape, images, detector)
        for emission in (Emission(), Emission("tabulated", material), Emission("parametric", material)):
            context.progress(0.4, f"{which.folder}: {emission.model}")
            rows += [
                (which.folder, *_sphere_row(which, found, images, emission, levels=levels)) for levels in (False, True)
            ]
    columns = (
        "set",
        "emission",
        "black_levels",
        "outline_px",
        "residual_percent",
        "model_error_percent",
        "azimuths_off_deg",
    )
    note = (
        f"Up to {_STEEPEST_DEG:g} degrees of slope; radius as the outline has it. Residual: root mean square of patches, in "
        "percent of the signal above the black level. azimuths off: largest difference of the segments' azimuths from the notes'."
    )
    return Table("Spheres", columns, tuple(rows), (note,))


def _sphere_row(
    which: RealSet, found: Observation, images: Images, emission: Emission, *, levels: bool
) -> tuple[Any, ...]:
    detector = which.detector()
    info = _calibrated(detector, [(found, images)], parameters=_levels(detector) if levels else (), emission=emission)
    seen = info["observations"][0]
    assert found.sphere is not None
    off = np.array(seen["found"]["azimuths_deg"]) - which.azimuths_deg
    furthest = float(np.abs((off + 180) % 360 - 180).max())
    return (
        emission.model, "fitted" if levels else "0", found.sphere.radius_px, seen["residual_percent"],
        info["model_error_percent"], furthest,
    )  # fmt: skip


# The pyramid


def _pyramid(folder: Path, which: RealSet, ball: RealSet, context: Context) -> Table:
    """Calibrate geometry and emission on a sphere, and ask images of a pyramid for the tilt of its faces by direction."""
    context.progress(0.8, f"{which.folder} by {ball.folder}")
    images, detector = read_set(folder, ball), ball.detector()
    shape = _observation(ball, images, shifted=False, sphere=Sphere(max_tilt_deg=_STEEPEST_DEG))
    info = _calibrated(detector, [(shape, images)], emission=Emission("parametric", "Fe"))
    known = calibrated_detector(info, "2000-01-01")
    emission = schema.load(Emission, known.calibration["emission"] if known.calibration else {})
    images = read_set(folder, which)
    faces = _found(_observation(which, images, facets=Facets()), images, known)
    flat = _found(_observation(which, images, flat=Flat(), name="flat"), images, known)
    seen = [(replace(flat, series="pyramid"), images)]
    seen += [(each, images) for each in _by_direction(faces)]
    fixed = tuple(Parameter(name, FIXED) for name in (*GEOMETRY, *EMISSION))
    info = _calibrated(known, seen, parameters=fixed, emission=emission)
    rows = [
        (
            each["name"],
            each["found"]["facet_deg_asked"],
            each["found"]["facet_deg_asked_std"],
            info["model_error_percent"],
        )
        for each in info["observations"][1:]
    ]
    note = "Geometry and emission of the sphere, gains of the images' own; the flat between the faces has the same brightness."
    return Table(
        "Stepped pyramid by the sphere", ("faces", "tilt_deg", "std_deg", "model_error_percent"), tuple(rows), (note,)
    )


def _by_direction(faces: Observation) -> Iterator[Observation]:
    """Give the facets of each direction, 90 degrees apart, as observations of unsure tilt."""
    assert faces.facets is not None
    azimuths = np.array(faces.facets.azimuths_deg)
    quarter = np.round(azimuths / 90.0).astype(int) % 4
    for number in np.unique(quarter):
        chosen = np.flatnonzero(quarter == number)
        areas = tuple(faces.facets.areas[i] for i in chosen)
        facets = Facets(areas, tuple(azimuths[chosen].tolist()), 30.0, _UNSURE_DEG)
        yield replace(faces, name=f"{90 * number} degrees", series="pyramid", facets=facets)
