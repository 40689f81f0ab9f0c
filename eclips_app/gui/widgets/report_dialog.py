"""What a report holds and how it looks."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from eclips_app.core import schema
from eclips_app.core.errors import EclipsError
from eclips_app.core.report import SECTIONS, TEMPLATES, Report, ReportTemplate
from eclips_app.gui.qt import Qt, QtWidgets
from eclips_app.gui.widgets.quantity_edit import QuantityEdit

_NUMBERS = ("figure_width_mm", "dpi", "coverage_factor")


class ReportDialog(QtWidgets.QDialog):
    """Asks for the parameters of `core.report.Report`; a template is a start that can be changed, read and kept."""

    def __init__(self, author: str = "", parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Report")
        self.template = QtWidgets.QComboBox()
        self.template.setAccessibleName("Template")
        for name, known in TEMPLATES.items():
            self.template.addItem(known.name, name)
        self.read, self.keep = QtWidgets.QPushButton("Open…"), QtWidgets.QPushButton("Save…")
        self.read.setToolTip("Take a template from a JSON file")
        self.keep.setToolTip("Keep these choices as a template for later, and for `eclips report --template`")
        self.title, self.author, self.note = (
            QtWidgets.QLineEdit(),
            QtWidgets.QLineEdit(author),
            QtWidgets.QPlainTextEdit(),
        )
        self.title.setPlaceholderText("names of images and reconstruction")
        self.note.setPlaceholderText("sample, purpose, remarks")
        self.note.setFixedHeight(64)
        self.note.setTabChangesFocus(True)
        self.sections = QtWidgets.QListWidget()
        for key, text in SECTIONS.items():
            item = QtWidgets.QListWidgetItem(text, self.sections)
            item.setData(Qt.ItemDataRole.UserRole, key)
            item.setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsUserCheckable | Qt.ItemFlag.ItemIsSelectable)
        self.sections.setMinimumHeight(self.sections.sizeHintForRow(0) * len(SECTIONS) + 8)
        rules = {name: schema.rule_of(ReportTemplate, name) for name in (*_NUMBERS, "colormap")}
        self.numbers = {name: QuantityEdit(rules[name], whole=name == "dpi") for name in _NUMBERS}
        self.colormap = QtWidgets.QComboBox()
        self.colormap.addItems(list(rules["colormap"].choices))
        self._chosen = TEMPLATES["full"]
        self._lay_out()
        for widget, name in (
            (self.title, "Title"),
            (self.author, "Author"),
            (self.note, "Note"),
            (self.sections, "Parts"),
            (self.colormap, "Colour map"),
        ):
            widget.setAccessibleName(name)
        self.template.activated.connect(self._on_template)
        self.read.clicked.connect(self._ask_read)
        self.keep.clicked.connect(self._ask_keep)
        self.show_template(self._chosen)

    def show_template(self, template: ReportTemplate) -> None:
        """Show the choices of a template."""
        self._chosen = template
        for row in range(self.sections.count()):
            item = self.sections.item(row)
            on = item.data(Qt.ItemDataRole.UserRole) in template.sections
            item.setCheckState(Qt.CheckState.Checked if on else Qt.CheckState.Unchecked)
        for name, field in self.numbers.items():
            field.set_value(getattr(template, name))
        self.colormap.setCurrentText(template.colormap)

    def chosen_template(self) -> ReportTemplate:
        """Give the template as it was changed."""
        items = [self.sections.item(row) for row in range(self.sections.count())]
        on = tuple(item.data(Qt.ItemDataRole.UserRole) for item in items if item.checkState() == Qt.CheckState.Checked)
        width, dpi, factor = (self.numbers[name].value for name in _NUMBERS)
        assert width is not None
        assert dpi is not None
        assert factor is not None
        return replace(
            self._chosen, sections=on, figure_width_mm=width, dpi=int(dpi), coverage_factor=factor,
            colormap=self.colormap.currentText(),
        )  # fmt: skip

    def params(self) -> Report:
        """Give what was chosen."""
        texts = self.title.text().strip(), self.author.text().strip(), self.note.toPlainText().strip()
        return Report(template=self.chosen_template(), title=texts[0], author=texts[1], note=texts[2])

    def read_template(self, path: Path) -> str:
        """Show the template in a file; gives what is wrong with it, if anything."""
        try:
            self.show_template(schema.load(ReportTemplate, json.loads(path.read_text(encoding="utf-8")), path.name))
        except (OSError, ValueError, EclipsError) as error:
            return f"The template cannot be read: {error}"
        return ""

    def keep_template(self, path: Path) -> str:
        """Write the choices to a file; gives what is wrong, if anything."""
        try:
            template = replace(self.chosen_template(), name=path.stem)
            path.write_text(json.dumps(schema.dump(template), indent=2), encoding="utf-8")
        except OSError as error:
            return f"The template cannot be written: {error.strerror}"
        return ""

    def _on_template(self, _: int) -> None:
        self.show_template(TEMPLATES[self.template.currentData()])

    def _ask_read(self) -> None:
        name, _ = QtWidgets.QFileDialog.getOpenFileName(self, "Template", "", "Templates (*.json)")
        if name:
            self._tell(self.read_template(Path(name)))

    def _ask_keep(self) -> None:
        name, _ = QtWidgets.QFileDialog.getSaveFileName(self, "Keep template", "template.json", "Templates (*.json)")
        if name:
            self._tell(self.keep_template(Path(name)))

    def _tell(self, problem: str) -> None:
        self.problem.setText(problem)
        self.problem.setVisible(bool(problem))

    def _lay_out(self) -> None:
        top = QtWidgets.QHBoxLayout()
        top.addWidget(self.template, 1)
        top.addWidget(self.read)
        top.addWidget(self.keep)
        self.problem = QtWidgets.QLabel()
        self.problem.setWordWrap(True)
        self.problem.hide()
        kinds = QtWidgets.QDialogButtonBox.StandardButton
        buttons = QtWidgets.QDialogButtonBox(kinds.Ok | kinds.Cancel)
        buttons.button(kinds.Ok).setText("Write…")
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        form = QtWidgets.QFormLayout(self)
        form.addRow("Template", top)
        form.addRow(self.problem)
        form.addRow("Title", self.title)
        form.addRow("Author", self.author)
        form.addRow("Note", self.note)
        form.addRow("Parts", self.sections)
        for name, field in self.numbers.items():
            form.addRow(schema.rule_of(ReportTemplate, name).label, field)
        form.addRow("Colour map", self.colormap)
        form.addRow(buttons)
        self.setMinimumWidth(440)
