"""Facets as the window sees them: found in the engine process, indexed beside the event loop, kept in the project."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from eclips_app.commands import edits
from eclips_app.commands.history import Edit
from eclips_app.core.crystal import Crystal, FindFacets, Wulff, hkl_text, noise_hint
from eclips_app.core.errors import EclipsError
from eclips_app.core.units import Quantity
from eclips_app.gui.actions import ActionInfo
from eclips_app.gui.qt import QtCore, Signal
from eclips_app.gui.session import Session
from eclips_app.gui.widgets.background import Background
from eclips_app.model.items import CrystalItem, FacetSet, HeightMap, Measurement, Run, SegmentSet, new_id

if TYPE_CHECKING:
    from eclips_app.core.steps import StepResult
    from eclips_app.gui.tasks import Task
    from eclips_app.metrology.crystal_index import Indexed
    from eclips_app.metrology.facets.found import Found

_MOST_CHOSEN = 2
_MOST_TOLD = 3  #: candidates of a facet in the results
_LEAST_TOLD = 0.01


class FacetsFlow(QtCore.QObject):
    """The facets of one run or height map: finds them, keeps what is chosen of them, compares them with a crystal."""

    changed = Signal()  #: other facets, another reference or crystal, or what was worked out of them
    chosen_changed = Signal()  #: other facets are selected

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session
        self._background = Background(self)
        self._source_id = ""
        self._found: tuple[FacetSet, Found] | None = None
        self._indexed: tuple[tuple[Any, ...], Indexed | EclipsError] | None = None
        self._asked: tuple[Any, ...] = ()
        self._shape: StepResult | None = None
        self._shape_wanted: Wulff | None = None  # what is being made
        self._shape_tried: Wulff | None = None
        self.task: Task | None = None
        self.params = FindFacets()
        self.chosen: tuple[int, ...] = ()
        session.project.changed.connect(self._on_project)
        session.project.selection_changed.connect(self._on_selection)

    # What there is

    @property
    def sources(self) -> tuple[Run | HeightMap, ...]:
        """All that facets can be found on: runs of the selected set with heights, and height maps."""
        project = self._session.project
        runs = [run for run in project.runs_of(project.selection.set_id) if "height" in run.arrays]
        return (*runs, *project.of_kind(HeightMap))

    @property
    def source(self) -> Run | HeightMap | None:
        """What facets are found on: what was chosen, else the selected run, else the selected map."""
        project, sources = self._session.project, self.sources
        wanted = (self._source_id, project.selection.run_id, project.selection.map_id)
        by_id = {each.id: each for each in sources}
        return next((by_id[item_id] for item_id in wanted if item_id in by_id), sources[0] if sources else None)

    @property
    def facet_set(self) -> FacetSet | None:
        """The facets found on the source."""
        source = self.source
        sets = self._session.project.of_kind(FacetSet)
        return next((each for each in sets if source is not None and each.source_id == source.id), None)

    @property
    def found(self) -> Found | None:
        """The same, as readings are taken from them."""
        facet_set = self.facet_set
        if facet_set is None:
            return None
        from eclips_app.model.facets import found_of  # late: not needed to start

        if self._found is None or self._found[0] is not facet_set:
            self._found = facet_set, found_of(facet_set)
        return self._found[1]

    @property
    def reference(self) -> int:
        """Number of the reference facet, 0 for the mean plane, -1 for the image's."""
        return self.facet_set.reference if self.facet_set is not None else 0

    @property
    def crystal(self) -> Crystal:
        """The project's crystal."""
        return self._crystal_item().crystal

    @property
    def indexed(self) -> Indexed | None:
        """What the facets say of the crystal; None while it is not worked out, or cannot be."""
        result = self._indexed[1] if self._indexed is not None and self._indexed[0] == self._key() else None
        return None if isinstance(result, EclipsError) else result

    @property
    def problem(self) -> str:
        """Why the facets cannot be compared with the crystal."""
        result = self._indexed[1] if self._indexed is not None and self._indexed[0] == self._key() else None
        return str(result) if isinstance(result, EclipsError) else ""

    @property
    def shape(self) -> StepResult | None:
        """The last Wulff shape; None if there is none, or none is possible."""
        return self._shape

    @property
    def is_busy(self) -> bool:
        """Whether something is being found or worked out."""
        return self.task is not None or self._background.is_busy or self._shape_wanted is not None

    # Finding

    def choose_source(self, item_id: str) -> None:
        """Look at the facets of another run or height map."""
        if item_id != self._source_id:
            self._source_id = item_id
            self._let_go()

    def can_find(self) -> bool:
        """Whether there is something to find facets on."""
        return self.task is None and self.source is not None

    def find(self) -> None:
        """Find the facets of the source."""
        from eclips_app.model.facets import request

        source = self.source
        if source is None or self.task is not None:
            return
        try:
            params, inputs = request(source, self.params)
        except EclipsError as error:
            self._session.notify(str(error), "warning")
            return
        self.task = self._session.tasks.run(
            "find-facets", params, inputs, f"Facets of {source.name}", self._keep, data=(source, params)
        )
        self.task.finished.connect(self._on_found)
        self._tell()

    def _keep(self, task: Task, result: StepResult) -> None:
        from eclips_app.model.facets import facets_on, make_facet_set

        source, params = task.data
        project = self._session.project
        if project.get(type(source), source.id) is None:
            self._session.notify(f"{source.name} was removed meanwhile; its facets were dropped.", "warning")
            return
        before = facets_on(project, source.id)
        made = make_facet_set(source, params, result, before)
        self.chosen = ()
        self._session.do(edits.add(f"Find facets of {source.name}", made))
        count = len(made.info["facets"]) - 1
        text = f"{count} {'facet' if count == 1 else 'facets'} found on {source.name}."
        if hint := noise_hint(made.info, params):
            self._session.notify(f"{text} {hint}", "warning")
        elif count:
            self._session.notify(text, "good")
        else:
            self._session.notify(f"{text} Try a smaller area or a larger tolerance.", "warning")

    def _on_found(self, _: str) -> None:
        self.task = None
        self._tell()

    # Choosing

    def choose(self, number: int, *, extend: bool = False) -> None:
        """Select a facet; with `extend` beside the one selected before. Selecting it again lets it go."""
        if self.found is None or not 1 <= number <= len(self.found):
            chosen: tuple[int, ...] = ()
        elif number in self.chosen:
            chosen = tuple(each for each in self.chosen if each != number) if extend else (number,)
        else:
            chosen = (*self.chosen, number)[-_MOST_CHOSEN:] if extend else (number,)
        self.set_chosen(chosen)

    def set_chosen(self, chosen: tuple[int, ...]) -> None:
        """Select facets, two at most."""
        if chosen[-_MOST_CHOSEN:] != self.chosen:
            self.chosen = chosen[-_MOST_CHOSEN:]
            self.chosen_changed.emit()

    def set_reference(self, reference: int) -> None:
        """Tell slopes and azimuths from another facet, the mean plane (0) or the image's (-1)."""
        facet_set = self.facet_set
        if facet_set is not None and reference != facet_set.reference:
            names = {0: "the mean plane", -1: "the plane of the image"}
            text = f"Facets from {names.get(reference, f'facet {reference}')}"
            self._session.do(edits.change(text, facet_set, reference=reference))

    def refer_to_chosen(self) -> None:
        """Tell slopes and azimuths from the selected facet."""
        if self.chosen:
            self.set_reference(self.chosen[-1])

    # Crystal

    def set_crystal(self, crystal: Crystal, what: str = "Crystal") -> None:
        """Compare with another crystal, or the same with other beliefs."""
        item = self._crystal_item()
        if crystal != item.crystal:
            self._session.do(Edit(what, {item.id: replace(item, crystal=crystal)}, f"crystal:{what}"))

    def index(self) -> None:
        """Work out which planes the facets may be, unless it is known."""
        key, found = self._key(), self.found
        if (
            found is None
            or not len(found)
            or key == self._asked
            or (self._indexed is not None and self._indexed[0] == key)
        ):
            return
        self._asked = key
        self._background.drop()
        self._background.run(partial(_index, found, self.reference, self.crystal), partial(self._keep_index, key))

    def _keep_index(self, key: tuple[Any, ...], result: Indexed | EclipsError) -> None:
        self._asked = ()
        self._indexed = key, result
        self.changed.emit()

    def construct(self) -> None:
        """Make the Wulff shape of the crystal's surface energies."""
        wanted = Wulff(self.crystal.lattice, self.crystal.energies)
        if wanted == self._shape_tried:  # what failed once would fail again
            return
        self._shape_wanted = self._shape_tried = wanted
        task = self._session.tasks.run("wulff", wanted, {}, "Wulff construction", self._keep_shape, key="facets.wulff")
        task.finished.connect(self._on_shape)

    def _keep_shape(self, _: Task, result: StepResult) -> None:
        self._shape = result

    def _on_shape(self, outcome: str) -> None:
        self._shape_wanted = None
        if outcome == "failed":
            self._shape = None
        self.changed.emit()

    # Results

    def has_facets(self) -> bool:
        """Whether there are facets."""
        return self.found is not None and len(self.found) > 0

    def add_results(self) -> None:
        """Put the selected facets and the angle between them into the results table; all facets where none is selected."""
        found, source = self.found, self.source
        if found is None or source is None:
            return
        numbers = self.chosen or tuple(found.numbers)
        rows = [self._row(f"Facet {n}", facet_values(found, n, self.reference, self._likely(n))) for n in numbers]
        if len(self.chosen) == _MOST_CHOSEN:
            one, other = self.chosen
            rows.append(self._row(f"Facets {one}, {other}", angle_values(found, one, other)))
        self._session.do(edits.add(f"Measure facets of {source.name}", *rows))
        self._session.notify(f"{len(rows)} {'row is' if len(rows) == 1 else 'rows are'} in the results table.", "good")

    def _row(self, name: str, values: dict[str, dict[str, Any]]) -> Measurement:
        source = self.source
        assert source is not None
        told = source.name
        if isinstance(source, Run):
            segment_set = self._session.project.get(SegmentSet, source.set_id)
            told = f"{segment_set.name}, {source.name}" if segment_set is not None else source.name
        return Measurement(new_id(), name, told, "", source.id, values)

    def _likely(self, number: int) -> dict[str, float]:
        """Give the likely planes of a facet, none among them, with their probabilities."""
        indexed = self.indexed
        candidates = indexed.candidates.get(number, ()) if indexed is not None else ()
        return {
            "none" if each.hkl is None else hkl_text(each.hkl): each.probability
            for each in candidates[:_MOST_TOLD] if each.probability >= _LEAST_TOLD
        }  # fmt: skip

    # Changes elsewhere

    def _crystal_item(self) -> CrystalItem:
        return next(iter(self._session.project.of_kind(CrystalItem)), None) or CrystalItem("crystal", Crystal())

    def _key(self) -> tuple[Any, ...]:
        facet_set = self.facet_set
        return (id(facet_set.arrays), facet_set.reference, self.crystal) if facet_set is not None else ()

    def _on_project(self, ids: frozenset[str]) -> None:
        project = self._session.project
        found = self.found
        self.chosen = tuple(n for n in self.chosen if found is not None and n <= len(found))
        touched = any(
            project.get(kind, item_id) is not None
            for item_id in ids
            for kind in (FacetSet, CrystalItem, HeightMap, Run)
        )
        if touched or any(self._is_gone(item_id) for item_id in ids):
            self._tell()

    def _is_gone(self, item_id: str) -> bool:
        return all(item.id != item_id for item in self._session.project)

    def _on_selection(self, _: object) -> None:
        self._let_go()

    def _let_go(self) -> None:
        self.chosen = ()
        self._tell()
        self.chosen_changed.emit()

    def _tell(self) -> None:
        self.changed.emit()
        self._session.actions.update_enabled()


def facet_values(found: Found, number: int, reference: int, likely: dict[str, float]) -> dict[str, dict[str, Any]]:
    """Give a facet's readings as a row of the results table holds them."""
    from eclips_app.metrology.facets.report import is_parallel

    values: dict[str, dict[str, Any]] = {}
    if number != reference:
        values["Slope"] = found.tilt(number, reference).to_json()
        if not is_parallel(found, number, reference):
            values["Azimuth"] = found.fall_azimuth(number, reference).to_json()
        step = found.step(reference, number, reference) if reference > 0 else None
        if step is not None:
            values["Height"] = step.to_json()
    values["Facet area"] = dict(found.area_nm2(number).to_json())
    values["Rms from plane"] = dict(Quantity(float(found.facts[number]["rms_nm"]), "nm").to_json())
    for name, probability in likely.items():
        values[f"P {name}"] = dict(Quantity(100 * probability, "%").to_json())
    return values


def angle_values(found: Found, one: int, other: int) -> dict[str, dict[str, Any]]:
    """Give the angle between two facets as a row of the results table holds it."""
    reading = found.angle(one, other)
    outer = Quantity(180.0 - reading.quantity.value, "deg", reading.quantity.std)
    return {"Angle": reading.to_json(), "External angle": dict(outer.to_json())}


def flow_of(session: Session) -> FacetsFlow:
    """Give the session's flow, made at the first call."""
    found = session.findChild(FacetsFlow)
    return found if isinstance(found, FacetsFlow) else FacetsFlow(session)


def register(session: Session) -> None:
    """Add the commands of this flow."""
    flow = flow_of(session)
    for info in (
        ActionInfo(
            "facets.find", "Find facets", "Facets", flow.find, "", "facets", flow.can_find,
            "Find the plane facets of the selected reconstruction or height map.",
        ),
        ActionInfo(
            "facets.reference", "Refer to the selected facet", "Facets", flow.refer_to_chosen, "", "ruler", flow.has_facets,
            "Tell slopes and azimuths from the selected facet.",
        ),
        ActionInfo(
            "facets.results", "Add facets to results", "Facets", flow.add_results, "", "results", flow.has_facets,
            "Put the selected facets, or all, into the results table.",
        ),
    ):  # fmt: skip
        session.actions.add(info)


def _index(found: Found, reference: int, crystal: Crystal) -> Indexed | EclipsError:
    from eclips_app.metrology.facets.report import index_found

    try:
        return index_found(found, reference, crystal)
    except EclipsError as error:
        return error
