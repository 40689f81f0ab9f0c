"""For each segment the measured image, the re-rendered one, and their difference."""

from __future__ import annotations

from eclips_app.gui.panels.check.presenter import KINDS, Shown
from eclips_app.gui.qt import Qt, QtWidgets
from eclips_app.gui.theme import Theme
from eclips_app.gui.widgets.linked_views import LinkedView

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
        for k, name in enumerate(shown.names[: len(shown.residual)]):
            is_shown = chosen is None or chosen == k
            for column, kind in enumerate(KINDS):
                view = self.views[3 * k + column]
                view.title = f"{name} {kind}"
                view.setAccessibleName(f"Segment {name}, {kind}")
                view.setVisible(is_shown)
                view.set_source(shown.source(kind, k, in_noise=in_noise) if is_shown else None)

    def segment_of(self, view: object) -> int | None:
        """Give the segment that a view shows; None for a view that is not here."""
        return next((i // 3 for i, each in enumerate(self.views) if each is view), None)
