"""Whether a calibration can be right for the selected images: the verdicts, what is wrong first."""

from __future__ import annotations

from eclips_app.gui.flows.calibration import CalibrationFlow
from eclips_app.gui.qt import Qt, QtCore, QtWidgets
from eclips_app.gui.session import Session

_ORDER = ("error", "warning", "good", "info")
_ICONS = {"good": "good", "info": "info", "warning": "error", "error": "error"}


class CheckTab(QtWidgets.QWidget):
    """The opinion above, its findings below."""

    def __init__(self, session: Session, flow: CalibrationFlow) -> None:
        super().__init__()
        self._session, self._flow = session, flow
        self.text = QtWidgets.QLabel()
        self.text.setWordWrap(True)
        self.list = QtWidgets.QListWidget()
        self.list.setAccessibleName("Findings")
        self.list.setWordWrap(True)
        self.list.setSelectionMode(QtWidgets.QAbstractItemView.SelectionMode.NoSelection)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setResizeMode(QtWidgets.QListView.ResizeMode.Adjust)
        self.list.setIconSize(QtCore.QSize(18, 18))
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(4, 6, 4, 4)
        layout.addWidget(self.text)
        layout.addWidget(self.list, 1)

    def refresh(self) -> None:
        """Show the last opinion."""
        check, theme = self._flow.check, self._session.theme
        if check.opinion is None or check.checked is None:
            return
        colors = theme.colors
        inks = {"good": colors.good, "info": colors.accent, "warning": colors.warning, "error": colors.error}
        self.text.setText(f"{check.checked.words}: {check.opinion.text}")
        self.list.clear()
        for finding in sorted(check.opinion.findings, key=lambda each: _ORDER.index(each.tone)):
            item = QtWidgets.QListWidgetItem(f"{finding.title}: {finding.text}")
            item.setIcon(theme.icon(_ICONS[finding.tone], inks[finding.tone]))
            item.setFlags(Qt.ItemFlag.ItemIsEnabled)
            self.list.addItem(item)
