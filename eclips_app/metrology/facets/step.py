"""The step "find-facets": from a height map to labelled facets with their planes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from eclips_app.core.context import Context
from eclips_app.core.crystal import FindFacets
from eclips_app.core.errors import EclipsError
from eclips_app.core.steps import Arrays, StepResult
from eclips_app.metrology.facets import sphere
from eclips_app.metrology.facets.local import local_planes
from eclips_app.metrology.facets.planes import Plane, fit_plane, inner_part
from eclips_app.metrology.facets.segment import Labels, segment
from eclips_app.metrology.facets.split import split

Floats = NDArray[np.floating]

_EDGE = 4.0  #: times the median rms about local planes: more is an edge
_LEAST_EDGE = 0.05  #: of the pixel size: the same on surfaces without noise
_SPOT_PX = 50_000  #: of a region in which a spot well inside is looked for
_NEAR = 4.0  #: scatters from a plane within which a pixel at its border belongs to it
_LEAST_NEAR = 0.02  #: of the pixel size: the same for planes without scatter


def find_step(inputs: Arrays, params: FindFacets, context: Context) -> StepResult:
    """Run the step; see `core.crystal.FindFacets`.

    Raises
    ------
    EclipsError
        If the map is too small or empty, or the parts do not name each map of deviations.
    """
    height, deviations = _checked(inputs, params)
    context.progress(0.05, "Local planes")
    local = local_planes(height, params.pixel_size_nm, params.radius_px)
    if np.count_nonzero(np.isfinite(local.p)) < params.least_area_px:
        raise EclipsError("hardly any height was measured", hint="Choose another map or a smaller area.")
    normals = sphere.normals_of(local.p, local.q)
    weights = np.where(np.isfinite(local.p), np.sqrt(1 + local.p**2 + local.q**2), 0.0)
    context.progress(0.3, "Segmentation")
    planar = _planar(local.rms_nm, params.pixel_size_nm)
    regions = segment(
        np.where(planar[..., None], normals, np.nan), weights, params.tolerance_deg, params.least_area_px, context
    )
    labels = split(
        height, regions, local.rms_nm, params.pixel_size_nm, params.tolerance_deg, params.least_area_px, context
    )
    known = weights > 0
    oriented = sphere.histogram(normals[known], weights[known], min(1.0, params.tolerance_deg / 3))
    context.progress(0.5, "Planes")
    planes = _fit(height, labels, deviations, params, context)
    labels = _grown(height, labels, planes, params)
    context.progress(0.9, "Mean plane")
    result = _result(height, labels, planes, deviations, params)
    result.arrays["histogram"] = oriented.astype(np.float32)
    result.info["normal_std_deg"] = _normal_std_deg(local.rms_nm, params)
    context.progress(1.0, "Facets found")
    return result


def _normal_std_deg(rms_nm: Floats, params: FindFacets) -> float:
    """Give how far the noise of the heights turns the local planes: the standard deviation of their slopes, as an angle."""
    reach = np.arange(-params.radius_px, params.radius_px + 1)
    spread = np.sqrt((2 * params.radius_px + 1) * float((reach**2).sum())) * min(params.pixel_size_nm)
    return float(np.degrees(np.median(rms_nm[np.isfinite(rms_nm)]) / spread))


def measure_regions(inputs: Arrays, labels: Labels, params: FindFacets, context: Context) -> StepResult:
    """Give what `find_step` gives, without the histogram, of regions that are known: `labels` from 1, without gaps."""
    height, deviations = _checked(inputs, params)
    return _result(height, labels, _fit(height, labels, deviations, params, context), deviations, params)


def _result(
    height: Floats, labels: Labels, planes: list[Plane], deviations: NDArray[np.floating], params: FindFacets
) -> StepResult:
    all_planes = [_mean_plane(height, deviations, params.pixel_size_nm), *planes]
    arrays: dict[str, NDArray[Any]] = {
        "labels": labels,
        "planes": np.stack([plane.values for plane in all_planes]),
        "effects": np.stack([plane.effects for plane in all_planes], axis=1),
        "scatter": np.stack([plane.scatter for plane in all_planes]),
    }
    return StepResult(arrays, {"facets": _facts(labels, all_planes, params)})


def _checked(inputs: Arrays, params: FindFacets) -> tuple[Floats, NDArray[np.floating]]:
    """Give the heights, NaN where they are not used, and the deviations in units of the pixel size."""
    height = np.asarray(inputs["height"], dtype=float)
    if height.ndim != 2 or min(height.shape) < 2 * params.radius_px + 1:
        raise EclipsError("the height map is smaller than one local plane", hint="Choose a smaller radius.")
    if "mask" in inputs:
        height = np.where(inputs["mask"], height, np.nan)
    if not np.isfinite(height).any():
        raise EclipsError("no height was measured", hint="Choose another map.")
    deviations = inputs.get("deviations", np.zeros((0, *height.shape), np.float16))
    if len(deviations) != len(params.parts):
        raise EclipsError(f"{len(params.parts)} parts are named for {len(deviations)} maps of deviations")
    return height, deviations


def _planar(rms_nm: Floats, pixel_size_nm: tuple[float, float]) -> NDArray[np.bool_]:
    """Tell where the surface is plane around a pixel: not across edges, where the rms is well above the usual."""
    usual = float(np.median(rms_nm[np.isfinite(rms_nm)]))
    return np.asarray(rms_nm <= max(_EDGE * usual, _LEAST_EDGE * pixel_size_nm[0]))


def _fit(
    height: Floats, labels: Labels, deviations: NDArray[np.floating], params: FindFacets, context: Context
) -> list[Plane]:
    planes = []
    boxes = ndimage.find_objects(labels)
    for number, box in enumerate(boxes, 1):
        context.progress(0.5 + 0.4 * number / len(boxes), "Planes")
        room = _widened(box, 1, height.shape)  # so that the border of a region is not the box's
        inside = inner_part(labels[room] == number, params.radius_px)
        maps = deviations[(slice(None), *room)]
        fitted = fit_plane(height[room], inside, params.pixel_size_nm, maps, params.pixel_size_nm[0])
        planes.append(_moved(fitted, room))
    return planes


def _moved(plane: Plane, box: tuple[slice, slice]) -> Plane:
    column, row = plane.centre_px
    centre = column + box[1].start, row + box[0].start
    return Plane(plane.values, plane.effects, plane.scatter, centre, plane.rms_nm, plane.pixels)


def _widened(box: tuple[slice, slice], by: int, shape: tuple[int, ...]) -> tuple[slice, slice]:
    rows, columns = (slice(max(s.start - by, 0), min(s.stop + by, n)) for s, n in zip(box, shape, strict=True))
    return rows, columns


def _grown(height: Floats, labels: Labels, planes: list[Plane], params: FindFacets) -> Labels:
    """Give pixels near a region's border, whose squares reach across the edge, to the region on whose plane they lie best."""
    grown = labels.copy()
    best = np.full(labels.shape, np.inf)
    reach = params.radius_px + 1
    for number, (box, plane) in enumerate(zip(ndimage.find_objects(labels), planes, strict=True), 1):
        room = _widened(box, reach, labels.shape)
        near = ndimage.binary_dilation(labels[room] == number, np.ones((3, 3), bool), iterations=reach)
        rows, columns = np.ogrid[room]
        right = (columns - plane.centre_px[0]) * params.pixel_size_nm[0]
        up = (plane.centre_px[1] - rows) * params.pixel_size_nm[1]
        off = np.abs(height[room] - plane.values[0] - plane.values[1] * right - plane.values[2] * up)
        limit = max(_NEAR * plane.rms_nm, _LEAST_NEAR * params.pixel_size_nm[0])
        nearer = near & (labels[room] == 0) & (off < limit) & (off < best[room])
        best[room][nearer] = off[nearer]
        grown[room][nearer] = number
    return grown


def _mean_plane(height: Floats, deviations: NDArray[np.floating], pixel_size_nm: tuple[float, float]) -> Plane:
    """Give the plane of least squares of the whole map; it is what it is, so that nothing scatters about it."""
    known = np.isfinite(height)
    rows, columns = np.nonzero(known)
    middle = float(columns.mean()), float(rows.mean())
    x, y = (columns - middle[0]) * pixel_size_nm[0], (middle[1] - rows) * pixel_size_nm[1]
    design = np.stack([np.ones_like(x), x, y])
    inverse = np.linalg.pinv(design @ design.T)
    values = inverse @ (design @ height[known])
    # One map after another: together, those of a large run would not fit into memory.
    effects = [inverse @ (design @ each[known].astype(float)) * pixel_size_nm[0] for each in deviations]
    rms = float(np.std(height[known] - values @ design))
    return Plane(values, np.array(effects).reshape(-1, 3), np.zeros((3, 3)), middle, rms, len(x))


def _facts(labels: Labels, planes: list[Plane], params: FindFacets) -> list[dict[str, Any]]:
    """Give what is known of each facet beside its plane; areas in nm² along the facet, `spot_px` a pixel well inside."""
    counts = np.bincount(labels.ravel(), minlength=len(planes))
    counts[0] = planes[0].pixels
    pixel = params.pixel_size_nm[0] * params.pixel_size_nm[1]
    spots = [planes[0].centre_px, *(_spot(labels, box, n) for n, box in enumerate(ndimage.find_objects(labels), 1))]
    return [
        {
            "pixels": int(count),
            "area_nm2": float(count * pixel * np.sqrt(1 + plane.values[1] ** 2 + plane.values[2] ** 2)),
            "rms_nm": plane.rms_nm,
            "centre_px": [float(each) for each in plane.centre_px],
            "spot_px": [float(each) for each in spot],
            "fitted_pixels": plane.pixels,
        }
        for plane, count, spot in zip(planes, counts, spots, strict=True)
    ]


def _spot(labels: Labels, box: tuple[slice, slice], number: int) -> tuple[float, float]:
    """Give the pixel (col, row) of a region farthest from its border."""
    rows, columns = (side.stop - side.start for side in box)
    thin = max(1, int(np.sqrt(rows * columns / _SPOT_PX)))
    region = np.pad(labels[box][::thin, ::thin] == number, 1)
    row, column = np.unravel_index(int(ndimage.distance_transform_edt(region).argmax()), region.shape)
    return float(box[1].start + thin * (column - 1)), float(box[0].start + thin * (row - 1))
