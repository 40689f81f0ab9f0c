"""The facets' readings, and what is between the two that are selected."""

from __future__ import annotations

from eclips_app.core.crystal import Crystal, Hkl, hkl_text
from eclips_app.core.errors import EclipsError
from eclips_app.core.units import Quantity
from eclips_app.gui.panels.facets.facet_table import FacetTable
from eclips_app.gui.panels.facets.presenter import angle_words, quantity_words
from eclips_app.gui.qt import QtWidgets, Signal
from eclips_app.gui.theme import Theme
from eclips_app.gui.widgets.budget_view import ShareBar
from eclips_app.gui.widgets.calm_combo import CalmCombo, offer
from eclips_app.metrology.crystal_index import Indexed
from eclips_app.metrology.facets.found import Found, Reading

_HINT = "Select two facets (Ctrl or Shift with a click) to see the angle between them."
_LEAST_TOLD = 0.05


class ReadingsTab(QtWidgets.QWidget):
    """Reference, table, and below it angle, step and budget of two facets."""

    reference_chosen = Signal(int)

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.reference = CalmCombo("Reference", "Plane from which slopes and azimuths are told")
        self.table = FacetTable()
        self.table.setMinimumHeight(120)
        self.table.setSizePolicy(QtWidgets.QSizePolicy.Policy.Ignored, QtWidgets.QSizePolicy.Policy.Expanding)
        self.between = QtWidgets.QLabel(_HINT)
        self.between.setWordWrap(True)
        self.bar = ShareBar(theme)
        self.not_stated = QtWidgets.QLabel()
        self.not_stated.setProperty("kind", "faint")
        self.not_stated.setWordWrap(True)
        top = QtWidgets.QHBoxLayout()
        label = QtWidgets.QLabel("Slopes from")
        label.setBuddy(self.reference)
        top.addWidget(label)
        top.addWidget(self.reference, 1)
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(8, 8, 8, 8)
        layout.addLayout(top)
        layout.addWidget(self.table, 1)
        layout.addWidget(self.between)
        layout.addWidget(self.bar)
        layout.addWidget(self.not_stated)
        self.reference.activated.connect(self._on_reference)

    def show_facets(
        self, found: Found | None, reference: int, indexed: Indexed | None, chosen: tuple[int, ...], crystal: Crystal
    ) -> None:
        """Show all readings."""
        facets = [] if found is None else [(f"Facet {n}", str(n)) for n in found.numbers]
        offer(self.reference, [*facets, ("Mean plane of the map", "0"), ("Plane of the image", "-1")], str(reference))
        self.reference.setEnabled(found is not None)
        self.not_stated.setText(_not_stated(found))
        self.show_chosen(found, reference, chosen, crystal, indexed)

    def show_chosen(
        self, found: Found | None, reference: int, chosen: tuple[int, ...], crystal: Crystal, indexed: Indexed | None
    ) -> None:
        """Show which facets are selected, and what is between them."""
        self.table.show_chosen(chosen)
        reading: Reading | None = None
        text = _HINT if found is not None else "No facets yet: choose the settings above and find them."
        if found is not None and len(chosen) == 2:
            reading = found.angle(*chosen)
            text = angle_words(found, *chosen) + ". " + _step_words(found, reference, chosen, crystal, indexed)
        elif found is not None and len(chosen) == 1 and chosen[0] != reference:
            reading = found.tilt(chosen[0], reference)
            trace = quantity_words(found.trace_azimuth(chosen[0], reference).quantity)
            text = (
                f"Facet {chosen[0]}: slope {quantity_words(reading.quantity)}, meets the reference plane along {trace}."
            )
        self.between.setText(text)
        self.bar.setVisible(reading is not None)
        self.bar.set_budget(reading.budget if reading is not None else None)

    def _on_reference(self, _: int) -> None:
        self.reference_chosen.emit(int(self.reference.currentData()))


def _not_stated(found: Found | None) -> str:
    if found is None or not found.not_stated:
        return ""
    return f"Not stated, so that no deviation holds it: {', '.join(found.not_stated)}."


def _step_words(
    found: Found, reference: int, chosen: tuple[int, ...], crystal: Crystal, indexed: Indexed | None
) -> str:
    """Write the height of a step between parallel facets, and of how many layers it may be."""
    from eclips_app.metrology.crystal import step_candidates

    step = found.step(chosen[0], chosen[1], reference)
    if step is None:
        return ""
    text = f"Step {quantity_words(Quantity(abs(step.quantity.value), 'nm', step.quantity.std))}"
    tops: tuple[Hkl, ...] = tuple(hkl for hkl, chance in indexed.tops if chance > 0.01) if indexed is not None else ()
    try:
        ranked = step_candidates(crystal.lattice, step.quantity, tops, crystal.none_prior) if tops else ()
    except EclipsError:
        return f"{text}."
    told = [
        f"{each.layers} layers of {hkl_text(each.hkl)} {100 * each.probability:.0f} %"
        for each in ranked if each.hkl is not None and each.probability >= _LEAST_TOLD
    ]  # fmt: skip
    return (
        f"{text}: {', '.join(told[:3])}." if told else f"{text}: too unsure to count layers of {crystal.lattice.name}."
    )
