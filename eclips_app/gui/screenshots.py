"""Pictures of every panel in both looks: for the manual, and for whoever changed a panel and should look at it.

``python -m eclips_app.gui.screenshots FOLDER [--size 1360x860] [--example vickers] [--files IMAGE ...]``
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

from eclips_app.gui.app import make_application, make_window
from eclips_app.gui.flows import calibration, compare, compare_methods, facets, reconstruct, simulate, uncertainty
from eclips_app.gui.flows.methods import METHODS
from eclips_app.gui.panels import PANELS
from eclips_app.gui.panels.calibration.view import CalibrationPanel
from eclips_app.gui.panels.check.view import CheckPanel
from eclips_app.gui.panels.compare.view import ComparePanel
from eclips_app.gui.panels.levelling.view import LevelPanel
from eclips_app.gui.panels.methods.view import MethodsPanel
from eclips_app.gui.panels.reconstruct.view import ReconstructPanel
from eclips_app.gui.panels.simulate.view import SimulatePanel
from eclips_app.gui.qt import QtCore, QtWidgets
from eclips_app.gui.session import Session
from eclips_app.gui.settings import Settings
from eclips_app.gui.widgets.render_view import RenderView


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
    parser.add_argument("--methods", nargs="*", default=[], help="in Methods; also pictures of Reconstruct with each")
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
                    _compare(session)
                    settle(400)
                if key == "uncertainty" and session.project.run is not None:
                    rows, columns = session.project.run.arrays["height"].shape
                    if uncertainty.flow_of(session).pixel is None:
                        uncertainty.flow_of(session).choose(columns // 3, rows // 2)
                        settle(200)
                if key == "methods" and session.project.run is not None:
                    _compare_methods(session, options.methods)
                    wait_until(lambda: _is_settled(window), 20_000)
                    settle(400)
                for name in options.methods if key == "reconstruct" else ():
                    _choose_method(window, session, name)
                    settle(300)
                    _grab(window, options.folder / f"{key}-{name.replace(' ', '')}-{look}-{options.size}.png")
                _grab(window, options.folder / f"{key}-{look}-{options.size}.png")
        session.history.mark_saved(session.history.mark())
        window.close()
    del app
    return 0


def _compare(session: Session) -> None:
    """Register the height map of the example and compare with it."""
    flow = compare.flow_of(session)
    if flow.map is None or flow.comparison is not None:
        return
    flow.set_tip(kind="cone")
    flow.register()
    wait_until(lambda: not flow.is_busy)
    flow.compare()
    wait_until(lambda: not flow.is_busy)


def _compare_methods(session: Session, names: list[str]) -> None:
    """Run some methods on the images and compare them."""
    flow = compare_methods.flow_of(session)
    for method in METHODS if names else ():
        flow.choose(method.name, method.name in names)
    if flow.can_run():
        flow.run()
        wait_until(lambda: flow.reconstruct.task is None, 600_000)


def _choose_method(window: QtWidgets.QWidget, session: Session, name: str) -> None:
    """Choose a method in the Reconstruct panel and open what belongs to it."""
    flow = reconstruct.flow_of(session)
    flow.set_options(next(m for m in METHODS if m.name == name).chosen(flow.options))
    for panel in window.findChildren(ReconstructPanel):
        panel.learned_section.head.setChecked(True)
        panel.fit_section.head.setChecked(True)


def _is_settled(window: QtWidgets.QWidget) -> bool:
    """Whether what is drawn step by step is drawn."""
    views: list[RenderView | SimulatePanel | CheckPanel | CalibrationPanel | LevelPanel | ComparePanel | MethodsPanel] = [
        *window.findChildren(RenderView), *window.findChildren(SimulatePanel), *window.findChildren(CheckPanel),
        *window.findChildren(CalibrationPanel), *window.findChildren(LevelPanel), *window.findChildren(ComparePanel),
        *window.findChildren(MethodsPanel),
    ]  # fmt: skip
    return all(view.is_settled for view in views if view.isVisible())


def _grab(window: QtWidgets.QWidget, path: Path) -> None:
    window.grab().save(str(path))
    print(path)


if __name__ == "__main__":
    raise SystemExit(main())
