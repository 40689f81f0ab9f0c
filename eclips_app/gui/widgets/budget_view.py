"""An uncertainty budget to look at: one bar cut into shares, or a row with a bar for each part."""

from __future__ import annotations

from eclips_app.core.deviations import PARTS
from eclips_app.core.units import format_length
from eclips_app.gui.qt import QtCore, QtGui, QtWidgets
from eclips_app.gui.theme import Theme
from eclips_app.metrology.deviations import Budget, Share

_BAR_PX = 14


class ShareBar(QtWidgets.QWidget):
    """One bar cut into the parts' shares, their names and percents below it."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._budget: Budget | None = None
        self.bar = _Bar()
        self.legend = QtWidgets.QLabel()
        self.legend.setWordWrap(True)
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.bar)
        layout.addWidget(self.legend)
        self.setAccessibleName("Shares of the variance")
        theme.changed.connect(self._draw)

    def set_budget(self, budget: Budget | None) -> None:
        """Show a budget, or nothing."""
        self._budget = budget
        self._draw()

    def _draw(self) -> None:
        shares = () if self._budget is None else tuple(s for s in self._budget.shares if s.percent >= 0.5)
        self.bar.set_pieces([(share.percent, part_color(self._theme, share.part)) for share in shares])
        texts = [(part_color(self._theme, share.part), share.text.replace(" ", "&nbsp;")) for share in shares]
        self.legend.setText(
            "&nbsp;&nbsp; ".join(f"<font color='{color}'>■</font>&nbsp;{text}" for color, text in texts)
        )
        self.legend.setToolTip("\n".join(f"{share.part}: {PARTS.get(share.part, '')}" for share in shares))
        self.setAccessibleDescription(self._budget.text if self._budget is not None else "")


class ShareRows(QtWidgets.QWidget):
    """A row for each part: its name, a bar as long as its share, percent and standard deviation."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._budget: Budget | None = None
        self._rows: list[_Row] = []
        self._grid = QtWidgets.QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setVerticalSpacing(4)
        self._grid.setColumnStretch(1, 1)
        theme.changed.connect(self._draw)

    def set_budget(self, budget: Budget | None) -> None:
        """Show a budget of a height in nm, or nothing."""
        self._budget = budget
        self._draw()

    @property
    def texts(self) -> list[str]:
        """What stands in the rows: name and percent of each part."""
        shown = len(self._budget.shares) if self._budget is not None else 0
        return [f"{name.text()} {figure.text()}" for name, _, figure in self._rows[:shown]]

    def _draw(self) -> None:
        shares = self._budget.shares if self._budget is not None else ()
        while len(self._rows) < len(shares):
            row = (QtWidgets.QLabel(), _Bar(), QtWidgets.QLabel())
            for column, widget in enumerate(row):
                self._grid.addWidget(widget, len(self._rows), column)
            self._rows.append(row)
        for i, row in enumerate(self._rows):
            for widget in row:
                widget.setVisible(i < len(shares))
        for row, share in zip(self._rows, shares, strict=False):
            self._fill(row, share)

    def _fill(self, row: _Row, share: Share) -> None:
        name, bar, figure = row
        name.setText(share.part.capitalize())
        name.setToolTip(PARTS.get(share.part, ""))
        bar.set_pieces([(share.percent, part_color(self._theme, share.part))])
        figure.setText(f"{share.percent:.0f} %")
        most = f", most of it from {share.largest}" if share.largest else ""
        figure.setToolTip(f"± {format_length(share.std, 2)} alone{most}")


class _Bar(QtWidgets.QWidget):
    """A bar whose full length is 100 %."""

    def __init__(self) -> None:
        super().__init__()
        self._pieces: list[tuple[float, str]] = []
        self.setFixedHeight(_BAR_PX)
        self.setMinimumWidth(60)

    def set_pieces(self, pieces: list[tuple[float, str]]) -> None:
        self._pieces = pieces
        self.update()

    def paintEvent(self, event: QtGui.QPaintEvent) -> None:
        painter = QtGui.QPainter(self)
        painter.fillRect(self.rect(), self.palette().mid())
        left = 0.0
        for percent, color in self._pieces:
            width = self.width() * percent / 100
            painter.fillRect(QtCore.QRectF(left, 0, width, self.height()), QtGui.QColor(color))
            left += width
        painter.end()


def part_color(theme: Theme, part: str) -> str:
    """Give the colour of a part of the budget."""
    order = list(PARTS)
    return theme.colors.curves[order.index(part)] if part in order else theme.colors.faint


_Row = tuple[QtWidgets.QLabel, _Bar, QtWidgets.QLabel]
