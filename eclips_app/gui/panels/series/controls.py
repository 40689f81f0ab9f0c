"""The controls of a player: first, previous, play, next, last, loop, slider, mode and rate."""

from __future__ import annotations

from eclips_app.core.schema import Rule
from eclips_app.gui.flows.series import FramePlayer
from eclips_app.gui.panels.series.presenter import frame_text
from eclips_app.gui.qt import Qt, QtCore, QtWidgets
from eclips_app.gui.session import Session
from eclips_app.gui.widgets.quantity_edit import QuantityEdit

_RATE = Rule("Rate", "/s", 0.1, 60.0, (), "Frames per second when every frame is shown")
_SPEED = Rule("Speed", "×", 0.01, 1000.0, (), "Seconds of the series in one second, when frames follow their times")


class Controls(QtWidgets.QWidget):
    """Drives a `FramePlayer`; `extra` stands at the end of the row."""

    def __init__(self, session: Session, player: FramePlayer, extra: QtWidgets.QWidget) -> None:
        super().__init__()
        self._session, self._player = session, player
        self.slider = QtWidgets.QSlider(Qt.Orientation.Horizontal)
        self.slider.setAccessibleName("Frame")
        self.slider.setToolTip("Choose a frame; left and right step")
        self.slider.setPageStep(1)
        self.slider.setMinimumWidth(80)
        self.label = QtWidgets.QLabel()
        self.dropped = QtWidgets.QLabel()
        self.dropped.setProperty("kind", "faint")
        self.dropped.setToolTip("Frames that were not shown in time since playing began")
        self.buttons: dict[str, QtWidgets.QToolButton] = {}
        for name, tip, run in (
            ("first", "First frame", player.first),
            ("previous", "Previous frame (Ctrl+,)", player.previous),
            ("play", "Play or pause (Space)", player.toggle),
            ("next", "Next frame (Ctrl+.)", player.next),
            ("last", "Last frame", player.last),
            ("loop", "Begin again at the end", None),
        ):
            button = QtWidgets.QToolButton()
            button.setToolTip(tip)
            button.setAccessibleName(tip)
            button.setIconSize(QtCore.QSize(20, 20))
            if run is not None:
                button.clicked.connect(run)
            self.buttons[name] = button
        self.buttons["loop"].setCheckable(True)
        self.buttons["loop"].toggled.connect(self._on_loop)
        self.mode = QtWidgets.QComboBox()
        self.mode.addItems(["Every frame", "Real time"])
        self.mode.setAccessibleName("How to play")
        self.mode.setToolTip(
            "Every frame: none is left out. Real time: frames follow their times; late ones are left out"
        )
        self.mode.activated.connect(self._on_mode)
        self.rate = QuantityEdit(_RATE, player.rate)
        self.speed = QuantityEdit(_SPEED, player.speed)
        for field in (self.rate, self.speed):
            field.setFixedWidth(72)
            field.setMinimumWidth(72)
            field.committed.connect(self._on_rate)
        self.slider.valueChanged.connect(self._on_slider)
        player.changed.connect(self.refresh)
        session.theme.changed.connect(self._draw_icons)
        self._lay_out(extra)
        self._draw_icons()
        self.refresh()

    def refresh(self) -> None:
        """Show where the player is."""
        player = self._player
        frames, index = player.frames, player.index
        blocker = QtCore.QSignalBlocker(self.slider)
        self.slider.setRange(0, max(len(frames) - 1, 0))
        self.slider.setValue(index)
        blocker.unblock()
        for widget in (self.slider, *self.buttons.values(), self.mode):
            widget.setEnabled(player.has_frames())
        self.label.setText(frame_text(index, len(frames), frames[index]) if frames else "No frames")
        self.buttons["loop"].setChecked(player.loop)
        self.mode.setCurrentIndex(int(player.real_time))
        self.rate.setVisible(not player.real_time)
        self.speed.setVisible(player.real_time)
        self.dropped.setVisible(player.real_time)
        self.dropped.setText(f"{player.dropped} dropped")
        self._draw_play()

    def _lay_out(self, extra: QtWidgets.QWidget) -> None:
        layout = QtWidgets.QGridLayout(self)
        layout.setContentsMargins(8, 0, 8, 0)
        layout.setVerticalSpacing(4)
        row = QtWidgets.QHBoxLayout()
        row.setSpacing(4)
        for button in self.buttons.values():
            row.addWidget(button)
        row.addSpacing(8)
        row.addWidget(self.mode)
        row.addWidget(self.rate)
        row.addWidget(self.speed)
        row.addWidget(self.dropped)
        row.addStretch(1)
        row.addWidget(extra)
        layout.addWidget(self.slider, 0, 0)
        layout.addWidget(self.label, 0, 1)
        layout.addLayout(row, 1, 0, 1, 2)
        layout.setColumnStretch(0, 1)

    def _draw_icons(self) -> None:
        for name, button in self.buttons.items():
            if name != "play":
                button.setIcon(self._session.theme.icon(name))
        self._playing: bool | None = None
        self._draw_play()

    def _draw_play(self) -> None:
        playing = self._player.is_playing
        if self._playing is not playing:
            self._playing = playing
            self.buttons["play"].setIcon(self._session.theme.icon("pause" if playing else "play"))

    def _on_slider(self, index: int) -> None:
        self._player.go_to(index)

    def _on_loop(self, on: bool) -> None:
        if on != self._player.loop:
            self._player.set_mode(loop=on)

    def _on_mode(self, index: int) -> None:
        self._player.set_mode(real_time=index == 1)

    def _on_rate(self, value: float | None) -> None:
        if value is not None:
            self._player.set_mode(rate=value)
