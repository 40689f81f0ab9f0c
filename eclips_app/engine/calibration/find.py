"""Finds objects of known shape in segment images: completes what an observation leaves open, and says what was found."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from eclips_app.core import schema
from eclips_app.core.calibration import Facets, FindReference, Flat, Indent, Observation, Sphere
from eclips_app.core.context import Context
from eclips_app.core.detector import Detector
from eclips_app.core.errors import EclipsError
from eclips_app.core.steps import Arrays, StepResult
from eclips_app.engine.calibration.find_facets import find_facets, no_facets
from eclips_app.engine.calibration.find_flat import find_flat
from eclips_app.engine.calibration.find_indent import find_indent
from eclips_app.engine.calibration.find_sphere import find_sphere, outline_shifts, refined
from eclips_app.engine.calibration.regions import labels
from eclips_app.engine.calibration.view import View, view, with_clip_levels
from eclips_app.engine.device import one_thread

_FEWEST = 50  #: pixels of an object, or of a face, that say something
_FEWEST_OF_AREA = 8  #: the same of one facet of many
_CAP = 0.05  #: part by which an outline is smaller than the ball that it is a cap of


def find_step(inputs: Arrays, params: FindReference, context: Context) -> StepResult:
    """Find a reference object; see `core.calibration.FindReference` for inputs and results.

    Raises
    ------
    EclipsError
        If the object is not in the images, or cannot be used.
    """
    with one_thread():
        context.progress(0.0, "looking for the object")
        observation, seen = _completed(params.observation, inputs, params.detector, context)
        context.progress(0.7, "looking for dust and neighbours")
        found = labels(observation, seen.signals, seen.usable, context.check)
        _check_used(observation, found)
        context.progress(1.0, "done")
        info = {"observation": schema.dump(observation), "text": _sentence(observation, found)}
        return StepResult({"used": found >= 0}, info)


def complete(observation: Observation, inputs: Arrays, detector: Detector, context: Context) -> Observation:
    """Fill in what an observation leaves open: centre, outline, rotation, areas, and clip levels.

    Inputs as for `FindReference`. What is stated stays as it is.

    Raises
    ------
    EclipsError
        If the object is not in the images.
    """
    with _told_where(observation):
        return _completed(observation, inputs, detector, context)[0]


@contextmanager
def _told_where(observation: Observation) -> Iterator[None]:
    """Name the observation in errors that do not say where they arose."""
    try:
        yield
    except EclipsError as error:
        raise EclipsError(error.what, where=error.where or observation.name, hint=error.hint) from error


def _completed(
    observation: Observation, inputs: Arrays, detector: Detector, context: Context
) -> tuple[Observation, View]:
    if not observation.kind:
        raise EclipsError(
            "no kind of object was chosen", hint="Choose a sphere, an indent, a flat area or another kind."
        )
    if observation.dark is None:
        observation = with_clip_levels(observation, inputs)
    seen = view(observation, inputs, detector, context)
    if observation.sphere is not None:
        return _with_sphere(observation, observation.sphere, seen, inputs, detector, context)
    if observation.indent is not None:
        imprint = find_indent(replace(observation.indent, center_px=_in(seen, observation.indent)), seen, context)
        observation = replace(observation, indent=replace(imprint, center_px=_out(seen, imprint, observation.indent)))
    elif observation.flat is not None and not any(observation.flat.area):
        observation = replace(observation, flat=Flat(seen.moved_out(find_flat(seen, context))))
    elif observation.facets is not None:
        observation = _with_facets(observation, observation.facets, seen, context)
    return observation, seen


def _with_facets(observation: Observation, stated: Facets, seen: View, context: Context) -> Observation:
    """Find facets; those of which nothing is left without outliers are none, unless the user drew them."""
    found = find_facets(replace(stated, areas=tuple(map(seen.moved_in, stated.areas))), seen, context)
    found = replace(found, areas=tuple(map(seen.moved_out, found.areas)))
    observation = replace(observation, facets=found)
    if stated.areas:
        return observation
    numbers = labels(observation, seen.signals, seen.usable, context.check)
    kept = [n for n in range(len(found.areas)) if np.count_nonzero(numbers == n) >= _FEWEST_OF_AREA]
    if not kept:
        raise no_facets()
    areas, azimuths = tuple(found.areas[n] for n in kept), tuple(found.azimuths_deg[n] for n in kept)
    return replace(observation, facets=replace(found, areas=areas, azimuths_deg=azimuths))


def _with_sphere(
    observation: Observation, stated: Sphere, seen: View, inputs: Arrays, detector: Detector, context: Context
) -> tuple[Observation, View]:
    """Find a sphere, and shifts of the segments if none are stated and its outlines show them."""
    wanted = replace(stated, center_px=_in(seen, stated))
    found = find_sphere(wanted, seen, context)
    if not observation.shifts_px and stated.center_px is None and (shifts := outline_shifts(found, seen)):
        observation = replace(observation, shifts_px=shifts)
        seen = view(observation, inputs, detector, context)
        found = refined(found, seen, wanted)
    return replace(observation, sphere=replace(found, center_px=_out(seen, found, stated))), seen


def _in(seen: View, thing: Sphere | Indent) -> tuple[float, float] | None:
    return None if thing.center_px is None else seen.inside(thing.center_px)


def _out(seen: View, found: Sphere | Indent, stated: Sphere | Indent) -> tuple[float, float] | None:
    """Centre in the uncropped image; as stated to the last bit if it was."""
    return stated.center_px or (None if found.center_px is None else seen.outside(found.center_px))


def _check_used(observation: Observation, found: NDArray[np.int16]) -> None:
    numbers = {"indent": observation.indent.faces if observation.indent else ()}.get(observation.kind, (0,))
    if observation.facets is not None:
        numbers = tuple(range(len(observation.facets.areas)))
    few = [
        n
        for n in numbers
        if np.count_nonzero(found == n) < (_FEWEST if observation.facets is None else _FEWEST_OF_AREA)
    ]
    if few or not numbers:
        part = f" of area {few[0] + 1}" if len(numbers) > 1 else ""
        if (pit := observation.indent) is not None and len(numbers) > 1:
            part = f" of the face toward {((pit.rotation_deg or 0.0) + 90.0 * few[0]) % 360.0:.0f}°"
        raise EclipsError(
            f"too few pixels{part} of the object can be used: they are uneven, clipped or excluded",
            hint="Take images that are not saturated, loosen the clip levels, or draw the object anew.",
        )


def _sentence(observation: Observation, found: NDArray[np.int16]) -> str:
    """Say in one sentence what was found."""
    count = int(np.count_nonzero(found >= 0))
    nm = observation.pixel_size_nm
    farthest = max((float(np.hypot(*shift)) for shift in observation.shifts_px), default=0.0)
    if (ball := observation.sphere) is not None and ball.center_px and ball.radius_px:
        what = f"Sphere with its centre at {_place(ball.center_px)} and an outline of {_length(ball.radius_px, nm)} in radius"
        moved = f", its segments moved onto each other by up to {farthest:.1f} px" if farthest else ""
        what += _cap(ball.radius_nm, ball.radius_px * nm)
        return f"{what}{moved}; {count} pixels up to a tilt of {ball.max_tilt_deg:g}° are used."
    if (pit := observation.indent) is not None and pit.center_px and pit.radius_px and pit.rotation_deg is not None:
        what = (
            f"Indent with its centre at {_place(pit.center_px)}, {_length(pit.radius_px, nm)} from there to its corners"
        )
        return f"{what}, turned by {pit.rotation_deg:.1f}°; {count} pixels of {len(pit.faces)} faces are used."
    if observation.flat is not None:
        top, left, bottom, right = observation.flat.area
        what = f"Flat area of {bottom - top} × {right - left} px from {_place((top, left))}"
        return f"{what}; {count} pixels are used."
    if observation.facets is not None:
        turns = ", ".join(f"{a:.0f}°" for a in observation.facets.azimuths_deg)
        return f"{len(observation.facets.areas)} facets whose normals point to {turns}; {count} pixels are used."
    return f"{count} pixels are used."


def _cap(stated_nm: float | None, seen_nm: float) -> str:
    """Say that the outline is not the equator, if the stated radius says so."""
    if stated_nm is None or seen_nm > (1 - _CAP) * stated_nm:
        return ""
    return f", a cap of the stated {stated_nm:.4g} nm"


def _place(point: tuple[float, float]) -> str:
    return f"row {point[0]:.1f}, column {point[1]:.1f}"


def _length(px: float, nm: float) -> str:
    return f"{px:.1f} px ({px * nm:.4g} nm)"
