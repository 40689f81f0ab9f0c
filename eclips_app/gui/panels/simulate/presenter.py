"""What the Simulate panel says and offers, worked out without widgets."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eclips_app.core.schema import Rule
from eclips_app.core.specimen import SURFACE_TITLES
from eclips_app.core.units import format_length
from eclips_app.gui.flows.live_images import Angles, Frame
from eclips_app.gui.flows.live_vision_field import VisionField
from eclips_app.gui.flows.simulation import FILE, MADE
from eclips_app.gui.panels.simulate.sliders import Track
from eclips_app.model.items import HeightMap, SegmentSet
from eclips_app.model.project import Project

_PALE = 0.25  #: how strongly valid but hidden directions are painted
OPEN = "open"  #: data of the choice that asks for a file
_SHORT = {
    "slope_angle_deg": "Face slope", "rms_slope": "Roughness", "cutoff_nm": "Finest wave", "longest_nm": "Longest wave",
    "hurst": "Hurst exponent", "terrace_nm": "Terrace", "spread": "Size spread",
}  # fmt: skip
_TRACKS = {
    "slope_angle_deg": Track(1.0, 85.0), "azimuth_deg": Track(-180.0, 180.0), "line_share": Track(0.05, 0.95),
    "spread": Track(0.0, 0.95), "hurst": Track(0.05, 1.0), "rms_slope": Track(0.0, 1.5, "square"),
    "seed": Track(0.0, 100.0, whole=True),
}  # fmt: skip
_LENGTH_REACH = 8.0  #: a length may be slid to so many times its usual value, and to that part of it


def surface_choices(project: Project, loaded: HeightMap | None) -> list[tuple[str, str]]:
    """Give text and data of all surfaces that can be chosen; no data is a line between groups."""
    found = [(title, f"{MADE}:{kind}") for kind, title in SURFACE_TITLES.items()]
    own = [
        (f"{segment_set.name}: {run.name}", run.id)
        for segment_set in project.of_kind(SegmentSet)
        for run in project.runs_of(segment_set.id)
        if "height" in run.arrays
    ]
    own += [(each.name, each.id) for each in project.of_kind(HeightMap)]
    if loaded is not None:
        own.append((loaded.name, FILE))
    return [*found, ("", ""), *own, *([("", "")] if own else []), ("Height map file…", OPEN)]


def short_label(name: str, label: str) -> str:
    """Give a label that fits the column."""
    return _SHORT.get(name, label)


def parameter_track(name: str, usual: float, rule: Rule) -> Track:
    """Give the values that a slider of a surface's parameter reaches, around its usual value."""
    if name in _TRACKS:
        return _TRACKS[name]
    low, high = max(usual / _LENGTH_REACH, rule.low), min(usual * _LENGTH_REACH, rule.high)
    return Track(low, max(high, 1.01 * low), "log", whole=name == "count")


def frame_text(frame: Frame) -> str:
    """Say what is shown and how long it took."""
    rows, columns = frame.segments.shape[1:]
    if frame.is_full:
        return f"{columns} × {rows} px, {frame.seconds:.2g} s"
    return f"Preview, {1 / max(frame.seconds, 1e-3):.0f} images/s"


def levels(segments: NDArray[Any], common: bool) -> list[tuple[float, float]]:
    """Give the values drawn black and white: the same for all segments, or for each its own."""
    step = max(1, int(math.sqrt(segments[0].size / 40_000)))
    few = segments[:, ::step, ::step].reshape(len(segments), -1)
    low, high = np.percentile(few, (0.5, 99.5), axis=1)
    if common:
        low, high = np.full_like(low, low.min()), np.full_like(high, high.max())
    return [(float(a), float(b) if b > a else float(a) + 1.0) for a, b in zip(low, high, strict=True)]


def compared(segments: NDArray[Any], measured: NDArray[Any]) -> tuple[NDArray[Any], float]:
    """Give measured less simulated images [k, row, col], and its part (rms) of the measured contrast.

    The simulation is scaled and shifted in grey value to fit best, each segment by itself.
    """
    difference = np.empty(segments.shape, np.float32)
    parts = []
    for k, (model, image) in enumerate(zip(segments.astype(float), measured.astype(float), strict=True)):
        contrast = model - model.mean()
        gain = float((contrast * image).mean() / max((contrast**2).mean(), 1e-12))
        difference[k] = image - image.mean() - gain * contrast
        parts.append(float(difference[k].std()) / max(float(image.std()), 1e-12))
    return difference, float(np.mean(parts))


def pixel_text(angles: Angles) -> str:
    """Say where a pixel is, how high, and how its surface is inclined."""
    pixel, info = angles.wish.pixel, angles.info
    if pixel is None:
        return ""
    toward = f" toward {info['azimuth_deg']:.0f}°" if info["tilt_deg"] > 0.05 else ""
    height = format_length(info["height_nm"], 3)
    return f"Column {pixel[1]}, row {pixel[0]}: height {height}, tilt {info['tilt_deg']:.1f}°{toward}"


def exposed_text(angles: Angles) -> str:
    """Say how much of the half space the surface leaves open."""
    info = angles.info
    return f"Exposed: {info['exposed_sr']:.2f} sr, {percent(info['exposed_share'])} of the half space"


def vision_field_rows(field: VisionField | None) -> tuple[str, str]:
    """Write the statistical and the rigorous radius."""
    if field is None or field.problem:
        return "–", "–"
    size, info = field.scene.terrain.pixel_size_nm, field.info
    if info["statistical_nm"] < size / 2:
        return "less than a pixel", _radius(info["rigorous_nm"], size)
    return _radius(info["statistical_nm"], size), _radius(info["rigorous_nm"], size)


def vision_field_warning(field: VisionField | None) -> str:
    """Say where the statistical radius misleads, or why there is none."""
    if field is None:
        return ""
    if field.problem:
        return sentence(field.problem)
    measured = field.info["measured_chance"]
    if measured <= field.info["delta_out"]:
        return ""
    return (
        f"Not a random surface: {percent(measured)} of the lowest directions are hidden from beyond the statistical radius. "
        "Trust the rigorous one."
    )


def sentence(text: str) -> str:
    """Begin with a capital letter."""
    return text[:1].upper() + text[1:]


def _radius(radius_nm: float, pixel_size_nm: float) -> str:
    pixels = radius_nm / pixel_size_nm
    return f"{format_length(radius_nm, 3)}, {pixels:.{0 if pixels >= 9.95 else 1}f} px"


def percent(share: float | None) -> str:
    """Write a share."""
    return "–" if share is None else f"{100 * share:.1f} %" if share < 0.9995 else "100 %"


def msr(solid_angle_sr: float) -> str:
    """Write a solid angle in msr."""
    return f"{1e3 * solid_angle_sr:.0f}" if solid_angle_sr >= 0.0995 else f"{1e3 * solid_angle_sr:.1f}"


def sky_picture(
    arrays: Mapping[str, NDArray[Any]], colors: Sequence[tuple[int, int, int]], shown: int | None, size_px: int
) -> NDArray[np.uint8]:
    """Paint what a pixel sees as RGBA [row, col]: azimuth around (0 right, 90 up), polar angle outward, 0 to 90 degrees.

    A segment's valid solid angle has its colour, pale where the surface is in the way; `shown` is one segment alone.
    """
    valid, visible = arrays["valid"], arrays["visible"]
    chosen = range(len(colors)) if shown is None else (shown,)
    weights = [(k, _PALE * valid[k] + (1.0 - _PALE) * visible[k]) for k in chosen]
    cover = sum((weight for _, weight in weights), np.zeros(valid.shape[1:]))
    mixed = sum((w[..., None] * np.asarray(colors[k], float) for k, w in weights), np.zeros((*cover.shape, 3)))
    cells = np.zeros((cover.size + 1, 4), np.uint8)  # the last is clear: outside the disc
    cells[:-1, :3] = (mixed / np.maximum(cover, 1e-6)[..., None]).clip(0, 255).reshape(-1, 3)
    cells[:-1, 3] = (255 * cover.clip(0, 1)).ravel()
    return np.asarray(cells[_cell_of_pixel(size_px, *cover.shape)])


@functools.lru_cache(maxsize=4)
def _cell_of_pixel(size_px: int, polar_cells: int, azimuths: int) -> NDArray[np.intp]:
    """Give the cell of a polar grid, counted row by row, in which each pixel of a square lies."""
    grid = (np.arange(size_px) + 0.5) * 2 / size_px - 1
    x, y = grid[None, :], -grid[:, None]
    polar, around = np.hypot(x, y), np.arctan2(y, x) / (2 * math.pi) % 1.0
    j = np.minimum((polar * polar_cells).astype(np.intp), polar_cells - 1)
    f = np.minimum((around * azimuths).astype(np.intp), azimuths - 1)
    return np.where(polar < 1.0, j * azimuths + f, polar_cells * azimuths)
