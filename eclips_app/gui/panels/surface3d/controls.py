"""Controls of the 3D panel: what lies on the surface, how heights are drawn, light and views."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from eclips_app.core.schema import Rule, rule_of
from eclips_app.gui.panels.surface3d.textures import Texture
from eclips_app.gui.qt import Qt, QtCore, QtGui, QtWidgets, Signal
from eclips_app.gui.theme import Theme
from eclips_app.gui.widgets.quantity_edit import QuantityEdit
from eclips_app.scene3d import colormaps
from eclips_app.scene3d.lighting import Lighting

_PRESETS = (("Top", "top", "1"), ("Front", "front", "2"), ("Right", "right", "3"), ("Isometric", "isometric", "4"))


class ColorControls(QtWidgets.QWidget):
    """What lies on the surface, in which colours, and between which values."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._textures: tuple[Texture, ...] = ()
        self.texture = QtWidgets.QComboBox()
        self.texture.setAccessibleName("Image on the surface")
        self.texture.setToolTip("Image on the surface")
        self.texture.setSizeAdjustPolicy(QtWidgets.QComboBox.SizeAdjustPolicy.AdjustToContents)
        self.colormap = QtWidgets.QComboBox()
        self.colormap.setAccessibleName("Colour map")
        self.colormap.setToolTip("Colour map")
        for name in colormaps.NAMES:
            self.colormap.addItem(_swatch(name), name.capitalize(), name)
        self.colormap.setIconSize(QtCore.QSize(48, 12))
        self.auto = QtWidgets.QCheckBox("Auto range")
        self.auto.setToolTip("Take the colour range from the values")
        self.auto.setChecked(True)
        self.low, self.high = _range_edit("Colour range from"), _range_edit("Colour range to")
        layout = _row(self)
        self._to = QtWidgets.QLabel("to")
        for widget in (self.texture, self.colormap, self.auto, self.low, self._to, self.high):
            layout.addWidget(widget)
        layout.addStretch(1)
        self._show_range()
        self.texture.activated.connect(self._on_texture)
        self.colormap.activated.connect(lambda _: self.changed.emit())
        self.auto.toggled.connect(self._on_auto)
        for edit in (self.low, self.high):
            edit.committed.connect(lambda _: self.changed.emit())

    @property
    def chosen(self) -> Texture | None:
        """The image on the surface."""
        index = self.texture.currentIndex()
        return self._textures[index] if 0 <= index < len(self._textures) else None

    @property
    def colormap_name(self) -> str:
        """The colour map."""
        return str(self.colormap.currentData())

    def offer(self, textures: Sequence[Texture]) -> None:
        """Offer these images; the chosen one stays if it is among them."""
        former = self.chosen
        self._textures = tuple(textures)
        self.texture.clear()
        for texture in self._textures:
            self.texture.addItem(texture.label, texture.key)
        keys = [texture.key for texture in self._textures]
        self.texture.setCurrentIndex(keys.index(former.key) if former and former.key in keys else 0)
        if former is None or former.key not in keys:
            self._take_defaults()

    def choose(self, key: str) -> None:
        """Put another image on the surface, in the colours that suit it."""
        self.texture.setCurrentIndex(self.texture.findData(key))
        self._on_texture()

    def limits(self) -> tuple[float, float] | None:
        """Give the values of the first and last colour; None: from the image."""
        low, high = self.low.value, self.high.value
        if self.auto.isChecked() or low is None or high is None or high <= low:
            return None
        return low, high

    def show_limits(self, low: float, high: float) -> None:
        """Show the range in use, from which editing starts."""
        if self.auto.isChecked():
            self.low.set_value(float(f"{low:.4g}"))
            self.high.set_value(float(f"{high:.4g}"))

    def _on_texture(self) -> None:
        self._take_defaults()
        self.changed.emit()

    def _take_defaults(self) -> None:
        texture = self.chosen
        if texture is None:
            return
        self.colormap.setCurrentIndex(self.colormap.findData(texture.colormap))
        with QtCore.QSignalBlocker(self.auto):
            self.auto.setChecked(True)
        for edit in (self.low, self.high):
            edit.rule = Rule(edit.rule.label, texture.unit, -1e12, 1e12, (), edit.rule.help)
        self._show_range()

    def _on_auto(self) -> None:
        self._show_range()
        self.changed.emit()

    def _show_range(self) -> None:
        for widget in (self.low, self._to, self.high):
            widget.setVisible(not self.auto.isChecked())


class HeightControls(QtWidgets.QWidget):
    """How much larger than life heights are drawn."""

    changed = Signal(float)
    auto_asked = Signal()

    def __init__(self) -> None:
        super().__init__()
        rule = Rule("z exaggeration", "", 0.1, 100.0, (), "Heights are drawn this much larger; values stay true.")
        self.edit = QuantityEdit(rule, 1.0)
        self.edit.setMinimumWidth(56)
        self.edit.setMaximumWidth(64)
        label = QtWidgets.QLabel("z ×")
        label.setBuddy(self.edit)
        self.true = tool_button("True", "Draw heights at the scale of the plane (z ×1)")
        self.auto = tool_button("Auto", "Choose an exaggeration that shows the relief")
        layout = _row(self)
        for widget in (label, self.edit, self.true, self.auto):
            layout.addWidget(widget)
        self.edit.committed.connect(self.changed.emit)
        self.true.clicked.connect(lambda: self.set_factor(1.0))
        self.auto.clicked.connect(self.auto_asked)

    def set_factor(self, factor: float) -> None:
        """Show and send a factor."""
        self.edit.set_value(factor)
        self.changed.emit(factor)


class LightButton(QtWidgets.QToolButton):
    """Opens sliders for the lights."""

    changed = Signal(object)

    def __init__(self, lighting: Lighting) -> None:
        super().__init__()
        self.setText("Light")
        self.setToolTip("Direction and strength of the light")
        self.setPopupMode(QtWidgets.QToolButton.ToolButtonPopupMode.InstantPopup)
        self.sliders: dict[str, QtWidgets.QSlider] = {}
        form = QtWidgets.QWidget()
        rows = QtWidgets.QFormLayout(form)
        for name, scale in (("azimuth_deg", 1), ("elevation_deg", 1), ("shading", 100), ("raking", 100)):
            rule = rule_of(Lighting, name)
            slider = _slider(rule, getattr(lighting, name), scale)
            value = QtWidgets.QLabel()
            value.setMinimumWidth(44)
            show = _ShowValue(value, "°" if scale == 1 else " %")
            show(slider.value())
            slider.valueChanged.connect(show)
            slider.valueChanged.connect(self._emit)
            line = QtWidgets.QHBoxLayout()
            line.addWidget(slider)
            line.addWidget(value)
            rows.addRow(rule.label, line)
            self.sliders[name] = slider
        reset = tool_button("Reset", "Light from the upper left")
        reset.clicked.connect(self._reset)
        rows.addRow("", reset)
        menu = QtWidgets.QMenu(self)
        action = QtWidgets.QWidgetAction(menu)
        action.setDefaultWidget(form)
        menu.addAction(action)
        self.setMenu(menu)

    @property
    def lighting(self) -> Lighting:
        """The lights as set."""
        value = {name: slider.value() for name, slider in self.sliders.items()}
        azimuth = float((value["azimuth_deg"] + 180) % 360 - 180)
        return Lighting(azimuth, float(value["elevation_deg"]), value["shading"] / 100, value["raking"] / 100)

    def _reset(self) -> None:
        first = Lighting()
        for name, slider in self.sliders.items():
            slider.setValue(round(getattr(first, name) * (1 if name.endswith("_deg") else 100)))

    def _emit(self) -> None:
        self.changed.emit(self.lighting)


def view_button(
    look: Callable[[str], object], fit: Callable[[], object]
) -> tuple[QtWidgets.QToolButton, QtGui.QAction]:
    """Make the menu of views; also gives its checkable action for perspective."""
    button = QtWidgets.QToolButton()
    button.setText("View")
    button.setToolTip("Look from a given side")
    button.setPopupMode(QtWidgets.QToolButton.ToolButtonPopupMode.InstantPopup)
    menu = QtWidgets.QMenu(button)
    for text, preset, key in _PRESETS:
        menu.addAction(f"{text}\t{key}", _Call(look, preset))
    menu.addSeparator()
    menu.addAction("Show all\tR", fit)
    perspective = menu.addAction("Perspective")
    perspective.setCheckable(True)
    perspective.setToolTip("Without it lengths across the view are true and the scale bar is shown")
    button.setMenu(menu)
    return button, perspective


class RunSwitch(QtWidgets.QWidget):
    """Switches between the run (A) and the one it is compared with (B)."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.group = QtWidgets.QButtonGroup(self)
        layout = _row(self)
        for index, text in enumerate("AB"):
            button = tool_button(text, "")
            button.setCheckable(True)
            self.group.addButton(button, index)
            layout.addWidget(button)
        self.group.button(0).setChecked(True)
        self.group.idClicked.connect(lambda _: self.changed.emit())

    @property
    def shows_b(self) -> bool:
        """Whether B is chosen and there is one."""
        return not self.isHidden() and self.group.checkedId() == 1

    def set_names(self, name_a: str, name_b: str | None) -> None:
        """Name the runs in the tool tips; without a B there is nothing to switch."""
        self.setVisible(name_b is not None)
        if name_b is None:
            self.group.button(0).setChecked(True)
        for index, name in enumerate((name_a, name_b)):
            tip = f"Show {'AB'[index]}: {name}"
            self.group.button(index).setToolTip(tip)
            self.group.button(index).setAccessibleName(tip)


class _ShowValue:
    def __init__(self, label: QtWidgets.QLabel, unit: str) -> None:
        self._label, self._unit = label, unit

    def __call__(self, value: int) -> None:
        self._label.setText(f"{value}{self._unit}")


class _Call:
    def __init__(self, function: Callable[[str], object], argument: str) -> None:
        self._function, self._argument = function, argument

    def __call__(self) -> None:
        self._function(self._argument)


def _slider(rule: Rule, value: float, scale: int) -> QtWidgets.QSlider:
    slider = QtWidgets.QSlider(Qt.Orientation.Horizontal)
    slider.setRange(round(max(rule.low, 0.0) * scale), round(rule.high * scale))
    slider.setValue(round(value * scale))
    slider.setMinimumWidth(160)
    slider.setAccessibleName(rule.label)
    slider.setToolTip(rule.help)
    return slider


def _range_edit(label: str) -> QuantityEdit:
    return QuantityEdit(Rule(label, "", -1e12, 1e12), 0.0)


def tool_button(text: str, tip: str) -> QtWidgets.QToolButton:
    """Make a flat button."""
    button = QtWidgets.QToolButton()
    button.setText(text)
    button.setToolTip(tip)
    return button


def _row(widget: QtWidgets.QWidget) -> QtWidgets.QHBoxLayout:
    layout = QtWidgets.QHBoxLayout(widget)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(6)
    return layout


def _swatch(name: str) -> QtGui.QIcon:
    table = colormaps.table(name)
    image = QtGui.QImage(table[None].tobytes(), 256, 1, 768, QtGui.QImage.Format.Format_RGB888)
    return QtGui.QIcon(QtGui.QPixmap.fromImage(image.scaled(96, 24)))


def set_icons(theme: Theme, **buttons: QtWidgets.QToolButton) -> None:
    """Give buttons the theme's icons, by name."""
    for name, button in buttons.items():
        button.setIcon(theme.icon(name))
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
