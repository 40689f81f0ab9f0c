"""One map as a figure for paper: which, how wide in mm, how fine, with a proof of how it will look."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from eclips_app.core.report import MAPS, DrawFigure
from eclips_app.core.schema import rule_of
from eclips_app.core.steps import StepResult
from eclips_app.gui.qt import Qt, QtGui, QtWidgets
from eclips_app.gui.session import Session
from eclips_app.gui.widgets.quantity_edit import QuantityEdit
from eclips_app.model.items import Run

if TYPE_CHECKING:
    from eclips_app.gui.tasks import Task

_PROOF_DPI = 110


class FigureDialog(QtWidgets.QDialog):
    """Asks for the parameters of `core.report.DrawFigure`."""

    def __init__(self, session: Session, run: Run, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Figure")
        self._session, self._run = session, run
        self._folder = tempfile.TemporaryDirectory(prefix="eclips-")
        self.map = QtWidgets.QComboBox()
        for name, text in MAPS.items():
            if name in run.arrays:
                self.map.addItem(text, name)
        self.width_mm = QuantityEdit(rule_of(DrawFigure, "width_mm"), 85.0)
        self.dpi = QuantityEdit(rule_of(DrawFigure, "dpi"), 300, whole=True)
        self.colormap = QtWidgets.QComboBox()
        self.colormap.addItems(list(rule_of(DrawFigure, "colormap").choices))
        self.map.setAccessibleName("Map")
        self.colormap.setAccessibleName("Colour map")
        self.proof = QtWidgets.QLabel("The proof is being drawn …")
        self.proof.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.proof.setMinimumSize(360, 300)
        self.proof.setAccessibleName("Proof of the figure")
        self._lay_out()
        self.map.activated.connect(self.draw)
        self.colormap.activated.connect(self.draw)
        self.width_mm.committed.connect(self.draw)
        self.draw()

    def params(self) -> DrawFigure:
        """Give what was chosen."""
        width, dpi = self.width_mm.value, self.dpi.value
        assert width is not None
        assert dpi is not None
        name, colormap = self.map.currentData(), self.colormap.currentText()
        return DrawFigure("", name, self._run.name, self._run.pixel_size_nm, width, int(dpi), colormap)

    def draw(self, _: object = None) -> None:
        """Have the proof drawn."""
        params = replace(self.params(), path=str(Path(self._folder.name) / "proof.png"), dpi=_PROOF_DPI)
        inputs = {name: self._run.arrays[name] for name in (params.name, "mask") if name in self._run.arrays}
        self._session.tasks.run("figure", params, inputs, "Drawing a proof", self._show, key="figure-proof")

    def _show(self, _: Task, result: StepResult) -> None:
        picture = QtGui.QPixmap(result.info["path"])
        if picture.width() > self.proof.width() or picture.height() > self.proof.height():
            mode = Qt.TransformationMode.SmoothTransformation
            picture = picture.scaled(self.proof.size(), Qt.AspectRatioMode.KeepAspectRatio, mode)
        self.proof.setPixmap(picture)

    def _lay_out(self) -> None:
        kinds = QtWidgets.QDialogButtonBox.StandardButton
        buttons = QtWidgets.QDialogButtonBox(kinds.Ok | kinds.Cancel)
        buttons.button(kinds.Ok).setText("Write…")
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        form = QtWidgets.QFormLayout()
        for label, widget in (
            ("Map", self.map),
            ("Width", self.width_mm),
            ("Resolution", self.dpi),
            ("Colour map", self.colormap),
        ):
            form.addRow(label, widget)
        layout = QtWidgets.QVBoxLayout(self)
        layout.addLayout(form)
        layout.addWidget(self.proof, 1)
        layout.addWidget(buttons)
