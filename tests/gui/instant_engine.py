"""An engine that answers the Simulate panel's jobs at once with made-up results."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from panel_samples import HeldJobs, Submitted
from pytestqt.qtbot import QtBot

from eclips_app.core.steps import Visibility
from eclips_app.gui.panels.simulate.view import SimulatePanel

SEGMENTS, POLAR, AROUND = 4, 18, 36


class Engine(HeldJobs):
    """Answers jobs with made-up results as soon as it is asked to."""

    def submit(self, step: str, params: Any, inputs: Any, **options: Any) -> Submitted:
        options.pop("priority", None)
        return super().submit(step, params, inputs, hear=options["hear"], key=options.get("key", ""))

    def answer(self, step: str = "") -> list[Submitted]:
        """Answer what waits (of one step); gives the jobs answered."""
        mine = [job for job in self.jobs if step in ("", job.step) and not job.cancelled]
        self.jobs = [job for job in self.jobs if job not in mine and not job.cancelled]
        for job in mine:
            arrays, info = _RESULTS[job.step](job)
            job.done(arrays, **info)
        return mine


def _surface(job: Submitted) -> tuple[dict[str, Any], dict[str, Any]]:
    size, rows, columns = job.params.pixel_size_nm, job.params.rows, job.params.columns
    x = np.arange(columns) * size
    return {"height": np.broadcast_to(0.5 * x, (rows, columns)).copy()}, {}


def _images(job: Submitted) -> tuple[dict[str, Any], dict[str, Any]]:
    rows, columns = job.inputs["height"].shape
    base = np.arange(rows * columns, dtype=np.uint16).reshape(rows, columns)
    info = {"exit_radius_nm": 88.0} if job.params.delocalised else {}
    segments = np.stack([base + k for k in range(len(job.params.detector.quadrants))])
    if job.params.dose is None:
        segments = segments.astype(np.float32)
    if job.params.model not in ("vft", "dsm"):
        return {"segments": segments}, info
    # A network is 3 % of the mean too bright in the right half, and the lowest tenth of the rows is out of its range.
    if job.params.dose is None:
        segments[:, :, columns // 2 :] += 0.03 * segments.mean(axis=(1, 2), keepdims=True)
    outside = np.zeros((rows, columns), bool)
    outside[rows - rows // 10 :] = True
    return {"segments": segments, "outside": outside}, {**info, "outside_share": float(outside.mean())}


def _sky(job: Submitted) -> tuple[dict[str, Any], dict[str, Any]]:
    """Segment k takes the quadrant about 90 k degrees up to 45 degrees; everything beyond 30 degrees is hidden above."""
    azimuth = (np.arange(AROUND) + 0.5) * 360 / AROUND
    theta = np.linspace(0, 90, POLAR + 1)
    valid = np.zeros((SEGMENTS, POLAR, AROUND), np.float32)
    for k in range(SEGMENTS):
        valid[k][:, np.abs((azimuth - 90 * k + 180) % 360 - 180) < 45] = (theta[1:] <= 45)[:, None]
    horizon = np.where((azimuth > 45) & (azimuth < 135), 30.0, 90.0)
    visible = valid * (theta[1:, None] <= horizon)
    arrays = {"valid": valid, "visible": visible, "theta_deg": theta, "azimuth_deg": azimuth, "horizon_deg": horizon}
    segments = [
        {"name": name, "valid_sr": 0.46, "visible_sr": 0.46 if name != "N" else 0.21, "visible_share": 1.0}
        for name in "ENWS"
    ]
    info = {
        "row": job.params.row, "column": job.params.column, "height_nm": 12.5, "tilt_deg": 26.6, "azimuth_deg": 180.0,
        "exposed_sr": 5.1, "exposed_share": 0.81, "exposed_emission": 0.9, "segments": segments,
    }  # fmt: skip
    return arrays, info


def _vision_field(job: Submitted) -> tuple[dict[str, Any], dict[str, Any]]:
    """Radii in proportion to the relief; above 1000 nm the statistical one misleads."""
    relief = float(np.ptp(job.inputs["height"]))
    info = {
        "statistical_nm": 0.25 * relief, "rigorous_nm": 2.0 * relief, "delta_out": job.params.delta_out,
        "measured_chance": 0.5 if relief > 1000.0 else 0.001,
    }  # fmt: skip
    return {"radius_nm": np.arange(3.0), "chance": np.zeros(3)}, info


_RESULTS: dict[str, Callable[[Submitted], tuple[dict[str, Any], dict[str, Any]]]] = {
    "specimen": _surface, "simulate": _images, "visibility": _sky, "vision-field": _vision_field,
}  # fmt: skip


def settle(panel: SimulatePanel, engine: Engine, qtbot: QtBot) -> None:
    """Answer the engine's jobs until nothing is left to do."""

    def is_done() -> bool:
        engine.answer()
        flow = panel.flow
        return flow.live.is_settled and flow.reach.is_settled and not flow.comparison.is_busy and not engine.jobs

    qtbot.waitUntil(is_done)


def sky_arrays() -> dict[str, Any]:
    """The arrays of a made-up sky."""
    return _sky(Submitted("visibility", Visibility(), {}, None))[0]
