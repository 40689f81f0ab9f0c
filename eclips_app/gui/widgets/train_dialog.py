"""Training of a network: what to train for how long, and how the loss falls meanwhile."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray

from eclips_app.core import schema
from eclips_app.core.detector import Detector
from eclips_app.core.training import Train
from eclips_app.gui.qt import QtCore, QtWidgets, Signal
from eclips_app.gui.theme import Theme
from eclips_app.gui.widgets.calm_combo import CalmCombo
from eclips_app.gui.widgets.distil_rows import DistilRows
from eclips_app.gui.widgets.quantity_edit import QuantityEdit

_NETWORKS = (("For any detector (VFT)", "vft"), ("For one detector (DSM)", "dsm"))
_MINUTES = {"vft": 30.0, "dsm": 5.0}
_WORDS = {
    "vft": "The Vision Field Transformer gives horizons from slopes. It learns from synthetic surfaces with exact answers.",
    "dsm": "The distilled simulator gives the images of the project's detector from slopes. It learns from images of synthetic "
    "surfaces.",
}
_WAITING = (
    "A model card is written beside the weights. Other computations wait meanwhile: stop it for them and go on later."
)


class LossPlot(pg.PlotWidget):
    """The mean loss over the steps, on a logarithmic axis."""

    def __init__(self, theme: Theme) -> None:
        super().__init__(enableMenu=False)
        self._theme = theme
        self.curve = pg.PlotDataItem(antialias=True)
        self.addItem(self.curve)
        self.setLogMode(y=True)
        self.setLabel("bottom", "Step")
        self.setLabel("left", "Loss")
        self.getAxis("left").setWidth(60)
        for side in ("left", "bottom"):
            self.getAxis(side).enableAutoSIPrefix(False)
        self.hideButtons()
        self.setMouseEnabled(False, False)
        self.setFocusPolicy(QtCore.Qt.FocusPolicy.NoFocus)
        self.setMinimumSize(420, 130)
        self.setAccessibleName("Loss over the steps")
        theme.changed.connect(self._use_theme)
        self._use_theme()

    def show_curve(self, points: NDArray[np.float64]) -> None:
        """Show steps and losses [n, 2]."""
        self.curve.setData(points[:, 0], points[:, 1])

    def _use_theme(self) -> None:
        colors = self._theme.colors
        self.setBackground(colors.base)
        self.curve.setPen(pg.mkPen(colors.curves[0], width=1.6))
        for side in ("bottom", "left"):
            axis = self.getAxis(side)
            axis.setPen(pg.mkPen(colors.border))
            axis.setTextPen(pg.mkPen(colors.text))
            axis.setGrid(60)


class TrainDialog(QtWidgets.QDialog):
    """Asks for the parameters of `core.training.Train`, starts and stops, and shows the loss; it can be closed meanwhile."""

    start_asked = Signal(object)  #: a `Train`, without detector and pixel sizes of maps, which the project has
    stop_asked = Signal()
    use_asked = Signal()  #: the trained network is to render in the Simulate panel

    def __init__(self, theme: Theme, folder: str, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Train Network")
        self._running = False
        self.network = CalmCombo("Network", schema.rule_of(Train, "network").help)
        for text, key in _NETWORKS:
            self.network.addItem(text, key)
        self._shown_network = "vft"  #: whose usual time and file name stand in the fields
        self.words = QtWidgets.QLabel()
        self.words.setWordWrap(True)
        self.distil = DistilRows(self)
        self.path = QtWidgets.QLineEdit(str(Path(folder) / "vft.safetensors"))
        self.choose = QtWidgets.QPushButton("Choose…")
        self.minutes = QuantityEdit(schema.rule_of(Train, "minutes"), _MINUTES["vft"])
        self.seed = QuantityEdit(schema.rule_of(Train, "seed"), 0, whole=True)
        self.maps = QtWidgets.QCheckBox()
        self._maps_serve = False
        self.resume = QtWidgets.QCheckBox("Go on from where an earlier training of this file ended")
        self.plot, self.state = LossPlot(theme), QtWidgets.QLabel()
        self.state.setWordWrap(True)
        self.start, self.stop = QtWidgets.QPushButton("Start"), QtWidgets.QPushButton("Stop")
        self.stop.setToolTip("End now and keep the best weights so far")
        self.use = QtWidgets.QPushButton("Use in Simulate")
        self.use.setToolTip("Render with this network in the Simulate panel, beside the exact model")
        self.use.setEnabled(False)
        self.close_button = QtWidgets.QPushButton("Close")
        self.path.setAccessibleName("Weights")
        self._lay_out()
        self.network.activated.connect(self._on_network)
        self.distil.changed.connect(self._refresh)
        self.choose.clicked.connect(self._ask_path)
        self.start.clicked.connect(self._start)
        self.stop.clicked.connect(self.stop_asked)
        self.use.clicked.connect(self.use_asked)
        self.close_button.clicked.connect(self.close)
        self._refresh()

    def show_project(self, detector: Detector | None, map_names: list[str]) -> None:
        """Offer what the project has: its detector to a DSM, its height maps to a VFT."""
        self._maps_serve = len(map_names) > 1  # one is for judging
        self.maps.setText(f"Also on {len(map_names)} height maps of the project")
        self.maps.setToolTip(", ".join(map_names))
        self.distil.show_detector(detector)
        self._refresh()

    def params(self) -> Train:
        """Give what was chosen."""
        path = Path(self.path.text().strip())
        path = path if path.suffix else path.with_suffix(".safetensors")
        chosen = Train(
            self._chosen, str(path), steps=10_000_000, minutes=self.minutes.value, seed=int(self.seed.value or 0),
            resume=self.resume.isChecked(),
        )  # fmt: skip
        if self._chosen == "vft":
            return chosen
        return replace(chosen, emission=self.distil.chosen_emission, teacher=self.distil.teacher.currentData())

    def show_running(self, running: bool) -> None:
        """Let the user stop what runs, or start."""
        self._running = running
        self._refresh()

    def show_done(self, words: str) -> None:
        """Say what was written, and offer to use it."""
        self.state.setText(f"Written: {words}.")
        self.use.setEnabled(True)

    def show_loss(self, _: str, points: NDArray[Any], facts: dict[str, Any]) -> None:
        """Show the curve and the last error on held-out specimens; a preview of the step."""
        self.plot.show_curve(points)
        error = facts.get("error", float("nan"))
        judged = f", held-out error of the intensity {100 * error:.2f} %" if np.isfinite(error) else ""
        self.state.setText(f"Step {points[-1, 0]:.0f}, loss {points[-1, 1]:.4g}{judged}")

    @property
    def _chosen(self) -> str:
        return str(self.network.currentData())

    def _refresh(self) -> None:
        """Show what belongs to the network, and let only that be changed which can be."""
        is_dsm, running = self._chosen == "dsm", self._running
        self.words.setText(f"{_WORDS[self._chosen]} {_WAITING}")
        self.distil.set_visible(is_dsm)
        self.distil.set_enabled(not running)
        self.maps.setVisible(self._maps_serve and not is_dsm)
        self.start.setEnabled(not running and not (is_dsm and self.distil.problem))
        self.stop.setEnabled(running)
        for widget in (self.network, self.path, self.choose, self.minutes, self.seed, self.maps, self.resume):
            widget.setEnabled(not running)

    def _on_network(self, _: int) -> None:
        """Put the usual time and file name of another network in, where the user has not put others."""
        before, now = self._shown_network, self._chosen
        self._shown_network = now
        if self.minutes.value == _MINUTES[before]:
            self.minutes.set_value(_MINUTES[now])
        path = Path(self.path.text())
        if path.name == f"{before}.safetensors":
            self.path.setText(str(path.with_name(f"{now}.safetensors")))
        self._refresh()

    def _start(self) -> None:
        self.use.setEnabled(False)
        self.plot.show_curve(np.empty((0, 2)))
        self.start_asked.emit(self.params())

    def _ask_path(self) -> None:
        name, _ = QtWidgets.QFileDialog.getSaveFileName(self, "Weights", self.path.text(), "Weights (*.safetensors)")
        if name:
            self.path.setText(name)

    def _lay_out(self) -> None:
        file = QtWidgets.QHBoxLayout()
        file.addWidget(self.path, 1)
        file.addWidget(self.choose)
        numbers = QtWidgets.QHBoxLayout()
        seed = QtWidgets.QLabel("Seed")
        seed.setBuddy(self.seed)
        numbers.addWidget(self.minutes, 1)
        numbers.addSpacing(12)
        numbers.addWidget(seed)
        numbers.addWidget(self.seed, 1)
        buttons = QtWidgets.QHBoxLayout()
        buttons.addStretch(1)
        for button in (self.start, self.stop, self.use, self.close_button):
            buttons.addWidget(button)
        form = QtWidgets.QFormLayout(self)
        form.addRow("Network", self.network)
        form.addRow(self.words)
        self.distil.add_to(form)
        form.addRow("Weights", file)
        form.addRow("Time", numbers)
        form.addRow(self.maps)
        form.addRow(self.resume)
        form.addRow(self.plot)
        form.addRow(self.state)
        form.addRow(buttons)
        self.setMinimumSize(480, 520)
