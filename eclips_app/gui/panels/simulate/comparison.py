"""A network's image, the exact one, their difference, and all three along a row or column of pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray

from eclips_app.core.deviations import OUT_OF_MODEL
from eclips_app.gui.flows.live_comparison import Comparison, LiveComparison
from eclips_app.gui.panels.simulate.comparing import Difference, difference, facts, legend
from eclips_app.gui.panels.simulate.presenter import levels, sentence
from eclips_app.gui.qt import Qt, QtCore, QtGui, QtWidgets, Signal
from eclips_app.gui.theme import Theme
from eclips_app.gui.widgets.calm_combo import CalmCombo, offer
from eclips_app.gui.widgets.color_scale import ColorScale
from eclips_app.gui.widgets.hatch import HatchOverlay
from eclips_app.gui.widgets.linked_views import LinkedRange, LinkedView, Source
from eclips_app.gui.widgets.segments import segment_text

_DIVERGING = "CET-D1A"
_TITLES = ("Network", "Exact", "Difference")
_PLOTS_PX = 120, 260  #: height of the plots, at least and at most
_INK = "#ffd54a"


class ComparisonView(QtWidgets.QWidget):
    """Shows the newest comparison; a click chooses the pixel whose row or column is plotted."""

    picked = Signal(object)  #: (row, column)

    def __init__(self, theme: Theme, live: LiveComparison) -> None:
        super().__init__()
        self._theme, self._live = theme, live
        self._pixel: tuple[int, int] | None = None
        self.shown: Difference | None = None
        self.segment = CalmCombo("Segment compared", "Segment whose images are compared")
        self.along = CalmCombo("Profile along", "Direction of the profile through the chosen pixel")
        for text in ("Along the row", "Along the column"):
            self.along.addItem(text)
        self.facts = QtWidgets.QLabel()
        self.facts.setWordWrap(True)
        self.facts.setAccessibleName("How far network and exact model differ")
        self.panes = tuple(ComparedPane(theme, title) for title in _TITLES)
        self.scale = ColorScale("Difference")
        self.plots = ComparedPlots(theme)
        self.legend = QtWidgets.QLabel()
        self.legend.setTextFormat(Qt.TextFormat.RichText)
        theme.changed.connect(self._use_theme)
        self._use_theme()
        self._range = LinkedRange(self)
        self._range.views = self.panes
        self._lay_out()
        for pane in self.panes:
            pane.navigated.connect(self._on_navigated)
            pane.fit_asked.connect(self._range.fit)
            pane.clicked.connect(self._on_click)
        self.segment.activated.connect(self.refresh)
        self.along.activated.connect(self._show_profile)
        live.changed.connect(self.refresh)

    def show_pixel(self, pixel: tuple[int, int] | None) -> None:
        """Plot the row or column of a pixel; the middle of the image without one."""
        self._pixel = pixel
        self._show_profile()

    def fit(self) -> None:
        """Show the whole images."""
        self._range.fit()

    def refresh(self, _: object = None) -> None:
        """Show what has been computed."""
        comparison = self._live.comparison
        if self._live.problem:
            self.facts.setText(sentence(self._live.problem))
        elif self._live.is_busy or comparison is None:
            self.facts.setText("Rendering with both models…")
        if comparison is None or not self.isVisible():
            return
        names = [(segment_text(each), each.name) for each in comparison.wish.detector.quadrants]
        kept = self.segment.currentData()
        offer(self.segment, names, kept if kept in [key for _, key in names] else names[0][1])
        self.shown = difference(comparison, self.segment.currentIndex())
        self._show_images(comparison, self.shown)
        if not self._live.is_busy and not self._live.problem:
            self.facts.setText(facts(self.shown))
        self._show_profile()

    def showEvent(self, event: QtGui.QShowEvent) -> None:
        """Show what came while hidden."""
        super().showEvent(event)
        self.refresh()

    def resizeEvent(self, event: QtGui.QResizeEvent) -> None:
        """Keep the images in step."""
        super().resizeEvent(event)
        self._range.apply_soon()

    def _lay_out(self) -> None:
        top = QtWidgets.QHBoxLayout()
        top.addWidget(self.segment)
        top.addWidget(self.along)
        top.addStretch(1)
        images = QtWidgets.QGridLayout()
        images.setSpacing(2)
        for column, pane in enumerate(self.panes):
            pane.setMinimumSize(70, 70)
            pane.has_scale_bar = pane is self.panes[0]
            images.addWidget(pane, 0, column)
            images.setColumnStretch(column, 1)
        images.setRowStretch(0, 1)
        below = QtWidgets.QHBoxLayout()
        below.addWidget(self.legend)
        below.addStretch(1)
        below.addWidget(self.scale)
        policy = QtWidgets.QSizePolicy.Policy
        self.setSizePolicy(policy.Ignored, policy.Preferred)  # the images beside it say how narrow the panel may be
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(top)
        layout.addWidget(self.facts)
        layout.addLayout(images, 4)
        layout.addLayout(below)
        layout.addWidget(self.plots, 3)

    def _show_images(self, comparison: Comparison, shown: Difference) -> None:
        size = comparison.terrain.pixel_size_nm
        ((low, high),) = levels(shown.exact[None], True)
        limit = shown.limit_percent
        for pane, data, its_levels, colormap in zip(
            self.panes, (shown.network, shown.exact, shown.percent), ((low, high), (low, high), (-limit, limit)),
            (None, None, _DIVERGING), strict=True,
        ):  # fmt: skip
            pane.show_array(data, size, its_levels, colormap)
        for pane in (self.panes[0], self.panes[2]):
            pane.set_outside(comparison.outside)
        self.scale.set_scale(_DIVERGING, [(0.0, f"−{limit:.2g} %"), (0.5, "0"), (1.0, f"+{limit:.2g} %")])
        rows, columns = shown.exact.shape
        self._range.set_field(QtCore.QRectF(-0.5, -0.5, columns, rows))
        self._range.apply()

    def _show_profile(self, _: object = None) -> None:
        shown, comparison = self.shown, self._live.comparison
        if shown is None or comparison is None or not self.isVisible():
            return
        rows, columns = shown.exact.shape
        row, column = self._pixel or (rows // 2, columns // 2)
        row, column = min(row, rows - 1), min(column, columns - 1)
        along_row = self.along.currentIndex() == 0
        at: Any = (row, slice(None)) if along_row else (slice(None), column)
        self.plots.show_profiles(
            shown.network[at], shown.exact[at], shown.percent[at], comparison.terrain.pixel_size_nm
        )
        for pane in self.panes:
            pane.show_line(row if along_row else column, along_row)

    def _use_theme(self) -> None:
        exact, network = self._theme.colors.curves[:2]
        self.legend.setText(legend((exact, network)))

    def _on_navigated(self) -> None:
        view = self.sender()
        assert isinstance(view, LinkedView)
        self._range.follow(view)

    def _on_click(self, column: float, row: float) -> None:
        if self.panes[1].value_at(column, row) is not None:
            self.picked.emit((round(row), round(column)))


class ComparedPane(LinkedView):
    """One image, with the line of the profile, and hatched where the network is out of its depth."""

    def __init__(self, theme: Theme, title: str) -> None:
        super().__init__(theme, title)
        self.outside = HatchOverlay()
        self.line = pg.InfiniteLine(angle=0, pen=pg.mkPen(_INK, width=1.2))
        self.line.setZValue(15)
        self.box.addItem(self.line, ignoreBounds=True)
        self.viewport().setCursor(Qt.CursorShape.CrossCursor)

    def show_array(
        self, data: NDArray[Any], pixel_size_nm: float, its_levels: tuple[float, float], colormap: str | None
    ) -> None:
        """Show an image."""
        shape = data.shape[0], data.shape[1]
        self.set_source(Source(data.__getitem__, shape, its_levels, pixel_size_nm, colormap=colormap))

    def set_outside(self, outside: NDArray[Any] | None) -> None:
        """Hatch pixels [row, col]."""
        self.outside.set_flags(None if outside is None else outside.astype(np.uint8) * OUT_OF_MODEL)
        self.viewport().update()

    def show_line(self, place: float, along_row: bool) -> None:
        """Draw the line of the profile."""
        self.line.setAngle(0 if along_row else 90)
        self.line.setValue(place)

    def paintEvent(self, event: QtGui.QPaintEvent) -> None:
        """Hatch over the image."""
        super().paintEvent(event)
        painter = QtGui.QPainter(self.viewport())
        self.box.updateMatrix()
        to_screen = self.box.childGroup.sceneTransform() * self.viewportTransform()
        self.outside.paint(painter, to_screen, self.viewport().size())
        painter.end()


class ComparedPlots(pg.GraphicsLayoutWidget):
    """Both signals along a line, and below them their difference."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.setMinimumHeight(_PLOTS_PX[0])
        self.setMaximumHeight(_PLOTS_PX[1])
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setAccessibleName("Profiles of network and exact model, and their difference")
        self.signals, self.differences = (self.addPlot(row=row, col=0, enableMenu=False) for row in (0, 1))
        self.ci.layout.setRowStretchFactor(0, 3)
        self.ci.layout.setRowStretchFactor(1, 2)
        self.ci.setSpacing(2)
        self.ci.setContentsMargins(2, 2, 8, 2)
        self.exact = self.signals.plot(antialias=True)
        self.network = self.signals.plot(antialias=True)
        self.difference = self.differences.plot(antialias=True)
        self.differences.setXLink(self.signals)
        self.differences.setLabel("bottom", "Position in nm")
        self.signals.setLabel("left", "Signal")
        self.differences.setLabel("left", "Diff., %")
        self.signals.getAxis("bottom").setStyle(showValues=False)
        for plot in (self.signals, self.differences):
            plot.getAxis("left").setWidth(58)
            plot.getAxis("left").enableAutoSIPrefix(False)
            plot.getAxis("bottom").enableAutoSIPrefix(False)
            plot.setMouseEnabled(False, False)
            plot.hideButtons()
        theme.changed.connect(self._use_theme)
        self._use_theme()

    def show_profiles(
        self, network: NDArray[Any], exact: NDArray[Any], percent: NDArray[Any], pixel_size_nm: float
    ) -> None:
        """Plot three arrays [pixel]."""
        x = np.arange(len(exact)) * pixel_size_nm
        self.exact.setData(x, exact)
        self.network.setData(x, network)
        self.difference.setData(x, percent)
        self.signals.setXRange(0.0, float(x[-1]), padding=0.0)
        reach = max(float(np.abs(percent).max()), 0.05)
        self.differences.setYRange(-reach, reach)

    def _use_theme(self) -> None:
        colors = self._theme.colors
        self.setBackground(colors.base)
        dashed = Qt.PenStyle.DashLine
        self.exact.setPen(pg.mkPen(colors.curves[0], width=1.8))
        self.network.setPen(pg.mkPen(colors.curves[1], width=1.4, style=dashed))
        self.difference.setPen(pg.mkPen(colors.curves[1], width=1.2))
        for plot in (self.signals, self.differences):
            for side in ("bottom", "left"):
                axis = plot.getAxis(side)
                axis.setPen(pg.mkPen(colors.border))
                axis.setTextPen(pg.mkPen(colors.text))
                axis.setGrid(60)
