"""The status bar: the last message, what runs, how long it takes and how to stop it."""

from __future__ import annotations

from eclips_app.gui.messages import Message
from eclips_app.gui.qt import Qt, QtCore, QtWidgets
from eclips_app.gui.session import Session


class StatusArea(QtWidgets.QStatusBar):
    """Shows messages on the left, the running task and the engine's state on the right."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._icon = QtWidgets.QLabel()
        self._text = QtWidgets.QLabel("Ready")
        self._text.setAccessibleName("Last message")
        self._text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._text.setSizePolicy(QtWidgets.QSizePolicy.Policy.Ignored, QtWidgets.QSizePolicy.Policy.Preferred)
        self._task = QtWidgets.QLabel()
        self._bar = QtWidgets.QProgressBar()
        self._bar.setRange(0, 1000)
        self._bar.setFixedWidth(160)
        self._bar.setAccessibleName("Progress")
        self._stop = QtWidgets.QPushButton("Stop")
        self._stop.setToolTip("Stop the running work")
        self._stop.clicked.connect(self._on_stop)
        self.addWidget(self._icon)
        self.addWidget(self._text, 1)
        for widget in (self._task, self._bar, self._stop):
            self.addPermanentWidget(widget)
        session.messages.added.connect(self._on_message)
        session.tasks.changed.connect(self._on_tasks)
        self._on_tasks()

    def _on_message(self, message: Message) -> None:
        colors = self._session.theme.colors
        ink = {"error": colors.error, "warning": colors.warning, "good": colors.good}.get(message.kind)
        self._icon.setPixmap(self._session.theme.icon(message.kind, ink).pixmap(QtCore.QSize(16, 16)))
        self._text.setText(message.text)
        self._text.setToolTip(message.text)

    def _on_tasks(self) -> None:
        running = self._session.tasks.running
        for widget in (self._task, self._bar, self._stop):
            widget.setVisible(bool(running))
        if not running:
            return
        task = running[0]
        left = f", {task.seconds_left:.0f} s left" if task.seconds_left is not None and task.seconds_left >= 1 else ""
        more = f" (+{len(running) - 1} waiting)" if len(running) > 1 else ""
        detail = f": {task.detail}" if task.detail else ""
        self._task.setText(f"{task.text}{detail}{left}{more}")
        self._bar.setValue(round(1000 * task.fraction))

    def _on_stop(self) -> None:
        if self._session.tasks.running:
            self._session.tasks.running[0].cancel()
