"""Replay the reconstructions of a project from their provenance and compare the heights bit for bit.

The exit status is 1 if a height differs or cannot be replayed.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eclips_app.core import schema
from eclips_app.core.context import Context, SilentContext
from eclips_app.core.errors import Cancelled, EclipsError
from eclips_app.core.levelling import levels_of
from eclips_app.core.steps import STEPS, run_step
from eclips_app.model.items import Run, SegmentSet
from eclips_app.model.levelling import LEVELLING, level_inputs
from eclips_app.model.runs import as_it_was, given_again, step_inputs


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("project", type=Path, help="project file (.eclips)")


def run(args: argparse.Namespace, context: Context) -> dict[str, Any]:
    """Replay all runs; gives for each whether it is the same."""
    from eclips_app.io.project_file import read_project
    from eclips_app.model.snapshot import from_state

    items = from_state(*read_project(args.project, context)).items
    sets = {item.id: item for item in items if isinstance(item, SegmentSet)}
    runs = [item for item in items if isinstance(item, Run)]
    if not runs:
        raise EclipsError("the project holds no reconstruction", where=str(args.project), hint="Reconstruct it first.")
    results = [_replay(each, sets.get(each.set_id), context) for each in runs]
    same = all(result["identical"] for result in results)
    return {"project": str(args.project), "identical": same, "runs": results, "exit_status": 0 if same else 1}


def describe(result: dict[str, Any]) -> str:
    """Put the result into words."""
    return "\n".join(f"{each['run']}: {each['text']}" for each in result["runs"])


def _replay(made: Run, segment_set: SegmentSet | None, context: Context) -> dict[str, Any]:
    known = {"run": made.name, "id": made.id, "identical": False, "largest_difference_nm": None}
    try:
        height = _again(made, segment_set, context)
    except EclipsError as error:
        return {**known, "text": f"cannot be replayed: {error}"}
    before = made.arrays["height"]
    if before.dtype == height.dtype and before.shape == height.shape and before.tobytes() == height.tobytes():
        return {**known, "identical": True, "largest_difference_nm": 0.0, "text": "identical, bit for bit"}
    if before.shape != height.shape:
        return {**known, "text": f"the shape differs: {before.shape}, now {height.shape}"}
    off = float(np.nanmax(np.abs(height.astype(np.float64) - before)))
    return {**known, "largest_difference_nm": off, "text": f"differs by up to {off:.3g} nm"}


def _again(made: Run, segment_set: SegmentSet | None, context: Context) -> Any:
    step = STEPS.get(made.step)
    if step is None or segment_set is None:
        missing = f"the method '{made.step}'" if step is None else "the set of images"
        raise EclipsError(f"{missing} is not there")
    params: Any = schema.load(step.params, made.params, made.name)
    device = made.info.get("device")
    if device in ("cpu", "cuda") and hasattr(params, "device"):
        params = replace(params, device=device)  # other hardware rounds differently
    inputs = {**step_inputs(as_it_was(made, segment_set)), **given_again(made)}
    found = run_step(step.name, inputs, params, _same_end(made, context)).arrays
    for level in levels_of(made.info.get(LEVELLING, ())):
        found |= run_step("level", level_inputs(found), level, context).arrays
    return found["height"]


def _same_end(made: Run, context: Context) -> Context:
    """Give a context that stops where the user stopped the run."""
    return StopAfter(context, len(made.info["chi2_steps"])) if made.info.get("stopped") else context


class StopAfter(SilentContext):
    """Asks to stop once a fit has shown `steps` values of chi-square."""

    def __init__(self, context: Context, steps: int) -> None:
        self._context, self._steps = context, steps
        self._stop = False

    def progress(self, fraction: float, text: str = "") -> None:
        """Report as the context within, and stop at the end."""
        self.check()
        self._context.progress(fraction, text)

    def check(self) -> None:
        """Raise `Cancelled` at the end."""
        if self._stop:
            raise Cancelled
        self._context.check()

    def preview(self, name: str, array: NDArray[Any], **info: float) -> None:
        """Count the steps."""
        self._stop = self._stop or (name == "chi2" and len(array) >= self._steps)
