"""The reconstruction and the map side by side, to set points that match."""

from __future__ import annotations

from eclips_app.gui.flows.compare import CompareFlow
from eclips_app.gui.panels.compare.landmark_pane import LandmarkPane
from eclips_app.gui.panels.compare.presenter import Pictures, placed_low
from eclips_app.gui.qt import QtCore, QtGui, QtWidgets
from eclips_app.gui.session import Session
from eclips_app.gui.widgets.image_pane import percentile_levels


class LandmarkSides(QtWidgets.QWidget):
    """Two images with the landmarks of the flow; a click sets the next point of a pair, in either image first."""

    def __init__(self, session: Session, flow: CompareFlow) -> None:
        super().__init__()
        self._flow = flow
        self._shown: tuple[object, ...] = ()
        self.image = LandmarkPane(session.theme, "Reconstruction")
        self.map = LandmarkPane(session.theme, "Height map")
        self.hint = QtWidgets.QLabel()
        self.hint.setWordWrap(True)
        self.hint.setProperty("kind", "faint")
        self._row = QtWidgets.QBoxLayout(QtWidgets.QBoxLayout.Direction.LeftToRight)
        self._row.setSpacing(4)
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(self._row, 1)
        layout.addWidget(self.hint)
        self._settle = QtCore.QTimer(self, singleShot=True)
        self._settle.timeout.connect(self.fit)
        for pane in (self.image, self.map):
            pane.setMinimumSize(60, 60)
            self._row.addWidget(pane, 1)
            pane.point_picked.connect(flow.landmarks.choose)
            pane.removal_asked.connect(flow.landmarks.remove)
        self.image.point_set.connect(flow.landmarks.add_to_image)
        self.map.point_set.connect(flow.landmarks.add_to_map)
        self.image.point_moved.connect(flow.landmarks.move_in_image)
        self.map.point_moved.connect(flow.landmarks.move_in_map)
        flow.landmarks.changed.connect(self.refresh)

    def show_pictures(self, pictures: Pictures | None) -> None:
        """Show both images, each on its own pixels."""
        if pictures is None:
            self.image.set_image(None)
            self.map.set_image(None)
            self._shown = ()
            return
        run, placed = pictures.run, pictures.map
        what = (pictures.run, placed.height)
        if self._shown and all(a is b for a, b in zip(self._shown, what, strict=True)):
            self.refresh()
            return
        self._shown = what
        step = max(1, -(-max(pictures.height.shape) // 1024))
        self.image.set_image(
            pictures.height[::step, ::step], pixel_size_nm=run.pixel_size_nm, origin_px=run.origin_px,
            levels=percentile_levels(pictures.height), colormap="viridis", step_px=step,
        )  # fmt: skip
        low, step = placed_low(placed)
        size_x, size_y = placed.pixel_size_nm
        self.map.set_image(low, pixel_size_nm=size_x, levels=percentile_levels(low), colormap="viridis", step_px=step)
        self.map.box.setAspectLocked(True, ratio=size_x / size_y)  # pixels as they lie on the specimen
        self.refresh()
        self._settle.start()

    def refresh(self) -> None:
        """Show the landmarks as they are now."""
        landmarks = self._flow.landmarks
        pairs, chosen = landmarks.pairs, landmarks.chosen
        whole = {i for i, (a, b) in enumerate(pairs) if a is not None and b is not None}
        self.image.set_marks([a for a, _ in pairs], whole, chosen)
        self.map.set_marks([b for _, b in pairs], whole, chosen)
        self.hint.setText(landmarks.hint)

    def fit(self) -> None:
        """Show both images whole."""
        self.image.fit()
        self.map.fit()

    def showEvent(self, event: QtGui.QShowEvent) -> None:
        """Fit the images once they have their sizes."""
        super().showEvent(event)
        self._settle.start()

    def resizeEvent(self, event: QtGui.QResizeEvent) -> None:
        """Put the images one above the other where there is more height than width."""
        directions = QtWidgets.QBoxLayout.Direction
        is_high = event.size().height() > 1.1 * event.size().width()
        self._row.setDirection(directions.TopToBottom if is_high else directions.LeftToRight)
        super().resizeEvent(event)
        self._settle.start()
