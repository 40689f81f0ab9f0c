"""Levelling: the recipe on the left, the map before and after it on the right."""

from __future__ import annotations

import math

from eclips_app.core.levelling import KINDS, recipe_text
from eclips_app.core.shapes import Point, Shape
from eclips_app.core.steps import StepResult
from eclips_app.gui.flows.levelling import flow_of
from eclips_app.gui.panels.levelling.preview import Histogram, MapPair
from eclips_app.gui.panels.levelling.step_form import StepForm
from eclips_app.gui.qt import Qt, QtCore, QtGui, QtWidgets
from eclips_app.gui.session import Session
from eclips_app.gui.widgets.calm_combo import CalmCombo, offer
from eclips_app.gui.widgets.empty_state import EmptyState
from eclips_app.gui.widgets.themed_button import ThemedButton
from eclips_app.gui.widgets.turning_splitter import TurningSplitter
from eclips_app.model.items import HeightMap, Run
from eclips_app.model.levelling import LEVELLING


class LevelPanel(QtWidgets.QWidget):
    """Choose a map, make a recipe, look, apply."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self.flow = flow_of(session)
        self._corner: Point | None = None
        self._shown: StepResult | None = None
        self.target = CalmCombo("Map", "The reconstruction or height map that is levelled")
        self.target.activated.connect(self._on_target)
        self.already = _label("faint")
        self.steps = QtWidgets.QListWidget()
        self.steps.setAccessibleName("Steps")
        self.steps.setMinimumHeight(60)
        self.steps.setMaximumHeight(100)
        self.steps.currentRowChanged.connect(self.flow.recipe.select)
        self.kind = CalmCombo("Kind of levelling", "The step that Add puts behind the chosen one")
        for kind, known in KINDS.items():
            self.kind.addItem(known.text, kind)
            self.kind.setItemData(self.kind.count() - 1, known.help, Qt.ItemDataRole.ToolTipRole)
        self.form = StepForm(self.flow.recipe, "plane")
        self.area = QtWidgets.QPushButton("Draw area")
        self.area.setCheckable(True)
        self.area.setToolTip("Then click two opposite corners on the left map")
        self.area.toggled.connect(self._on_area)
        self.shapes = _button("Take shapes", "Rectangles, circles and polygons of the project", self.flow.take_shapes)
        self.clear = _button("Clear", "Forget all areas", self.flow.recipe.clear_areas)
        self.areas_text = _label("faint")
        self.apply = _button("Apply", "Level the map (can be undone)", self.flow.apply)
        self.apply.setProperty("kind", "primary")
        self.back = _button("Back to raw heights", "Take all levelling of this map back", self.flow.go_back)
        self.took, self.problem = _label(), _label("warning")
        self.pair, self.histogram = MapPair(session.theme), Histogram(session.theme)
        self.pair.before.clicked.connect(self._on_click)
        self._lay_out()
        self.flow.changed.connect(self.refresh)
        self.refresh()

    def minimumSizeHint(self) -> QtCore.QSize:
        """Ask for what the panel needs with its halves one above the other."""
        return QtCore.QSize(340, 340)

    def resizeEvent(self, event: QtGui.QResizeEvent) -> None:
        """Put the maps under the recipe where there is no room beside it."""
        self.splitter.fit(event.size())
        super().resizeEvent(event)

    def showEvent(self, event: QtGui.QShowEvent) -> None:
        """Ask for previews as long as they are seen."""
        super().showEvent(event)
        self.flow.show(True)

    def hideEvent(self, event: QtGui.QHideEvent) -> None:
        """Ask for no more previews."""
        super().hideEvent(event)
        self.flow.show(False)

    @property
    def is_settled(self) -> bool:
        """Whether the preview is that of the recipe shown."""
        return self.flow.target is None or self.flow.preview is not None or bool(self.flow.problem)

    def refresh(self) -> None:
        """Show what the flow holds."""
        target = self.flow.target
        self.pages.setCurrentWidget(self.splitter if target is not None else self.empty)
        offer(self.target, [(_name(each), each.id) for each in self.flow.targets()], target.id if target else "")
        recipe = (
            ()
            if target is None
            else target.levelling
            if isinstance(target, HeightMap)
            else target.info.get(LEVELLING, ())
        )
        self.already.setText(f"Levelled already: {recipe_text(recipe)}" if recipe else "")
        self.already.setVisible(bool(recipe))
        self._show_steps()
        self._show_form()
        number = len(self.flow.recipe.areas)
        self.areas_text.setText(f"{number} area{'s' if number != 1 else ''} drawn" if number else "No areas drawn")
        self.clear.setEnabled(number > 0)
        self.apply.setEnabled(self.flow.can_apply())
        self.back.setVisible(self.flow.can_go_back())
        self._show_preview()

    def _show_steps(self) -> None:
        texts = [f"{number + 1}. {step.text}" for number, step in enumerate(self.flow.recipe.steps)]
        blocked = QtCore.QSignalBlocker(self.steps)
        if [self.steps.item(i).text() for i in range(self.steps.count())] != texts:
            self.steps.clear()
            self.steps.addItems(texts)
        self.steps.setCurrentRow(self.flow.recipe.current if texts else -1)
        blocked.unblock()

    def _show_form(self) -> None:
        step = self.flow.recipe.step
        self.form.setVisible(step is not None)
        if step is None:
            return
        if self.form.kind != step.kind:
            old, self.form = self.form, StepForm(self.flow.recipe, step.kind)
            self._column.replaceWidget(old, self.form)
            old.hide()
            old.deleteLater()
        self.form.show_step(step)

    def _show_preview(self) -> None:
        result, target, step = self.flow.preview, self.flow.target, self.flow.recipe.step
        before, after = (result.arrays["before"], result.arrays["after"]) if result is not None else (None, None)
        if result is not self._shown:  # drawing takes longer than all the rest
            self._shown = result
            size = (
                1.0 if target is None else target.pixel_size_nm if isinstance(target, Run) else target.pixel_size_nm[0]
            )
            self.pair.show_maps(before, after, result.info["stride_px"] if result is not None else 1, size)
            self.histogram.show_maps(before, after)
        self.pair.show_marks(self.flow.recipe.areas, step.points_px if step is not None else (), self._corner)
        self.took.setText("" if result is None else "\n".join(f"Takes out: {text}" for text in result.info["steps"]))
        self.took.setVisible(bool(self.took.text()))
        self.problem.setText(self.flow.problem)
        self.problem.setVisible(bool(self.flow.problem))

    def _on_target(self, _: int) -> None:
        self.flow.choose(self.target.currentData())

    def _on_add(self) -> None:
        self.flow.recipe.add(self.kind.currentData())

    def _on_up(self) -> None:
        self.flow.recipe.move(-1)

    def _on_down(self) -> None:
        self.flow.recipe.move(1)

    def _on_area(self, on: bool) -> None:
        self._corner = None
        self.pair.before.setCursor(Qt.CursorShape.CrossCursor if on else Qt.CursorShape.ArrowCursor)

    def _on_click(self, column: float, row: float) -> None:
        """Take a click on the left map as a corner of an area, or as one of three points."""
        step, point = self.flow.recipe.step, (math.floor(column + 0.5), math.floor(row + 0.5))
        if self.area.isChecked():
            if self._corner is None:
                self._corner = point
                self._show_preview()
            else:
                first, self._corner = self._corner, None
                self.area.setChecked(False)
                self.flow.recipe.add_areas(Shape("rectangle", (first, point)))
        elif step is not None and step.kind == "three-points":
            self.flow.recipe.add_point(point)

    def _lay_out(self) -> None:
        theme = self._session.theme
        add = _button("Add", "Add this step behind the chosen one", self._on_add)
        bar = QtWidgets.QHBoxLayout()
        bar.addWidget(self.kind, 1)
        bar.addWidget(add)
        tools = (
            ("previous", "Earlier", self._on_up), ("next", "Later", self._on_down),
            ("delete", "Take the step out", self.flow.recipe.remove),
        )  # fmt: skip
        for icon, tip, run in tools:
            button = ThemedButton(theme, icon, tip)
            button.clicked.connect(run)
            bar.addWidget(button)
        areas = QtWidgets.QHBoxLayout()
        for widget in (self.area, self.shapes, self.clear):
            areas.addWidget(widget)
        column = QtWidgets.QWidget()
        self._column = QtWidgets.QVBoxLayout(column)
        self._column.setContentsMargins(10, 8, 8, 8)
        self._column.addWidget(self.target)
        self._column.addWidget(self.already)
        self._column.addLayout(bar)
        self._column.addWidget(self.steps)
        self._column.addWidget(self.form)
        self._column.addWidget(_label("heading", "Areas"))
        self._column.addLayout(areas)
        self._column.addWidget(self.areas_text)
        self._column.addStretch(1)
        scroll = QtWidgets.QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QtWidgets.QFrame.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(column)
        scroll.setMinimumWidth(column.minimumSizeHint().width() + scroll.verticalScrollBar().sizeHint().width())
        left = QtWidgets.QWidget()
        whole = QtWidgets.QVBoxLayout(left)
        whole.setContentsMargins(0, 0, 0, 8)
        whole.addWidget(scroll, 1)
        ends = QtWidgets.QVBoxLayout()
        ends.setContentsMargins(10, 0, 8, 0)
        whole.addLayout(ends)
        for end in (self.took, self.problem, self.apply, self.back):
            ends.addWidget(end)
        right = QtWidgets.QWidget()
        layout = QtWidgets.QVBoxLayout(right)
        layout.setContentsMargins(4, 8, 8, 8)
        layout.addWidget(self.pair, 1)
        layout.addWidget(self.histogram)
        self.splitter = TurningSplitter((34, 66), (45, 55))
        self.splitter.addWidget(left)
        self.splitter.addWidget(right)
        self.empty = EmptyState(
            self._session, "Reconstruct, or load a height map, to level it", "Load height map", "measure.load_height_map",
            "profile",
        )  # fmt: skip
        self.pages = QtWidgets.QStackedLayout(self)
        self.pages.setSizeConstraint(QtWidgets.QLayout.SizeConstraint.SetNoConstraint)
        self.pages.addWidget(self.empty)
        self.pages.addWidget(self.splitter)


def _name(target: Run | HeightMap) -> str:
    return f"Run A: {target.name}" if isinstance(target, Run) else target.name


def _label(kind: str = "", text: str = "") -> QtWidgets.QLabel:
    label = QtWidgets.QLabel(text)
    label.setProperty("kind", kind)
    label.setWordWrap(True)
    return label


def _button(text: str, tip: str, run: object) -> QtWidgets.QPushButton:
    button = QtWidgets.QPushButton(text)
    button.setToolTip(tip)
    button.clicked.connect(run)
    return button
