"""Pictures of every panel in both looks: for the manual, and for whoever changed a panel and should look at it.

``python -m eclips_app.gui.screenshots FOLDER [--size 1360x860] [--example vickers] [--files IMAGE ...]``
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from eclips_app.commands import edits
from eclips_app.gui.app import make_application, make_window
from eclips_app.gui.flows import calibration, compare, facets, simulate, uncertainty
from eclips_app.gui.panels import PANELS
from eclips_app.gui.panels.calibration.view import CalibrationPanel
from eclips_app.gui.panels.check.view import CheckPanel
from eclips_app.gui.panels.compare.view import ComparePanel
from eclips_app.gui.panels.levelling.view import LevelPanel
from eclips_app.gui.panels.simulate.view import SimulatePanel
from eclips_app.gui.qt import QtCore, QtWidgets
from eclips_app.gui.session import Session
from eclips_app.gui.settings import Settings
from eclips_app.gui.widgets.render_view import RenderView
from eclips_app.metrology.placement import Placement
from eclips_app.metrology.profile import interpolate
from eclips_app.model.items import HeightMap, Run, new_id


def wait_until(condition: Callable[[], bool], timeout_ms: int = 60_000) -> bool:
    """Run the event loop until a condition holds; False if it does not in time."""
    loop = QtCore.QEventLoop()
    poll = QtCore.QTimer()
    end = QtCore.QTimer()
    end.setSingleShot(True)

    def look() -> None:
        if condition():
            loop.quit()

    poll.timeout.connect(look)
    end.timeout.connect(loop.quit)
    poll.start(20)
    end.start(timeout_ms)
    if not condition():
        loop.exec()
    return condition()


def settle(milliseconds: int) -> None:
    """Run the event loop for a while, so that deferred drawing is done."""
    loop = QtCore.QEventLoop()
    QtCore.QTimer.singleShot(milliseconds, loop.quit)
    loop.exec()


def main() -> int:
    """Write the pictures; gives the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--size", default="1360x860")
    parser.add_argument("--example", default="vickers")
    parser.add_argument("--files", nargs="*", type=Path, default=[])
    parser.add_argument("--panels", nargs="*", default=[info.key for info in PANELS])
    parser.add_argument("--looks", nargs="*", default=["light", "dark"])
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    app = make_application()
    with tempfile.TemporaryDirectory() as folder:
        session = Session(Settings(Path(folder) / "settings.ini"))
        window = make_window(session)
        width, height = map(int, options.size.split("x"))
        window.resize(width, height)
        window.show()
        session.jobs.start()
        if options.files:
            session.files.open_files(options.files)
            wait_until(lambda: len(session.project) > 0 and not session.tasks.running)
            session.actions.action("reconstruct.run").trigger()
        else:
            session.files.open_example(options.example)
        wait_until(lambda: session.project.run is not None and not session.tasks.running)
        for look in options.looks:
            session.theme.set_mode(look)
            for key in options.panels:
                session.show_panel(key)
                settle(1200)
                wait_until(lambda: _is_settled(window), 20_000)
                if key == "simulate":
                    simulate.flow_of(session).choose_pixel((300, 140))
                    wait_until(lambda: simulate.flow_of(session).live.angles is not None, 20_000)
                    settle(200)
                if key == "calibration" and not calibration.flow_of(session).plan.references:
                    calibration.flow_of(session).add("indent")
                    wait_until(lambda: _is_settled(window), 60_000)
                    settle(200)
                if key == "facets" and facets.flow_of(session).found is None:
                    facets.flow_of(session).find()
                    wait_until(lambda: not facets.flow_of(session).is_busy, 60_000)
                    facets.flow_of(session).set_chosen((1, 2))
                    settle(400)
                if key == "compare" and session.project.run is not None:
                    _compare_with_map(session, session.project.run)
                    settle(400)
                if key == "uncertainty" and session.project.run is not None:
                    rows, columns = session.project.run.arrays["height"].shape
                    if uncertainty.flow_of(session).pixel is None:
                        uncertainty.flow_of(session).choose(columns // 3, rows // 2)
                        settle(200)
                _grab(window, options.folder / f"{key}-{look}-{options.size}.png")
        session.history.mark_saved(session.history.mark())
        window.close()
    del app
    return 0


def _compare_with_map(session: Session, run: Run) -> None:
    """Compare a run with what a second instrument might have measured: turned, with noise, the middle of the field."""
    flow = compare.flow_of(session)
    if session.project.of_kind(HeightMap):
        return
    rows, columns = run.arrays["height"].shape
    shape, size = (rows // 2, columns // 2), 1.25 * run.pixel_size_nm
    middle = (run.origin_px[1] + (columns - 1) / 2, run.origin_px[0] + (rows - 1) / 2)
    place = Placement(shape, (size, size), run.pixel_size_nm, middle, 8.0)
    at = place.to_image(*np.meshgrid(np.arange(shape[1], dtype=float), np.arange(shape[0], dtype=float)))
    seen = interpolate(run.arrays["height"], at[0] - run.origin_px[1], at[1] - run.origin_px[0])
    seen += np.random.default_rng(1).normal(0.0, 0.01 * float(np.nanstd(seen)), shape)
    session.do(edits.add("Load", HeightMap(new_id(), "AFM", seen, (size, size), center_px=middle)))
    flow.register()
    wait_until(lambda: not flow.is_busy)
    flow.compare()
    wait_until(lambda: not flow.is_busy)


def _is_settled(window: QtWidgets.QWidget) -> bool:
    """Whether what is drawn step by step is drawn."""
    views: list[RenderView | SimulatePanel | CheckPanel | CalibrationPanel | LevelPanel | ComparePanel] = [
        *window.findChildren(RenderView), *window.findChildren(SimulatePanel), *window.findChildren(CheckPanel),
        *window.findChildren(CalibrationPanel), *window.findChildren(LevelPanel), *window.findChildren(ComparePanel),
    ]  # fmt: skip
    return all(view.is_settled for view in views if view.isVisible())


def _grab(window: QtWidgets.QWidget, path: Path) -> None:
    window.grab().save(str(path))
    print(path)


if __name__ == "__main__":
    raise SystemExit(main())
