"""The shapes: visible or not, their colour and name."""

from __future__ import annotations

from eclips_app.commands import edits
from eclips_app.gui.flows.sampling import pixel_size_nm
from eclips_app.gui.panels.profile.shape_form import facts_text
from eclips_app.gui.qt import Qt, QtGui, QtWidgets
from eclips_app.gui.session import Session
from eclips_app.model.items import ProfileLine


class LinesList(QtWidgets.QListWidget):
    """All lines; the check box shows or hides, a double click renames."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._ids: list[str] = []
        self._filling = False
        self._shown: dict[str, tuple[ProfileLine, float | None]] = {}
        self.setAccessibleName("Profile lines")
        self.setToolTip("Tick to show; double-click to rename; Delete removes")
        self.setEditTriggers(
            QtWidgets.QAbstractItemView.EditTrigger.DoubleClicked
            | QtWidgets.QAbstractItemView.EditTrigger.EditKeyPressed
        )
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setTextElideMode(Qt.TextElideMode.ElideRight)
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
            self._shown = {}
            self.clear()
            self.addItems([line.name for line in lines])
        size = pixel_size_nm(project)
        for row, line in enumerate(lines):
            if self._shown.get(line.id) != (line, size):  # a drag changes one of them, again and again
                self._shown[line.id] = (line, size)
                self._show(self.item(row), line, size)
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

    def _show(self, item: QtWidgets.QListWidgetItem, line: ProfileLine, size: float | None) -> None:
        item.setText(line.name)
        item.setToolTip(f"{line.name}: {facts_text(line, size)}")
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
            self._shown.pop(line.id, None)
            self.refresh()

    def _on_row(self, row: int) -> None:
        if not self._filling and 0 <= row < len(self._ids):
            self._session.project.select(line_id=self._ids[row])
