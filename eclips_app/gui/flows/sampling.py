"""What a shape meets: the heights of the runs A and B and of a placed map, sampled along it."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from eclips_app.core.errors import EclipsError
from eclips_app.core.units import Quantity
from eclips_app.gui.widgets import shape_geometry as shapes
from eclips_app.metrology.cursors import Influence, Slope, between, fit_slope, step_height
from eclips_app.metrology.deviations import Budget, Deviations
from eclips_app.metrology.path import length_px, sample_map_shape, sample_shape
from eclips_app.metrology.profile import Method, Profile
from eclips_app.model.items import HeightMap, ProfileLine, Run, SegmentSet
from eclips_app.model.measurements import image_pixel_size_nm
from eclips_app.model.placing import frame_map, frame_shape
from eclips_app.model.project import Project

if TYPE_CHECKING:
    from eclips_app.io.profile_files import LineProfiles


@dataclass(frozen=True)
class Sampling:
    """How profiles are sampled: the distance of their points (None: a pixel at most), and what is taken between pixels."""

    step_nm: float | None = None
    method: Method = "linear"


_AUTOMATIC = Sampling()
_QUICK_POINTS = 900  #: of a profile on the move: about as many as a plot has pixels
pixel_size_nm = image_pixel_size_nm


@dataclass(frozen=True)
class Sampled:
    """A profile and what it was sampled on; `role` is "A", "B", "map" or "held"."""

    role: str
    name: str
    source_id: str
    profile: Profile
    waits: bool = False  #: its standard deviations are not sampled yet
    deviates: bool = False  #: the run states deviations, so that they will be known along the whole profile


@dataclass(frozen=True)
class CursorReading:
    """What two cursors show on one profile; `fit` is None where the stretch holds too few points."""

    sampled: Sampled
    values: dict[str, Quantity]
    fit: Slope | None
    made_of: dict[str, Influence] = field(default_factory=dict)  #: of the readings that have a budget

    def budget(self, name: str) -> Budget | None:
        """Give the budget of a reading; None where there is none."""
        effects = self.made_of[name].effects if name in self.made_of else None
        covariance = self.sampled.profile.covariance
        return covariance.budget(effects) if covariance is not None and effects is not None else None


def sample_run(run: Run, line: ProfileLine, *, quick: bool = False, sampling: Sampling = _AUTOMATIC) -> Profile:
    """Sample a run's height along a shape; raises `EclipsError` for one without length, or without a profile.

    With `quick` every standard deviation is left out: they take as long as the heights, or some 10 ms; and a line that is
    longer than a plot is wide has fewer points.
    """
    deviations = Deviations.of_run(run.arrays, run.info, run.params)
    step_px = _step_px(sampling, run.pixel_size_nm)
    return sample_shape(
        run.arrays["height"],
        line.shape,
        pixel_size_nm=run.pixel_size_nm,
        step_px=_coarse_px(line) if quick and step_px is None else step_px,
        origin_px=run.origin_px,
        mask=run.arrays.get("mask"),
        std=run.arrays.get("height_std") if deviations is None and not quick else None,
        deviations=None if quick else deviations,
        method=sampling.method,
    )


def sample_all(
    project: Project, line: ProfileLine, *, quick: bool = False, sampling: Sampling = _AUTOMATIC
) -> tuple[Sampled, ...]:
    """Sample all that is shown along a shape: run A, run B of a comparison, and the selected height map.

    An area has no profile.
    """
    if line.kind not in shapes.WITH_PROFILE:
        return ()
    found = []
    compared = project.get(Run, project.selection.compared_run_id)
    for role, run in (("A", project.run), ("B", compared)):
        if run is not None and "height" in run.arrays and (role == "A" or run is not project.run):
            found.append(sampled_run(role, run, line, quick=quick, sampling=sampling))
    placed, pixel_size = project.get(HeightMap, project.selection.map_id), pixel_size_nm(project)
    if placed is not None and pixel_size is not None:
        step_px = _step_px(sampling, pixel_size)
        profile = sample_map_shape(
            placed, line.shape, pixel_size_nm=pixel_size, step_px=step_px, method=sampling.method
        )
        found.append(Sampled("map", placed.name, placed.id, profile))
    return tuple(found)


def sampled_run(role: str, run: Run, line: ProfileLine, *, quick: bool, sampling: Sampling) -> Sampled:
    """Sample a run, and say whether points and standard deviations are still to come."""
    profile = sample_run(run, line, quick=quick, sampling=sampling)
    deviates = "deviations" in run.arrays
    thinned = sampling.step_nm is None and _coarse_px(line) is not None
    waits = quick and (thinned or deviates or "height_std" in run.arrays)
    return Sampled(role, run.name, run.id, profile, waits, deviates)


def _coarse_px(line: ProfileLine) -> float | None:
    """Give the step in px at which a long shape is sampled while it moves; None: as ever."""
    length = length_px(line.shape)
    return length / _QUICK_POINTS if length > _QUICK_POINTS else None


def _step_px(sampling: Sampling, size_nm: float) -> float | None:
    return sampling.step_nm / size_nm if sampling.step_nm is not None else None


def image_shape(project: Project) -> tuple[int, int] | None:
    """Give rows and columns of what shapes are drawn on: the selected set's uncropped images, else a height map alone."""
    segment_set: SegmentSet | None = project.segment_set
    if segment_set is not None:
        return segment_set.shape if segment_set.images else None
    alone = frame_map(project)
    return frame_shape(alone.height.shape, alone.pixel_size_nm) if alone is not None else None


def read_cursors(sampled: Sampled, first_nm: float, second_nm: float) -> CursorReading:
    """Read what is between two cursors: distance, height difference, angle, the fitted straight line, and a step.

    The step is the level difference of parallel lines fitted to what is before and beyond both cursors. A reading whose
    stretches hold too few points is left out.
    """
    profile, fit = sampled.profile, None
    reading = between(profile, first_nm, second_nm)
    values = {"Distance": reading.dx_nm, "Height difference": reading.dz_nm, "Angle": reading.angle_deg}
    made_of = {"Height difference": reading.dz_from, "Angle": reading.angle_from}
    with contextlib.suppress(EclipsError):  # the cursors stand too close together, or on a hole
        fit = fit_slope(profile, (first_nm, second_nm))
        values |= {"Fitted angle": fit.angle_deg, "Fit rms": fit.rms_nm}
        made_of["Fitted angle"] = fit.angle_from
    with contextlib.suppress(EclipsError):  # they stand at the ends
        low, high = sorted((first_nm, second_nm))
        step = step_height(profile, (0.0, low), (high, float(profile.distance_nm[-1])))
        values["Step height"], made_of["Step height"] = step.height_nm, step.height_from
    if sampled.waits:  # what stands in for the deviations would be taken back in a moment
        values = {name: replace(quantity, std=None) for name, quantity in values.items()}
    return CursorReading(sampled, values, fit, made_of)


def fit_ends(fit: Slope, cursors_nm: tuple[float, float]) -> tuple[tuple[float, float], tuple[float, float]]:
    """Give the fitted straight line at both cursors: (distance, height) in nm."""
    slope = math.tan(math.radians(fit.angle_deg.value))
    first, second = ((x, fit.level_nm + slope * (x - fit.middle_nm)) for x in cursors_nm)
    return first, second


def offset_to_match(placed: HeightMap, map_profile: Profile, profile: Profile) -> float:
    """Give the z offset in nm at which the middle (median) of a map's profile lies on that of the reconstruction.

    Raises
    ------
    EclipsError
        If they share no measured stretch.
    """
    height = np.interp(map_profile.distance_nm, profile.distance_nm, profile.height_nm, left=np.nan, right=np.nan)
    difference = (height - map_profile.height_nm)[np.isfinite(height) & np.isfinite(map_profile.height_nm)]
    if not difference.size:
        raise EclipsError("The line meets no place where both are measured", hint="Draw it across the map.")
    return placed.z_offset_nm + float(np.median(difference))


def as_csv(line: ProfileLine, profiles: Sequence[Sampled], separator: str = ",") -> str:
    """Write profiles as a table, one row for each point: distance, height, spread, standard deviation, place."""
    from eclips_app.io.profile_files import table_text  # late: nothing else here writes

    return table_text([to_write(line, profiles)], separator)


def to_write(line: ProfileLine, profiles: Sequence[Sampled]) -> LineProfiles:
    """Give what the files of profiles hold of a line."""
    from eclips_app.io.profile_files import CurveOfLine, LineProfiles

    curves = tuple(CurveOfLine(each.role, each.name, each.source_id, each.profile) for each in profiles)
    return LineProfiles(line.name, line.shape, line.color, curves)
