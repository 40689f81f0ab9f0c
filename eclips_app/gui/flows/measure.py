"""Lines, cursors, results and height maps from elsewhere: what is measured, whichever panel shows it."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

from eclips_app.commands import edits
from eclips_app.commands.history import Edit
from eclips_app.core.errors import EclipsError
from eclips_app.core.steps import ReadHeightMap, StepResult
from eclips_app.gui.actions import ActionInfo
from eclips_app.gui.flows.profiles import profiles_of
from eclips_app.gui.flows.sampling import (
    Sampled,
    as_csv,
    image_shape,
    offset_to_match,
    pixel_size_nm,
    read_cursors,
)
from eclips_app.gui.qt import QtCore, QtGui, Signal
from eclips_app.gui.session import Session
from eclips_app.gui.tasks import Task
from eclips_app.gui.widgets import shape_geometry as shapes
from eclips_app.gui.widgets.background import Background
from eclips_app.model.items import HeightMap, Item, Measurement, ProfileLine, new_id
from eclips_app.model.placing import frame_map, frame_shape
from eclips_app.version import VERSION

_MAPS = (
    "Height maps (*.spm *.ibw *.gwy *.nid *.sxm *.jpk *.jpk-qi-image *.mi *.tif *.tiff *.x3p *.sdf *.sur *.plu *.al3d "
    "*.opd *.top *.xyz *.txt *.asc *.csv *.dat *.0* *.stp);;All files (*)"
)
_COLORS = ("#e6550d", "#1f8fd6", "#2ca02c", "#d62796", "#8c6bd1", "#b8860b", "#00999a", "#c0392b")
EXPORTS = (
    "Table, CSV (*.csv);;Workbook (*.xlsx);;Drawing at true scale, SVG (*.svg);;Drawing at true scale, DXF (*.dxf)"
)
Point = tuple[float, float]
Stretches = tuple[tuple[float, float], ...]


class MeasureFlow(QtCore.QObject):
    """Makes and changes lines, keeps the cursors of each, adds results, reads and writes."""

    cursors_changed = Signal(str)  #: id of the line

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session
        self._background = Background(self)
        self._path: Path | None = None  # of the height map read last
        self._channels: tuple[str, ...] = ()
        self._dragged: dict[str, Stretches] = {}  # stretches as they were before the mouse took hold of one
        self._panel = "profile"  # where the map that is read will be shown
        self._cursors: dict[str, tuple[float, float]] = {}
        session.height_map_offered.connect(self.load_height_map)

    # Shapes

    def new_shape(self, kind: str, points: shapes.Points, merge_key: str = "") -> str:
        """Add a shape of its own colour and select it; gives its id."""
        lines = self._session.project.of_kind(ProfileLine)
        names, colors = {line.name for line in lines}, [line.color for line in lines]
        title = shapes.TITLES[kind]
        name = next(name for i in range(1, len(lines) + 2) if (name := f"{title} {i}") not in names)
        color = min(_COLORS, key=colors.count)
        width = next((line.width_px for line in reversed(lines) if line.kind in shapes.WITH_WIDTH), 1.0)
        width = width if kind in ("line", "polyline") else 1.0
        line = ProfileLine(new_id(), name, points[0], points[-1], width, color, kind=kind, via_px=points[1:-1])
        self._session.do(Edit(f"Draw {name}", {line.id: line}, merge_key))
        self._session.project.select(line_id=line.id)
        return line.id

    def new_line(self, start: Point, end: Point, merge_key: str = "") -> str:
        """Add a straight line and select it; gives its id."""
        return self.new_shape("line", (start, end), merge_key)

    def add_line(self) -> None:
        """Add a line across the middle of the image, for those who do not draw."""
        shape = image_shape(self._session.project)
        if shape is not None:
            row = (shape[0] - 1) / 2 + 12.0 * len(self._session.project.of_kind(ProfileLine))
            row = min(row, shape[0] - 1.0)
            self.new_line((0.2 * (shape[1] - 1), row), (0.8 * (shape[1] - 1), row))

    def reshape(self, line_id: str, points: shapes.Points, merge_key: str = "") -> None:
        """Put a shape's points elsewhere."""
        line = self._session.project.get(ProfileLine, line_id)
        if line is not None and points != line.shape.points_px:
            # Without its own key a nudge merges with the nudges before it, as a drag does.
            key = merge_key or f"line:{line_id}"
            verb = "Draw" if key.startswith("draw:") else "Move"
            places = {"start_px": points[0], "via_px": points[1:-1], "end_px": points[-1]}
            self._session.do(edits.change(f"{verb} {line.name}", line, key, **places))

    def set_width(self, line_id: str, width_px: float) -> None:
        """Average a shape's profile over another width."""
        line = self._session.project.get(ProfileLine, line_id)
        if line is not None and width_px != line.width_px:
            self._session.do(edits.change(f"Width of {line.name}", line, f"width:{line_id}", width_px=width_px))

    def duplicate_line(self) -> None:
        """Add a copy of the selected shape, a little below it."""
        line = self._session.project.line
        if line is not None:
            copy = self.new_shape(line.kind, shapes.moved_by(line.shape.points_px, 0.0, 12.0), f"copy:{line.id}")
            self.set_copied(copy, line)
            self._session.history.end_merge()

    def set_copied(self, copy_id: str, line: ProfileLine) -> None:
        """Give a fresh copy the width and the marks of its original, in the same step."""
        copy = self._session.project.get(ProfileLine, copy_id)
        if copy is not None:
            marks = {"width_px": line.width_px, "stretches_nm": line.stretches_nm}
            self._session.do(edits.change(f"Copy {line.name}", copy, f"copy:{line.id}", **marks))

    def delete_line(self) -> None:
        """Take out the selected line and select its neighbour."""
        project = self._session.project
        line = project.line
        if line is not None:
            lines = project.of_kind(ProfileLine)
            others = [each for each in lines if each.id != line.id]
            place = min(lines.index(line), len(others) - 1)
            self._session.do(edits.remove(f"Delete {line.name}", [line]))
            project.select(line_id=others[place].id if others else "")

    def next_line(self) -> None:
        """Select the next line."""
        project = self._session.project
        lines = project.of_kind(ProfileLine)
        if lines:
            place = lines.index(project.line) + 1 if project.line in lines else 0
            project.select(line_id=lines[place % len(lines)].id)

    # Cursors and results

    def cursors_nm(self, line: ProfileLine) -> tuple[float, float]:
        """Give both cursors of a line in nm from its start; before they are moved, at a quarter and three quarters."""
        length = self.length_nm(line)
        first, second = self._cursors.get(line.id, (0.25 * length, 0.75 * length))
        return min(max(first, 0.0), length), min(max(second, 0.0), length)

    def length_nm(self, line: ProfileLine) -> float:
        """Give the length of a shape's profile in nm; in pixels while the pixel size is not known."""
        size = pixel_size_nm(self._session.project) or 1.0
        return shapes.length_px(line.kind, line.shape.points_px) * size

    def set_stretches(self, line: ProfileLine, stretches_nm: Stretches) -> None:
        """Mark other stretches on a profile; what is measured on a stretch follows it, in the same step."""
        if stretches_nm != line.stretches_nm:
            changed: dict[str, Item | None] = {line.id: replace(line, stretches_nm=stretches_nm)}
            changed |= self._rows_moved(line.id, line.stretches_nm, stretches_nm)
            self._session.do(Edit(f"Mark stretches of {line.name}", changed))

    def drag_stretches(self, line: ProfileLine, stretches_nm: Stretches) -> None:
        """Follow the mouse that moves a stretch; what is measured on it follows when the mouse lets go."""
        if stretches_nm != line.stretches_nm:
            self._dragged.setdefault(line.id, line.stretches_nm)
            text, key = f"Mark stretches of {line.name}", f"stretches:{line.id}"
            self._session.do(edits.change(text, line, key, stretches_nm=stretches_nm))

    def end_stretch_drag(self) -> None:
        """Let measurements follow the stretches that the mouse has let go of."""
        for line_id, before in self._dragged.items():
            line = self._session.project.get(ProfileLine, line_id)
            rows = self._rows_moved(line_id, before, line.stretches_nm) if line is not None else {}
            if line is not None and rows:
                self._session.do(Edit(f"Mark stretches of {line.name}", rows, f"stretches:{line_id}"))
        self._dragged.clear()
        self._session.history.end_merge()

    def _rows_moved(self, line_id: str, before: Stretches, after: Stretches) -> dict[str, Item | None]:
        """Give the rows that are measured on stretches which have moved."""
        moved, changed = dict(zip(before, after, strict=False)), dict[str, Item | None]()
        for row in self._session.project.of_kind(Measurement):
            old = [(float(a), float(b)) for a, b in row.recipe.get("stretches_nm", ())]
            new = [moved.get(each, each) for each in old]
            if row.line_id == line_id and new != old:
                changed[row.id] = replace(row, recipe={**row.recipe, "stretches_nm": [list(each) for each in new]})
        return changed

    def remove_stretch(self, line: ProfileLine, index: int) -> None:
        """Take out a stretch, all with a negative index; what was measured on it keeps its own."""
        kept = tuple(each for i, each in enumerate(line.stretches_nm) if index >= 0 and i != index)
        self._session.do(edits.change(f"Remove stretches of {line.name}", line, stretches_nm=kept))

    def set_cursors(self, line_id: str, first_nm: float, second_nm: float) -> None:
        """Move both cursors of a line."""
        if self._cursors.get(line_id) != (first_nm, second_nm):
            self._cursors[line_id] = (first_nm, second_nm)
            self.cursors_changed.emit(line_id)

    def sampled(self) -> tuple[Sampled, ...]:
        """Give all profiles along the selected line; empty without one."""
        line = self._session.project.line
        return profiles_of(self._session).whole(line) if line is not None else ()

    def add_result(self) -> None:
        """Put what the cursors show on every curve of the selected line into the results table."""
        line = self._session.project.line
        sampled = self.sampled()
        if line is None or not sampled:
            return
        set_name = self._session.project.segment_set.name if self._session.project.segment_set else ""
        rows = []
        for each in sampled:
            reading = read_cursors(each, *self.cursors_nm(line))
            values = {name: quantity.to_json() for name, quantity in reading.values.items()}
            source = each.name if each.role == "map" else f"{set_name}, {each.name}"
            run_id = each.source_id
            rows.append(Measurement(new_id(), line.name, source, line.id, run_id, values))
        self._session.do(edits.add(f"Measure {line.name}", *rows))
        self._session.notify(f"{line.name} is in the results table.", "good")

    # Height maps

    def ask_height_map(self) -> None:
        """Let the user choose a height map and read it."""
        for path in self._session.ask_open_files("Load height map", "maps", _MAPS):
            self.load_height_map(path)

    def ask_map_to_compare(self) -> None:
        """Let the user choose a height map and read it for the panel Compare."""
        for path in self._session.ask_open_files("Load height map", "maps", _MAPS):
            self.load_height_map(path, panel="compare")

    def load_height_map(self, path: Path, panel: str = "profile") -> None:
        """Read an AFM or other height map; it is placed at the middle of the image and shown in a panel."""
        self._panel = panel
        self.read_height_map(ReadHeightMap(str(path)))

    def read_height_map(self, params: ReadHeightMap) -> None:
        """Read a height map with what its file does not say."""
        self._path, self._channels = Path(params.path), ()
        text = f"Reading {self._path.name}"
        task = self._session.tasks.run("read-height-map", params, {}, text, self._keep_map, data=self._path)
        task.finished.connect(self._on_map_read)

    def ask_how_to_read(self) -> None:
        """Ask for channel, unit and pixel size of the map that was read last, and read it with them."""
        from eclips_app.gui.widgets.map_dialog import MapDialog  # late: seldom needed

        if self._path is not None:
            dialog = MapDialog(self._path, self._channels)
            if dialog.exec() == MapDialog.DialogCode.Accepted:
                self.read_height_map(dialog.params())

    def _on_map_read(self, outcome: str) -> None:
        text, task = "", self.sender()
        if (
            outcome == "failed"
            and self._path is not None
            and isinstance(task, Task)
            and "kind of file" not in task.problem
        ):
            text = f"{self._path.name} was not read. Does it lack its unit or pixel size?"
        elif outcome == "done" and len(self._channels) > 1:
            text = f"The file holds {len(self._channels)} height channels."
        if text:
            self._session.notify(text, action_text="Read with settings…", action=self.ask_how_to_read)

    def place_map(self, text: str, merge_key: str, **fields: object) -> None:
        """Move, turn or lift the selected height map; keywords are fields of `HeightMap`."""
        placed = self._session.project.get(HeightMap, self._session.project.selection.map_id)
        if placed is None:
            return
        if any(getattr(placed, name) != value for name, value in fields.items() if name != "z_offset_nm"):
            fields["placement"] = {}  # what a registration knew of the place does not hold any more
        self._session.do(edits.change(text, placed, merge_key, **fields))

    def match_map(self) -> None:
        """Lift the map so that its profile lies on that of run A along the selected line."""
        placed = self._session.project.get(HeightMap, self._session.project.selection.map_id)
        by_role = {each.role: each.profile for each in self.sampled()}
        if placed is None or "A" not in by_role or "map" not in by_role:
            return
        try:
            offset = offset_to_match(placed, by_role["map"], by_role["A"])
        except EclipsError as error:
            self._session.notify(str(error), "warning")
            return
        self.place_map("Match heights", "", z_offset_nm=offset)

    def _keep_map(self, task: Task, result: StepResult) -> None:
        path: Path = task.data
        self._channels = tuple(result.info.get("channels", ()))
        height, sizes = result.arrays["height"], result.info["pixel_size_nm"]
        height.setflags(write=False)
        size_x, size_y = (float(size) for size in sizes)
        shape = image_shape(self._session.project) or frame_shape(height.shape, (size_x, size_y))
        placed = HeightMap(
            id=new_id(),
            name=str(result.info.get("name") or path.stem),
            height=height,
            pixel_size_nm=(size_x, size_y),
            source=str(path),
            sha256=str(result.info.get("sha256", "")),
            center_px=((shape[1] - 1) / 2, (shape[0] - 1) / 2),
        )
        self._session.do(edits.add(f"Load {placed.name}", placed))
        self._session.project.select(map_id=placed.id)
        self._session.show_panel(self._panel)
        self._session.notify(f"{placed.name} is loaded. {self._what_next(placed)}.", "good")

    def _what_next(self, placed: HeightMap) -> str:
        if frame_map(self._session.project) is placed:
            return "Draw a line on it to measure it, or level it in the panel Level"
        return (
            "Register it" if self._panel == "compare" else "Place it by hand here, or register it in the panel Compare"
        )

    # Taking profiles elsewhere

    def copy_profile(self) -> None:
        """Put the selected line's profiles on the clipboard, ready for a spreadsheet."""
        line = self._session.project.line
        if line is not None and (sampled := self.sampled()):
            QtGui.QGuiApplication.clipboard().setText(as_csv(line, sampled, "\t"))
            self._session.notify(f"The profile of {line.name} is on the clipboard.", "info")

    def export_profiles(self) -> None:
        """Write the profiles of all visible lines to a file; its suffix says of which kind."""
        path = self._session.ask_save_file("Export profiles", "exports", EXPORTS, "profiles.csv")
        if path is not None:
            self.write_profiles(path if path.suffix else path.with_suffix(".csv"))

    def write_profiles(self, path: Path) -> None:
        """Write the profiles of all visible lines; a failure is told and leaves no half file."""
        from eclips_app.gui.flows.profile_export import frozen, write_visible  # late: nothing else here writes

        facts = {"Program": f"ECLIPS {VERSION}", "Project": str(self._session.path or "not saved")}
        project, sampling = frozen(self._session.project), profiles_of(self._session).sampling
        self._background.run(partial(write_visible, project, sampling, path, facts), self._tell_written)

    def _tell_written(self, outcome: tuple[str, str]) -> None:
        self._session.notify(*outcome)

    def has_line(self) -> bool:
        """Whether a line is selected."""
        return self._session.project.line is not None

    def has_images(self) -> bool:
        """Whether there is something to draw on."""
        return image_shape(self._session.project) is not None


def flow_of(session: Session) -> MeasureFlow:
    """Give the session's flow, made at the first call."""
    found = session.findChild(MeasureFlow)
    return found if isinstance(found, MeasureFlow) else MeasureFlow(session)


def register(session: Session) -> None:
    """Add the commands of this flow."""
    flow = flow_of(session)
    for info in (
        ActionInfo(
            "measure.load_height_map", "Load height map…", "Profile", flow.ask_height_map, "", "import", None,
            "Read an AFM or other height map to lay it over the image.",
        ),
        ActionInfo(
            "measure.add_line", "Add line", "Profile", flow.add_line, "Ctrl+L", "add", flow.has_images,
            "Add a profile line across the middle of the image.",
        ),
        ActionInfo(
            "measure.duplicate_line", "Duplicate line", "Profile", flow.duplicate_line, "", "copy", flow.has_line,
            "Add a copy of the selected shape.",
        ),
        ActionInfo(
            "measure.next_line", "Next line", "Profile", flow.next_line, "", "next", flow.has_line,
            "Select the next profile line.",
        ),
        ActionInfo(
            "measure.delete_line", "Delete line", "Profile", flow.delete_line, "", "delete", flow.has_line,
            "Take out the selected profile line.",
        ),
        ActionInfo(
            "measure.add_result", "Add to results", "Profile", flow.add_result, "Ctrl+R", "results", flow.has_line,
            "Put what the cursors show into the results table.",
        ),
        ActionInfo(
            "measure.copy_profile", "Copy profile", "Profile", flow.copy_profile, "Ctrl+Shift+C", "copy", flow.has_line,
            "Copy the selected line's profile for a spreadsheet.",
        ),
        ActionInfo(
            "measure.export", "Export profiles…", "Profile", flow.export_profiles, "", "export", flow.has_line,
            "Write the profiles of all visible lines as CSV or XLSX, or as a drawing (SVG, DXF) at true scale.",
        ),
    ):  # fmt: skip
        session.actions.add(info)
