"""A section that opens and closes under its heading."""

from __future__ import annotations

from eclips_app.gui.qt import Qt, QtWidgets


class Collapsible(QtWidgets.QWidget):
    """A heading with an arrow; `body` is what it shows when open."""

    def __init__(self, title: str, body: QtWidgets.QWidget, *, opened: bool = False) -> None:
        super().__init__()
        self.head = QtWidgets.QToolButton()
        self.head.setText(title)
        self.head.setCheckable(True)
        self.head.setAutoRaise(True)
        self.head.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.head.setSizePolicy(QtWidgets.QSizePolicy.Policy.Expanding, QtWidgets.QSizePolicy.Policy.Fixed)
        self.head.setAccessibleName(title)
        self.head.setToolTip(f"Show or hide: {title.lower()}")
        self.head.setProperty("kind", "section")
        self.body = body
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        layout.addWidget(self.head)
        layout.addWidget(body)
        self.head.toggled.connect(self._show)
        self.head.setChecked(opened)
        self._show(opened)

    def _show(self, opened: bool) -> None:
        self.head.setArrowType(Qt.ArrowType.DownArrow if opened else Qt.ArrowType.RightArrow)
        self.body.setVisible(opened)
