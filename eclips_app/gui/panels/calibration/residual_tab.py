"""What a calibration leaves of each segment, and how that changed since the fit before."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from eclips_app.gui.flows.calibration import CalibrationFlow
from eclips_app.gui.qt import Qt, QtCore, QtGui, QtWidgets
from eclips_app.gui.session import Session
from eclips_app.gui.widgets.color_scale import ColorScale
from eclips_app.gui.widgets.image_pane import percentile_levels
from eclips_app.gui.widgets.linked_views import LinkedRange, LinkedView, Source
from eclips_app.model.calibrations import before, residual_of
from eclips_app.model.items import Calibration

_DIVERGING = "CET-D1A"
_LEAST_PERCENT = 0.1  #: of the scale's reach


class ResidualTab(QtWidgets.QWidget):
    """One image for each segment; with `change`, the residuals less those of the fit before."""

    def __init__(self, session: Session, flow: CalibrationFlow, *, change: bool) -> None:
        super().__init__()
        self._session, self._flow, self._is_change = session, flow, change
        self._shown: tuple[object, ...] = ()
        self._range = LinkedRange(self)
        self.views: list[LinkedView] = []
        self.scale = ColorScale("Change of the residual" if change else "Residual")
        self.text = QtWidgets.QLabel()
        self.text.setWordWrap(True)
        self._page = QtWidgets.QWidget()
        self._grid = QtWidgets.QGridLayout(self._page)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(2)
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(4, 6, 4, 4)
        layout.setSpacing(4)
        layout.addWidget(self._page, 1)
        layout.addWidget(self.scale)
        layout.addWidget(self.text)

    def resizeEvent(self, event: QtGui.QResizeEvent) -> None:
        """Fit the images to the new size."""
        super().resizeEvent(event)
        self._range.apply_soon()

    def showEvent(self, event: QtGui.QShowEvent) -> None:
        """Fit the images when they are first seen."""
        super().showEvent(event)
        self._range.apply_soon()

    def refresh(self) -> None:
        """Show the residuals of the observation and the calibration that are looked at."""
        shown, selected = self._flow.shown, self._flow.selected
        earlier = before(self._session.project, shown)
        asked = (selected.id if selected else "", shown, earlier)
        if len(asked) == len(self._shown) and all(a is b or a == b for a, b in zip(asked, self._shown, strict=True)):
            return
        self._shown = asked
        now = residual_of(shown, asked[0])
        then = residual_of(earlier, asked[0])
        field = now
        if self._is_change:
            field = now - then if now is not None and then is not None and now.shape == then.shape else None
        self._show_field(field, shown)
        self.text.setText(self._words(shown, now, then, has_field=field is not None))

    def _show_field(self, field: NDArray[np.floating] | None, shown: Calibration | None) -> None:
        self._page.setVisible(field is not None)
        self.scale.setVisible(field is not None)
        self._make_views(0 if field is None else len(field))
        if field is None or shown is None:
            return
        reach = max(_LEAST_PERCENT, *(max(abs(level) for level in percentile_levels(plane)) for plane in field))
        names = [segment.name for segment in shown.detector.quadrants]
        for view, plane, name in zip(self.views, field, names, strict=False):
            view.title = name
            view.setAccessibleName(f"{'Change of the residual' if self._is_change else 'Residual'} of segment {name}")
            view.set_source(Source(plane.__getitem__, plane.shape, (-reach, reach), None, (0, 0), _DIVERGING))
        self._range.views = self.views
        self._range.set_field(_where_known(field))
        self._range.apply_soon()
        self.scale.set_scale(_DIVERGING, [(0.0, f"−{reach:.2g} %"), (0.5, "0"), (1.0, f"+{reach:.2g} % of the signal")])

    def _make_views(self, count: int) -> None:
        while len(self.views) > count:
            view = self.views.pop()
            self._grid.removeWidget(view)
            view.deleteLater()
        across = math.ceil(math.sqrt(count)) if count else 1
        while len(self.views) < count:
            view = LinkedView(self._session.theme)
            view.has_scale_bar = False
            view.setMinimumSize(60, 60)
            view.setSizePolicy(QtWidgets.QSizePolicy.Policy.Ignored, QtWidgets.QSizePolicy.Policy.Ignored)
            view.navigated.connect(self._on_navigated)
            view.fit_asked.connect(self._range.fit)
            view.setCursor(Qt.CursorShape.ArrowCursor)
            self.views.append(view)
        for index, view in enumerate(self.views):
            self._grid.addWidget(view, index // across, index % across)
        self._range.views = self.views

    def _words(
        self,
        shown: Calibration | None,
        now: NDArray[np.floating] | None,
        then: NDArray[np.floating] | None,
        *,
        has_field: bool,
    ) -> str:
        if shown is None:
            return "After a fit, this shows what the calibrated detector does not explain."
        if now is None:
            return f"{shown.name} did not use this observation."
        names = [segment.name for segment in shown.detector.quadrants]
        if not self._is_change:
            each = ", ".join(f"{name} {_rms(plane):.2g} %" for name, plane in zip(names, now, strict=False))
            return f"{shown.name}, measured minus modelled, rms: {each}."
        if then is None or not has_field:
            return "No earlier fit of this observation to compare with."
        pairs = zip(names, then, now, strict=False)
        return "rms: " + ", ".join(f"{name} {_rms(old):.2g} → {_rms(new):.2g} %" for name, old, new in pairs) + "."

    def _on_navigated(self) -> None:
        view = self.sender()
        assert isinstance(view, LinkedView)
        self._range.follow(view)


def _rms(plane: NDArray[np.floating]) -> float:
    known = plane[np.isfinite(plane)]
    return float(np.sqrt(np.mean(known**2))) if known.size else math.nan


def _where_known(field: NDArray[np.floating]) -> QtCore.QRectF:
    """Give the part of the images [k, row, col] that holds values."""
    rows, columns = np.nonzero(np.isfinite(field).any(axis=0))
    if rows.size == 0:
        return QtCore.QRectF(-0.5, -0.5, field.shape[2], field.shape[1])
    top, left = int(rows.min()), int(columns.min())
    return QtCore.QRectF(left - 0.5, top - 0.5, int(columns.max()) - left + 1, int(rows.max()) - top + 1)
