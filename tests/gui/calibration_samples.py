"""Images of a sphere and a finished calibration, made up as the steps give them."""

from __future__ import annotations

from typing import Any

import numpy as np
from panel_samples import Submitted, detector

from eclips_app.core import schema
from eclips_app.core.calibration import Calibrate, FindReference, default_parameters, unit_of
from eclips_app.core.detector import Beam, Detector
from eclips_app.model.items import Acquisition, SegmentImage, SegmentSet

ROWS, COLUMNS = 96, 112
CENTER, RADIUS = (47.0, 55.0), 30.0  #: row, column; px


def start() -> Detector:
    """A detector with a beam, as a data sheet gives it."""
    return detector(beam=Beam(10.0, 2.0))


def sphere_set(name: str = "sphere", **fields: Any) -> SegmentSet:
    """Images of a ball whose segments shade it from four sides."""
    rows, columns = np.indices((ROWS, COLUMNS))
    y, x = (CENTER[0] - rows) / RADIUS, (columns - CENTER[1]) / RADIUS
    inside = x**2 + y**2 < 0.95
    acquisition = Acquisition(energy_kev=10.0, working_distance_mm=9.0, contrast=50.0)
    images = []
    for segment, (dx, dy) in zip("ENWS", ((1, 0), (0, 1), (-1, 0), (0, -1)), strict=True):
        grey = 8000 + np.where(inside, 3000 * (dx * x + dy * y), 0)
        images.append(SegmentImage(segment, grey.astype(np.uint16), acquisition, f"{segment}.tif", sha256=segment * 64))
    values: dict[str, Any] = {"id": name, "name": name, "images": tuple(images), "pixel_size_nm": 2.0}
    return SegmentSet(**values | fields)


def found(job: Submitted) -> tuple[dict[str, Any], dict[str, Any]]:
    """Answer the step find-reference: what is None becomes known."""
    params: FindReference = job.params
    observation = schema.dump(params.observation)
    kind = params.observation.kind
    known: dict[str, dict[str, Any]] = {
        "sphere": {"center_px": list(CENTER), "radius_px": RADIUS},
        "indent": {"center_px": list(CENTER), "radius_px": RADIUS, "rotation_deg": 0.0},
        "flat": {"area": [5, 5, 25, 25]}, "facets": {"areas": [[5, 5, 15, 15]], "azimuths_deg": [90.0]},
    }  # fmt: skip
    for name, value in known.get(kind, {}).items():
        if name == "azimuths_deg":
            value = [90.0] * len(observation[kind]["areas"])
        if not any(np.ravel(np.asarray(observation[kind].get(name) or 0))):
            observation[kind][name] = value
    rows, columns = np.indices((ROWS, COLUMNS))
    used = (rows - CENTER[0]) ** 2 + (columns - CENTER[1]) ** 2 < RADIUS**2
    return {"used": used}, {"observation": observation, "text": f"A {kind} was found"}


def fitted(job: Submitted, *, off: float = 0.05) -> tuple[dict[str, Any], dict[str, Any]]:
    """Answer the step calibrate; `off` is by how much the distance moves."""
    params: Calibrate = job.params
    chosen = {each.name: each for each in params.parameters}
    kinds = frozenset(each.kind for each in params.observations)
    parameters = []
    for default in default_parameters(params.detector, kinds):
        each = chosen.get(default.name, default)
        is_free = each.mode == "free"
        parameters.append(
            {
                "name": each.name, "unit": unit_of(each.name), "mode": each.mode, "start": 1.0, "prior_std": each.std,
                "value": 1.0 + off if is_free else 1.0, "std": 0.004 if is_free else None,
                "source": "fitted" if is_free else "data sheet", "at_limit": False,
            }
        )  # fmt: skip
    content = params.detector.to_json()
    content["distance_mm"] += off
    content["calibration"] = {
        "method": "least squares", "acquisition": dict(params.observations[0].acquisition),
        "emission": {"model": "parametric", "material": "Cu", "coefficients": [0.1, 0.0, 0.2, 0.1, 0.0, 0.0]},
    }  # fmt: skip
    free = [each["name"] for each in parameters if each["mode"] == "free"]
    tilts = np.arange(0.0, 61.0, 5.0)
    info = {
        "detector": content, "parameters": parameters, "free": free, "covariance": np.eye(len(free)).tolist(),
        "correlation": np.eye(len(free)).tolist(), "chi2": 10500.0, "degrees_of_freedom": 10000,
        "model_error_percent": 0.12,
        "observations": [
            {
                "name": each.name, "kind": each.kind, "step": 2, "used": 1000, "chi2": 1.05, "residual_percent": 0.4,
                "found": {"radius_px": RADIUS}, "text": f"A {each.kind} was used",
            }
            for each in params.observations
        ],
        "warnings": ["The distance and the outer radius go together: only their ratio is known."],
        "curve": {
            "tilt_deg": tilts.tolist(), "lambert": [1.0] * 13, "tabulated": (1.12 - tilts / 600).tolist(),
            "fitted": (1.1 - tilts / 600).tolist(),
            "measured": [{"tilt_deg": float(t), "value": 1.1 - t / 600, "std": 0.01, "name": "sphere"} for t in tilts[2::2]],
        },
    }  # fmt: skip
    rng = np.random.default_rng(1)
    arrays = {
        f"residual/{n}": rng.normal(0, 0.4 + off, (4, ROWS // 2, COLUMNS // 2)).astype(np.float32)
        for n in range(len(params.observations))
    }
    return arrays, info
