"""The selected line on the reconstruction and on the map: both profiles on one axis."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from eclips_app.gui.flows import measure
from eclips_app.gui.flows.profiles import profiles_of
from eclips_app.gui.flows.sampling import Sampled
from eclips_app.gui.qt import Qt, QtGui, QtWidgets
from eclips_app.gui.session import Session
from eclips_app.gui.widgets.empty_state import EmptyState
from eclips_app.gui.widgets.profile_plot import Curve, ProfilePlot

_ROLES = ("A", "map")


class ProfileTab(QtWidgets.QWidget):
    """Twin profiles of the selected line, with the cursors of the panel Profile."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._flow = measure.flow_of(session)
        self._profiles = profiles_of(session)
        self.plot = ProfilePlot(session.theme)
        self.legend = QtWidgets.QLabel()
        self.legend.setSizePolicy(QtWidgets.QSizePolicy.Policy.Ignored, QtWidgets.QSizePolicy.Policy.Fixed)
        self.note = QtWidgets.QLabel("The verdict compares the angles of the steepest flank of this line.")
        self.note.setProperty("kind", "faint")
        self.note.setWordWrap(True)
        self.empty = EmptyState(
            session, "Draw a line over the image to compare both along it", "Add line", "measure.add_line", "profile"
        )
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(4, 6, 4, 4)
        layout.addWidget(self.legend)
        layout.addWidget(self.plot, 1)
        layout.addWidget(self.note)
        layout.addWidget(self.empty, 1)
        self.plot.cursors_moved.connect(self._on_cursors_dragged)
        self._flow.cursors_changed.connect(self._on_cursors)
        self._profiles.completed.connect(self.refresh)

    @property
    def shown(self) -> tuple[Sampled, ...]:
        """The profiles that are drawn."""
        return tuple(each for each in self._profiles.known(self._session.project.line) if each.role in _ROLES)

    def refresh(self) -> None:
        """Sample what has changed, and show it."""
        line = self._session.project.line
        has_line = line is not None and line.kind in ("line", "polyline")
        for widget in (self.legend, self.plot, self.note):
            widget.setVisible(has_line)
        self.empty.setVisible(not has_line)
        if line is None or not has_line or not self.isVisible():
            return
        self._profiles.of(line, True)
        inks = dict(zip(_ROLES, self._session.theme.colors.curves, strict=False))
        curves = [
            Curve(each.role, each.name, each.profile, inks[each.role], "solid", each.role == "A", self._band(each))
            for each in self.shown
        ]
        self.plot.set_curves(curves)
        self.plot.set_cursors(*self._flow.cursors_nm(line))
        self.legend.setText("&nbsp;&nbsp;&nbsp;".join(
            f"<span style='color:{curve.color}'><b>───</b></span> {curve.name}" for curve in curves
        ))  # fmt: skip
        self.legend.setTextFormat(Qt.TextFormat.RichText)

    def showEvent(self, event: QtGui.QShowEvent) -> None:
        """Sample what changed while the tab was hidden."""
        super().showEvent(event)
        self.refresh()

    @staticmethod
    def _band(sampled: Sampled) -> NDArray[np.float64] | None:
        return sampled.profile.std_nm if sampled.role == "A" and not sampled.waits else None

    def _on_cursors_dragged(self) -> None:
        line = self._session.project.line
        if line is not None:
            self._flow.set_cursors(line.id, *self.plot.cursor_positions_nm)

    def _on_cursors(self, _: str) -> None:
        line = self._session.project.line
        if line is not None and self.isVisible():
            self.plot.set_cursors(*self._flow.cursors_nm(line))
