"""The crystal's form, how it lies, and which planes the selected facet may be."""

from __future__ import annotations

from eclips_app.core.crystal import Crystal
from eclips_app.gui.panels.facets.candidates import CandidateTable
from eclips_app.gui.panels.facets.crystal_form import CrystalForm
from eclips_app.gui.panels.facets.presenter import orientation_words
from eclips_app.gui.qt import QtWidgets
from eclips_app.gui.theme import Theme
from eclips_app.metrology.crystal_index import Indexed

_WHAT = "Planes of facet {}: by slope and azimuth with their deviations, the other facets and the prior."


class CrystalTab(QtWidgets.QWidget):
    """Form above, candidates below."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.form = CrystalForm()
        self.orientation = QtWidgets.QLabel()
        self.orientation.setWordWrap(True)
        self.heading = QtWidgets.QLabel()
        self.heading.setWordWrap(True)
        self.heading.setProperty("kind", "faint")
        self.table = CandidateTable(theme)
        self.table.setMinimumHeight(120)
        self.table.setSizePolicy(QtWidgets.QSizePolicy.Policy.Ignored, QtWidgets.QSizePolicy.Policy.Expanding)
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(8, 8, 8, 8)
        layout.addWidget(self.form)
        layout.addWidget(self.orientation)
        layout.addWidget(self.heading)
        layout.addWidget(self.table, 1)

    def show_crystal(self, crystal: Crystal, indexed: Indexed | None, problem: str, chosen: tuple[int, ...]) -> None:
        """Show a crystal, how it lies, and the candidates of the selected facet."""
        self.form.show_crystal(crystal)
        self.orientation.setText(problem or (orientation_words(indexed) if indexed is not None else ""))
        self.show_chosen(indexed, chosen)

    def show_chosen(self, indexed: Indexed | None, chosen: tuple[int, ...]) -> None:
        """Show the candidates of the facet selected last."""
        number = chosen[-1] if chosen else 0
        candidates = indexed.candidates.get(number, ()) if indexed is not None else ()
        if candidates:
            self.heading.setText(_WHAT.format(number))
        elif number and indexed is not None:
            self.heading.setText(f"Facet {number} is the reference: the crystal's top plane.")
        else:
            self.heading.setText("Select a facet to see which planes it may be.")
        self.table.show_candidates(candidates)
