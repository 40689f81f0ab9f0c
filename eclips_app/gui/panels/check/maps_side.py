"""The two maps of chi-square, and the cycle."""

from __future__ import annotations

from eclips_app.core.units import format_length
from eclips_app.gui.flows.check import CheckFlow, CycleResult
from eclips_app.gui.panels.check.presenter import CHI2_MARKS, DIVERGING, Shown
from eclips_app.gui.qt import QtGui, QtWidgets
from eclips_app.gui.session import Session
from eclips_app.gui.widgets.color_scale import ColorScale
from eclips_app.gui.widgets.image_pane import percentile_levels
from eclips_app.gui.widgets.linked_views import LinkedView
from eclips_app.gui.widgets.themed_button import ThemedButton


class Chi2Maps(QtWidgets.QWidget):
    """Regional chi-square, with each pixel's brightness fitted and with one for the material, in colours where 1 is grey."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.fitted = LinkedView(session.theme, "Brightness fitted")
        self.fitted.setAccessibleName("Chi-square with each pixel's brightness fitted")
        self.fitted.setToolTip("Chi-square with each pixel's brightness fitted: shadows, edges, dirt, gains")
        self.known = LinkedView(session.theme, "Brightness known")
        self.known.setAccessibleName("Chi-square with one brightness for the material")
        self.known.setToolTip(
            "Chi-square with one brightness for the material: also distance, radii, emission, and real contrast"
        )
        self.scale = ColorScale("Chi-square")
        self.scale.set_scale(DIVERGING, CHI2_MARKS)
        self.nothing = QtWidgets.QLabel("Three segments leave nothing over that could test the model.")
        self.nothing.setWordWrap(True)
        self.nothing.setProperty("kind", "faint")
        self._row = QtWidgets.QBoxLayout(QtWidgets.QBoxLayout.Direction.LeftToRight)
        for view in self.views:
            view.setMinimumSize(60, 60)
            view.setSizePolicy(QtWidgets.QSizePolicy.Policy.Ignored, QtWidgets.QSizePolicy.Policy.Ignored)
            self._row.addWidget(view, 1)
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(4, 6, 4, 4)
        layout.setSpacing(4)
        layout.addWidget(self.nothing)
        layout.addLayout(self._row, 1)
        layout.addWidget(self.scale)

    def resizeEvent(self, event: QtGui.QResizeEvent) -> None:
        """Put the maps one above the other where there is more height than width."""
        directions = QtWidgets.QBoxLayout.Direction
        is_high = event.size().height() > event.size().width()
        self._row.setDirection(directions.TopToBottom if is_high else directions.LeftToRight)
        super().resizeEvent(event)

    @property
    def views(self) -> tuple[LinkedView, LinkedView]:
        """Both maps."""
        return self.fitted, self.known

    def show_run(self, shown: Shown) -> None:
        """Show the maps that a run has."""
        tested = shown.judgement.explained is not None
        sources = shown.chi2_source(known=False) if tested else None, shown.chi2_source(known=True)
        for view, source in zip(self.views, sources, strict=True):
            view.setVisible(source is not None)
            view.set_source(source)
        self.nothing.setVisible(not tested)
        self.scale.setVisible(tested or shown.known is not None)


class CycleTab(QtWidgets.QWidget):
    """Starts the cycle; shows its difference, its numbers, and what they do not prove."""

    def __init__(self, session: Session, flow: CheckFlow) -> None:
        super().__init__()
        self._flow = flow
        self._shown: CycleResult | None = None
        self.start = QtWidgets.QPushButton("Run cycle")
        self.start.setToolTip("Render the images of this run, reconstruct them again, and compare the heights")
        self.start.clicked.connect(self._on_start)
        self.noise = QtWidgets.QCheckBox("With noise")
        self.noise.setToolTip("Give the rendered images the noise of the measured ones")
        self.noise.toggled.connect(self._on_noise)
        self.report = ThemedButton(session.theme, "export", "Save the report of the cycle")
        self.report.clicked.connect(flow.save_report)
        self.view = LinkedView(session.theme, "Second minus first")
        self.view.setAccessibleName("Heights of the cycle minus heights of the run")
        self.scale = ColorScale("Height difference")
        self.numbers = QtWidgets.QLabel()
        self.caveat = QtWidgets.QLabel()
        for label in (self.numbers, self.caveat):
            label.setWordWrap(True)
        self.caveat.setProperty("kind", "warning")
        self._lay_out()

    def _lay_out(self) -> None:
        row = QtWidgets.QHBoxLayout()
        row.addWidget(self.start)
        row.addWidget(self.noise)
        row.addStretch(1)
        row.addWidget(self.report)
        self.view.setMinimumSize(60, 110)
        self.view.setSizePolicy(QtWidgets.QSizePolicy.Policy.Ignored, QtWidgets.QSizePolicy.Policy.Ignored)
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(4, 6, 4, 4)
        layout.setSpacing(4)
        layout.addLayout(row)
        layout.addWidget(self.view, 1)
        for widget in (self.scale, self.numbers, self.caveat):
            layout.addWidget(widget)
        layout.addStretch(0)

    def resizeEvent(self, event: QtGui.QResizeEvent) -> None:
        """Let the texts be as high as they get at this width; a scrolled page does not see to it."""
        super().resizeEvent(event)
        self._fit_texts()

    def _fit_texts(self) -> None:
        margins = self.contentsMargins().left() + self.contentsMargins().right() + 8
        for label in (self.numbers, self.caveat):
            label.setMinimumHeight(max(0, label.heightForWidth(max(60, self.width() - margins))))

    def refresh(self, shown: Shown | None) -> None:
        """Read the flow again."""
        from eclips_app.io.cycle_report import numbers  # late: not needed to start

        task, result = self._flow.task, self._flow.result
        self.start.setEnabled(self._flow.can_cycle() or task is not None)
        self.start.setText("Run cycle" if not self._flow.is_busy else "Stop" if task is not None else "Preparing…")
        self.report.setEnabled(self._flow.can_report())
        for widget in (self.view, self.scale, self.caveat):
            widget.setVisible(result is not None)
        if task is not None:
            self.numbers.setText(f"{100 * task.fraction:.0f} %  {task.detail}")
        elif result is None:
            self.numbers.setText("Heights to images to heights again: how well does the run agree with itself?")
        else:
            words = (f"<tr><td>{word}&nbsp;&nbsp;</td><td>{value}</td></tr>" for word, value in numbers(result.facts))
            self.numbers.setText(f"<table cellspacing='1'>{''.join(words)}</table>")
        if result is not None and result is not self._shown and shown is not None:
            self._show_difference(result, shown)
        self._shown = result
        self._fit_texts()

    def _show_difference(self, result: CycleResult, shown: Shown) -> None:
        reach = max(abs(level) for level in percentile_levels(result.difference))
        self.view.set_source(shown.signed_source(result.difference, reach))
        most = format_length(reach, 3)
        self.scale.set_scale(DIVERGING, [(0.0, f"−{most}"), (0.5, "0"), (1.0, f"+{most}")])
        self.caveat.setText(str(result.facts["caveat"]))

    def _on_start(self) -> None:
        if self._flow.task is not None:
            self._flow.stop()
        else:
            self._flow.cycle()

    def _on_noise(self, on: bool) -> None:
        self._flow.noise = on
