"""All about one result: its values and their budgets, what it is measured on, and the options of its recipe."""

from __future__ import annotations

import re

from eclips_app.core.measuring import KINDS, options_of
from eclips_app.core.units import capital
from eclips_app.gui.flows.results import ResultsFlow
from eclips_app.gui.panels.results.curve_view import CurveView
from eclips_app.gui.panels.results.options_form import OptionsForm
from eclips_app.gui.panels.results.table import result_text
from eclips_app.gui.qt import Qt, QtWidgets
from eclips_app.gui.session import Session
from eclips_app.gui.widgets.budget_view import ShareBar
from eclips_app.metrology.deviations import Budget, Share
from eclips_app.model.items import HeightMap, Measurement, ProfileLine, Run
from eclips_app.model.measurements import AREAS, recipe_of, shapes_of, source_text

_HEADS = ("Quantity", "Value")


class Details(QtWidgets.QScrollArea):
    """Shows one row and lets its recipe be changed."""

    def __init__(self, session: Session, flow: ResultsFlow) -> None:
        super().__init__()
        self._session, self._flow = session, flow
        self._row: Measurement | None = None
        self.setWidgetResizable(True)
        self.setFrameShape(QtWidgets.QFrame.Shape.NoFrame)
        self.heading = _label("heading")
        self.state = _label("faint")
        self.values = QtWidgets.QTableWidget(0, len(_HEADS))
        self.values.setHorizontalHeaderLabels(list(_HEADS))
        self.values.setAccessibleName("Values of the selected result")
        self.values.setToolTip("Choose a quantity to see where its ± comes from")
        self.values.setEditTriggers(QtWidgets.QAbstractItemView.EditTrigger.NoEditTriggers)
        self.values.setSelectionBehavior(QtWidgets.QAbstractItemView.SelectionBehavior.SelectRows)
        self.values.setSelectionMode(QtWidgets.QAbstractItemView.SelectionMode.SingleSelection)
        self.values.verticalHeader().setVisible(False)
        self.values.verticalHeader().setDefaultSectionSize(20)
        self.values.horizontalHeader().setStretchLastSection(True)
        self.values.setTabKeyNavigation(False)
        self.budget = ShareBar(session.theme)
        self.curves = CurveView(session.theme)
        self.source = _combo("Measured on", "The reconstruction or height map that is measured")
        self.shape = _combo("Shape", "What is measured along, or inside")
        self.stretches = QtWidgets.QLineEdit()
        self.stretches.setAccessibleName("Stretches")
        self.options = OptionsForm()
        self._lay_out()
        self.values.itemSelectionChanged.connect(self._show_budget)
        self.source.activated.connect(self._on_source)
        self.shape.activated.connect(self._on_shape)
        self.stretches.editingFinished.connect(self._on_stretches)
        self.options.committed.connect(self._on_option)
        self.curves.export_asked.connect(self._on_export)
        flow.curves_changed.connect(self._show_curves)

    def show_row(self, row: Measurement | None) -> None:
        """Show a row, or nothing."""
        self._row = row
        self._body.setVisible(row is not None)
        if row is None:
            return
        kind = KINDS.get(str(row.recipe.get("kind", "")))
        title = kind.title if kind else "Read once"
        self.heading.setText(f"{title}, {kind.standard}" if kind and kind.standard else title)
        self.heading.setToolTip(kind.help if kind else "")
        self._show_state(row)
        self._show_values(row)
        self._show_curves()
        for label, field in ((self._source_label, self.source), (self._shape_label, self.shape)):
            label.setVisible(kind is not None)
            field.setVisible(kind is not None)
        marks = kind is not None and kind.stretches[1] > 0
        self.stretches.setVisible(marks)
        self._stretches_label.setVisible(marks)
        self.options.show_options(options_of(recipe_of(row)) if kind is not None else None)
        if kind is not None:
            self._show_choices(row)
            self.stretches.setToolTip(f"Numbers of marked stretches: {kind.stretch_words}")

    def _lay_out(self) -> None:
        self._body = QtWidgets.QWidget()
        self._source_label, self._shape_label, self._stretches_label = (
            QtWidgets.QLabel(text) for text in ("Measured on", "Shape", "Stretches")
        )
        grid = QtWidgets.QGridLayout()
        grid.setVerticalSpacing(3)
        for row, (label, field) in enumerate((
            (self._source_label, self.source), (self._shape_label, self.shape), (self._stretches_label, self.stretches),
        )):  # fmt: skip
            grid.addWidget(label, row, 0)
            grid.addWidget(field, row, 1)
        grid.setColumnStretch(1, 1)
        layout = QtWidgets.QVBoxLayout(self._body)
        layout.setContentsMargins(8, 4, 8, 4)
        layout.setSpacing(4)
        layout.addWidget(self.heading)
        layout.addWidget(self.state)
        layout.addWidget(self.values)
        layout.addWidget(self.budget)
        layout.addWidget(self.curves)
        layout.addLayout(grid)
        layout.addWidget(self.options)
        layout.addStretch(1)
        self.setWidget(self._body)

    def _show_state(self, row: Measurement) -> None:
        if self._flow.waits(row.id):
            text = "Being measured…"
        elif row.problem:
            text = f"{row.problem[:1].upper()}{row.problem[1:]}"
        else:
            text = " ".join(row.notes)
        if not row.recipe:
            text = "Read once, from cursors, facets or a comparison: it stays as it was, and does not follow changes."
        self.state.setText(text)
        self.state.setVisible(bool(text))

    def _show_values(self, row: Measurement) -> None:
        kept = self.values.currentRow()
        self.values.setRowCount(len(row.values))
        for i, (name, quantity) in enumerate(row.values.items()):
            self.values.setItem(i, 0, QtWidgets.QTableWidgetItem(capital(name)))
            self.values.setItem(i, 1, QtWidgets.QTableWidgetItem(result_text("", quantity)))
        self.values.setVisible(bool(row.values))
        self.values.resizeColumnToContents(0)
        height = self.values.horizontalHeader().sizeHint().height() + 20 * min(len(row.values), 8) + 4
        self.values.setFixedHeight(height)
        self.values.setCurrentCell(min(max(kept, 0), len(row.values) - 1), 0)
        self._show_budget()

    def _show_curves(self) -> None:
        """Show the curves of the row; of one that was read from a project they are measured again first."""
        row = self._row
        self.curves.show_curves(self._flow.curves(row) if row is not None else None)

    def _on_export(self) -> None:
        if self._row is not None:
            self._flow.export_curves(self._row)

    def _show_budget(self) -> None:
        row, place = self._row, self.values.currentRow()
        quantities = list(row.values.values()) if row is not None else []
        shares = quantities[place].get("budget") if 0 <= place < len(quantities) else None
        self.budget.setVisible(bool(shares))
        if shares:
            self.budget.set_budget(Budget(quantities[place]["std"] or 0.0, tuple(Share(**share) for share in shares)))

    def _show_choices(self, row: Measurement) -> None:
        project, kind = self._session.project, KINDS[row.recipe["kind"]]
        self.source.clear()
        sources: list[Run | HeightMap] = [*project.of_kind(Run), *project.of_kind(HeightMap)]
        for source in sources:
            self.source.addItem(source_text(project, source), source.id)
        self.source.setCurrentIndex(self.source.findData(row.run_id))
        self.shape.clear()
        if kind.shapes[0] == 0:
            self.shape.addItem("Whole map", "")
        for line in project.of_kind(ProfileLine):
            if (line.kind in AREAS) if kind.data == "area" else (line.kind != "polygon"):
                self.shape.addItem(line.name, line.id)
        self.shape.setCurrentIndex(self.shape.findData(row.line_id))
        lines, stretches = shapes_of(project, row), recipe_of(row).stretches_nm
        marked = lines[0].stretches_nm if lines else ()
        numbers = [str(marked.index(each) + 1) if each in marked else "own" for each in stretches]
        self.stretches.setText(", ".join(numbers))
        self.stretches.setPlaceholderText("none")

    def _on_source(self, _: int) -> None:
        project, chosen = self._session.project, self.source.currentData()
        source = project.get(Run, chosen) or project.get(HeightMap, chosen)
        if self._row is not None and source is not None and source.id != self._row.run_id:
            self._flow.set_source(self._row, source)

    def _on_shape(self, _: int) -> None:
        if self._row is not None and self.shape.currentData() != self._row.line_id:
            first = self.shape.currentData()
            more = tuple(each for each in self._row.more_line_ids if each != first)
            self._flow.set_shapes(self._row, (first, *more) if first else ())

    def _on_stretches(self) -> None:
        text = self.stretches.text()
        if self._row is not None and self.stretches.isModified() and "own" not in text:
            self._flow.set_stretches(self._row, [int(number) for number in re.findall(r"\d+", text)])

    def _on_option(self, name: str, value: object) -> None:
        if self._row is not None:
            self._flow.set_options(self._row, **{name: value})


def _label(kind: str) -> QtWidgets.QLabel:
    label = QtWidgets.QLabel()
    label.setProperty("kind", kind)
    label.setWordWrap(True)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return label


def _combo(name: str, tip: str) -> QtWidgets.QComboBox:
    combo = QtWidgets.QComboBox()
    combo.setAccessibleName(name)
    combo.setToolTip(tip)
    combo.setSizeAdjustPolicy(QtWidgets.QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    combo.setMinimumContentsLength(8)
    return combo
