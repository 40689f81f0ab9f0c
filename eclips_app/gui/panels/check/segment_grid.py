"""For each segment the measured image, the re-rendered one, and their difference."""

from __future__ import annotations

from eclips_app.gui.panels.check.presenter import Shown
from eclips_app.gui.qt import Qt, QtWidgets
from eclips_app.gui.theme import Theme
from eclips_app.gui.widgets.linked_views import LinkedView

DIFFERENCE_COLORS = "CET-D1A"
_COLUMNS = ("measured", "re-rendered", "difference")
_ROW_PX = 84  #: least height of a row; more segments than fit are scrolled to


class SegmentGrid(QtWidgets.QScrollArea):
    """A row for each segment that is shown; `views` are in reading order, three for each segment."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.views: list[LinkedView] = []
        self.setWidgetResizable(True)
        self.setFrameShape(QtWidgets.QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._page = QtWidgets.QWidget()
        self._layout = QtWidgets.QGridLayout(self._page)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(2)
        self.setWidget(self._page)

    def make_rows(self, count: int) -> list[LinkedView]:
        """Have views for this many segments; gives those that are new."""
        new = []
        while len(self.views) < 3 * count:
            view = LinkedView(self._theme)
            view.has_scale_bar = not self.views  # all show the same part
            view.setMinimumSize(60, _ROW_PX)
            view.setSizePolicy(QtWidgets.QSizePolicy.Policy.Ignored, QtWidgets.QSizePolicy.Policy.Ignored)
            self._layout.addWidget(view, len(self.views) // 3, len(self.views) % 3)
            self.views.append(view)
            new.append(view)
        while len(self.views) > 3 * count:
            view = self.views.pop()
            self._layout.removeWidget(view)
            view.deleteLater()
        return new

    def show_run(self, shown: Shown, chosen: int | None, *, in_noise: bool) -> None:
        """Fill the rows; only the `chosen` segment's is shown, or all with None."""
        reach = shown.reach_noise if in_noise else shown.reach_grey
        for k, name in enumerate(shown.names[: len(shown.residual)]):
            is_shown = chosen is None or chosen == k
            fields = (None, None, None)
            if is_shown:
                grey = None if shown.measured is None else shown.measured[k]
                fields = (grey, shown.rendered(k), shown.difference(k, in_noise=in_noise))  # type: ignore[assignment]
            levels = shown.levels[k] if shown.levels else None
            for column, (field, text) in enumerate(zip(fields, _COLUMNS, strict=True)):
                view, is_last = self.views[3 * k + column], column == 2
                view.title = f"{name} {text}"
                view.setAccessibleName(f"Segment {name}, {text}")
                view.setVisible(is_shown)
                view.set_image(
                    field, pixel_size_nm=shown.run.pixel_size_nm, origin_px=shown.run.origin_px,
                    levels=(-reach, reach) if is_last else levels, colormap=DIFFERENCE_COLORS if is_last else None,
                )  # fmt: skip

    def segment_of(self, view: object) -> int | None:
        """Give the segment that a view shows; None for a view that is not here."""
        return next((i // 3 for i, each in enumerate(self.views) if each is view), None)
