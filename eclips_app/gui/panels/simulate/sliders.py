"""A number that can be slid or typed, with a way back to where it started."""

from __future__ import annotations

import math
from dataclasses import dataclass

from eclips_app.core.schema import Rule
from eclips_app.gui.qt import Qt, QtCore, QtGui, QtWidgets, Signal
from eclips_app.gui.theme import Theme
from eclips_app.gui.widgets.quantity_edit import QuantityEdit, quantity_text
from eclips_app.gui.widgets.themed_button import ThemedButton

_STEPS = 400  #: places of a slider
CAPTION_PX = 90  #: width of the captions, the same in all groups


@dataclass(frozen=True)
class Track:
    """The values that a slider reaches; more may be typed. `law` is "even", "log", or "square" (finer near `low`)."""

    low: float
    high: float
    law: str = "even"
    whole: bool = False

    def value(self, place: float) -> float:
        """Give the value at a place, 0 to 1, rounded to what can be told apart."""
        part = place**2 if self.law == "square" else place
        if self.law == "log":
            return self._round(self.low * (self.high / self.low) ** part)
        return self._round(self.low + (self.high - self.low) * part)

    def place(self, value: float) -> float:
        """Give the place of a value, 0 to 1; what lies beyond the ends is at the end."""
        inside = min(max(value, self.low), self.high)
        if self.law == "log":
            return math.log(inside / self.low) / math.log(self.high / self.low)
        part = (inside - self.low) / (self.high - self.low)
        return math.sqrt(part) if self.law == "square" else part

    def _round(self, value: float) -> float:
        if self.whole:
            return float(round(value))
        span = abs(value) if self.law != "even" else self.high - self.low
        if span == 0.0:
            return 0.0
        digits = 2 - math.floor(math.log10(span))
        return round(value, digits) + 0.0


class CalmSlider(QtWidgets.QSlider):
    """A slider that the wheel moves only while it has the keyboard, so that scrolling past it changes nothing."""

    def __init__(self) -> None:
        super().__init__(Qt.Orientation.Horizontal)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)

    def wheelEvent(self, event: QtGui.QWheelEvent) -> None:
        """Leave the wheel to what is scrolled."""
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()


class QuantitySlider(QtCore.QObject):
    """A caption, a slider, a field and a button that takes the change back: one row of a grid."""

    moved = Signal(object)  #: the value, at every step of a drag and after typing
    reset_asked = Signal()

    def __init__(
        self, theme: Theme, rule: Rule, track: Track, *, optional: bool = False, usual: str = "the detector's value"
    ) -> None:
        super().__init__()
        self.rule, self.track = rule, track
        self.caption = QtWidgets.QLabel(rule.label)
        self.slider = CalmSlider()
        self.slider.setRange(0, _STEPS)
        self.slider.setPageStep(_STEPS // 10)
        self.slider.setMinimumWidth(44)
        self.slider.setAccessibleName(f"{rule.label} slider")
        self.field = QuantityEdit(rule, optional=optional, whole=track.whole)
        self.field.setMinimumWidth(76)
        self.field.setMaximumWidth(80)
        self.caption.setBuddy(self.field)
        for widget in (self.caption, self.slider):
            widget.setToolTip(rule.help)
        self.reset = ThemedButton(theme, "undo", f"{rule.label}: back to {usual}")
        self.reset.setIconSize(QtCore.QSize(12, 12))
        self.reset.setAutoRaise(True)
        self.reset.setFixedSize(20, 20)
        self._keep_room(True)
        self.reset.hide()
        self.slider.valueChanged.connect(self._on_slider)
        self.field.committed.connect(self.moved)
        self.reset.clicked.connect(self.reset_asked)

    def add_to(self, grid: QtWidgets.QGridLayout, row: int) -> None:
        """Take a row of a grid of four columns."""
        for column, widget in enumerate((self.caption, self.slider, self.field, self.reset)):
            grid.addWidget(widget, row, column)

    def set_visible(self, visible: bool) -> None:
        """Show or hide the row."""
        for widget in (self.caption, self.slider, self.field):
            widget.setVisible(visible)
        self._keep_room(visible)
        if not visible:
            self.reset.hide()

    def set_enabled(self, enabled: bool) -> None:
        """Let the row be used, or not."""
        for widget in (self.caption, self.slider, self.field):
            widget.setEnabled(enabled)

    def show_value(self, value: float | None, is_changed: bool = False) -> None:
        """Show a value without sending it; `is_changed` offers the way back."""
        if self.field.value != value:
            self.field.set_value(value)
        self.reset.setVisible(is_changed and not self.field.isHidden())
        if value is not None and not self.slider.isSliderDown():
            self.slider.blockSignals(True)
            self.slider.setValue(round(_STEPS * self.track.place(value)))
            self.slider.blockSignals(False)
        self.slider.setAccessibleDescription(quantity_text(value, self.rule.unit))

    def _keep_room(self, wanted: bool) -> None:
        """Let a hidden button keep its place in a row that is shown."""
        policy = self.reset.sizePolicy()
        policy.setRetainSizeWhenHidden(wanted)
        self.reset.setSizePolicy(policy)

    def _on_slider(self, place: int) -> None:
        value = min(max(self.track.value(place / _STEPS), self.rule.low), self.rule.high)
        if value != self.field.value:
            self.moved.emit(value)


def slider_grid() -> QtWidgets.QGridLayout:
    """Give a grid for rows of sliders."""
    grid = QtWidgets.QGridLayout()
    grid.setContentsMargins(0, 0, 0, 0)
    grid.setHorizontalSpacing(5)
    grid.setVerticalSpacing(3)
    grid.setColumnStretch(1, 1)
    grid.setColumnMinimumWidth(0, CAPTION_PX)
    return grid
