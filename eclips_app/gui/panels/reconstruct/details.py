"""The selected run: its facts, what it warns of, and how it was made."""

from __future__ import annotations

import html

from eclips_app.gui.flows.methods import method_of_run
from eclips_app.gui.flows.readiness import changed_since
from eclips_app.gui.panels.reconstruct import presenter
from eclips_app.gui.panels.reconstruct.chi2_plot import Chi2Plot
from eclips_app.gui.qt import QtGui, QtWidgets
from eclips_app.gui.session import Session
from eclips_app.model.items import Run


class RunDetails(QtWidgets.QWidget):
    """Shows the selected run of the project; hidden without one."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._shown: tuple[object, ...] = ()
        self._window: ProvenanceWindow | None = None
        self.heading = QtWidgets.QLabel()
        self.heading.setProperty("kind", "heading")
        self.stale = _wrapped("warning")
        self.facts = QtWidgets.QLabel()
        self.facts.setTextInteractionFlags(QtGui.Qt.TextInteractionFlag.TextSelectableByMouse)
        self.facts.setWordWrap(True)
        self.facts.setAccessibleName("Facts of the selected run")
        self.curve = Chi2Plot(session.theme)
        self.warnings = _wrapped("warning")
        self.how = QtWidgets.QPushButton("How was this made?")
        self.how.setProperty("kind", "link")
        self.how.setToolTip("Show all parameters and the hashes of the images")
        self.how.clicked.connect(self.show_provenance)
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for widget in (self.heading, self.stale, self.facts, self.curve, self.warnings, self.how):
            layout.addWidget(widget)

    def refresh(self) -> None:
        """Read the project again."""
        run = self._session.project.run
        self.setVisible(run is not None)
        if run is None:
            self._shown = ()
            return
        changed = changed_since(run, self._session.project)
        if self._shown == (run, tuple(changed)):
            return
        self._shown = (run, tuple(changed))
        self.heading.setText(run.name)
        self.stale.setText(f"Inputs changed since: {', '.join(changed)}. Reconstruct again to follow.")
        self.stale.setVisible(bool(changed))
        self._show_facts(run)
        warnings = [str(text) for text in run.info.get("warnings", ())]
        self.warnings.setText("\n".join(warnings))
        self.warnings.setVisible(bool(warnings))

    def _show_facts(self, run: Run) -> None:
        told = [(word.replace(" ", "&nbsp;"), html.escape(value)) for word, value in presenter.facts(run)]
        cells = (f"<tr><td>{word}&nbsp;&nbsp;</td><td>{value}</td></tr>" for word, value in told)
        self.facts.setText(f"<table cellspacing='1'>{''.join(cells)}</table>")
        curve = presenter.chi2_curve(run)
        self.curve.setVisible(curve is not None)
        if curve is not None:
            self.curve.show_curve(*curve, of_rounds=method_of_run(run).is_learned)

    def show_provenance(self) -> None:
        """Open the window that tells how the run was made."""
        run = self._session.project.run
        if run is not None:
            self._window = ProvenanceWindow(run.name, presenter.provenance_text(run), self.window())
            self._window.show()


class ProvenanceWindow(QtWidgets.QDialog):
    """A text to read and copy."""

    def __init__(self, name: str, text: str, parent: QtWidgets.QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle(f"How {name} was made")
        self.resize(640, 560)
        self.text = QtWidgets.QPlainTextEdit(text)
        self.text.setReadOnly(True)
        self.text.setLineWrapMode(QtWidgets.QPlainTextEdit.LineWrapMode.NoWrap)
        self.text.setFont(QtGui.QFontDatabase.systemFont(QtGui.QFontDatabase.SystemFont.FixedFont))
        self.text.setAccessibleName(f"How {name} was made")
        buttons = QtWidgets.QDialogButtonBox(QtWidgets.QDialogButtonBox.StandardButton.Close)
        copy = buttons.addButton("Copy", QtWidgets.QDialogButtonBox.ButtonRole.ActionRole)
        copy.setToolTip("Copy the whole text")
        copy.clicked.connect(self._copy)
        buttons.rejected.connect(self.reject)
        layout = QtWidgets.QVBoxLayout(self)
        layout.addWidget(self.text)
        layout.addWidget(buttons)

    def _copy(self) -> None:
        QtGui.QGuiApplication.clipboard().setText(self.text.toPlainText())


def _wrapped(kind: str) -> QtWidgets.QLabel:
    label = QtWidgets.QLabel()
    label.setWordWrap(True)
    label.setProperty("kind", kind)
    return label
