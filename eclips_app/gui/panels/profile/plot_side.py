"""The plot half: curves, cursors, their readings, and ways out (table, clipboard, files)."""

from __future__ import annotations

from pathlib import Path

from eclips_app.core.errors import EclipsError
from eclips_app.gui.flows.measure import MeasureFlow, Stretches
from eclips_app.gui.flows.profiles import profiles_of
from eclips_app.gui.flows.sampling import CursorReading, Sampled, fit_ends, read_cursors
from eclips_app.gui.panels.profile.bands import BandChoice
from eclips_app.gui.panels.profile.budget_tab import BudgetTab
from eclips_app.gui.panels.profile.plot_files import write_plot
from eclips_app.gui.panels.profile.readings import Readings, summary_text
from eclips_app.gui.panels.profile.stretch_button import StretchButton
from eclips_app.gui.panels.profile.stretch_table import StretchTable, fits_of, marks_of
from eclips_app.gui.qt import Qt, QtWidgets
from eclips_app.gui.session import Session
from eclips_app.gui.widgets.empty_state import EmptyState
from eclips_app.gui.widgets.profile_plot import Curve, ProfilePlot
from eclips_app.gui.widgets.shape_geometry import WITH_PROFILE
from eclips_app.gui.widgets.themed_button import ThemedButton
from eclips_app.model.items import ProfileLine
from eclips_app.model.placing import frame_map

_DASHES = {"A": "solid", "B": "dash", "map": "dot", "held": "dash"}
_SAMPLES = {"A": "───", "B": "─ ─", "map": "·····", "held": "─ ─"}


class PlotSide(QtWidgets.QWidget):
    """Height over distance for all visible lines; the selected one with A, B and the map."""

    def __init__(self, session: Session, flow: MeasureFlow) -> None:
        super().__init__()
        self._session, self._flow = session, flow
        self.profiles = profiles_of(session)
        self._held: Sampled | None = None
        self.readings_now: tuple[CursorReading, ...] = ()
        self.plot = ProfilePlot(session.theme)
        self.readings = Readings()
        self.stretches = StretchTable()
        self.budget = BudgetTab(session)
        self.summary = QtWidgets.QLabel()
        self.summary.setProperty("kind", "heading")
        self.summary.setAccessibleName("Reading between the cursors")
        self.summary.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.summary.setSizePolicy(QtWidgets.QSizePolicy.Policy.Ignored, QtWidgets.QSizePolicy.Policy.Fixed)
        self.legend = QtWidgets.QLabel()
        self.legend.setSizePolicy(QtWidgets.QSizePolicy.Policy.Ignored, QtWidgets.QSizePolicy.Policy.Fixed)
        self.no_heights = EmptyState(session, "No heights yet", "Reconstruct", "reconstruct.run", "reconstruct")
        self.no_line = EmptyState(
            session, "Drag over the image to draw a line (L)", "Add line", "measure.add_line", "profile"
        )
        self.area = QtWidgets.QLabel("An area has no profile. Measure it from the results table.")
        self.area.setProperty("kind", "faint")
        self.area.setWordWrap(True)
        self.area.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.result = ThemedButton(
            session.theme, "results", "Put the readings of all curves into the results table", "Ctrl+R"
        )
        self.result.setText("Add")
        self.result.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.result.clicked.connect(flow.add_result)
        self.equal = _toggle("1 : 1", "Draw height and distance to the same scale, so that angles look as they are")
        self.equal.toggled.connect(self.plot.set_equal_aspect)
        self.hold = _toggle("Hold", "Keep this curve in the plot while other images, frames or runs are shown")
        self.hold.toggled.connect(self._on_hold)
        self.mark = StretchButton(session.theme, self.plot.stretches)
        self.band = BandChoice()
        self.band.activated.connect(self.refresh)
        self.more = self._export_button()
        self._lay_out()
        self.profiles.completed.connect(self.refresh)
        self.profiles.sampling_changed.connect(self.refresh)
        marks = self.plot.stretches
        marks.marked.connect(self._on_marked)
        marks.moved.connect(self._on_stretches)
        marks.drag_ended.connect(flow.end_stretch_drag)
        self.mark.remove_asked.connect(self._on_remove)
        self.stretches.removed.connect(self._on_remove)
        self.stretches.typed.connect(self._on_stretch_typed)
        self.plot.cursors_moved.connect(self._on_cursors_dragged)
        self.readings.cursors_typed.connect(self._on_cursors_typed)
        flow.cursors_changed.connect(self._on_cursors)

    def refresh(self) -> None:
        """Sample what has changed, and show it."""
        project = self._session.project
        line = project.line
        lines = [each for each in project.of_kind(ProfileLine) if each.visible or each is line]
        curves: list[Curve] = []
        for each in lines:
            curves += self._curves(each, each is line)
        self.profiles.keep_only({each.id for each in lines})
        if self._held is not None and line is not None:
            faint = self._session.theme.colors.faint
            curves.insert(0, Curve("held", self._held.name, self._held.profile, faint, "dash"))
        self.plot.set_curves(curves)
        self._show_state(line, bool(curves))
        self._read(line)

    def selected_profiles(self) -> tuple[Sampled, ...]:
        """Give the profiles of the selected line, the held one last."""
        line = self._session.project.line
        found = self.profiles.known(line)
        return (*found, self._held) if self._held is not None else found

    def write_plot(self, path: Path) -> None:
        """Write the plot as PNG or SVG, as the suffix says."""
        try:
            write_plot(self.plot, path)
        except EclipsError as error:
            self._session.notify(str(error), "error")
        else:
            self._session.notify(f"Plot written to {path}.", "good")

    def _curves(self, line: ProfileLine, selected: bool) -> list[Curve]:
        return [
            Curve(
                f"{line.id}/{each.role}", each.name, each.profile, line.color, _DASHES[self._look(each)],
                each.role == "A" and selected and not each.waits, self.band.half_nm(each) if selected else None,
            )
            for each in self.profiles.of(line, selected)
        ]  # fmt: skip

    def _look(self, sampled: Sampled) -> str:
        """Give the role that a curve is drawn as: a map alone takes the place of the reconstruction."""
        alone = sampled.role == "map" and frame_map(self._session.project) is not None
        return "A" if alone and sampled.source_id == self._session.project.selection.map_id else sampled.role

    def _read(self, line: ProfileLine | None) -> None:
        sampled = self.selected_profiles()
        self.readings.setEnabled(bool(sampled))
        self._fit_stretches(line, sampled)
        if line is None or not sampled:
            self.readings_now = ()
            self.summary.clear()
            self.plot.set_fit(None)
            self.readings.show_readings((0.0, 0.0), ())
            self.budget.set_reading(None, None, (0.0, 0.0))
            return
        cursors = self._flow.cursors_nm(line)
        self.readings_now = tuple(read_cursors(each, *cursors) for each in sampled)
        self.plot.set_cursors(*cursors)
        fit = self.readings_now[0].fit
        self.plot.set_fit(fit_ends(fit, cursors) if fit is not None else None)
        self.summary.setText(summary_text(self.readings_now[0]))
        self.summary.setToolTip(self.summary.text())  # a narrow panel shows its beginning only
        self.readings.show_readings(cursors, self.readings_now)
        self.budget.set_reading(self.readings_now[0], line, cursors)

    def _fit_stretches(self, line: ProfileLine | None, sampled: tuple[Sampled, ...]) -> None:
        """Fit a line to each stretch of the first curve, and show all."""
        stretches = line.stretches_nm if line is not None and sampled else ()
        fits = fits_of(sampled[0], stretches) if stretches else []
        self.plot.set_stretches(marks_of(stretches, fits))
        self.stretches.show_stretches(stretches, fits)
        self.mark.show_count(len(stretches))

    def _on_marked(self, low: float, high: float) -> None:
        line = self._session.project.line
        if line is not None:
            stretch = low, min(high, self._flow.length_nm(line))
            self._flow.set_stretches(line, (*line.stretches_nm, stretch))

    def _on_stretches(self, stretches: Stretches) -> None:
        line = self._session.project.line
        if line is not None and len(stretches) == len(line.stretches_nm):
            self._flow.drag_stretches(line, stretches)

    def _on_stretch_typed(self, index: int, low: float, high: float) -> None:
        line = self._session.project.line
        if line is not None:
            old = line.stretches_nm
            self._flow.set_stretches(line, (*old[:index], (low, high), *old[index + 1 :]))

    def _on_remove(self, index: int) -> None:
        """Take out a stretch, or all with a negative index."""
        line = self._session.project.line
        if line is not None:
            self._flow.remove_stretch(line, index)

    def _show_state(self, line: ProfileLine | None, any_curve: bool) -> None:
        project = self._session.project
        anything = project.run is not None or frame_map(project) is not None
        self.no_heights.setVisible(not any_curve and not anything)
        is_area = line is not None and line.kind not in WITH_PROFILE
        self.no_line.setVisible(not any_curve and anything and not is_area)
        self.area.setVisible(not any_curve and anything and is_area)
        self.plot.setVisible(any_curve)
        for widget in (self.result, self.mark, self.band, self.hold, self.more, self.equal):
            widget.setEnabled(line is not None and any_curve)
        entries = []
        for each in self.selected_profiles():
            color = self._session.theme.colors.faint if each.role == "held" or line is None else line.color
            role = f"{each.role}: " if each.role in ("A", "B") else "held: " if each.role == "held" else ""
            entries.append(f"<span style='color:{color}'><b>{_SAMPLES[self._look(each)]}</b></span> {role}{each.name}")
        self.legend.setText("&nbsp;&nbsp;&nbsp;".join(entries))

    def _on_hold(self, on: bool) -> None:
        found = self.selected_profiles()
        first = found[0] if on and found else None
        segment_set = self._session.project.segment_set
        name = f"{segment_set.name}, {first.name}" if segment_set and first else first.name if first else ""
        self._held = Sampled("held", name, first.source_id, first.profile) if first else None
        self.refresh()

    def _on_cursors_dragged(self) -> None:
        line = self._session.project.line
        if line is not None:
            self._flow.set_cursors(line.id, *self.plot.cursor_positions_nm)

    def _on_cursors_typed(self, first_nm: float, second_nm: float) -> None:
        line = self._session.project.line
        if line is not None:
            self._flow.set_cursors(line.id, first_nm, second_nm)

    def _on_cursors(self, line_id: str) -> None:
        line = self._session.project.line
        if line is not None and line.id == line_id:
            self._read(line)

    def _on_write_plot(self) -> None:
        path = self._session.ask_save_file("Export plot", "exports", "PNG (*.png);;SVG (*.svg)", "profile.png")
        if path is not None:
            self.write_plot(path if path.suffix else path.with_suffix(".png"))

    def _export_button(self) -> QtWidgets.QToolButton:
        button = ThemedButton(self._session.theme, "export", "Copy or write the profiles and the plot")
        button.setPopupMode(QtWidgets.QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QtWidgets.QMenu(button)
        menu.addAction("Copy profile", self._flow.copy_profile)
        menu.addAction("Profiles as CSV, XLSX, SVG or DXF…", self._flow.export_profiles)
        menu.addAction("Plot as PNG or SVG…", self._on_write_plot)
        button.setMenu(menu)
        return button

    def _lay_out(self) -> None:
        bar = QtWidgets.QHBoxLayout()
        bar.addWidget(self.result)
        bar.addStretch(1)
        for widget in (self.mark, self.hold, self.equal, self.more):
            bar.addWidget(widget)
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(4, 8, 8, 4)
        layout.setSpacing(6)
        layout.addLayout(bar)
        below = QtWidgets.QHBoxLayout()
        below.addWidget(self.legend, 1)
        below.addWidget(self.band)
        layout.addLayout(below)
        layout.addWidget(self.no_heights, 1)
        layout.addWidget(self.no_line, 1)
        layout.addWidget(self.area, 1)
        layout.addWidget(self.plot, 1)
        layout.addWidget(self.summary)


def _toggle(text: str, tip: str) -> QtWidgets.QPushButton:
    button = QtWidgets.QPushButton(text)
    button.setCheckable(True)
    button.setToolTip(tip)
    button.setAccessibleName(text)
    return button
