"""The live results: rows are made by recipes, measured anew when what they rest on has changed, and written to files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from eclips_app.commands import edits
from eclips_app.core import schema
from eclips_app.core.errors import EclipsError
from eclips_app.core.measuring import KINDS, Kind, options_of
from eclips_app.gui.actions import ActionInfo
from eclips_app.gui.qt import QtCore, QtGui, Signal
from eclips_app.gui.session import Session
from eclips_app.gui.widgets.background import Background
from eclips_app.model import measurements
from eclips_app.model.items import HeightMap, Measurement, ProfileLine, Run, new_id
from eclips_app.model.project import Selection

if TYPE_CHECKING:
    from eclips_app.core.steps import StepResult
    from eclips_app.gui.tasks import Task

_REST_MS = 150  #: after the last change; a drag changes a shape with every move of the mouse
Arrays = Mapping[str, NDArray[Any]]
_EXPORTS = "Workbook (*.xlsx);;Table, CSV (*.csv)"


@dataclass(frozen=True)
class _Asked:
    row_id: str
    seen: str


class ResultsFlow(QtCore.QObject):
    """Keeps the values of all rows true.

    Values are derived: they follow from recipe, shapes and source, whose print a row keeps beside them. Whatever changes the
    project (an edit, an undo, another project), rows with another print are measured again in the engine, and their
    new values become part of the step that changed them (`History.amend`), so that undo and redo bring both back together.
    """

    changed = Signal()  #: other rows wait than before
    curves_changed = Signal()  #: curves that were asked for have come

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session
        self._background = Background(self)
        self._stale: set[str] = set()
        self._asked: dict[str, str] = {}  # row -> print that is being measured
        self._curves: dict[str, tuple[str, Arrays]] = {}  # row -> print that they belong to, and its curves
        self._image_size = measurements.image_pixel_size_nm(session.project)
        self._rest = QtCore.QTimer(self, singleShot=True, interval=_REST_MS)
        self._rest.timeout.connect(self._measure)
        session.project.changed.connect(self._on_project)
        session.project.selection_changed.connect(self._on_selection)
        self._look(self.rows())

    def rows(self) -> tuple[Measurement, ...]:
        """Give all rows in their order."""
        return self._session.project.of_kind(Measurement)

    def waits(self, row_id: str) -> bool:
        """Whether a row's values hold no more and new ones are on their way."""
        return row_id in self._stale

    # Making and changing rows

    def hindrance(self, kind: Kind) -> str:
        """Say why the selection cannot be measured after a kind; empty where it can."""
        try:
            self._new_row(kind)
        except EclipsError as error:
            text = str(error)
            return f"{text[:1].upper()}{text[1:]}"
        return ""

    def add(self, key: str) -> None:
        """Measure what is selected after a kind; a new row."""
        try:
            row = self._new_row(KINDS[key])
        except EclipsError as error:
            self._session.notify(str(error), "warning")
            return
        self._session.do(edits.add(f"Measure {row.name}", row))
        self._session.show_panel("results")

    def duplicate(self, row: Measurement) -> None:
        """Add a copy of a row."""
        copy = replace(row, id=new_id(), name=self._free_name(row.name))
        self._session.do(edits.add(f"Duplicate {row.name}", copy))

    def rename(self, row: Measurement, name: str) -> None:
        """Call a row otherwise."""
        if name and name != row.name:
            self._session.do(edits.change(f"Rename {row.name} to {name}", row, name=name))

    def delete(self, rows: list[Measurement]) -> None:
        """Take rows out."""
        if rows:
            self._session.do(edits.remove("Delete results", rows))

    def set_options(self, row: Measurement, **options: Any) -> None:
        """Change options of a row's recipe; what equals the default is left out of it."""
        recipe = measurements.recipe_of(row)
        changed = replace(options_of(recipe), **options)
        plain = type(changed)()
        kept = {
            name: value for name, value in vars(changed).items() if value is not None and value != getattr(plain, name)
        }
        self._change_recipe(row, f"Options of {row.name}", options=kept)

    def set_stretches(self, row: Measurement, numbers: list[int]) -> None:
        """Measure a row on other stretches of its profile, by their numbers from 1."""
        lines = measurements.shapes_of(self._session.project, row)
        marked = lines[0].stretches_nm if lines else ()
        wrong = [number for number in numbers if not 1 <= number <= len(marked)]
        if wrong:
            self._session.notify(f"There is no stretch {wrong[0]} on this profile.", "warning")
            self.changed.emit()
            return
        chosen = [list(marked[number - 1]) for number in numbers]
        self._change_recipe(row, f"Stretches of {row.name}", stretches_nm=chosen)

    def set_source(self, row: Measurement, source: Run | HeightMap) -> None:
        """Measure a row on something else."""
        text = measurements.source_text(self._session.project, source)
        self._session.do(edits.change(f"Measure {row.name} on {text}", row, run_id=source.id, source=text))

    def set_shapes(self, row: Measurement, line_ids: tuple[str, ...]) -> None:
        """Measure a row along other shapes; none: the whole map."""
        first, more = (line_ids[0], line_ids[1:]) if line_ids else ("", ())
        self._session.do(edits.change(f"Shape of {row.name}", row, line_id=first, more_line_ids=more))

    def _change_recipe(self, row: Measurement, text: str, **fields: Any) -> None:
        recipe = {**row.recipe, **fields}
        if recipe != row.recipe:
            self._session.do(edits.change(text, row, f"{text}:{row.id}", recipe=recipe))

    def _new_row(self, kind: Kind) -> Measurement:
        project = self._session.project
        source = project.run or project.get(HeightMap, project.selection.map_id)
        if source is None:
            raise EclipsError("there are no heights to measure", hint="Reconstruct, or load a height map.")
        lines = self._lines_for(kind)
        shapes = tuple(line.shape for line in lines)
        if kind.data == "profile" and any(line.kind == "polygon" for line in lines):
            raise EclipsError("an area has no profile", hint="Select a line, polyline, circle or rectangle.")
        recipe = measurements.fitting_recipe(kind, shapes, lines[0].stretches_nm if lines else ())
        name = self._free_name(kind.title)
        ids = [line.id for line in lines]
        text = measurements.source_text(project, source)
        return Measurement(
            new_id(), name, text, ids[0] if ids else "", source.id, {}, schema.dump(recipe), tuple(ids[1:])
        )

    def _lines_for(self, kind: Kind) -> list[ProfileLine]:
        """Give the shapes that a kind would be measured on: the selected one, and others before it if it needs more."""
        line, most = self._session.project.line, kind.shapes[1]
        if kind.data == "profile":
            return [line] if line is not None else []
        areas = [
            each
            for each in self._session.project.of_kind(ProfileLine)
            if each.kind in measurements.AREAS and (each.visible or each is line)
        ]
        if line not in areas:
            return areas[-most:] if kind.shapes[0] > 1 else []
        others = [each for each in areas if each is not line]
        return [*others[len(others) - (most - 1) :], line] if most > 1 else [line]

    def _free_name(self, name: str) -> str:
        taken = {row.name for row in self.rows()}
        names = (name, *(f"{name} ({i})" for i in range(2, len(taken) + 3)))
        return next(each for each in names if each not in taken)

    # Measuring

    def _on_selection(self, _: Selection) -> None:
        size = measurements.image_pixel_size_nm(self._session.project)
        if size != self._image_size:  # placed maps lie otherwise
            self._image_size = size
            self._look(self.rows())

    def _on_project(self, ids: frozenset[str]) -> None:
        concerned = [row for row in self.rows() if ids & {row.id, row.line_id, row.run_id, *row.more_line_ids}]
        gone = self._stale - {row.id for row in self.rows()} if ids & self._stale else set()
        self._stale -= gone
        self._look(tuple(concerned), bool(gone))

    def _look(self, rows: tuple[Measurement, ...], told: bool = False) -> None:
        """See which of these rows hold no more."""
        project, before = self._session.project, set(self._stale)
        for row in rows:
            # One that waits already is looked at again when the changes have come to rest, not at each move of a drag.
            if row.recipe and row.id not in self._stale:
                holds = row.seen == measurements.measured_print(project, row)
                if not holds:
                    self._stale.add(row.id)
        if self._stale:
            self._rest.start()
        if told or self._stale != before:
            self.changed.emit()

    def _measure(self) -> None:
        """Let the engine measure what holds no more; called when the changes have come to rest."""
        project = self._session.project
        for row in self.rows():
            if row.id not in self._stale:
                continue
            seen = measurements.measured_print(project, row)
            if seen == row.seen:
                self._settle(row.id)
                continue
            if self._asked.get(row.id) == seen:
                continue
            try:
                params, inputs = measurements.request(project, row)
            except EclipsError as error:
                self._take(row.id, seen, {}, (), error)
                continue
            self._asked[row.id] = seen
            task = self._session.tasks.run(
                "measure", params, dict(inputs), f"Measuring {row.name}", self._keep, on_failed=self._keep_problem,
                data=_Asked(row.id, seen), key=f"measure:{row.id}",
            )  # fmt: skip
            task.finished.connect(self._on_finished)

    def _keep(self, task: Task, result: StepResult) -> None:
        asked: _Asked = task.data
        unstated = result.info.get("not_stated") or []
        self._curves[asked.row_id] = asked.seen, dict(result.arrays)
        notes = [*result.info.get("notes", ()), *([f"Not stated: {', '.join(unstated)}."] if unstated else [])]
        self._take(asked.row_id, asked.seen, result.info["values"], tuple(notes), None)

    def _keep_problem(self, task: Task, error: EclipsError) -> None:
        asked: _Asked = task.data
        self._take(asked.row_id, asked.seen, {}, (), error)

    def _on_finished(self, _: str) -> None:
        task = self.sender()
        asked = getattr(task, "data", None)
        if isinstance(asked, _Asked) and self._asked.get(asked.row_id) == asked.seen:
            del self._asked[asked.row_id]

    def _take(
        self, row_id: str, seen: str, values: dict[str, Any], notes: tuple[str, ...], error: EclipsError | None
    ) -> None:
        """Put values, or why there are none, into a row, unless it has been changed meanwhile."""
        row = self._session.project.get(Measurement, row_id)
        if row is not None and measurements.measured_print(self._session.project, row) == seen:
            problem = str(error) if error is not None else ""
            measured = replace(row, values=values, notes=notes, problem=problem, seen=seen)
            self._session.history.amend({row_id: measured})
            self._settle(row_id)

    def _settle(self, row_id: str) -> None:
        """Take a row off those that wait: its values hold."""
        if row_id in self._stale:
            self._stale.discard(row_id)
            self.changed.emit()

    # Curves, which are not part of the project: they follow from the recipe

    def curves(self, row: Measurement) -> Arrays | None:
        """Give the curves of a row by name (`core.measuring.Kind.plots`); None while they are measured, or without any."""
        kind = KINDS.get(str(row.recipe.get("kind", "")))
        if kind is None or not kind.plots or row.problem or self.waits(row.id):
            return None
        seen, arrays = self._curves.get(row.id, ("", {}))
        if seen == row.seen:
            return arrays
        try:
            params, inputs = measurements.request(self._session.project, row)
        except EclipsError:  # what it was measured on is gone: it says so itself in a moment
            return None
        self._session.tasks.run(
            "measure", params, dict(inputs), f"Curves of {row.name}", self._keep_curves, data=_Asked(row.id, row.seen),
            key=f"curves:{row.id}",
        )  # fmt: skip
        return None

    def _keep_curves(self, task: Task, result: StepResult) -> None:
        asked: _Asked = task.data
        self._curves[asked.row_id] = asked.seen, dict(result.arrays)
        self.curves_changed.emit()

    def export_curves(self, row: Measurement) -> None:
        """Let the user choose a name, and write each curve of a row beside it as CSV."""
        arrays = self.curves(row)
        path = self._session.ask_save_file("Export curves", "exports", "Tables, CSV (*.csv)", f"{row.name}.csv")
        if path is not None and arrays:
            self._background.run(partial(_written_curves, path, arrays), self._tell)

    # Taking results elsewhere

    def copy(self) -> None:
        """Put the table on the clipboard, ready for a spreadsheet."""
        from eclips_app.io.results_files import results_text  # late: not needed to start

        QtGui.QGuiApplication.clipboard().setText(results_text(self._session.project, "\t"))
        self._session.notify("The results are on the clipboard.", "info")

    def export(self) -> None:
        """Let the user choose a file and write the table to it."""
        path = self._session.ask_save_file("Export results", "exports", _EXPORTS, "results.xlsx")
        if path is not None:
            self.write(path if path.suffix else path.with_suffix(".xlsx"))

    def write(self, path: Path) -> None:
        """Write the table as its suffix says; how it went is told."""
        from eclips_app.gui.flows.profile_export import frozen  # late: not needed to start

        self._background.run(partial(_written, frozen(self._session.project), path), self._tell)

    def has_source(self) -> bool:
        """Whether there are heights."""
        project = self._session.project
        return project.run is not None or bool(project.selection.map_id)

    def has_rows(self) -> bool:
        """Whether there is a row."""
        return bool(self.rows())

    def _tell(self, outcome: tuple[str, str]) -> None:
        self._session.notify(*outcome)


def _written(project: Any, path: Path) -> tuple[str, str]:
    from eclips_app.io.results_files import write_results  # late: not needed to start

    try:
        write_results(project, path)
    except EclipsError as error:
        return str(error), "error"
    return f"Results written to {path}.", "good"


def _written_curves(path: Path, arrays: Arrays) -> tuple[str, str]:
    from eclips_app.io.export_measures import write_curves  # late: not needed to start

    try:
        files = write_curves(path.parent, path.stem, arrays)
    except (EclipsError, OSError) as error:
        return str(error), "error"
    return f"Curves written to {', '.join(each.name for each in files)}.", "good"


def flow_of(session: Session) -> ResultsFlow:
    """Give the session's flow, made at the first call."""
    found = session.findChild(ResultsFlow)
    return found if isinstance(found, ResultsFlow) else ResultsFlow(session)


class _Add:
    """Measures after a kind; holds the flow, no widget."""

    def __init__(self, flow: ResultsFlow, key: str) -> None:
        self._flow, self._key = flow, key

    def __call__(self) -> None:
        self._flow.add(self._key)

    def is_possible(self) -> bool:
        """Whether there is something to measure; asked at every change, so the rest is said when it is tried."""
        return self._flow.has_source()


def register(session: Session) -> None:
    """Add the commands of this flow."""
    flow = flow_of(session)
    for kind in KINDS.values():
        add = _Add(flow, kind.key)
        session.actions.add(
            ActionInfo(f"results.{kind.key}", kind.title, "Measure", add, "", "", add.is_possible, kind.help)
        )
    for info in (
        ActionInfo(
            "results.copy", "Copy results", "Measure", flow.copy, "", "copy", flow.has_rows,
            "Copy the table for a spreadsheet.",
        ),
        ActionInfo(
            "results.export", "Export results…", "Measure", flow.export, "", "export", flow.has_rows,
            "Write the table as XLSX or CSV.",
        ),
    ):  # fmt: skip
        session.actions.add(info)
