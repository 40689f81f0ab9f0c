"""The options of one step of levelling, made from the rules of `LevelStep`."""

from __future__ import annotations

import typing

from eclips_app.core.levelling import KINDS, LevelStep
from eclips_app.core.schema import rule_of
from eclips_app.gui.flows.level_recipe import LevelRecipe
from eclips_app.gui.qt import QtWidgets
from eclips_app.gui.widgets.automatic_fields import AutomaticFields
from eclips_app.gui.widgets.calm_combo import CalmCombo

_MASKED = ("area", "low_percent", "high_percent")
_HINTS = typing.get_type_hints(LevelStep)


class StepForm(QtWidgets.QWidget):
    """Fields for what the kind of a step looks at."""

    def __init__(self, recipe: LevelRecipe, kind: str) -> None:
        super().__init__()
        self._recipe = recipe
        self.kind = kind
        known = KINDS[kind]
        names = [name for name in (*known.fields, *(_MASKED if known.masked else ())) if name != "points_px"]
        numbers = [name for name in names if _HINTS[name] in (int, float, int | None)]
        self.numbers = AutomaticFields(LevelStep, numbers)
        self.numbers.committed.connect(self._on_number)
        self.choices = {name: self._choice(name) for name in names if rule_of(LevelStep, name).choices}
        self.checks = {name: self._check(name) for name in names if _HINTS[name] is bool}
        self.points = QtWidgets.QLabel()
        self._lay_out(known.help, has_points="points_px" in known.fields)

    def show_step(self, step: LevelStep) -> None:
        """Show the values of a step of this kind."""
        shown = {
            name: f"{_text(getattr(LevelStep, name))} {field.rule.unit}" for name, field in self.numbers.fields.items()
        }
        self.numbers.show_values(step, shown)
        for name, combo in self.choices.items():
            combo.show_data(getattr(step, name))
        for name, box in self.checks.items():
            box.setChecked(getattr(step, name))
        places = [f"{column:.0f}, {row:.0f}" for column, row in step.points_px]
        self.points.setText("; ".join(places) or "click three points on the left map")
        if "row_degree" in self.numbers.fields:
            self.numbers.fields["row_degree"].setEnabled(step.estimate == "polynomial")

    def _choice(self, name: str) -> CalmCombo:
        rule = rule_of(LevelStep, name)
        combo = CalmCombo(rule.label, rule.help)
        for choice in rule.choices:
            combo.addItem(choice, choice)
        combo.setObjectName(name)
        combo.activated.connect(self._on_choice)
        return combo

    def _check(self, name: str) -> QtWidgets.QCheckBox:
        box = QtWidgets.QCheckBox(rule_of(LevelStep, name).label)
        box.setObjectName(name)
        box.clicked.connect(self._on_check)
        return box

    def _on_number(self, name: str, value: object) -> None:
        self._recipe.change(**{name: value})

    def _on_choice(self, _: int) -> None:
        combo = self.sender()
        assert isinstance(combo, CalmCombo)
        self._recipe.change(**{combo.objectName(): combo.currentData()})

    def _on_check(self, on: bool) -> None:
        self._recipe.change(**{self.sender().objectName(): on})

    def _lay_out(self, text: str, *, has_points: bool) -> None:
        told = QtWidgets.QLabel(text)
        told.setWordWrap(True)
        told.setProperty("kind", "faint")
        form = self.numbers.form
        for place, (name, combo) in enumerate(self.choices.items()):
            form.insertRow(place, rule_of(LevelStep, name).label, combo)
        for box in self.checks.values():
            form.addRow(box)
        if has_points:
            form.insertRow(0, "Points", self.points)
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(told)
        layout.addWidget(self.numbers)


def _text(value: object) -> str:
    return "no limit" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
