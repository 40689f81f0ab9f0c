"""A project whose run states its uncertainty, made for the panels' tests."""

from __future__ import annotations

from typing import Any

import numpy as np
from panel_samples import COLUMNS, PIXEL_NM, ROWS, detector, make_run, make_set, ramp

from eclips_app.commands import edits
from eclips_app.core import schema
from eclips_app.core.steps import ClosedLoop
from eclips_app.gui.session import Session
from eclips_app.model.items import Run, SegmentSet
from eclips_app.model.runs import inputs_record

STEP_NM, PERCENT = 3.0, 4.0


def standard_run(segment_set: SegmentSet, run_id: str = "exact", slope: float = 0.5) -> Run:
    """A ramp: noise lifts the right half by `STEP_NM`, the distance is worth `PERCENT` of the height."""
    height = ramp(slope)
    noise = np.zeros((ROWS, COLUMNS))
    noise[:, COLUMNS // 2 :] = STEP_NM / PIXEL_NM
    maps = np.stack([noise, 0.01 * PERCENT * height / PIXEL_NM]).astype(np.float16)
    flags = np.zeros((ROWS, COLUMNS), np.uint8)
    flags[:20, :20], flags[40:, 60:] = 4, 1 + 8
    chi2 = np.full((ROWS, COLUMNS), 1.1, np.float32)
    std = np.sqrt((maps.astype(float) ** 2).sum(0)) * PIXEL_NM
    arrays: dict[str, Any] = {
        "height": height, "deviations": maps, "flags": flags, "chi2": chi2, "chi2_known": 3 * chi2,
        "height_std": std.astype(np.float32), "given_rho": np.ones((ROWS, COLUMNS), np.float32),
    }  # fmt: skip
    info = {
        "inputs": inputs_record(segment_set), "exclude_sha256": "", "not_stated": ["gains", "pixel size"],
        "deviation_parts": [["noise", "draw 1"], ["geometry", "distance_mm"]],
    }  # fmt: skip
    params = schema.dump(ClosedLoop(detector=detector(), pixel_size_nm=PIXEL_NM, crop=segment_set.crop))
    return Run(
        run_id,
        "Standard",
        segment_set.id,
        "reconstruct-closed-loop",
        2,
        params,
        arrays,
        info,
        (),
        "2026-01-02T03:04:05+00:00",
        1.0,
    )


def fill_with_standard_run(made: Session) -> None:
    """Put a detector, a set, its run "exact" with deviations and its run "live" without into the project."""
    made.do(edits.set_detector(made.project, detector()))
    scan = make_set("scan")
    made.do(edits.add("Open", scan))
    made.do(edits.add("Reconstruct", standard_run(scan)))
    made.do(edits.add("Reconstruct", make_run(scan, "live")))
    made.project.select(run_id="exact")
