"""The maps of the methods beside each other, zoomed and moved together."""

from __future__ import annotations

import math

from eclips_app.gui.panels.methods.presenter import KINDS, TIPS, Pictures
from eclips_app.gui.qt import QtCore, QtGui, QtWidgets, Signal
from eclips_app.gui.session import Session
from eclips_app.gui.widgets.calm_combo import CalmCombo, offer
from eclips_app.gui.widgets.color_scale import ColorScale
from eclips_app.gui.widgets.image_pane import draw_label
from eclips_app.gui.widgets.linked_views import LinkedRange, LinkedView
from eclips_app.gui.widgets.themed_button import ThemedButton

_LEAST_PX = 70  #: edge of a view


class _NotedView(LinkedView):
    """A view that has a title even where there is no map to show."""

    def paintEvent(self, event: QtGui.QPaintEvent) -> None:
        """Draw the map, or the title alone."""
        super().paintEvent(event)
        if self._data is None and self.title:
            painter = QtGui.QPainter(self.viewport())
            draw_label(painter, QtCore.QPointF(8, 8), self.title)
            painter.end()


class PicturesSide(QtWidgets.QWidget):
    """A view for each run, in rows that make the views as large as they can be."""

    asked = Signal()  #: another kind of map, or another reference

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._range = LinkedRange(self)
        self.shown: Pictures | None = None
        self.views: list[LinkedView] = []
        self.kind = CalmCombo("Map", "What to show of each method")
        for text, key in KINDS:
            self.kind.addItem(text, key)
        self.reference = CalmCombo("Reference", "Run that the others are compared with")
        self.scale = ColorScale("Colours of all maps")
        self.zoom_fit = ThemedButton(session.theme, "fit", "Show the whole maps", "0")
        self.status = QtWidgets.QLabel()
        self.status.setProperty("kind", "faint")
        self.status.setSizePolicy(QtWidgets.QSizePolicy.Policy.Ignored, QtWidgets.QSizePolicy.Policy.Fixed)
        bar = QtWidgets.QHBoxLayout()
        bar.addWidget(self.kind)
        bar.addWidget(QtWidgets.QLabel("Reference"))
        bar.addWidget(self.reference)
        bar.addWidget(self.scale, 1)
        bar.addWidget(self.zoom_fit)
        self._grid = QtWidgets.QGridLayout()
        self._grid.setSpacing(2)
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(8, 4, 8, 4)
        layout.setSpacing(4)
        layout.addLayout(bar)
        layout.addLayout(self._grid, 1)
        layout.addWidget(self.status)
        self.kind.activated.connect(self._on_choice)
        self.reference.activated.connect(self._on_choice)
        self.zoom_fit.clicked.connect(self._range.fit)

    @property
    def reference_id(self) -> str:
        """The run that the others are compared with."""
        return str(self.reference.currentData() or "")

    def offer_references(self, runs: list[tuple[str, str]]) -> None:
        """Offer runs (name, id) as reference; the choice stays as long as it can."""
        kept = self.reference_id
        offer(self.reference, runs, kept if kept in [run_id for _, run_id in runs] else runs[-1][1] if runs else "")

    def show_pictures(self, pictures: Pictures) -> None:
        """Show the maps."""
        self.shown = pictures
        self._make_views(len(pictures.pictures))
        first = next((picture for picture in pictures.pictures if picture.field is not None), None)
        field = QtCore.QRectF()
        for view, picture in zip(self.views, pictures.pictures, strict=True):
            view.title = f"{picture.run.name} {picture.note}" if picture.note else picture.run.name
            view.setAccessibleName(f"{self.kind.currentText()}: {view.title}")
            view.setToolTip(TIPS[pictures.kind])
            view.has_scale_bar = picture is first  # all show the same part
            view.set_source(pictures.source(picture))
            rows, columns = picture.run.arrays["height"].shape
            top, left = picture.run.origin_px
            field = field.united(QtCore.QRectF(left - 0.5, top - 0.5, columns, rows))
        self._range.views = self.views
        self._range.set_field(field)
        self.scale.set_scale(pictures.colormap, pictures.marks)
        self.status.clear()
        self._arrange()

    def resizeEvent(self, event: QtGui.QResizeEvent) -> None:
        """Arrange the views anew."""
        super().resizeEvent(event)
        self._arrange()

    def _make_views(self, count: int) -> None:
        while len(self.views) < count:
            view = _NotedView(self._session.theme)
            view.setMinimumSize(_LEAST_PX, _LEAST_PX)
            view.setSizePolicy(QtWidgets.QSizePolicy.Policy.Ignored, QtWidgets.QSizePolicy.Policy.Ignored)
            view.navigated.connect(self._on_navigated)
            view.fit_asked.connect(self._range.fit)
            view.hovered.connect(self._on_hovered)
            self.views.append(view)
        while len(self.views) > count:
            view = self.views.pop()
            self._grid.removeWidget(view)
            view.deleteLater()

    def _arrange(self) -> None:
        """Put the views into as many columns as make them largest."""
        if self.shown is None or not self.views:
            return
        rows, columns = self.shown.pictures[0].run.arrays["height"].shape
        room = self._grid.geometry()
        across = _columns(len(self.views), room.width() / columns, room.height() / rows)
        for index, view in enumerate(self.views):
            self._grid.addWidget(view, *divmod(index, across))
            view.show()
        self._grid.activate()
        self._range.apply_soon()

    def _on_choice(self, _: object) -> None:
        self.asked.emit()

    def _on_navigated(self) -> None:
        view = self.sender()
        assert isinstance(view, LinkedView)
        self._range.follow(view)

    def _on_hovered(self, column: float, row: float, _: object) -> None:
        source, inside = self.sender(), math.isfinite(column)
        for view in self.views:
            view.show_cross((column, row) if inside and view is not source else None)
        told = self.shown.reading(round(column), round(row)) if inside and self.shown is not None else ""
        self.status.setText(told)


def _columns(count: int, width: float, height: float) -> int:
    """Give how many columns make `count` maps largest in a room of some map widths and heights."""
    return max(range(1, count + 1), key=lambda c: min(width / c, height / math.ceil(count / c)))
