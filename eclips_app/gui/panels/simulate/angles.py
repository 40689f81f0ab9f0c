"""What the chosen pixel sees: the polar plot and its numbers for each segment."""

from __future__ import annotations

from eclips_app.gui.flows.live_images import Angles
from eclips_app.gui.flows.live_vision_field import LiveVisionField
from eclips_app.gui.panels.simulate.polar import PolarPlot
from eclips_app.gui.panels.simulate.presenter import exposed_text, msr, percent, pixel_text
from eclips_app.gui.panels.simulate.vision_field import VisionFieldView
from eclips_app.gui.qt import Qt, QtGui, QtWidgets
from eclips_app.gui.theme import Theme
from eclips_app.gui.widgets.segments import segment_color

_HEADS = (
    ("Name", "Segment; a row shows its segment alone"),
    ("Valid", "Solid angle in msr from which the segment is reached if nothing is in the way"),
    ("Visible", "Solid angle in msr that is valid and not hidden by the surface"),
    ("Seen", "Visible part of the valid solid angle"),
)
_HINT = "Click a pixel in an image, or press an arrow key there, to see which directions reach which segment"
_LEGEND = "Colour: valid and visible. Pale, hatched: hidden by the surface. Line: horizon."


class AnglesView(QtWidgets.QScrollArea):
    """Plot and table of one pixel, a hint without one; and the Vision Field."""

    def __init__(self, theme: Theme, field: LiveVisionField) -> None:
        super().__init__()
        self._theme = theme
        self._angles: Angles | None = None
        self.heading = QtWidgets.QLabel("Angles of a pixel")
        self.heading.setProperty("kind", "heading")
        self.where = _wrapped("")
        self.plot = PolarPlot(theme)
        self.plot.pointed.connect(self._on_pointed)
        self.legend = _wrapped(_LEGEND)
        self.legend.setProperty("kind", "faint")
        self.exposed = _wrapped("")
        self.caption = _wrapped("Solid angles in msr")
        self.hint = _wrapped(_HINT)
        self.hint.setProperty("kind", "faint")
        self.hint.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.table = QtWidgets.QTableWidget(0, len(_HEADS))
        self._make_table()
        self.field = VisionFieldView(field)
        page = QtWidgets.QWidget()
        layout = QtWidgets.QVBoxLayout(page)
        layout.setContentsMargins(8, 6, 8, 6)
        layout.setSpacing(6)
        layout.addWidget(self.heading)
        layout.addWidget(self.where)
        layout.addWidget(self.plot)
        layout.addWidget(self.hint)
        layout.addWidget(self.legend)
        layout.addWidget(self.caption)
        layout.addWidget(self.table)
        layout.addWidget(self.exposed)
        layout.addWidget(self.field)
        layout.addStretch(1)
        self.setWidgetResizable(True)
        self.setFrameShape(QtWidgets.QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setMinimumWidth(230)
        self.setWidget(page)
        theme.changed.connect(self._fill)
        self._fill()

    @property
    def shown(self) -> int | None:
        """The segment that is shown alone; None for all."""
        row = self.table.currentRow()
        return row if self._angles is not None and 0 <= row < len(self._angles.info["segments"]) else None

    def show_angles(self, angles: Angles | None) -> None:
        """Show the angles of a pixel, or the hint."""
        self._angles = angles
        self._fill()

    def _make_table(self) -> None:
        table = self.table
        table.setAccessibleName("Solid angles of the segments")
        table.setEditTriggers(QtWidgets.QAbstractItemView.EditTrigger.NoEditTriggers)
        table.setSelectionBehavior(QtWidgets.QAbstractItemView.SelectionBehavior.SelectRows)
        table.setSelectionMode(QtWidgets.QAbstractItemView.SelectionMode.SingleSelection)
        table.verticalHeader().setVisible(False)
        table.verticalHeader().setDefaultSectionSize(table.fontMetrics().height() + 8)
        table.setShowGrid(False)
        table.setTabKeyNavigation(False)
        table.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        header = table.horizontalHeader()
        for column, (text, tip) in enumerate(_HEADS):
            item = QtWidgets.QTableWidgetItem(text)
            item.setToolTip(tip)
            if column:
                item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            table.setHorizontalHeaderItem(column, item)
        header.setMinimumSectionSize(40)
        header.setSectionResizeMode(QtWidgets.QHeaderView.ResizeMode.Stretch)
        header.setHighlightSections(False)
        table.itemSelectionChanged.connect(self._on_row)

    def _fill(self) -> None:
        angles = self._angles
        for widget in (self.legend, self.caption, self.table, self.exposed, self.where):
            widget.setVisible(angles is not None)
        self.hint.setVisible(angles is None)
        if angles is not None:
            self.where.setText(pixel_text(angles))
            self.exposed.setText(exposed_text(angles))
            self._fill_table(angles)
        self.plot.show_angles(angles, self.shown)

    def _fill_table(self, angles: Angles) -> None:
        segments = angles.info["segments"]
        valid, visible = (sum(each[name] for each in segments) for name in ("valid_sr", "visible_sr"))
        rows = [(each["name"], each["valid_sr"], each["visible_sr"], each["visible_share"]) for each in segments]
        rows.append(("All", valid, visible, visible / valid if valid > 0 else None))
        if self.table.rowCount() != len(rows):
            self.table.setRowCount(len(rows))
            for row in range(len(rows)):
                for column in range(len(_HEADS)):
                    item = QtWidgets.QTableWidgetItem()
                    if column:
                        item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                    self.table.setItem(row, column, item)
            self.table.setCurrentCell(len(rows) - 1, 0)
            height = self.table.horizontalHeader().sizeHint().height() + 2 * self.table.frameWidth()
            self.table.setFixedHeight(height + sum(self.table.rowHeight(row) for row in range(len(rows))))
        for row, (name, valid_sr, visible_sr, share) in enumerate(rows):
            for column, text in enumerate((name, msr(valid_sr), msr(visible_sr), percent(share))):
                cell = self.table.item(row, column)
                assert cell is not None
                cell.setText(text)
                if column == 0 and row < len(segments):
                    cell.setIcon(_swatch(segment_color(self._theme.colors, row)))

    def _on_row(self) -> None:
        self.plot.show_angles(self._angles, self.shown)

    def _on_pointed(self, words: str) -> None:
        self.legend.setText(words or _LEGEND)


def _swatch(color: QtGui.QColor) -> QtGui.QIcon:
    pixmap = QtGui.QPixmap(12, 12)
    pixmap.fill(color)
    icon = QtGui.QIcon()
    for mode in (QtGui.QIcon.Mode.Normal, QtGui.QIcon.Mode.Selected):
        icon.addPixmap(pixmap, mode)
    return icon


def _wrapped(text: str) -> QtWidgets.QLabel:
    label = QtWidgets.QLabel(text)
    label.setWordWrap(True)
    return label
