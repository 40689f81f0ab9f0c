"""The first page: drop files, go on with a recent project, try an example, recover after a crash."""

from __future__ import annotations

import datetime
from pathlib import Path

from eclips_app.gui.flows.saving import thumbnail_path
from eclips_app.gui.qt import Qt, QtCore, QtGui, QtWidgets
from eclips_app.gui.session import Session
from eclips_app.io import autosave
from eclips_app.model.examples import EXAMPLES

_THUMBNAIL = QtCore.QSize(128, 96)


class StartPage(QtWidgets.QScrollArea):
    """What the user sees first; everything on it is one click or one drop."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._example_buttons: list[QtWidgets.QCommandLinkButton] = []
        self.setWidgetResizable(True)
        self.setFrameShape(QtWidgets.QFrame.Shape.NoFrame)
        page = QtWidgets.QWidget()
        page.setMaximumWidth(1100)
        self._layout = QtWidgets.QVBoxLayout(page)
        self._layout.setContentsMargins(32, 24, 32, 24)
        self._layout.setSpacing(16)
        self._layout.addLayout(self._heading())
        self._recovery = QtWidgets.QVBoxLayout()
        self._layout.addLayout(self._recovery)
        self._layout.addWidget(_DropFrame(session))
        columns = QtWidgets.QHBoxLayout()
        columns.setSpacing(24)
        columns.addLayout(self._recent_column(), 3)
        columns.addLayout(self._example_column(), 2)
        self._layout.addLayout(columns)
        self._layout.addStretch(1)
        holder = QtWidgets.QWidget()
        row = QtWidgets.QHBoxLayout(holder)
        row.setContentsMargins(0, 0, 0, 0)
        row.addStretch(1)
        row.addWidget(page, 20)
        row.addStretch(1)
        self.setWidget(holder)
        session.path_changed.connect(self.refresh)
        session.theme.changed.connect(self._draw_icons)
        self._draw_icons()
        self.refresh()

    def refresh(self) -> None:
        """Read the recent projects and what can be recovered anew."""
        self.recent.clear()
        paths = self._session.settings.recent_projects()
        for path in paths:
            when = datetime.datetime.fromtimestamp(path.stat().st_mtime).strftime("%d %b %Y, %H:%M")
            item = QtWidgets.QListWidgetItem(_thumbnail_icon(self._session, path), f"{path.stem}\n{when}")
            item.setToolTip(str(path))
            item.setData(Qt.ItemDataRole.UserRole, str(path))
            self.recent.addItem(item)
        self.recent.setVisible(bool(paths))
        self._no_recent.setVisible(not paths)
        self._fill_recovery()

    def _heading(self) -> QtWidgets.QLayout:
        title = QtWidgets.QLabel("ECLIPS")
        title.setProperty("kind", "title")
        line = QtWidgets.QLabel("Measured 3D surfaces from one scan of a segmented BSE detector")
        line.setProperty("kind", "faint")
        layout = QtWidgets.QVBoxLayout()
        layout.setSpacing(0)
        layout.addWidget(title)
        layout.addWidget(line)
        return layout

    def _recent_column(self) -> QtWidgets.QLayout:
        layout = QtWidgets.QVBoxLayout()
        layout.setSpacing(8)
        layout.addWidget(_heading_label("Recent projects"))
        self.recent = QtWidgets.QListWidget()
        self.recent.setAccessibleName("Recent projects")
        self.recent.setIconSize(_THUMBNAIL)
        self.recent.setSpacing(2)
        self.recent.setMinimumHeight(240)
        self.recent.itemActivated.connect(self._open_recent)
        self._no_recent = QtWidgets.QLabel("Projects that you save stand here.")
        self._no_recent.setProperty("kind", "faint")
        layout.addWidget(self.recent)
        layout.addWidget(self._no_recent)
        layout.addStretch(1)
        return layout

    def _example_column(self) -> QtWidgets.QLayout:
        layout = QtWidgets.QVBoxLayout()
        layout.setSpacing(8)
        layout.addWidget(_heading_label("Examples"))
        for name, example in EXAMPLES.items():
            button = QtWidgets.QCommandLinkButton(example.title, example.description)
            button.setObjectName(name)
            button.setIconSize(QtCore.QSize(20, 20))
            self._example_buttons.append(button)
            button.setAccessibleDescription(example.description)
            button.clicked.connect(self._open_example)
            layout.addWidget(button)
        layout.addStretch(1)
        return layout

    def _draw_icons(self) -> None:
        for button in self._example_buttons:
            button.setIcon(self._session.theme.icon("surface", self._session.theme.colors.accent))

    def _open_recent(self, item: QtWidgets.QListWidgetItem) -> None:
        self._session.files.open_project(Path(item.data(Qt.ItemDataRole.UserRole)))

    def _open_example(self) -> None:
        self._session.files.open_example(self.sender().objectName())

    def _fill_recovery(self) -> None:
        while (taken := self._recovery.takeAt(0)) is not None:
            widget = taken.widget()
            if widget is not None:
                widget.deleteLater()
        for snapshot in autosave.recoverable():
            self._recovery.addWidget(_RecoveryRow(self._session, self, snapshot))


class _RecoveryRow(QtWidgets.QFrame):
    """A project that a crash left behind: get it back or let it go."""

    def __init__(self, session: Session, page: StartPage, path: Path) -> None:
        super().__init__()
        self._session, self._page, self._path = session, page, path
        self.setProperty("kind", "card")
        when = datetime.datetime.fromtimestamp(path.stat().st_mtime).strftime("%d %b %Y, %H:%M")
        text = QtWidgets.QLabel(f"The program ended without saving. There is a copy of your work from {when}.")
        text.setWordWrap(True)
        recover = QtWidgets.QPushButton("Recover")
        recover.setProperty("kind", "primary")
        recover.clicked.connect(self._recover)
        discard = QtWidgets.QPushButton("Discard")
        discard.clicked.connect(self._discard)
        layout = QtWidgets.QHBoxLayout(self)
        layout.addWidget(text, 1)
        layout.addWidget(recover)
        layout.addWidget(discard)

    def _recover(self) -> None:
        self._session.files.recover(self._path)

    def _discard(self) -> None:
        autosave.discard(self._path)
        self._page.refresh()


class _DropFrame(QtWidgets.QFrame):
    """Takes dropped files; its buttons do the same by dialog."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.setProperty("kind", "drop")
        self.setMinimumHeight(130)
        text = QtWidgets.QLabel(
            "Drop the segment images of one scan here, or a project, a detector file or a height map"
        )
        text.setAlignment(Qt.AlignmentFlag.AlignCenter)
        text.setWordWrap(True)
        images = QtWidgets.QPushButton("Open images…")
        images.setProperty("kind", "primary")
        images.clicked.connect(session.actions.action("images.open").trigger)
        project = QtWidgets.QPushButton("Open project…")
        project.clicked.connect(session.actions.action("file.open").trigger)
        row = QtWidgets.QHBoxLayout()
        row.addStretch(1)
        row.addWidget(images)
        row.addWidget(project)
        row.addStretch(1)
        layout = QtWidgets.QVBoxLayout(self)
        layout.addStretch(1)
        layout.addWidget(text)
        layout.addLayout(row)
        layout.addStretch(1)


def _heading_label(text: str) -> QtWidgets.QLabel:
    label = QtWidgets.QLabel(text)
    label.setProperty("kind", "heading")
    return label


def _thumbnail_icon(session: Session, path: Path) -> QtGui.QIcon:
    image = thumbnail_path(path)
    return QtGui.QIcon(str(image)) if image.is_file() else session.theme.icon("surface")
