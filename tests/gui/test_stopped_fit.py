"""A fit stopped in the engine process: its best is kept, and a replay finds it bit for bit."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from panel_samples import detector, hill_images, make_set
from pytestqt.qtbot import QtBot

from eclips_app.cli import verify
from eclips_app.commands import edits
from eclips_app.core.context import SilentContext
from eclips_app.core.steps import ClosedLoop, SaveProject, run_step
from eclips_app.gui.flows import reconstruct
from eclips_app.gui.panels.reconstruct.view import ReconstructPanel
from eclips_app.gui.session import Session
from eclips_app.model.items import Run
from eclips_app.model.runs import Options
from eclips_app.model.snapshot import state_of


def test_a_real_fit_is_stopped_kept_and_made_again(session: Session, qtbot: QtBot, tmp_path: Path) -> None:
    """Through the engine process: a stop after some steps leaves a run that a replay finds bit for bit."""
    panel = ReconstructPanel(session)
    qtbot.addWidget(panel)
    session.do(edits.set_detector(session.project, detector()))
    session.do(edits.add("Open", make_set("hill", images=hill_images(40.0))))
    flow = reconstruct.flow_of(session)
    fit = ClosedLoop(azimuths=16, steps=100, least_fall=1e-9, draws=64, coarse_to_fine=False)
    flow.set_options(Options(device="cpu", method="closed-loop", fit=fit))
    curves: list[np.ndarray] = []
    flow.stepped.connect(curves.append)
    flow.run()
    qtbot.waitUntil(lambda: bool(curves) and len(curves[-1]) >= 3, timeout=90_000)
    flow.stop()
    qtbot.waitUntil(lambda: flow.task is None, timeout=60_000)
    (run,) = session.project.of_kind(Run)
    assert run.name == "Standard (stopped)"
    assert run.info["stopped"]
    assert "deviations" not in run.arrays
    assert len(run.info["inner_steps"]) >= 2
    state, arrays = state_of(session.project)
    path = tmp_path / "stopped.eclips"
    run_step("save-project", arrays, SaveProject(str(path), state), SilentContext())
    again = verify.run(argparse.Namespace(project=path), SilentContext())
    assert again["identical"], again["runs"]
