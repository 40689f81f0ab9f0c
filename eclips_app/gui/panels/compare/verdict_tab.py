"""The comparison: tip, sentences, and a table of values that can go to the results."""

from __future__ import annotations

from eclips_app.core.registration import TipModel
from eclips_app.core.schema import rule_of
from eclips_app.gui.flows.compare import CompareFlow
from eclips_app.gui.panels.check.verdict_list import VerdictList
from eclips_app.gui.panels.compare.presenter import quantity_words
from eclips_app.gui.qt import Qt, QtCore, QtGui, QtWidgets
from eclips_app.gui.session import Session
from eclips_app.gui.widgets.calm_combo import CalmCombo
from eclips_app.gui.widgets.quantity_edit import QuantityEdit
from eclips_app.model import comparing

_NAME_PX = 70  #: least width of the names in the table
_TIPS = (
    ("none", "No tip", "The map is taken for the surface itself"),
    ("cone", "Given tip", "A cone with a ball at its end, as the maker states it"),
    ("blind", "Estimated from the map", "The bluntest tip that can have made the map (blind estimation)"),
)


class VerdictTab(QtWidgets.QWidget):
    """Chooses the tip, starts the comparison, and tells what came out."""

    def __init__(self, session: Session, flow: CompareFlow) -> None:
        super().__init__()
        self._flow = flow
        self.tip = CalmCombo("Tip", "What is known of the tip that made the map")
        for key, text, tip in _TIPS:
            self.tip.addItem(text, key)
            self.tip.setItemData(self.tip.count() - 1, tip, Qt.ItemDataRole.ToolTipRole)
        self.radius = QuantityEdit(rule_of(TipModel, "radius_nm"), flow.tip.radius_nm)
        self.angle = QuantityEdit(rule_of(TipModel, "half_angle_deg"), flow.tip.half_angle_deg)
        self.start = QtWidgets.QPushButton("Compare")
        self.start.setProperty("kind", "primary")
        self.note = QtWidgets.QLabel()
        self.note.setWordWrap(True)
        self.sentences = VerdictList(session.theme)
        self.sentences.setAccessibleName("Verdict")
        self.table = QtWidgets.QTableWidget(0, 2)
        self.table.setAccessibleName("Values of the comparison")
        self.add = QtWidgets.QPushButton("Add to results")
        self.add.setToolTip("Put all values into the results table")
        self._settle = QtCore.QTimer(self, singleShot=True)
        self._settle.timeout.connect(self._fit_columns)
        self._lay_out()
        self.tip.activated.connect(self._on_tip)
        self.radius.committed.connect(self._on_radius)
        self.angle.committed.connect(self._on_angle)
        self.start.clicked.connect(self._on_start)
        self.add.clicked.connect(flow.add_results)

    def refresh(self) -> None:
        """Read the flow again."""
        flow, compared = self._flow, self._flow.comparison
        self.tip.show_data(flow.tip.kind)
        for row in (1, 2):
            self._form.setRowVisible(row, flow.tip.kind == "cone")
        compares = flow.task is not None and flow.task.text.startswith("Compare")
        self.start.setText("Stop" if compares else "Compare")
        self.start.setEnabled(compares or flow.is_ready())
        self.add.setEnabled(compared is not None)
        for widget in (self.sentences, self.table, self.add):
            widget.setVisible(compared is not None)
        self.note.setVisible(compared is None)
        if compares and flow.task is not None:
            self.note.setText(f"{100 * flow.task.fraction:.0f} %  {flow.task.detail}")
            self.note.setVisible(True)
        elif flow.last_comparison is not None:
            self.note.setText("The map or the reconstruction has changed since the last comparison: compare again.")
        else:
            self.note.setText("Register the map, then compare: bias, limits of agreement, angles and resolution.")
        self.sentences.set_verdicts(comparing.sentences(compared) if compared is not None else ())
        self._fill_table()

    def _fill_table(self) -> None:
        compared = self._flow.comparison
        rows = comparing.value_rows(compared) if compared is not None else []
        has_tip = any(before is not None for _, before, _ in rows)
        self.table.setColumnCount(3 if has_tip else 2)
        self.table.setHorizontalHeaderLabels(["", "As it is", "With the tip"] if has_tip else ["", "Value"])
        self.table.setRowCount(len(rows))
        for i, (name, before, value) in enumerate(rows):
            texts = [name, quantity_words(before), quantity_words(value)] if has_tip else [name, quantity_words(value)]
            for k, text in enumerate(texts):
                item = QtWidgets.QTableWidgetItem(text)
                item.setToolTip(text)
                if k:
                    item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                self.table.setItem(i, k, item)
        self.table.resizeColumnsToContents()
        self.table.resizeRowsToContents()
        self._fit_columns()

    def _fit_columns(self) -> None:
        """Leave to the names what the values do not need."""
        values = sum(self.table.columnWidth(k) for k in range(1, self.table.columnCount()))
        self.table.setColumnWidth(0, max(_NAME_PX, self.table.viewport().width() - values))

    def resizeEvent(self, event: QtGui.QResizeEvent) -> None:
        """Share the width of the table anew."""
        super().resizeEvent(event)
        self._settle.start()

    def _lay_out(self) -> None:
        form = self._form = QtWidgets.QFormLayout()
        form.setContentsMargins(0, 0, 0, 0)
        form.setFieldGrowthPolicy(QtWidgets.QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow("Tip of the map", self.tip)
        form.addRow(self.radius.rule.label, self.radius)
        form.addRow(self.angle.rule.label, self.angle)
        self.table.verticalHeader().hide()
        self.table.setEditTriggers(QtWidgets.QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setAlternatingRowColors(True)
        self.table.setWordWrap(False)
        self.sentences.setMinimumHeight(90)
        self.table.setMinimumHeight(120)
        self.split = QtWidgets.QSplitter(Qt.Orientation.Vertical)
        self.split.setChildrenCollapsible(False)
        self.split.addWidget(self.sentences)
        self.split.addWidget(self.table)
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(8, 8, 8, 8)
        layout.setSpacing(6)
        layout.addLayout(form)
        layout.addWidget(self.start)
        layout.addWidget(self.note)
        layout.addWidget(self.split, 1)
        layout.addWidget(self.add)

    def _on_tip(self, _: int) -> None:
        self._flow.set_tip(kind=self.tip.currentData())

    def _on_radius(self, value: float) -> None:
        self._flow.set_tip(radius_nm=value)

    def _on_angle(self, value: float) -> None:
        self._flow.set_tip(half_angle_deg=value)

    def _on_start(self) -> None:
        if self._flow.task is not None:
            self._flow.stop()
        else:
            self._flow.compare()
