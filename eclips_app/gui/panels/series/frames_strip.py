"""The frames as a strip of small pictures."""

from __future__ import annotations

import pyqtgraph as pg

from eclips_app.gui.flows.series import FramePlayer, run_of
from eclips_app.gui.panels.series.presenter import height_levels
from eclips_app.gui.qt import QtCore, QtGui, QtWidgets
from eclips_app.gui.session import Session
from eclips_app.gui.widgets.image_pane import percentile_levels
from eclips_app.model.items import Run, SegmentSet

_SIZE = 64


class FramesStrip(QtWidgets.QListWidget):
    """One picture for each frame: its height if there is one, else its first image."""

    def __init__(self, session: Session, player: FramePlayer) -> None:
        super().__init__()
        self._session, self._player = session, player
        self._pictures: dict[str, tuple[str, QtGui.QIcon]] = {}
        self._filling = False
        self.setAccessibleName("Frames")
        self.setToolTip("Choose a frame")
        self.setViewMode(QtWidgets.QListView.ViewMode.IconMode)
        self.setFlow(QtWidgets.QListView.Flow.LeftToRight)
        self.setWrapping(False)
        self.setMovement(QtWidgets.QListView.Movement.Static)
        self.setUniformItemSizes(True)
        self.setIconSize(QtCore.QSize(_SIZE, _SIZE))
        self.setGridSize(QtCore.QSize(_SIZE + 20, _SIZE + 26))
        self.setFixedHeight(_SIZE + 26 + 14)
        self.setVerticalScrollBarPolicy(QtCore.Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setHorizontalScrollMode(QtWidgets.QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.currentRowChanged.connect(self._on_row)

    def refresh(self) -> None:
        """Read the frames again; pictures of frames that did not change are kept."""
        self._filling = True
        frames = self._player.frames
        while self.count() > len(frames):
            self.takeItem(self.count() - 1)
        while self.count() < len(frames):
            self.addItem(QtWidgets.QListWidgetItem())
        for row, frame in enumerate(frames):
            item, run = self.item(row), run_of(self._session.project, frame)
            time = f"{frame.time_s:g} s" if frame.time_s is not None else f"{row + 1}"
            item.setText(time)
            item.setToolTip(f"{frame.name}: {run.name if run else 'not reconstructed'}")
            item.setIcon(self._picture(frame, run))
        self._pictures = {frame.id: self._pictures[frame.id] for frame in frames}
        self._filling = False
        self.show_current()

    def show_current(self) -> None:
        """Mark the selected frame."""
        self._filling = True
        self.setCurrentRow(self._player.index)
        self._filling = False

    def _picture(self, frame: SegmentSet, run: Run | None) -> QtGui.QIcon:
        key = run.id if run else frame.images[0].sha256 or frame.images[0].name
        known = self._pictures.get(frame.id)
        if known is None or known[0] != key:
            known = (key, _draw(frame, run))
            self._pictures[frame.id] = known
        return known[1]

    def _on_row(self, row: int) -> None:
        if not self._filling and row >= 0:
            self._player.go_to(row)


def _draw(frame: SegmentSet, run: Run | None) -> QtGui.QIcon:
    data = run.arrays["height"] if run is not None and "height" in run.arrays else frame.images[0].data
    step = max(1, max(data.shape) // (2 * _SIZE))
    small = data[::step, ::step]
    levels = height_levels(small) if run is not None else percentile_levels(small)
    table = pg.colormap.get("viridis").getLookupTable(nPts=256) if run is not None else None
    argb, alpha = pg.functions.makeARGB(small.astype(float), lut=table, levels=levels, useRGBA=False)
    image = pg.functions.ndarray_to_qimage(
        argb, QtGui.QImage.Format.Format_ARGB32 if alpha else QtGui.QImage.Format.Format_RGB32
    )
    pixmap = QtGui.QPixmap.fromImage(image.copy())
    return QtGui.QIcon(
        pixmap.scaled(
            _SIZE,
            _SIZE,
            QtCore.Qt.AspectRatioMode.KeepAspectRatio,
            QtCore.Qt.TransformationMode.SmoothTransformation,
        )
    )
