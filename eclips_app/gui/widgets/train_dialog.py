"""Training of a network: what to train for how long, and how the loss falls meanwhile."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray

from eclips_app.core import schema
from eclips_app.core.training import Train
from eclips_app.gui.qt import QtCore, QtWidgets, Signal
from eclips_app.gui.theme import Theme
from eclips_app.gui.widgets.quantity_edit import QuantityEdit

_MINUTES = 30.0


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
        self.setMinimumSize(420, 200)
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

    start_asked = Signal(object)  #: a `Train`, without the pixel sizes of maps
    stop_asked = Signal()

    def __init__(
        self, theme: Theme, folder: str, map_names: list[str], parent: QtWidgets.QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle("Train Network")
        self.path = QtWidgets.QLineEdit(str(Path(folder) / "vft.safetensors"))
        self.choose = QtWidgets.QPushButton("Choose…")
        self.minutes = QuantityEdit(schema.rule_of(Train, "minutes"), _MINUTES)
        self.seed = QuantityEdit(schema.rule_of(Train, "seed"), 0, whole=True)
        self.maps = QtWidgets.QCheckBox(f"Also on {len(map_names)} height maps of the project")
        self.maps.setToolTip(", ".join(map_names))
        self.maps.setVisible(len(map_names) > 1)  # one is for judging
        self.resume = QtWidgets.QCheckBox("Go on from where an earlier training of this file ended")
        self.plot, self.state = LossPlot(theme), QtWidgets.QLabel()
        self.state.setWordWrap(True)
        self.start, self.stop = QtWidgets.QPushButton("Start"), QtWidgets.QPushButton("Stop")
        self.stop.setToolTip("End now and keep the best weights so far")
        self.close_button = QtWidgets.QPushButton("Close")
        self.path.setAccessibleName("Weights")
        self._lay_out()
        self.choose.clicked.connect(self._ask_path)
        self.start.clicked.connect(self._start)
        self.stop.clicked.connect(self.stop_asked)
        self.close_button.clicked.connect(self.close)
        self.show_running(False)

    def params(self) -> Train:
        """Give what was chosen."""
        path = Path(self.path.text().strip())
        path = path if path.suffix else path.with_suffix(".safetensors")
        return Train(
            output=str(path), steps=10_000_000, minutes=self.minutes.value, seed=int(self.seed.value or 0),
            resume=self.resume.isChecked(),
        )  # fmt: skip

    def show_running(self, running: bool) -> None:
        """Let the user stop what runs, or start."""
        self.start.setEnabled(not running)
        self.stop.setEnabled(running)
        for widget in (self.path, self.choose, self.minutes, self.seed, self.maps, self.resume):
            widget.setEnabled(not running)

    def show_loss(self, _: str, points: NDArray[Any], facts: dict[str, Any]) -> None:
        """Show the curve and the last error on held-out specimens; a preview of the step."""
        self.plot.show_curve(points)
        error = facts.get("error", float("nan"))
        judged = f", held-out error of the intensity {100 * error:.2f} %" if np.isfinite(error) else ""
        self.state.setText(f"Step {points[-1, 0]:.0f}, loss {points[-1, 1]:.4g}{judged}")

    def _start(self) -> None:
        self.start_asked.emit(self.params())

    def _ask_path(self) -> None:
        name, _ = QtWidgets.QFileDialog.getSaveFileName(self, "Weights", self.path.text(), "Weights (*.safetensors)")
        if name:
            self.path.setText(name)

    def _lay_out(self) -> None:
        file = QtWidgets.QHBoxLayout()
        file.addWidget(self.path, 1)
        file.addWidget(self.choose)
        buttons = QtWidgets.QHBoxLayout()
        buttons.addStretch(1)
        for button in (self.start, self.stop, self.close_button):
            buttons.addWidget(button)
        words = QtWidgets.QLabel(
            "Trains the Vision Field Transformer, which gives horizons from slopes, on synthetic surfaces with exact answers. "
            "A model card is written beside the weights. Other computations wait meanwhile: stop it for them and go on later."
        )
        words.setWordWrap(True)
        form = QtWidgets.QFormLayout(self)
        form.addRow(words)
        form.addRow("Weights", file)
        form.addRow("Time", self.minutes)
        form.addRow("Seed", self.seed)
        form.addRow(self.maps)
        form.addRow(self.resume)
        form.addRow(self.plot)
        form.addRow(self.state)
        form.addRow(buttons)
        self.setMinimumWidth(480)
