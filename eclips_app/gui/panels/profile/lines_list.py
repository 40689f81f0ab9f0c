"""The lines: visible or not, their colour and name, and the ends and width of the selected one in figures."""

from __future__ import annotations

from eclips_app.commands import edits
from eclips_app.core.schema import Rule
from eclips_app.core.units import format_length
from eclips_app.gui.flows.measure import MeasureFlow
from eclips_app.gui.flows.sampling import pixel_size_nm
from eclips_app.gui.qt import Qt, QtCore, QtGui, QtWidgets
from eclips_app.gui.session import Session
from eclips_app.gui.widgets.line_geometry import angle_deg
from eclips_app.gui.widgets.quantity_edit import QuantityEdit
from eclips_app.model.items import ProfileLine

_FIELDS = (
    ("Start x", "Column of the first point, from the centre of the image's top left pixel"),
    ("Start y", "Row of the first point, counted downwards"),
    ("End x", "Column of the last point"),
    ("End y", "Row of the last point"),
    ("Width", "The profile is the mean over this width across the line; up to one pixel it is the line alone"),
)


class LinesList(QtWidgets.QListWidget):
    """All lines; the check box shows or hides, a double click renames."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._ids: list[str] = []
        self._filling = False
        self.setAccessibleName("Profile lines")
        self.setToolTip("Tick to show; double-click to rename; Delete removes")
        self.setEditTriggers(
            QtWidgets.QAbstractItemView.EditTrigger.DoubleClicked
            | QtWidgets.QAbstractItemView.EditTrigger.EditKeyPressed
        )
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.ActionsContextMenu)
        self.color_action = QtGui.QAction("Colour…", self)
        self.color_action.triggered.connect(self.ask_color)
        self.addAction(self.color_action)
        self.itemChanged.connect(self._on_item)
        self.currentRowChanged.connect(self._on_row)

    def refresh(self) -> None:
        """Read the project again; the texts of lines that move are changed in place."""
        project = self._session.project
        lines = project.of_kind(ProfileLine)
        self._filling = True
        if [line.id for line in lines] != self._ids:
            self._ids = [line.id for line in lines]
            self.clear()
            self.addItems([line.name for line in lines])
        for row, line in enumerate(lines):
            self._show(self.item(row), line)
        if project.selection.line_id in self._ids:
            self.setCurrentRow(self._ids.index(project.selection.line_id))
        self._filling = False

    def ask_color(self) -> None:
        """Let the user choose the selected line's colour."""
        line = self._session.project.line
        if line is not None:
            color = QtWidgets.QColorDialog.getColor(QtGui.QColor(line.color), self, f"Colour of {line.name}")
            if color.isValid():
                self._session.do(edits.change(f"Colour of {line.name}", line, color=color.name()))

    def _show(self, item: QtWidgets.QListWidgetItem, line: ProfileLine) -> None:
        size = pixel_size_nm(self._session.project)
        length = format_length(line.length_px * size, 3) if size else f"{line.length_px:.1f} px"
        item.setText(line.name)
        item.setToolTip(f"{line.name}: {length}, {angle_deg(line.start_px, line.end_px):.1f}°")
        item.setFlags(item.flags() | Qt.ItemFlag.ItemIsUserCheckable | Qt.ItemFlag.ItemIsEditable)
        item.setCheckState(Qt.CheckState.Checked if line.visible else Qt.CheckState.Unchecked)
        if item.data(Qt.ItemDataRole.UserRole) != line.color:
            item.setData(Qt.ItemDataRole.UserRole, line.color)
            swatch = QtGui.QPixmap(14, 14)
            swatch.fill(QtGui.QColor(line.color))
            item.setIcon(QtGui.QIcon(swatch))

    def _on_item(self, item: QtWidgets.QListWidgetItem) -> None:
        line = self._session.project.get(ProfileLine, self._ids[self.row(item)]) if not self._filling else None
        if line is None:
            return
        visible, name = item.checkState() == Qt.CheckState.Checked, item.text().strip()
        if visible != line.visible:
            self._session.do(edits.change(f"{'Show' if visible else 'Hide'} {line.name}", line, visible=visible))
        elif name and name != line.name:
            self._session.do(edits.change(f"Rename {line.name} to {name}", line, name=name))
        else:
            self.refresh()

    def _on_row(self, row: int) -> None:
        if not self._filling and 0 <= row < len(self._ids):
            self._session.project.select(line_id=self._ids[row])


class LineForm(QtWidgets.QWidget):
    """Ends and width of the selected line, in pixels or nm."""

    def __init__(self, session: Session, flow: MeasureFlow) -> None:
        super().__init__()
        self._session, self._flow = session, flow
        self.unit = QtWidgets.QComboBox()
        self.unit.addItems(["px", "nm"])
        self.unit.setAccessibleName("Unit of the line's ends")
        self.unit.setToolTip("Unit of these fields; a length may be typed in any unit")
        self.fields: list[QuantityEdit] = []
        self._grid = QtWidgets.QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(4)
        self._grid.setVerticalSpacing(4)
        for column, text in enumerate(("x", "y")):
            head = QtWidgets.QLabel(text)
            head.setProperty("kind", "faint")
            self._grid.addWidget(head, 0, 1 + column)
        self._grid.addWidget(self.unit, 0, 0)
        for row, text in enumerate(("Start", "End", "Width")):
            self._grid.addWidget(QtWidgets.QLabel(text), 1 + row, 0)
        self._facts = QtWidgets.QLabel()
        self._facts.setProperty("kind", "faint")
        self._grid.addWidget(self._facts, 4, 0, 1, 3)
        self._build()
        self.unit.activated.connect(self._on_unit)

    def refresh(self) -> None:
        """Show the selected line."""
        line, size = self._session.project.line, pixel_size_nm(self._session.project)
        self.setEnabled(line is not None)
        self.unit.setEnabled(size is not None)
        if line is None:
            for field in self.fields:
                field.clear()
            self._facts.clear()
            return
        scale = self._scale()
        values = (*line.start_px, *line.end_px, line.width_px)
        for field, value in zip(self.fields, values, strict=True):
            if field.value != round(value * scale, 3):
                field.set_value(round(value * scale, 3))
                field.setCursorPosition(0)  # a narrow field shows the first digits
        length = format_length(line.length_px * size, 4) if size else f"{line.length_px:.1f} px"
        self._facts.setText(f"{length}, {angle_deg(line.start_px, line.end_px):.1f}°")
        self._facts.setToolTip("Length and direction of the line: 0° is image right, 90° image up")

    def _build(self) -> None:
        for field in self.fields:
            self._grid.removeWidget(field)
            field.deleteLater()
        unit = self.unit.currentText()
        self.fields = []
        for i, (label, tip) in enumerate(_FIELDS):
            low = 0.0 if label == "Width" else -1e6
            field = QuantityEdit(Rule(label, unit, low, 1e9, (), tip), 0.0)
            field.setMinimumWidth(66)
            field.committed.connect(self._commit)
            self._grid.addWidget(field, 1 + i // 2, 1 + i % 2)
            self.fields.append(field)

    def _scale(self) -> float:
        return (pixel_size_nm(self._session.project) or 1.0) if self.unit.currentText() == "nm" else 1.0

    def _on_unit(self, _: int) -> None:
        self._build()
        self.refresh()

    def _commit(self, _: object) -> None:
        line, scale = self._session.project.line, self._scale()
        if line is None:
            return
        # What was not typed keeps the digits that the fields do not show.
        shown = zip(self.fields, (*line.start_px, *line.end_px, line.width_px), strict=True)
        x0, y0, x1, y1, width = (
            value if field.value in (None, round(value * scale, 3)) else float(field.value) / scale
            for field, value in shown
        )
        if (x0, y0) == (x1, y1):
            self._session.notify("A line needs two different ends.", "warning")
            self.refresh()
            return
        self._session.history.end_merge()
        if abs(width - line.width_px) > 1e-6:
            self._flow.set_width(line.id, max(width, 1.0))
        else:
            self._flow.move_line(line.id, (x0, y0), (x1, y1))
        self._session.history.end_merge()

    def sizeHint(self) -> QtCore.QSize:
        """Ask for a narrow block."""
        return QtCore.QSize(220, 120)
