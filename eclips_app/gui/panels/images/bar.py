"""The tool bar of the images panel: tools, contrast and what is overlaid."""

from __future__ import annotations

from eclips_app.core.schema import Rule
from eclips_app.gui.panels.images.presenter import Levels
from eclips_app.gui.qt import Qt, QtCore, QtGui, QtWidgets, Signal
from eclips_app.gui.theme import Theme
from eclips_app.gui.widgets.quantity_edit import QuantityEdit

_TOOLS = (
    ("move", "Move", "cursor", "V", "Drag to move all images, wheel to zoom, 0 to fit"),
    ("crop", "Crop", "crop", "C", "Drag a rectangle: only its inside is reconstructed"),
    ("mask", "Exclude", "mask", "E", "Paint over pixels that are not to be used"),
    ("ruler", "Scale bar", "ruler", "B", "Draw a line over the scale bar to find the pixel size"),
)
_MODES = {"Auto": "auto", "Full range": "full", "Manual": "manual"}


class ImagesBar(QtWidgets.QToolBar):
    """Tells which tool is chosen and how the images are to be shown."""

    tool_chosen = Signal(str)
    view_changed = Signal()
    fit_asked = Signal()

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._icons: dict[QtGui.QAction, str] = {}
        self.tools: dict[str, QtGui.QAction] = {}
        self.setIconSize(QtCore.QSize(18, 18))
        self.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        group = QtGui.QActionGroup(self)
        for key, text, icon, shortcut, tip in _TOOLS:
            action = self._action(text, icon, f"{tip} ({shortcut})")
            action.setCheckable(True)
            action.setShortcut(shortcut)
            action.setShortcutContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            action.setData(key)
            group.addAction(action)
            self.tools[key] = action
        group.triggered.connect(self._on_tool)
        self.tools["move"].setChecked(True)
        self.addSeparator()
        self.fit = self._action("Fit", "fit", "Show the whole images (0)")
        self.fit.triggered.connect(self.fit_asked)
        self.clipped = self._action("Clipped", "warning", "Colour clipped pixels: red is saturated, blue is black")
        self.clipped.setCheckable(True)
        self.clipped.toggled.connect(self.view_changed)
        self.addSeparator()
        self._add_contrast()
        theme.changed.connect(self._draw_icons)
        self._draw_icons()

    @property
    def tool(self) -> str:
        """The chosen tool: "move", "crop", "mask" or "ruler"."""
        return next(key for key, action in self.tools.items() if action.isChecked())

    def choose(self, key: str) -> None:
        """Choose a tool."""
        self.tools[key].setChecked(True)
        self.tool_chosen.emit(key)

    @property
    def contrast_mode(self) -> str:
        """One of "auto", "full" and "manual"."""
        return _MODES[self.contrast.currentText()]

    @property
    def manual_levels(self) -> Levels | None:
        """The typed levels; None unless both are there and in order."""
        low, high = self.low.value, self.high.value
        return (low, high) if low is not None and high is not None and low < high else None

    def offer_levels(self, levels: Levels) -> None:
        """Put levels into the manual fields, to begin with."""
        if self.manual_levels is None:
            self.low.set_value(levels[0])
            self.high.set_value(levels[1])

    def _add_contrast(self) -> None:
        self.contrast = QtWidgets.QComboBox()
        self.contrast.addItems(list(_MODES))
        self.contrast.setAccessibleName("Contrast")
        self.contrast.setToolTip("Contrast. Auto leaves the darkest and brightest 0.5 % out")
        self.contrast.currentIndexChanged.connect(self._on_contrast)
        self.common = QtWidgets.QCheckBox("Same for all")
        self.common.setToolTip("One contrast for all segments, to compare their brightness")
        self.common.toggled.connect(self.view_changed)
        rule = Rule("Grey value", "", -1e12, 1e12)
        self.low, self.high = QuantityEdit(rule, optional=True), QuantityEdit(rule, optional=True)
        caption = QtWidgets.QLabel(" Contrast ")
        caption.setBuddy(self.contrast)
        self.addWidget(caption)
        self.addWidget(self.contrast)
        self._manual = []
        for field, text in ((self.low, "Drawn black"), (self.high, "Drawn white")):
            field.setAccessibleName(f"Grey value {text.lower()}")
            field.setPlaceholderText(text)
            field.setMinimumWidth(60)
            field.setMaximumWidth(80)
            field.committed.connect(self._on_levels)
            self._manual.append(self.addWidget(field))
        self._common = self.addWidget(self.common)
        self._on_contrast()

    def _action(self, text: str, icon: str, tip: str) -> QtGui.QAction:
        action = self.addAction(text)
        action.setToolTip(tip)
        self._icons[action] = icon
        self.widgetForAction(action).setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        return action

    def _on_tool(self, action: QtGui.QAction) -> None:
        self.tool_chosen.emit(action.data())

    def _on_levels(self, _: object) -> None:
        self.view_changed.emit()

    def _on_contrast(self) -> None:
        manual = self.contrast_mode == "manual"
        for action in self._manual:
            action.setVisible(manual)
        self._common.setVisible(not manual)
        self.view_changed.emit()

    def _draw_icons(self) -> None:
        for action, name in self._icons.items():
            action.setIcon(self._theme.icon(name))
