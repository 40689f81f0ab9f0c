"""Surfaces of plane faces: indents, terraces, spirals and gratings."""

from __future__ import annotations

import numpy as np

from eclips_app.core.errors import EclipsError
from eclips_app.core.units import format_length
from eclips_app.engine.surfaces.grid import (
    Check,
    Heights,
    Shape,
    axes,
    by_rows,
    no_check,
    scattered,
    slope_of,
    turned,
    values,
)
from eclips_app.engine.surfaces.selfaffine import polish


def vickers(shape: Shape, pixel_size_nm: float, seed: int = 0, check: Check = no_check, **given: float) -> Heights:
    """Give a Vickers indent, by default over 60 % of the smaller edge, with a low pile-up beside its edges.

    `given`: `width_nm` (edge of the imprint), `slope_angle_deg`, `azimuth_deg`, `rms_slope` (of the polish).
    """
    use = values("vickers", shape, pixel_size_nm, given)
    half, slope = use["width_nm"] / 2, slope_of(use["slope_angle_deg"])

    def imprint(x: Heights, y: Heights) -> Heights:
        u, v = turned(x, y, use["azimuth_deg"])
        beyond = np.maximum(np.abs(u), np.abs(v)) - half  # distance outward from the edge of the imprint
        depth = np.minimum(beyond, 0.0) * slope
        pile = 0.012 * half * np.exp(-np.maximum(beyond, 0.0) / (0.12 * half)) * (beyond > 0)
        along = np.minimum(np.abs(u), np.abs(v)) / half
        pile *= np.clip(1.0 - along**2, 0.0, 1.0) * np.clip(beyond / (0.03 * half), 0.0, 1.0)
        return np.asarray(depth + pile)

    height = by_rows(shape, pixel_size_nm, check, imprint)
    return height + polish(shape, pixel_size_nm, seed, use["rms_slope"], check)


def steps(shape: Shape, pixel_size_nm: float, seed: int = 0, check: Check = no_check, **given: float) -> Heights:
    """Give bunches of steps that climb along the azimuth, with gently wavy edges.

    `given`: `step_height_nm`, `terrace_nm` (width of the flat part), both means that scatter by `spread`, `slope_angle_deg`,
    `azimuth_deg`.
    """
    use = values("steps", shape, pixel_size_nm, given)
    run = use["step_height_nm"] / slope_of(use["slope_angle_deg"])
    if run + use["terrace_nm"] < pixel_size_nm:
        raise EclipsError(
            "a terrace with its face is narrower than a pixel",
            hint="Give wider terraces, higher steps or finer pixels.",
        )
    faces = _faces(shape, pixel_size_nm, np.random.default_rng(seed), use)

    def climb(x: Heights, y: Heights) -> Heights:
        across, along = turned(x, y, use["azimuth_deg"])
        waviness = 3.0 * pixel_size_nm * np.sin(along / (90 * pixel_size_nm))
        height = np.zeros(x.shape)
        for at, rise, run in faces:
            height += rise * np.clip((across + waviness - at) / run, 0.0, 1.0)
            check()
        return height

    return by_rows(shape, pixel_size_nm, check, climb)


def _faces(
    shape: Shape, pixel_size_nm: float, rng: np.random.Generator, use: dict[str, float]
) -> list[tuple[float, float, float]]:
    """Draw where the faces of `steps` begin, how high they rise and how far they run, in nm, across the whole field."""
    x, y = axes(shape, pixel_size_nm)
    corners, _ = turned(x[:: shape[0] - 1, :: shape[1] - 1], y[:: shape[0] - 1, :: shape[1] - 1], use["azimuth_deg"])
    at, end, faces = float(corners.min()) + 20 * pixel_size_nm, float(corners.max()), []
    while at < end:
        rise = scattered(rng, use["step_height_nm"], use["spread"], pixel_size_nm)
        run = rise / slope_of(use["slope_angle_deg"])
        faces.append((at, rise, run))
        at += run + scattered(rng, use["terrace_nm"], use["spread"], pixel_size_nm)
    return faces


def spiral(shape: Shape, pixel_size_nm: float, seed: int = 0, check: Check = no_check, **given: float) -> Heights:
    """Give a growth spiral: one step winds outward by the pitch in each turn.

    The terrace climbs by one step in each turn about the middle, as about a screw dislocation.
    `given`: `step_height_nm`, `pitch_nm`, `slope_angle_deg` (of the face).
    """
    use = values("spiral", shape, pixel_size_nm, given)
    pitch, rise = use["pitch_nm"], use["step_height_nm"]
    face = rise / slope_of(use["slope_angle_deg"]) / pitch
    if face > 1.0:
        raise EclipsError(
            f"a face of {use['slope_angle_deg']:g}° that climbs {format_length(rise)} is wider than the pitch of "
            f"{format_length(pitch)}",
            hint="Give a steeper face, a lower step or a longer pitch.",
        )

    def wind(x: Heights, y: Heights) -> Heights:
        around = np.arctan2(y, x) / (2 * np.pi)
        turns = np.hypot(x, y) / pitch - around
        whole, part = np.floor(turns), turns - np.floor(turns)
        return np.asarray(-rise * (whole + np.clip(part / face, 0.0, 1.0) + around))

    return by_rows(shape, pixel_size_nm, check, wind)


def grating(shape: Shape, pixel_size_nm: float, seed: int = 0, check: Check = no_check, **given: float) -> Heights:
    """Give straight lines with inclined sides; by default the sides are those of etched silicon.

    `given`: `step_height_nm`, `pitch_nm`, `line_share` (width at half height by pitch), `slope_angle_deg` (of the sides),
    `azimuth_deg` (across the lines). Where sides meet before their full height, ridges or grooves are sharp.
    """
    use = values("grating", shape, pixel_size_nm, given)
    pitch, rise, slope = use["pitch_nm"], use["step_height_nm"], slope_of(use["slope_angle_deg"])

    def line(x: Heights, y: Heights) -> Heights:
        across, _ = turned(x, y, use["azimuth_deg"])
        from_line = np.abs((across / pitch + 0.5) % 1.0 - 0.5) * pitch  # distance from the middle of the nearest line
        return np.asarray(np.clip((use["line_share"] * pitch / 2 - from_line) * slope + rise / 2, 0.0, rise))

    return by_rows(shape, pixel_size_nm, check, line)
