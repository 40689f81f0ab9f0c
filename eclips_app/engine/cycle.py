"""Cycle consistency: heights to images to heights again.

The images are rendered by the exact forward model whatever the method, so that the cycle of a linear run shows what shadows cost
it. They stand on the grid of the crop: nothing is shifted, drifts or is clipped there, and what the run did not use is excluded.
"""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from eclips_app.core.context import Context, Part
from eclips_app.core.emission import Emission
from eclips_app.core.errors import EclipsError
from eclips_app.core.steps import (
    STEPS,
    Arrays,
    ClosedLoop,
    Cycle,
    Reconstruct,
    Simulate,
    StepResult,
    automatic,
    run_step,
)
from eclips_app.engine.fill import BLOCK_PX, block_means

Float = NDArray[np.float64]

CAVEAT = (
    "A small cycle error shows that images, model and method agree with each other. It does not prove the model: a wrong "
    "distance or emission law that can be inverted passes as well. Chi-square and an independent measurement test the model."
)
_AZIMUTHS = 64  #: for the images of a linear run, whose method has none
_RENDER_SHARE = 0.2  #: of the progress
_FEW_DRAWS = 2  #: the second run's standard deviations are not used


def cycle_step(inputs: Arrays, params: Cycle, context: Context) -> StepResult:
    """Render a run's surface, reconstruct the images with the run's parameters, and compare.

    Parameters
    ----------
    inputs : mapping
        ``height`` [row, col] in nm, ``rho`` and ``mask`` of the run, optional ``materials``. With `rho` times the signal of a
        flat in grey values the images are in grey values, as noise and tolerances of offsets expect; with `rho` as it is they
        are in units of a flat.
    params : Cycle
        Those of the run, with the crop and the axis in the uncropped image.
    context : Context
        Progress and cancellation.

    Returns
    -------
    StepResult
        See `core.steps.Cycle`. The mean error of the normals includes a tilt of the whole map, the others do not.

    Raises
    ------
    EclipsError
        Inputs that do not belong together, scan parallax of a crop without `axis_px`, or what rendering and reconstruction raise.
    """
    height, rho, mask = _checked(inputs)
    again = _second(params)
    segments = _images(height, rho, again, params, Part(context, 0.0, _RENDER_SHARE, quiet=True))
    extra = {name: inputs[name] for name in ("materials",) if name in inputs}
    if isinstance(again, ClosedLoop) and again.brightness == "known":
        extra["rho"] = (rho / np.median(rho[mask])).astype(np.float32)
    found = run_step(
        f"reconstruct-{params.method}", {"segments": segments, "exclude": ~mask, **extra}, again,
        Part(context, _RENDER_SHARE, 1.0 - _RENDER_SHARE, quiet=True),
    )  # fmt: skip
    second = found.arrays["height"]
    difference = _without_plane(second - height, mask)
    context.progress(1.0, "compared")
    facts = _facts(height, second, difference, mask, params.pixel_size_nm)
    return StepResult({"height": second, "difference": difference.astype(np.float32)}, {**facts, "caveat": CAVEAT})


def _checked(inputs: Arrays) -> tuple[Float, Float, NDArray[np.bool_]]:
    """Give height, rho and mask; rho is filled from its surroundings where it is not known."""
    height = np.array(inputs["height"], dtype=np.float64)
    rho, mask = np.array(inputs["rho"], dtype=np.float64), np.asarray(inputs["mask"], dtype=bool)
    if rho.shape != height.shape or mask.shape != height.shape:
        raise EclipsError(
            f"heights of {height.shape}, a material factor of {rho.shape} and a mask of {mask.shape} do not belong together",
            hint="Give those of one run.",
        )
    known = mask & np.isfinite(rho) & (rho > 0)
    if not known.any() or not np.isfinite(height).all():
        raise EclipsError("the run holds no surface that could be rendered", hint="Reconstruct it again.")
    if not known.all():
        blocks = block_means(np.where(known, rho, 0.0)[None].astype(np.float32), known)[0].astype(np.float64)
        rows, columns = (np.arange(n) // BLOCK_PX for n in rho.shape)
        rho = np.where(known, rho, blocks[np.ix_(rows, columns)])
    return height, rho, mask


def _second(params: Cycle) -> Reconstruct:
    """Give the parameters of the second reconstruction, on the grid of the crop and with segments all alike.

    Gains and offsets go into the images and come out again as they were, so they are left out of both. Only the noise would
    know of them, and that is the same for signals of equal size after the gain.
    """
    kind = STEPS[f"reconstruct-{params.method}"].params
    same = {f.name: getattr(params, f.name) for f in fields(kind)}
    even = tuple(replace(segment, gain=1.0, offset=0.0) for segment in params.detector.quadrants)
    top, left = params.crop[:2]
    axis = params.axis_px
    if axis is not None:
        axis = axis[0] - top, axis[1] - left
    elif params.scan_parallax and any(params.crop):
        raise EclipsError(
            "where the beam's axis passes a crop is not known", where="axis_px", hint="Give its row and column."
        )
    same |= {
        "detector": replace(params.detector, quadrants=even), "crop": (0, 0, 0, 0), "shifts_px": (), "axis_px": axis,
        "clip_low": None, "clip_high": None,
    }  # fmt: skip
    if issubclass(kind, ClosedLoop):
        same["draws"] = _FEW_DRAWS
    made: Reconstruct = kind(**same)
    return made


def _images(height: Float, rho: Float, again: Reconstruct, params: Cycle, context: Context) -> NDArray[np.float32]:
    """Render the images [k, row, col], in units of `rho`, with noise if it is asked for."""
    exact = isinstance(again, ClosedLoop)
    subpixels = params.subpixels if exact else 1
    rows, columns = height.shape
    row, column = again.axis_px or ((rows - 1) / 2, (columns - 1) / 2)
    millimetres = again.pixel_size_nm * 1e-6
    center = ((columns - 1) / 2 - column) * millimetres, (row - (rows - 1) / 2) * millimetres
    simulate = Simulate(
        again.detector, again.pixel_size_nm, azimuths=automatic(params).azimuths if exact else _AZIMUTHS, subpixels=subpixels,
        emission=params.emission if exact else Emission(), scan_parallax=again.scan_parallax, field_center_mm=center,
    )  # fmt: skip
    fine = _samples(height, subpixels), np.kron(rho, np.ones((subpixels, subpixels)))
    segments = run_step("simulate", {"height": fine[0], "rho": fine[1]}, simulate, context).arrays["segments"]
    if params.dose_grey is not None:
        rng = np.random.default_rng(params.seed)
        for plane in segments:
            plane[:] = rng.poisson(np.maximum(plane, 0.0) / params.dose_grey) * params.dose_grey
            context.check()
    return segments


def _samples(height: Float, subpixels: int) -> Float:
    """Give heights at the samples within the pixels, by cubic interpolation."""
    if subpixels == 1:
        return height
    place = np.meshgrid(*((np.arange(n * subpixels) + 0.5) / subpixels - 0.5 for n in height.shape), indexing="ij")
    return np.asarray(map_coordinates(height, place, order=3, mode="nearest"))


def _without_plane(difference: Float, mask: NDArray[np.bool_]) -> Float:
    """Take out the plane of least squares over the mask."""
    rows, columns = (np.linspace(-1.0, 1.0, n) for n in difference.shape)
    planes = np.stack(np.broadcast_arrays(np.ones(1), rows[:, None], columns[None, :]))
    used = planes[:, mask]
    found = np.linalg.lstsq(used @ used.T, used @ difference[mask], rcond=None)[0]
    return np.asarray(difference - np.tensordot(found, planes, 1))


def _facts(
    first: Float, second: NDArray[np.floating], difference: Float, mask: NDArray[np.bool_], pixel_size_nm: float
) -> dict[str, float | None]:
    rms, spread = float(np.sqrt(np.mean(difference[mask] ** 2))), float(first[mask].std())
    apart = np.linalg.norm(_normals(first / pixel_size_nm) - _normals(second / pixel_size_nm), axis=0)
    return {
        "rms_nm": rms,
        "rms_percent": 100.0 * rms / spread if spread > 0 else None,
        "largest_nm": float(np.abs(difference[mask]).max()),
        "normal_error_deg": float(np.degrees(2.0 * np.arcsin(np.minimum(apart[mask] / 2.0, 1.0)).mean())),
    }


def _normals(height_px: NDArray[np.floating]) -> Float:
    down, right = np.gradient(height_px.astype(np.float64))
    normals = np.stack([-right, down, np.ones_like(right)])
    return np.asarray(normals / np.linalg.norm(normals, axis=0))
