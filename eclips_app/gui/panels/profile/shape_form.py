"""The selected shape in figures: its points and width in pixels or nm, and how its profile is sampled."""

from __future__ import annotations

from eclips_app.core.schema import Rule
from eclips_app.core.units import format_length
from eclips_app.gui.flows.measure import MeasureFlow
from eclips_app.gui.flows.profiles import profiles_of
from eclips_app.gui.flows.sampling import Sampling, pixel_size_nm
from eclips_app.gui.qt import QtCore, QtWidgets
from eclips_app.gui.session import Session
from eclips_app.gui.widgets import shape_geometry as shapes
from eclips_app.gui.widgets.quantity_edit import QuantityEdit
from eclips_app.model.items import ProfileLine

_POINTS = {
    "line": ("Start", "End"), "circle": ("Centre", "Start"), "rectangle": ("Corner", "Opposite"),
}  # fmt: skip
_TIPS = ("Column, from the centre of the image's top left pixel", "Row, counted downwards")
_WIDTH = "The profile is the mean over this width across the line; up to one pixel it is the line alone"
_STEP = Rule("Step", "nm", 1e-3, 1e9, (), "Distance of the profile's points; empty: a pixel at most")
_METHODS = (
    ("linear", "Linear", "Between pixels: straight from one to the next"),
    ("cubic", "Cubic", "Between pixels: cubic convolution, exact for parabolas"),
)


class ShapeForm(QtWidgets.QScrollArea):
    """Points and width of the selected shape; a length may be typed in any unit."""

    def __init__(self, session: Session, flow: MeasureFlow) -> None:
        super().__init__()
        self._session, self._flow = session, flow
        self._profiles = profiles_of(session)
        self._built: tuple[str, int, str] | None = None
        self.setWidgetResizable(True)
        self.setFrameShape(QtWidgets.QFrame.Shape.NoFrame)
        self.unit = QtWidgets.QComboBox()
        self.unit.addItems(["px", "nm"])
        self.unit.setAccessibleName("Unit of the shape's points")
        self.unit.setToolTip("Unit of these fields; a length may be typed in any unit")
        self.fields: list[QuantityEdit] = []
        self._labels: list[QtWidgets.QLabel] = []
        self.step = QuantityEdit(_STEP, optional=True)
        self.step.setPlaceholderText("automatic")
        self.step.setMinimumWidth(66)
        self.method = QtWidgets.QComboBox()
        self.method.setAccessibleName("Interpolation")
        for key, text, tip in _METHODS:
            self.method.addItem(text, key)
            self.method.setItemData(self.method.count() - 1, tip, QtCore.Qt.ItemDataRole.ToolTipRole)
        self.method.setToolTip("What a profile takes between pixels")
        self._facts = QtWidgets.QLabel()
        self._facts.setProperty("kind", "faint")
        self._lay_out()
        self.unit.activated.connect(self._on_unit)
        self.step.committed.connect(self._on_sampling)
        self.method.activated.connect(self._on_sampling)
        self._build("line", 2)
        self._show_sampling()

    def refresh(self) -> None:
        """Show the selected shape."""
        line, size = self._session.project.line, pixel_size_nm(self._session.project)
        self._body.setEnabled(line is not None)
        self.unit.setEnabled(size is not None)
        if line is None:
            for field in self.fields:
                field.clear()
            self._facts.clear()
            return
        points = line.shape.points_px
        self._build(line.kind, len(points))
        scale = self._scale()
        for field, value in zip(self.fields, self._values(line), strict=True):
            if field.value != round(value * scale, 3):
                field.set_value(round(value * scale, 3))
                field.setCursorPosition(0)  # a narrow field shows the first digits
        self._facts.setText(facts_text(line, size))
        self._facts.setToolTip("Size of the shape; of a line its direction too: 0° is image right, 90° image up")

    def sizeHint(self) -> QtCore.QSize:
        """Ask for a narrow block."""
        return QtCore.QSize(240, 150)

    def minimumSizeHint(self) -> QtCore.QSize:
        """Be content with less: the rest is scrolled to."""
        return QtCore.QSize(150, 60)

    def _lay_out(self) -> None:
        self._body = QtWidgets.QWidget()
        self._points = QtWidgets.QGridLayout()
        self._points.setHorizontalSpacing(4)
        self._points.setVerticalSpacing(3)
        self._points.addWidget(self.unit, 0, 0)
        for column, text in enumerate(("x", "y")):
            head = QtWidgets.QLabel(text)
            head.setProperty("kind", "faint")
            self._points.addWidget(head, 0, 1 + column)
        sampling = QtWidgets.QHBoxLayout()
        sampling.setSpacing(4)
        sampling.addWidget(QtWidgets.QLabel("Step"))
        sampling.addWidget(self.step, 1)
        sampling.addWidget(self.method)
        layout = QtWidgets.QVBoxLayout(self._body)
        layout.setContentsMargins(0, 0, 4, 0)
        layout.setSpacing(4)
        layout.addLayout(self._points)
        layout.addWidget(self._facts)
        layout.addLayout(sampling)
        layout.addStretch(1)
        self.setWidget(self._body)

    def _build(self, kind: str, points: int) -> None:
        """Make the fields of a shape's points anew, unless they are there."""
        unit = self.unit.currentText()
        if self._built == (kind, points, unit):
            return
        self._built = kind, points, unit
        for widget in (*self.fields, *self._labels):
            self._points.removeWidget(widget)
            widget.deleteLater()
        self.fields, self._labels = [], []
        for row in range(points):
            name = point_name(kind, row, points)
            self._add_label(name, row + 1)
            for column, (axis, tip) in enumerate(zip("xy", _TIPS, strict=True)):
                self._add_field(Rule(f"{name} {axis}", unit, -1e9, 1e9, (), tip), row + 1, column + 1)
        if kind in shapes.WITH_WIDTH:
            self._add_label("Width", points + 1)
            self._add_field(Rule("Width", unit, 0.0, 1e9, (), _WIDTH), points + 1, 1)

    def _add_label(self, text: str, row: int) -> None:
        label = QtWidgets.QLabel(text)
        self._labels.append(label)
        self._points.addWidget(label, row, 0)

    def _add_field(self, rule: Rule, row: int, column: int) -> None:
        field = QuantityEdit(rule, 0.0)
        field.setMinimumWidth(54)
        field.committed.connect(self._commit)
        self._points.addWidget(field, row, column)
        self.fields.append(field)

    def _values(self, line: ProfileLine) -> list[float]:
        values = [value for point in line.shape.points_px for value in point]
        return [*values, line.width_px] if line.kind in shapes.WITH_WIDTH else values

    def _scale(self) -> float:
        return (pixel_size_nm(self._session.project) or 1.0) if self.unit.currentText() == "nm" else 1.0

    def _on_unit(self, _: int) -> None:
        self.refresh()

    def _commit(self, _: object) -> None:
        line, scale = self._session.project.line, self._scale()
        if line is None:
            return
        # What was not typed keeps the digits that the fields do not show.
        typed = [
            value if field.value in (None, round(value * scale, 3)) else float(field.value) / scale
            for field, value in zip(self.fields, self._values(line), strict=True)
        ]
        count = 2 * len(line.shape.points_px)
        points = tuple(zip(typed[:count:2], typed[1:count:2], strict=True))
        if not shapes.is_possible(line.kind, points):
            self._session.notify(f"A {shapes.TITLES[line.kind].lower()} needs points that are apart.", "warning")
            self.refresh()
            return
        self._session.history.end_merge()
        if typed[count:] and abs(typed[count] - line.width_px) > 1e-6:
            self._flow.set_width(line.id, max(typed[count], 1.0))
        else:
            self._flow.reshape(line.id, points)
        self._session.history.end_merge()

    def _show_sampling(self) -> None:
        sampling = self._profiles.sampling
        self.step.set_value(sampling.step_nm)
        self.method.setCurrentIndex(max(0, self.method.findData(sampling.method)))

    def _on_sampling(self, _: object) -> None:
        step = self.step.value
        self._profiles.set_sampling(Sampling(None if step is None else float(step), self.method.currentData()))


def point_name(kind: str, index: int, count: int) -> str:
    """Name a shape's point."""
    if kind in _POINTS:
        return _POINTS[kind][index]
    if kind == "polyline" and index in (0, count - 1):
        return "Start" if index == 0 else "End"
    return f"Corner {index + 1}"


def facts_text(line: ProfileLine, size_nm: float | None) -> str:
    """Say how large a shape is, in lengths if the pixel size is known."""
    texts = []
    for word, value, unit in shapes.facts(line.kind, line.shape.points_px):
        if unit == "px":
            text = format_length(value * size_nm, 4) if size_nm else f"{value:.1f} px"
        elif unit == "px²":
            text = f"{value * size_nm**2 * 1e-6:.4g} µm²" if size_nm else f"{value:.0f} px²"
        else:
            text = f"{value:.1f}{unit}"
        texts.append(f"{word} {text}".strip())
    return ", ".join(texts).replace(", ×", " ×")
