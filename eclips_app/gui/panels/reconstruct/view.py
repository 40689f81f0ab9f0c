"""The side column: what is missing, the one button, and the runs made so far."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from eclips_app.gui.flows.methods import Method, method_of
from eclips_app.gui.flows.reconstruct import flow_of
from eclips_app.gui.panels.reconstruct import fit_texts
from eclips_app.gui.panels.reconstruct.checklist import Checklist
from eclips_app.gui.panels.reconstruct.chi2_plot import Chi2Plot
from eclips_app.gui.panels.reconstruct.details import RunDetails
from eclips_app.gui.panels.reconstruct.fit_form import FitForm
from eclips_app.gui.panels.reconstruct.learned_form import LearnedForm
from eclips_app.gui.panels.reconstruct.method_form import MethodForm
from eclips_app.gui.panels.reconstruct.options import OptionsForm
from eclips_app.gui.panels.reconstruct.presenter import method_text
from eclips_app.gui.panels.reconstruct.runs_table import RunsTable
from eclips_app.gui.panels.reconstruct.tolerance_form import ToleranceForm
from eclips_app.gui.qt import Qt, QtCore, QtGui, QtWidgets
from eclips_app.gui.session import Session
from eclips_app.gui.widgets.collapsible import Collapsible
from eclips_app.gui.widgets.image_pane import ImagePane, percentile_levels
from eclips_app.gui.widgets.linked_views import LinkedView
from eclips_app.model.items import ProfileLine
from eclips_app.model.project import Selection


class ReconstructPanel(QtWidgets.QWidget):
    """From images to height, in a column some 320 px wide."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._flow = flow_of(session)
        self._drawn: tuple[int, ...] = ()  #: shape of the preview that was last drawn as a whole
        self.checklist = Checklist(session.theme)
        self.checklist.asked.connect(session.show_panel)
        self.method = QtWidgets.QLabel()
        self.method.setWordWrap(True)
        self.method.setProperty("kind", "faint")
        self.choice = MethodForm(session, self._flow)
        self.options = OptionsForm(session, self._flow)
        self.fit = FitForm(session, self._flow)
        self.tolerances = ToleranceForm(session, self._flow)
        self.learned = LearnedForm(session, self._flow)
        self.fit_section = Collapsible("Fit", self.fit)
        self.learned_section = Collapsible("Network", self.learned)
        self.tolerance_section = Collapsible("Uncertainties", self.tolerances)
        self.button = _Primary(session, self._flow.run)
        self.progress = _Progress(session, self._flow.stop)
        self.preview = ImagePane(session.theme, "Preview")
        self.preview.setFixedHeight(190)
        self.preview.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.preview.hide()
        self.missed = LinkedView(session.theme, "Residuals")
        self.missed.has_scale_bar = False
        self.missed.setFixedHeight(96)
        self.missed.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.missed.hide()
        self.curve = Chi2Plot(session.theme)
        self.curve.hide()
        self.runs_heading = _heading("Runs")
        self.runs = RunsTable(session)
        self.runs.setSizePolicy(QtWidgets.QSizePolicy.Policy.Expanding, QtWidgets.QSizePolicy.Policy.Fixed)
        self.details = RunDetails(session)
        self._lay_out()
        self._flow.changed.connect(self.refresh)
        self._flow.previewed.connect(self._show_preview)
        self._flow.stepped.connect(self._show_curve)
        self._flow.missed.connect(self._show_missed)
        session.project.changed.connect(self._on_project)
        session.project.selection_changed.connect(self._on_selection)
        self.refresh()

    def sizeHint(self) -> QtCore.QSize:
        """Ask for a column."""
        return QtCore.QSize(330, 640)

    def refresh(self) -> None:
        """Show the state of the project and of what runs."""
        project, task, method = self._session.project, self._flow.task, method_of(self._flow.options)
        self.checklist.set_checks(self._flow.checks)
        self.choice.refresh()
        self.method.setText(method_text(project.detector, method))
        self.options.refresh()
        self._refresh_fit(method)
        self.button.setVisible(task is None)
        self.button.setEnabled(self._flow.can_run())
        self.progress.setVisible(task is not None)
        if task is not None:
            self.progress.show_task(task.text, task.detail, task.fraction, task.seconds_left)
        else:
            self._drawn = ()
            for live in (self.preview, self.missed, self.curve):
                live.hide()
        has_runs = bool(project.runs_of(project.selection.set_id))
        self.runs_heading.setVisible(has_runs)
        self.runs.setVisible(has_runs)
        self.details.refresh()

    def _refresh_fit(self, method: Method) -> None:
        """Show the forms that concern the method, with the number of choices that are not automatic."""
        self.learned_section.setVisible(method.is_learned)
        if method.is_learned:
            self.learned.refresh()
        options = self._flow.options
        for section, form, title, count in (
            (self.fit_section, self.fit, "Fit", fit_texts.count_fit_changes(options)),
            (self.tolerance_section, self.tolerances, "Uncertainties", fit_texts.count_tolerances(options)),
        ):
            section.setVisible(method.is_exact)
            section.head.setText(f"{title} ({count} chosen)" if count else title)
            if method.is_exact:
                form.refresh()

    def _lay_out(self) -> None:
        column = QtWidgets.QWidget()
        layout = QtWidgets.QVBoxLayout(column)
        layout.setContentsMargins(12, 10, 12, 12)
        layout.setSpacing(10)
        layout.addWidget(self.checklist)
        layout.addWidget(self.choice)
        layout.addWidget(self.fit_section)
        layout.addWidget(self.learned_section)
        layout.addWidget(self.tolerance_section)
        layout.addWidget(Collapsible("Options", self.options))
        layout.addWidget(self.button)
        layout.addWidget(self.progress)
        layout.addWidget(self.preview)
        layout.addWidget(self.missed)
        layout.addWidget(self.curve)
        layout.addWidget(self.method)
        layout.addWidget(self.runs_heading)
        layout.addWidget(self.runs)
        layout.addWidget(self.details)
        layout.addStretch(1)
        area = QtWidgets.QScrollArea()
        area.setWidgetResizable(True)
        area.setFrameShape(QtWidgets.QFrame.Shape.NoFrame)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        area.setWidget(column)
        outer = QtWidgets.QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(area)
        self.setMinimumWidth(280)

    def _show_preview(self, heights: NDArray[Any], info: dict[str, Any]) -> None:
        if self._flow.task is None:
            return
        self.preview.set_image(heights, pixel_size_nm=info.get("pixel_size_nm"), colormap="viridis")
        self.preview.show()
        if self._drawn != heights.shape:  # the fine heights of Metrology come after those of its linear start
            self._drawn = heights.shape
            self.preview.fit()

    def _show_curve(self, points: NDArray[Any]) -> None:
        task = self._flow.task
        if task is not None:
            self.curve.show_curve(points, of_rounds=task.data.options.method == "learned")
            self.curve.show()

    def _show_missed(self, residual: NDArray[Any]) -> None:
        """Show the residuals [k, row, col] beside each other, zero in the middle of the colours."""
        if self._flow.task is None:
            return
        gap = np.full((len(residual), residual.shape[1], 4), np.nan, residual.dtype)
        row = np.hstack(list(np.concatenate([residual, gap], axis=2)))[:, :-4]
        reach = percentile_levels(np.abs(row), 0.0, 99.0)[1]
        was_hidden = self.missed.isHidden()
        self.missed.set_image(row, levels=(-reach, reach), colormap="CET-D1A")
        self.missed.show()
        if was_hidden:
            self.missed.fit()

    def _on_project(self, ids: frozenset[str]) -> None:
        if any(self._session.project.get(ProfileLine, item_id) is None for item_id in ids):
            self.refresh()

    def _on_selection(self, _: Selection) -> None:
        self.refresh()


class _Primary(QtWidgets.QPushButton):
    """The one button."""

    def __init__(self, session: Session, run: Any) -> None:
        super().__init__("Reconstruct")
        self.setProperty("kind", "primary")
        self.setToolTip("Compute the height map of the selected images (F5)")
        self.setAccessibleName("Reconstruct")
        self.setDefault(True)
        self._theme = session.theme
        self.clicked.connect(run)
        session.theme.changed.connect(self._draw)
        self._draw()

    def _draw(self) -> None:
        self.setIcon(self._theme.icon("run", self._theme.colors.on_accent))


class _Progress(QtWidgets.QWidget):
    """Stands in the button's place while a run goes on."""

    def __init__(self, session: Session, stop: Any) -> None:
        super().__init__()
        self._theme = session.theme
        self.text = QtWidgets.QLabel()
        self.text.setWordWrap(True)
        self.bar = QtWidgets.QProgressBar()
        self.bar.setRange(0, 1000)
        self.bar.setAccessibleName("Progress of the reconstruction")
        self.stop = QtWidgets.QPushButton("Stop")
        self.stop.setToolTip(
            "Stop and keep the best heights so far (Esc); before the first step there are none, nor with Live"
        )
        self.stop.setShortcut(QtGui.QKeySequence("Esc"))
        self.stop.clicked.connect(stop)
        session.theme.changed.connect(self._draw)
        self._draw()
        layout = QtWidgets.QGridLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.text, 0, 0, 1, 2)
        layout.addWidget(self.bar, 1, 0)
        layout.addWidget(self.stop, 1, 1)

    def show_task(self, text: str, detail: str, fraction: float, seconds_left: float | None) -> None:
        left = f", {seconds_left:.0f} s left" if seconds_left is not None else ""
        note = f": {detail}" if detail else ""
        self.text.setText(f"{text}{note}{left}")
        self.bar.setValue(round(1000 * fraction))
        self.bar.setFormat(f"{100 * fraction:.0f} %")

    def _draw(self) -> None:
        self.stop.setIcon(self._theme.icon("stop"))


def _heading(text: str) -> QtWidgets.QLabel:
    label = QtWidgets.QLabel(text)
    label.setProperty("kind", "heading")
    return label
