"""Pairs of height maps made from real AFM maps by a known warp, registered: how many are found, and how far off.

One half of a pair is a part of a measured map (the image), the other what a second scan would have shown: shifted, turned,
scaled, drifted, dilated by a tip, on other pixels, with noise of its own. Points where that scan saw nothing of the measured map
are holes. The error is the root mean square, over the overlap, of the distance between where a point of the second map is
found to lie and where it truly lies, in pixels of the image.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from eclips_app.cli.tables import Table
from eclips_app.core.context import Context, SilentContext
from eclips_app.core.errors import EclipsError
from eclips_app.core.steps import ReadHeightMap, run_step
from eclips_app.metrology import tip as tips
from eclips_app.metrology.registration import grids
from eclips_app.metrology.registration.pose import Frames, Pose, free_drift
from eclips_app.metrology.registration.register import Registration, Task, register_map

Floats = NDArray[np.float64]

#: Maps with structure that no other place repeats; the unit is for those whose file says none.
MAPS = (
    "Park_20210916_034.tiff", "Veeco_20160622.003", "afmlevel_islands_200px.tiff", "di-1.di", "di-5.di", "example_ps.tiff",
    "mesoporous_SiO2_park.tiff", "mi-1.mi", "pn_junction_park.tiff", "sample_0.top",
)  # fmt: skip
#: Gratings and lattices: a shift by a period cannot be told, and should be said to be ambiguous.
PERIODIC = ("matrix-4.txt", "old_bruker.002", "si_grooves_10um.txt", "surfalize_test_1.plu", "x3p-2.x3p")
PAIRS_PER_MAP = 4
_TARGET_FOUND, _TARGET_PX = 0.95, 0.3
_KNOTS = 7
_WINDOW = 0.7  #: edge of either map, as part of the measured one


@dataclass(frozen=True, eq=False)
class Pair:
    """Two maps and what lies between them."""

    name: str
    image: Floats  #: [row, col] in nm
    placed: Floats
    frames: Frames
    truth: Pose
    tip: str
    noise: float  #: standard deviation as part of the relief's


def tables(shared: Path | None, context: Context, *, quick: bool, seed: int) -> Iterable[Table]:
    """Give the table of pairs and that of periodic maps; only a note where the maps are absent."""
    folder = (shared or Path()) / "data" / "afm"
    if not all((folder / name).is_file() for name in MAPS):
        yield Table("Registration", ("map",), (), (f"The real AFM maps are not in {folder}.",))
        return
    names = MAPS[:3] if quick else MAPS
    yield _unique(folder, names, 1 if quick else PAIRS_PER_MAP, seed, context)
    yield _periodic(folder, PERIODIC[:1] if quick else PERIODIC, seed)
    from eclips_app.cli import bench_registration_coverage

    yield bench_registration_coverage.table(shared or Path(), 2 if quick else 16, seed)


def _unique(folder: Path, names: tuple[str, ...], each: int, seed: int, context: Context) -> Table:
    rows: list[tuple[Any, ...]] = []
    total = len(names) * each
    for name in names:
        for pair in pairs(folder / name, each, seed):
            context.progress(len(rows) / total, pair.name)
            rows.append(_row(pair))
    errors = [row[7] for row in rows if row[7] is not None]
    right = sum(bool(row[6] == "yes" and row[7] is not None and row[7] < 3.0) for row in rows)
    wrong = sum(bool(row[6] == "yes" and (row[7] is None or row[7] >= 3.0)) for row in rows)
    median = float(np.median(errors)) if errors else math.nan
    met = right >= _TARGET_FOUND * len(rows) and median <= _TARGET_PX
    notes = (
        f"found {right} of {len(rows)} (target {100 * _TARGET_FOUND:.0f} %), said to be found but wrong {wrong}, "
        f"median error {median:.3g} px (target {_TARGET_PX:g}): {'met' if met else 'MISSED'}",
        f"left out, being gratings or lattices: {', '.join(PERIODIC)}",
        "not chosen: gwyfile_test.gwy (synthetic), spiepy_* (no lateral scale), NanoSurf_20160301.nid and sample_0.jpk-qi-image "
        "(128 and 100 pixels), di-3.di and spot_1-1000nm.ibw (few features)",
    )
    columns = (
        "pair",
        "shift %",
        "turn deg",
        "scale",
        "pixel ratio",
        "tip",
        "found",
        "error px",
        "method",
        "s",
        "verdict",
    )
    return Table("Registration of pairs made from real AFM maps", columns, tuple(rows), notes)


def _row(pair: Pair) -> tuple[Any, ...]:
    started = time.perf_counter()
    truth = pair.truth
    shift = 100 * float(np.abs(truth.shift_nm).max()) / (min(pair.image.shape) * pair.frames.image_pixel_nm)
    ratio = pair.frames.map_pixel_nm[0] / pair.frames.image_pixel_nm
    facts = (pair.name, round(shift), round(truth.rotation_deg, 1), round(truth.scale, 3), round(ratio, 2), pair.tip)
    try:
        found = register_map(pair.image, pair.placed, pair.frames, Task("drift"), SilentContext())
    except EclipsError as error:
        return (*facts, "no", None, "", round(time.perf_counter() - started, 1), str(error))
    error_px = position_error_px(pair, found)
    verdict = found.quality
    seconds = round(time.perf_counter() - started, 1)
    return (
        *facts, "yes" if verdict.found else "no", round(error_px, 3), found.method, seconds, verdict.sentence
    )  # fmt: skip


def position_error_px(pair: Pair, found: Registration) -> float:
    """Give the rms distance of found from true places over the overlap, in pixels of the image."""
    frames = pair.frames
    rows, columns = np.nonzero(np.isfinite(pair.placed))
    x = (columns.astype(np.float64) - (frames.map_shape[1] - 1) / 2) * frames.map_pixel_nm[0]
    y = ((frames.map_shape[0] - 1) / 2 - rows.astype(np.float64)) * frames.map_pixel_nm[1]
    true = np.stack(pair.truth.moved(x, y, frames))
    half = np.array([[frames.image_shape[1]], [frames.image_shape[0]]]) * frames.image_pixel_nm / 2
    inside = (np.abs(true) < half).all(axis=0)
    away = np.stack(found.pose.moved(x, y, frames)) - true
    return float(np.sqrt((away[:, inside] ** 2).sum(axis=0).mean())) / frames.image_pixel_nm


def _periodic(folder: Path, names: tuple[str, ...], seed: int) -> Table:
    rows = []
    for name in names:
        for pair in pairs(folder / name, 1, seed):
            made = _row(pair)
            rows.append((pair.name, made[6], made[7], made[-1]))
    note = "Right is what was not said to be found, or was found within 3 px: irregularities can tell a period from the next."
    return Table("Gratings and lattices", ("pair", "found", "error px", "verdict"), tuple(rows), (note,))


# Making of pairs


def pairs(path: Path, count: int, seed: int) -> Iterator[Pair]:
    """Make pairs from a measured map, the same for the same seed."""
    height, pixel = _measured(path)
    for number in range(count):
        rng = np.random.default_rng([seed, number, *path.name.encode()])
        yield make_pair(f"{path.name} {number + 1}", height, pixel, rng)


def _measured(path: Path) -> tuple[Floats, float]:
    """Read a map onto square pixels, levelled: plane, and the medians of neighbouring lines."""
    given = ReadHeightMap(str(path), unit="nm", pixel_size_nm=(1.0, 1.0))
    read = run_step("read-height-map", {}, given, SilentContext())
    height, (x, y) = read.arrays["height"], read.info["pixel_size_nm"]
    # Jumps between lines lie on the scan, not on the specimen, and would tell a scan its place.
    jumps = np.r_[0.0, np.nanmedian(np.diff(height, axis=0), axis=1)]
    height = height - np.cumsum(jumps)[:, None]
    grid = grids.levelled(grids.resampled(height, (x, y), max(x, y)))
    return np.where(grid.known, grid.heights, np.nan), grid.pixel_nm


def make_pair(name: str, height: Floats, pixel_nm: float, rng: np.random.Generator) -> Pair:
    """Cut an image out of a map and warp another part of it."""
    rows, columns = height.shape
    size = np.array([columns, rows]) * _WINDOW
    shape = int(size[1]), int(size[0])
    # Both windows move away from the middle, so that both lie on the measured map as far as possible.
    shift = rng.uniform(-0.3, 0.3, 2) * min(size)
    top, left = (rows - shape[0]) // 2 + round(shift[1] / 2), (columns - shape[1]) // 2 - round(shift[0] / 2)
    top, left = int(np.clip(top, 0, rows - shape[0])), int(np.clip(left, 0, columns - shape[1]))
    image = height[top : top + shape[0], left : left + shape[1]].copy()
    scale = float(np.exp(rng.uniform(-np.log(1.2), np.log(1.2))))
    turn, ratio = float(rng.uniform(-20, 20)), float(np.exp(rng.uniform(np.log(0.75), np.log(1.5))))
    map_shape = round(shape[0] / ratio / scale), round(shape[1] / ratio / scale)
    frames = Frames(map_shape, (pixel_nm * ratio,) * 2, shape, pixel_nm)
    drift = free_drift(_KNOTS) @ rng.normal(0, 1, (_KNOTS - 2, 2)) * rng.uniform(0.5, 2.5) * pixel_nm
    pose = Pose.similar(float(shift[0]) * pixel_nm, float(shift[1]) * pixel_nm, turn, scale)
    truth = Pose(pose.shift_nm, pose.matrix, drift)
    tip, blunt = _blunted(height, pixel_nm, rng)
    placed = scanned(blunt, pixel_nm, (top, left), truth, frames)
    relief = float(np.nanstd(image))
    noise = float(rng.uniform(0.01, 0.06))
    image += rng.normal(0, 0.02 * relief, image.shape)
    placed += rng.normal(0, noise * relief, placed.shape)
    # A second scan stands otherwise: tilted, bowed, and with its own calibration of heights.
    v, u = np.meshgrid(*(np.linspace(-1, 1, n) for n in placed.shape), indexing="ij")
    placed = placed * rng.uniform(0.92, 1.08) + relief * (rng.normal(0, 1) * u + rng.normal(0, 1) * v + 0.2 * u * v)
    return Pair(name, image, placed, frames, truth, tip, noise)


def _blunted(height: Floats, pixel_nm: float, rng: np.random.Generator) -> tuple[str, Floats]:
    """Dilate a map by a tip whose radius is 1 to 4 pixels at the map's own steepness."""
    span = float(np.nanpercentile(height, 99.5) - np.nanpercentile(height, 0.5))
    # Heights of most maps are much smaller than lengths; a tip of some pixels would not be seen at all.
    radius = float(rng.uniform(1.0, 4.0)) * pixel_nm * max(1.0, pixel_nm / max(span, 1e-9))
    tip = tips.parabola(radius, (pixel_nm, pixel_nm), min(span, 8 * pixel_nm**2 * 8 / (2 * radius)))
    solid = grids.filled(np.nan_to_num(height), np.isfinite(height))
    return f"{radius / pixel_nm:.1f} px", tips.dilated(solid, tip)


def scanned(surface: Floats, pixel_nm: float, corner: tuple[int, int], truth: Pose, frames: Frames) -> Floats:
    """Give what a scan under a pose sees of a surface: the mean over its pixels, NaN beyond the surface."""
    rows, columns = np.mgrid[: frames.map_shape[0], : frames.map_shape[1]].astype(float)
    size = frames.map_pixel_nm[0]
    sub = max(1, round(size * truth.scale / pixel_nm * 2))
    offsets = (np.arange(sub) + 0.5) / sub - 0.5
    total = np.zeros(frames.map_shape)
    spline = ndimage.spline_filter(surface, order=3)
    for dy in offsets:
        for dx in offsets:
            x = (columns + dx - (frames.map_shape[1] - 1) / 2) * size
            y = ((frames.map_shape[0] - 1) / 2 - rows - dy) * size
            u, v = truth.moved(x, y, frames)
            at = [
                corner[0] + (frames.image_shape[0] - 1) / 2 - v / pixel_nm,
                corner[1] + (frames.image_shape[1] - 1) / 2 + u / pixel_nm,
            ]
            total += ndimage.map_coordinates(spline, at, order=3, prefilter=False, mode="constant", cval=np.nan)
    return total / sub**2
