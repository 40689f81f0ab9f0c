"""Light and dark look: one set of colours feeds the palette, the plots, the 3D view and the icons."""

from __future__ import annotations

from dataclasses import dataclass

from eclips_app.core.paths import resource
from eclips_app.gui.qt import Qt, QtCore, QtGui, QtSvg, QtWidgets, Signal


@dataclass(frozen=True)
class Colors:
    """The colours of a look, as #rrggbb."""

    window: str
    base: str
    raised: str
    border: str
    text: str
    faint: str
    accent: str
    on_accent: str
    good: str
    warning: str
    error: str
    plot_grid: str
    curves: tuple[str, ...]


LIGHT = Colors(
    window="#f3f4f6", base="#ffffff", raised="#e7e9ee", border="#c9cdd6", text="#1c1f26", faint="#5d6470",
    accent="#1f5fbf", on_accent="#ffffff", good="#1b7f4d", warning="#a65b00", error="#b3261e", plot_grid="#d5d8df",
    curves=("#0b62c4", "#c2410c", "#0f766e", "#7c3aed", "#a16207", "#be185d"),
)  # fmt: skip
DARK = Colors(
    window="#1d2026", base="#15171b", raised="#2a2e36", border="#3d434e", text="#e8eaee", faint="#a0a7b4",
    accent="#6aa5ff", on_accent="#0d1420", good="#5dd39e", warning="#f2b155", error="#ff8a80", plot_grid="#343a44",
    curves=("#6db3ff", "#ff9d6b", "#4fd1b5", "#b79cff", "#e6c15a", "#ff8fbf"),
)  # fmt: skip


class Theme(QtCore.QObject):
    """The look in use; `mode` is "system", "light" or "dark"."""

    changed = Signal()

    def __init__(self, mode: str = "system") -> None:
        super().__init__()
        self._mode = mode
        hints = QtGui.QGuiApplication.styleHints()
        hints.colorSchemeChanged.connect(self._on_system_change)

    @property
    def mode(self) -> str:
        """The user's choice."""
        return self._mode

    @property
    def is_dark(self) -> bool:
        """Whether the dark colours are in use."""
        if self._mode == "system":
            return QtGui.QGuiApplication.styleHints().colorScheme() == Qt.ColorScheme.Dark
        return self._mode == "dark"

    @property
    def colors(self) -> Colors:
        """The colours in use."""
        return DARK if self.is_dark else LIGHT

    def set_mode(self, mode: str) -> None:
        """Change the look everywhere."""
        self._mode = mode
        self.apply()

    def apply(self) -> None:
        """Give the application its palette and style."""
        app = QtWidgets.QApplication.instance()
        assert isinstance(app, QtWidgets.QApplication)
        app.setStyle("Fusion")
        app.setPalette(_palette(self.colors))
        app.setStyleSheet(_style_sheet(self.colors, "dark" if self.is_dark else "light"))
        self.changed.emit()

    def icon(self, name: str, color: str | None = None) -> QtGui.QIcon:
        """Give the icon `resources/icons/NAME.svg`, drawn in the text colour or in `color`."""
        svg = (resource("icons") / f"{name}.svg").read_text(encoding="utf-8")
        icon = QtGui.QIcon()
        colors = self.colors
        for mode, ink in ((QtGui.QIcon.Mode.Normal, color or colors.text), (QtGui.QIcon.Mode.Disabled, colors.border)):
            renderer = QtSvg.QSvgRenderer(QtCore.QByteArray(svg.replace("currentColor", ink).encode()))
            for size in (20, 40):
                pixmap = QtGui.QPixmap(size, size)
                pixmap.fill(Qt.GlobalColor.transparent)
                painter = QtGui.QPainter(pixmap)
                renderer.render(painter)
                painter.end()
                icon.addPixmap(pixmap, mode)
        return icon

    def _on_system_change(self) -> None:
        if self._mode == "system":
            self.apply()


def _palette(colors: Colors) -> QtGui.QPalette:
    role = QtGui.QPalette.ColorRole
    palette = QtGui.QPalette(QtGui.QColor(colors.window))
    inks = {
        role.Window: colors.window, role.WindowText: colors.text, role.Base: colors.base, role.Text: colors.text,
        role.AlternateBase: colors.window, role.Button: colors.raised, role.ButtonText: colors.text,
        role.ToolTipBase: colors.raised, role.ToolTipText: colors.text, role.Highlight: colors.accent,
        role.HighlightedText: colors.on_accent, role.Link: colors.accent, role.PlaceholderText: colors.faint,
        role.Mid: colors.border, role.Dark: colors.border, role.Light: colors.base, role.Accent: colors.accent,
    }  # fmt: skip
    for key, ink in inks.items():
        palette.setColor(key, QtGui.QColor(ink))
    for key in (role.WindowText, role.Text, role.ButtonText):
        palette.setColor(QtGui.QPalette.ColorGroup.Disabled, key, QtGui.QColor(colors.faint).lighter(115))
    return palette


def _style_sheet(c: Colors, look: str) -> str:
    """Spacing and edges that Fusion leaves rough; widgets ask for a role with the property `kind`."""
    tick = (resource("icons") / f"tick-{look}.svg").as_posix()
    return f"""
    QWidget:focus {{ outline: none; }}
    QToolTip {{ color: {c.text}; background: {c.raised}; border: 1px solid {c.border}; padding: 4px; }}
    QPushButton, QToolButton {{ border: 1px solid {c.border}; border-radius: 4px; padding: 4px 10px; background: {c.raised}; }}
    QToolButton {{ padding: 4px; }}
    QPushButton:hover, QToolButton:hover {{ border-color: {c.accent}; }}
    QPushButton:focus, QToolButton:focus, QLineEdit:focus, QAbstractItemView:focus {{ border: 1px solid {c.accent}; }}
    QPushButton:pressed, QToolButton:pressed, QToolButton:checked {{ background: {c.border}; }}
    QPushButton:disabled, QToolButton:disabled {{ color: {c.faint}; background: {c.window}; }}
    QPushButton[kind="primary"] {{ background: {c.accent}; color: {c.on_accent}; border-color: {c.accent};
        padding: 8px 16px; font-weight: 600; }}
    QPushButton[kind="primary"]:disabled {{ background: {c.raised}; color: {c.faint}; border-color: {c.border}; }}
    QPushButton[kind="primary"]:focus {{ border: 2px solid {c.text}; }}
    QPushButton[kind="link"] {{ border: none; background: transparent; color: {c.accent}; text-align: left; padding: 2px; }}
    QPushButton[kind="link"]:focus {{ border: 1px dotted {c.accent}; }}
    QToolButton[kind="section"] {{ border: none; background: transparent; font-weight: 600; padding: 3px 0; }}
    QToolButton[kind="section"]:focus {{ border: 1px dotted {c.accent}; }}
    QLabel[kind="title"] {{ font-size: 20pt; font-weight: 300; }}
    QLabel[kind="heading"] {{ font-weight: 600; }}
    QLabel[kind="faint"] {{ color: {c.faint}; }}
    QLabel[kind="warning"] {{ color: {c.warning}; }}
    QLabel[kind="error"] {{ color: {c.error}; }}
    QLabel[kind="good"] {{ color: {c.good}; }}
    QLineEdit, QPlainTextEdit {{ border: 1px solid {c.border}; border-radius: 4px;
        padding: 3px 6px; background: {c.base}; selection-background-color: {c.accent}; }}
    QLineEdit[state="error"] {{ border: 1px solid {c.error}; }}
    QCheckBox::indicator, QAbstractItemView::indicator, QGroupBox::indicator {{ width: 14px; height: 14px;
        border: 1px solid {c.faint}; border-radius: 3px; background: {c.base}; }}
    QCheckBox::indicator:checked, QAbstractItemView::indicator:checked, QGroupBox::indicator:checked {{
        background: {c.accent}; border-color: {c.accent}; image: url("{tick}"); }}
    QCheckBox::indicator:disabled {{ border-color: {c.border}; background: {c.window}; }}
    QCheckBox:focus, QRadioButton:focus {{ border: 1px dotted {c.accent}; }}
    QRadioButton::indicator {{ width: 14px; height: 14px; border: 1px solid {c.faint}; border-radius: 8px;
        background: {c.base}; }}
    QRadioButton::indicator:checked {{ width: 6px; height: 6px; border: 5px solid {c.accent}; background: {c.on_accent}; }}
    QAbstractItemView {{ border: 1px solid {c.border}; background: {c.base}; alternate-background-color: {c.window}; }}
    QHeaderView::section {{ background: {c.raised}; border: none; border-right: 1px solid {c.border}; padding: 4px 6px; }}

    QDockWidget::title {{ background: {c.raised}; padding: 5px 8px; }}
    QTabBar::tab {{ padding: 6px 14px; border: none; border-bottom: 2px solid transparent; color: {c.faint}; }}
    QTabBar::tab:selected {{ color: {c.text}; border-bottom: 2px solid {c.accent}; }}
    QTabBar::tab:hover {{ color: {c.text}; }}
    QTabBar:focus {{ border: 1px dotted {c.accent}; }}
    QToolBar {{ border: none; spacing: 4px; padding: 3px; }}
    QToolButton#qt_toolbar_ext_button {{ border: none; padding: 0; background: transparent; }}
    QStatusBar {{ border-top: 1px solid {c.border}; }}
    QMainWindow::separator {{ background: {c.border}; width: 3px; height: 3px; }}
    QSplitter::handle {{ background: {c.border}; }}
    QFrame[kind="card"] {{ background: {c.base}; border: 1px solid {c.border}; border-radius: 8px; }}
    QFrame[kind="drop"] {{ background: {c.base}; border: 2px dashed {c.border}; border-radius: 12px; }}
    QFrame[kind="drop"][active="true"] {{ border-color: {c.accent}; }}
    QProgressBar {{ border: 1px solid {c.border}; border-radius: 4px; background: {c.base}; text-align: center; }}
    QProgressBar::chunk {{ background: {c.accent}; border-radius: 3px; }}
    """
