"""Plane facets: image and pole figure on the left; table, crystal and Wulff shape on the right."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from eclips_app.core.crystal import Crystal, FindFacets, SurfaceEnergy
from eclips_app.core.schema import rule_of
from eclips_app.gui.flows.facets import flow_of
from eclips_app.gui.panels.facets.crystal_tab import CrystalTab
from eclips_app.gui.panels.facets.facet_image import FacetImage
from eclips_app.gui.panels.facets.pole_figure import PoleFigure
from eclips_app.gui.panels.facets.presenter import FacetRow, Picture, facet_rows, picture, poles_in_image
from eclips_app.gui.panels.facets.readings_tab import ReadingsTab
from eclips_app.gui.panels.facets.wulff_tab import WulffTab
from eclips_app.gui.qt import Qt, QtCore, QtGui, QtWidgets
from eclips_app.gui.session import Session
from eclips_app.gui.widgets.background import Background
from eclips_app.gui.widgets.calm_combo import CalmCombo, offer
from eclips_app.gui.widgets.empty_state import EmptyState
from eclips_app.gui.widgets.quantity_edit import QuantityEdit
from eclips_app.gui.widgets.themed_button import ThemedButton
from eclips_app.gui.widgets.turning_splitter import TurningSplitter

_FIELDS = {"radius_px": "Radius", "tolerance_deg": "Tolerance", "least_area_px": "Area ≥"}


class FacetsPanel(QtWidgets.QWidget):
    """Facets of a run or height map."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session, self._flow = session, flow_of(session)
        self._background = Background(self)
        self._drawn: tuple[object, ...] = ()
        self._told: tuple[object, ...] = ()  # what the table's rows are of
        self._reading = Background(self)
        self.picture: Picture | None = None
        self.source = CalmCombo("Found on", "Reconstruction or height map that facets are found on")
        self.find_button = QtWidgets.QPushButton("Find facets")
        self.find_button.setToolTip("Find plane facets with these settings")
        self.fields = {
            name: QuantityEdit(
                rule_of(FindFacets, name), getattr(self._flow.params, name), whole=name != "tolerance_deg"
            )
            for name in _FIELDS
        }
        self.results = ThemedButton(session.theme, "results", "Put the selected facets, or all, into the results table")
        self.zoom_fit = ThemedButton(session.theme, "fit", "Show the whole image", "0")
        self.image = FacetImage(session.theme)
        self.poles = PoleFigure(session.theme)
        self.readings = ReadingsTab(session.theme)
        self.crystal = CrystalTab(session.theme)
        self.wulff = WulffTab(session.theme)
        self.status = QtWidgets.QLabel()
        self._lay_out()
        self._connect()

    @property
    def is_settled(self) -> bool:
        """Whether nothing is being computed or drawn for the panel."""
        return not (self._background.is_busy or self._reading.is_busy or self._flow.is_busy)

    def minimumSizeHint(self) -> QtCore.QSize:
        """Ask for what the panel needs at least."""
        return QtCore.QSize(380, 300)

    def resizeEvent(self, event: QtGui.QResizeEvent) -> None:
        """Put the tables below the pictures where there is no room beside them."""
        self.splitter.fit(event.size())
        upright = self.splitter.orientation() == Qt.Orientation.Vertical
        self.pictures.setOrientation(Qt.Orientation.Horizontal if upright else Qt.Orientation.Vertical)
        super().resizeEvent(event)

    def showEvent(self, event: QtGui.QShowEvent) -> None:
        """Read what changed while the panel was hidden."""
        super().showEvent(event)
        self._refresh()

    def _lay_out(self) -> None:
        bar, settings = QtWidgets.QHBoxLayout(), QtWidgets.QHBoxLayout()
        bar.addWidget(self.source, 1)
        for button in (self.find_button, self.results, self.zoom_fit):
            bar.addWidget(button)
        for name, text in _FIELDS.items():
            label, edit = QtWidgets.QLabel(text), self.fields[name]
            edit.setMinimumWidth(64)
            edit.setMaximumWidth(90)
            label.setBuddy(edit)
            settings.addWidget(label)
            settings.addWidget(edit)
        settings.addStretch(1)
        self.status.setProperty("kind", "faint")
        self.status.setSizePolicy(QtWidgets.QSizePolicy.Policy.Ignored, QtWidgets.QSizePolicy.Policy.Fixed)
        self.pictures = QtWidgets.QSplitter(Qt.Orientation.Vertical)
        self.pictures.setChildrenCollapsible(False)
        self.pictures.addWidget(self.image)
        self.pictures.addWidget(self.poles)
        self.pictures.setSizes([560, 440])
        self.tabs = QtWidgets.QTabWidget()
        self.tabs.setDocumentMode(True)
        for widget, title in ((self.readings, "Facets"), (self.crystal, "Crystal"), (self.wulff, "Wulff")):
            scroll = QtWidgets.QScrollArea()  # their contents need more height than a small window has
            scroll.setWidgetResizable(True)
            scroll.setFrameShape(QtWidgets.QFrame.Shape.NoFrame)
            scroll.setWidget(widget)
            self.tabs.addTab(scroll, title)
        self.splitter = TurningSplitter((50, 50), (50, 50))
        self.splitter.addWidget(self.pictures)
        self.splitter.addWidget(self.tabs)
        self.splitter.setSizes([500, 500])
        page = QtWidgets.QWidget()
        layout = QtWidgets.QVBoxLayout(page)
        layout.setContentsMargins(8, 8, 8, 4)
        layout.setSpacing(6)
        layout.addLayout(bar)
        layout.addLayout(settings)
        layout.addWidget(self.splitter, 1)
        layout.addWidget(self.status)
        self.page = page
        self.empty = EmptyState(
            self._session,
            "Reconstruct images, or load a height map, to find facets on it",
            "Reconstruct",
            "reconstruct.run",
            "images",
        )
        self.pages = QtWidgets.QStackedLayout(self)
        self.pages.setSizeConstraint(QtWidgets.QLayout.SizeConstraint.SetNoConstraint)
        self.pages.addWidget(self.empty)
        self.pages.addWidget(page)

    def _connect(self) -> None:
        flow = self._flow
        self.source.activated.connect(self._on_source)
        self.find_button.clicked.connect(flow.find)
        self.results.clicked.connect(flow.add_results)
        self.zoom_fit.clicked.connect(self.image.fit)
        for edit in self.fields.values():
            edit.committed.connect(self._on_field)
        self.image.facet_clicked.connect(self._on_clicked)
        self.poles.facet_clicked.connect(self._on_clicked)
        self.poles.pointed.connect(self.status.setText)
        self.image.hovered.connect(self._on_hovered)
        self.readings.table.chosen.connect(flow.set_chosen)
        self.readings.reference_chosen.connect(flow.set_reference)
        self.crystal.form.changed.connect(self._on_crystal)
        self.wulff.energies_changed.connect(self._on_energies)
        self.wulff.refused.connect(self._on_refused)
        self.wulff.shown.connect(flow.construct)
        flow.changed.connect(self._refresh)
        flow.chosen_changed.connect(self._show_chosen)

    # What is shown

    def _refresh(self) -> None:
        source = self._flow.source
        self.pages.setCurrentWidget(self.page if source is not None else self.empty)
        self.find_button.setEnabled(self._flow.can_find())
        self.results.setEnabled(self._flow.has_facets())
        if source is None or not self.isVisible():
            return
        offer(self.source, [(each.name, each.id) for each in self._flow.sources], source.id)
        facet_set = self._flow.facet_set
        drawn = (
            source.arrays if hasattr(source, "arrays") else source.height,
            None if facet_set is None else facet_set.arrays,
        )
        if len(self._drawn) != len(drawn) or any(a is not b for a, b in zip(drawn, self._drawn, strict=True)):
            self._drawn = drawn
            self._background.drop()
            self._background.run(partial(picture, source, facet_set), self._show_picture)
        self._flow.index()
        self._show_readings()
        if self.wulff.isVisible():
            self._flow.construct()

    def _show_picture(self, made: Picture) -> None:
        self.picture = made
        self.image.show_picture(made, self._flow.found, self._flow.chosen)

    def _show_readings(self) -> None:
        flow = self._flow
        told = (flow.found, flow.reference, flow.indexed)
        if len(told) != len(self._told) or any(a is not b for a, b in zip(told, self._told, strict=True)):
            self._told = told
            self._reading.drop()
            if flow.found is not None:  # hundreds of facets take more than a frame
                self._reading.run(partial(facet_rows, flow.found, flow.reference, flow.indexed), self._show_rows)
        self.readings.show_facets(flow.found, flow.reference, flow.indexed, flow.chosen, flow.crystal)
        if flow.found is None:
            self.readings.table.show_rows([], ())
        self.crystal.show_crystal(flow.crystal, flow.indexed, flow.problem, flow.chosen)
        self.wulff.show_crystal(flow.crystal, flow.shape)
        self._show_poles()

    def _show_rows(self, rows: list[FacetRow]) -> None:
        self.readings.table.show_rows(rows, self._flow.chosen)

    def _show_poles(self) -> None:
        flow, facet_set = self._flow, self._flow.facet_set
        named = poles_in_image(flow.indexed, flow.found, flow.reference) if flow.indexed and flow.found else []
        density = facet_set.arrays["histogram"] if facet_set is not None else None
        self.poles.show_facets(density, flow.found, flow.chosen, named)

    def _show_chosen(self) -> None:
        if self._flow.source is not None and self.isVisible():
            flow = self._flow
            self.image.show_chosen(flow.chosen)
            self.readings.show_chosen(flow.found, flow.reference, flow.chosen, flow.crystal, flow.indexed)
            self.crystal.show_chosen(flow.indexed, flow.chosen)
            self._show_poles()

    # What the user does

    def _on_source(self, _: int) -> None:
        self._flow.choose_source(str(self.source.currentData()))

    def _on_field(self, _: object) -> None:
        values = {name: edit.value for name, edit in self.fields.items()}
        whole = {name: value if name == "tolerance_deg" else int(value or 0) for name, value in values.items()}
        self._flow.params = replace(self._flow.params, **whole)  # type: ignore[arg-type]

    def _on_clicked(self, number: int, more: bool) -> None:
        self._flow.choose(number, extend=more)

    def _on_hovered(self, col: float, row: float, _: object) -> None:
        number = self.image.number_at(col, row) if col == col else 0
        self.status.setText(f"Facet {number}" if number else "")

    def _on_crystal(self, crystal: Crystal, what: str) -> None:
        self._flow.set_crystal(crystal, what)

    def _on_energies(self, energies: tuple[SurfaceEnergy, ...]) -> None:
        self._flow.set_crystal(replace(self._flow.crystal, energies=energies), "Surface energies")

    def _on_refused(self, why: str) -> None:
        self._session.notify(why, "warning")
