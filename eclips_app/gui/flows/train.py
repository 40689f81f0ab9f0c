"""Training of networks from the window: a dialog beside it, the work in the engine process."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from eclips_app.core.errors import EclipsError
from eclips_app.core.steps import StepResult
from eclips_app.core.training import Train
from eclips_app.gui.actions import ActionInfo
from eclips_app.gui.flows import simulate
from eclips_app.gui.qt import QtCore, QtWidgets
from eclips_app.gui.session import Session
from eclips_app.model.items import HeightMap

if TYPE_CHECKING:
    from eclips_app.gui.tasks import Task
    from eclips_app.gui.widgets.train_dialog import TrainDialog

_SQUARE = 1e-3  #: so much may the pixels of a map differ in width and height


class TrainFlow(QtCore.QObject):
    """Shows the dialog and runs one training at a time."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session
        self._task: Task | None = None
        self.trained: Train | None = None  #: what was trained last
        self.dialog: TrainDialog | None = None
        session.project.changed.connect(self._offer)

    def ask(self) -> None:
        """Show the dialog, or bring it to the front."""
        if self.dialog is None:
            from eclips_app.gui.widgets.train_dialog import TrainDialog  # late: seldom needed

            folder, parent = self._session.settings.folder("exports"), QtWidgets.QApplication.activeWindow()
            self.dialog = TrainDialog(self._session.theme, folder, parent)
            self.dialog.start_asked.connect(self.start)
            self.dialog.stop_asked.connect(self.stop)
            self.dialog.use_asked.connect(self.use)
            self.dialog.finished.connect(self._on_closed)
            self._offer()
        self.dialog.show()
        self.dialog.raise_()

    def start(self, params: Train) -> None:
        """Train: a DSM for the project's detector, a VFT on the maps of the project too if that was chosen."""
        assert self.dialog is not None
        is_vft = params.network == "vft"
        maps = self._maps() if is_vft and self.dialog.maps.isChecked() else []
        detector = None if is_vft else self._session.project.detector
        asked = replace(params, map_pixels_nm=tuple(m.pixel_size_nm[0] for m in maps), detector=detector)
        inputs = {f"map/{number}": m.height for number, m in enumerate(maps)}
        self._task = self._session.tasks.run(
            "train", asked, inputs, f"Training {Path(params.output).name}", self._on_done, priority="batch",
            on_preview=self.dialog.show_loss, on_stopped=self._on_done, on_failed=self._on_failed, data=asked,
        )  # fmt: skip
        self._task.finished.connect(self._on_finished)
        self.dialog.show_running(True)
        self.dialog.state.setText("Making the first specimens")

    def stop(self) -> None:
        """End the training; its best weights so far are written."""
        if self._task is not None:
            self._task.cancel()

    def use(self) -> None:
        """Render with the network trained last in the Simulate panel; a DSM for its detector and emission."""
        if self.trained is None:
            return
        made = self.trained
        choices: dict[str, Any] = {"model": made.network, "weights": made.output}
        if made.network == "dsm":
            choices |= {"emission": made.emission, "base": "", "changes": ()}
        simulate.flow_of(self._session).choose(**choices)
        self._session.show_panel("simulate")

    def _offer(self, _: object = None) -> None:
        """Tell the dialog what the project has."""
        if self.dialog is not None:
            self.dialog.show_project(self._session.project.detector, [m.name for m in self._maps()])

    def _maps(self) -> list[HeightMap]:
        """Give the maps of the project that can serve: square pixels, no holes."""
        found = self._session.project.of_kind(HeightMap)
        square = [m for m in found if abs(m.pixel_size_nm[0] / m.pixel_size_nm[1] - 1.0) < _SQUARE]
        return [m for m in square if bool(np.isfinite(m.height).all())]

    def _on_done(self, task: Task, result: StepResult) -> None:
        info, self.trained = result.info, task.data
        error = min(row["error"] for row in info["history"])
        words = f"{info['steps']} steps, held-out error of the intensity {100 * error:.2f} %"
        simulate.flow_of(self._session).know_weights(self.trained.network, info["output"])
        text = f"Written {info['output']} and its model card: {words}."
        self._session.notify(text, "good", action_text="Use in Simulate", action=self.use)
        if self.dialog is not None:
            self.dialog.show_done(words)

    def _on_failed(self, _: Task, error: EclipsError) -> None:
        self._session.notify(f"Training: {error}", "error")
        if self.dialog is not None:
            self.dialog.state.setText(str(error))

    def _on_finished(self, _: str) -> None:
        self._task = None
        if self.dialog is not None:
            self.dialog.show_running(False)

    def _on_closed(self, _: int) -> None:
        """Keep the dialog, with its curve, as long as its training runs."""
        if self._task is None and self.dialog is not None:
            self.dialog.deleteLater()
            self.dialog = None


def flow_of(session: Session) -> TrainFlow:
    """Give the session's flow, made at the first call."""
    found = session.findChild(TrainFlow)
    return found if isinstance(found, TrainFlow) else TrainFlow(session)


def register(session: Session) -> None:
    """Add the command of this flow."""
    session.actions.add(
        ActionInfo(
            "train.network", "Train network…", "Simulate", flow_of(session).ask, "", "run", None,
            "Train a network that renders from slopes, for any detector or for the project's, with the loss shown meanwhile.",
        )
    )  # fmt: skip
