"""A virtual microscope: choices of surface and detector, live images of them, and what becomes of the images."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from eclips_app.commands.history import Edit
from eclips_app.core.detector import Detector
from eclips_app.core.errors import EclipsError
from eclips_app.core.specimen import Specimen
from eclips_app.core.steps import ReadHeightMap, StepResult
from eclips_app.gui.actions import ActionInfo
from eclips_app.gui.flows import simulation
from eclips_app.gui.flows.live_comparison import LiveComparison
from eclips_app.gui.flows.live_images import Frame, LiveImages, Source, Wish
from eclips_app.gui.flows.live_vision_field import LiveVisionField, Scene
from eclips_app.gui.flows.simulation import FILE, Setup, Terrain
from eclips_app.gui.qt import QtCore, Signal
from eclips_app.gui.session import Session
from eclips_app.gui.tasks import Task
from eclips_app.gui.widgets.background import Background
from eclips_app.model.items import DetectorItem, HeightMap, ProfileLine, Run, SegmentSet

_MAPS = (
    "Height maps (*.spm *.ibw *.gwy *.nid *.sxm *.jpk *.tif *.tiff *.x3p *.sdf *.sur *.plu *.al3d *.opd *.xyz *.txt *.asc *.csv "
    "*.dat *.stp);;All files (*)"
)
_TIFF = "TIFF, one page for each segment (*.tif)"


class SimulateFlow(QtCore.QObject):
    """Holds the choices, whether or not the panel is open, and does what its buttons say."""

    changed = Signal()  #: the choices, or what can be chosen

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session
        self.setup = Setup()
        self.loaded: HeightMap | None = None  #: height map read from a file
        self.pixel: tuple[int, int] | None = None  #: row, column of the full surface
        self.live = LiveImages(session.jobs, self)
        self.reach = LiveVisionField(session.jobs, self)  #: how far away the surface can hide the detector
        self.comparison = LiveComparison(session.jobs, self)  #: a network's images beside the exact ones
        self.compares = False  #: whether that is wanted
        self.trained: dict[str, str] = {}  #: networks trained in this session: file of weights to "vft" or "dsm"
        self._is_watched = False
        self._reading = ReadHeightMap()
        self._background = Background(self)
        self._could_render = False
        self.live.told.connect(self._on_told)
        self.live.framed.connect(self._on_framed)
        session.project.changed.connect(self._on_project)

    # Choices

    @property
    def base(self) -> Detector:
        """The detector before the changes made in the panel."""
        return simulation.base_detector(self.setup, self._session.project)

    @property
    def source(self) -> Source:
        """What the surface is made of: parameters that generate it, or an item."""
        chosen, project = self.setup.source, self._session.project
        if chosen == FILE and self.loaded is not None:
            return self.loaded
        return project.get(Run, chosen) or project.get(HeightMap, chosen) or self.setup.specimen

    def watch(self, watched: bool) -> None:
        """Render while somebody looks, and only then."""
        self._is_watched = watched
        if watched:
            self.refresh()
        else:
            self.live.stop()
            self.reach.stop()
            self.comparison.stop()

    def compare(self, compares: bool) -> None:
        """Render a network's images also by the exact model, from now on or no more."""
        self.compares = compares
        if not compares:
            self.comparison.stop()
        self.changed.emit()
        self._ask_comparison()

    def choose(self, **fields: Any) -> None:
        """Change choices; keywords are fields of `Setup`."""
        setup = replace(self.setup, **fields)
        if setup != self.setup:
            self.setup = setup
            self.changed.emit()
            self.refresh()

    def know_weights(self, network: str, path: str) -> None:
        """Offer a network that was trained, from now on."""
        self.trained[path] = network
        self.changed.emit()

    def choose_specimen(self, **fields: Any) -> None:
        """Generate another surface; keywords are fields of `Specimen`. Another kind begins with values of its own."""
        specimen = self.setup.specimen
        if fields.get("kind", specimen.kind) != specimen.kind:
            specimen = Specimen(fields["kind"], specimen.rows, specimen.columns, specimen.pixel_size_nm, specimen.seed)
        made = replace(specimen, **fields)
        if self.pixel is not None and self.setup.is_made:  # the same place of a surface with more or fewer pixels
            self.pixel = self.pixel[0] * made.rows // specimen.rows, self.pixel[1] * made.columns // specimen.columns
        self.choose(source=simulation.MADE, specimen=made)

    def change_detector(self, key: str, value: float | None) -> None:
        """Give the detector another value; None, or the base's own value, takes the change back."""
        if value is not None and abs(value - simulation.detector_value(self.base, key)) < 1e-9:
            value = None
        self.choose(changes=self.setup.with_change(key, value).changes)

    def choose_pixel(self, pixel: tuple[int, int] | None) -> None:
        """Look at the angles of a pixel (row, column of the full surface); None lets go of it."""
        terrain = self.live.terrain
        if terrain is not None and pixel is not None:
            rows, columns = terrain.shape
            pixel = min(max(pixel[0], 0), rows - 1), min(max(pixel[1], 0), columns - 1)
        if pixel != self.pixel:
            self.pixel = pixel
            self.changed.emit()
            wish = self._wish()
            if wish is not None:
                self.reach.postpone()
                self.live.ask_angles(wish)

    def refresh(self) -> None:
        """Render what is chosen, unless it is there."""
        wish = self._wish()
        frame = self.live.frame
        if wish is None or not self._is_watched:
            self.reach.stop()
            return
        if frame is None or not frame.is_full or not frame.wish.looks_like(wish) or self.live.problem:
            self.reach.stop()
            self.comparison.stop()
            self.live.ask(wish)
        else:
            self._ask_reach(frame)

    def _on_framed(self) -> None:
        self.choose_pixel(self.pixel)  # on a smaller surface it comes back inside
        if self.live.frame is not None and self.live.frame.is_full and self._is_watched:
            self._ask_reach(self.live.frame)
            self._ask_comparison()

    def _ask_comparison(self) -> None:
        frame = self.live.frame
        if self.compares and self.setup.is_network and frame is not None and frame.is_full:
            self.comparison.ask(frame)

    def _ask_reach(self, frame: Frame) -> None:
        self.reach.ask(Scene(frame.terrain, frame.wish.setup.slope_deg, frame.wish.detector))

    def _wish(self) -> Wish | None:
        try:
            detector = simulation.detector_of(self.setup, self._session.project)
        except EclipsError as error:
            self.live.fail(str(error))
            return None
        return Wish(self.setup, detector, self.source, self.pixel)

    def _on_project(self, ids: frozenset[str]) -> None:
        project = self._session.project
        gone = self.setup.source not in (simulation.MADE, FILE, *(item.id for item in project))
        if gone:
            self.setup = replace(self.setup, source=simulation.MADE)
        if gone or any(project.get(ProfileLine, item_id) is None for item_id in ids):  # lines move all the time
            self.changed.emit()
            self.refresh()

    # Height maps

    def ask_height_map(self) -> None:
        """Let the user choose a file with a height map to simulate."""
        paths = self._session.ask_open_files("Simulate a height map", "maps", _MAPS)
        if paths:
            self.read_height_map(ReadHeightMap(str(paths[0])))

    def read_height_map(self, params: ReadHeightMap) -> None:
        """Read a height map and simulate it; it does not enter the project."""
        self._reading = params
        text = f"Reading {Path(params.path).name}"
        task = self._session.tasks.run("read-height-map", params, {}, text, self._keep_map)
        task.finished.connect(self._on_map_read)

    def ask_how_to_read(self) -> None:
        """Ask for what the file read last does not say, and read it with that."""
        from eclips_app.gui.widgets.map_dialog import MapDialog  # late: seldom needed

        dialog = MapDialog(Path(self._reading.path))
        if dialog.exec() == MapDialog.DialogCode.Accepted:
            self.read_height_map(dialog.params())

    def _keep_map(self, _: Task, result: StepResult) -> None:
        path, (size_x, size_y) = Path(self._reading.path), result.info["pixel_size_nm"]
        name = str(result.info.get("name") or path.stem)
        self.loaded = HeightMap(FILE, name, result.arrays["height"], (float(size_x), float(size_y)), str(path))
        self.setup = replace(self.setup, source=FILE)
        self.changed.emit()
        self.refresh()

    def _on_map_read(self, outcome: str) -> None:
        if outcome == "failed":
            text = f"{Path(self._reading.path).name} was not read. Does it lack its unit or pixel size?"
            self._session.notify(text, action_text="Read with settings…", action=self.ask_how_to_read)

    # What becomes of the images

    def can_render(self) -> bool:
        """Whether there are images to use."""
        return self.live.frame is not None and not self.live.problem

    def _on_told(self) -> None:
        if self.can_render() != self._could_render:
            self._could_render = self.can_render()
            self._session.actions.update_enabled()

    def use(self) -> None:
        """Put the images into the project as a new set, with their detector and the true heights."""
        self._with_full_images("Rendering for the project", self._make_edit)

    def save(self) -> None:
        """Write the images to a TIFF file."""
        path = self._session.ask_save_file("Save simulated images", "exports", _TIFF, "simulated.tif")
        if path is not None:
            path = path if path.suffix.lower() in (".tif", ".tiff") else path.with_name(path.name + ".tif")
            self._with_full_images(f"Rendering {path.name}", partial(self._write, path))

    def _with_full_images(self, text: str, then: Any) -> None:
        """Call `then` with the full picture of the present choices, rendered first if need be."""
        wish, frame, terrain = self._wish(), self.live.frame, self.live.terrain
        if wish is None or terrain is None:
            return
        if frame is not None and frame.is_full and frame.wish.looks_like(wish):
            then(frame)
            return
        params = simulation.simulate_params(wish.setup, wish.detector, terrain.pixel_size_nm)
        height = simulation.with_slope(terrain.height, terrain.pixel_size_nm, wish.setup.slope_deg)
        done = partial(_rendered, wish, terrain, then)
        self._session.tasks.run("simulate", params, {"height": height}, text, done)

    def _make_edit(self, frame: Frame) -> None:
        project = self._session.project
        work = partial(_edit_of, frame, simulation.free_name(project, frame.terrain), project.detector_item)
        self._background.run(work, self._do)

    def _do(self, edit: Edit) -> None:
        self._session.do(edit)
        project = self._session.project
        chosen = next(item for item in edit.changes.values() if isinstance(item, SegmentSet))
        truth = next(item for item in edit.changes.values() if isinstance(item, HeightMap))
        project.select(set_id=chosen.id, map_id=truth.id)
        self._session.show_panel("images")
        self._session.notify(
            f"{chosen.name} is in the project. Reconstruct it (F5), and compare it with the true surface in Profile.",
            "good",
        )

    def _write(self, path: Path, frame: Frame) -> None:
        names = [segment.name for segment in frame.wish.detector.quadrants]
        work = partial(_written, path, frame.segments, frame.terrain.pixel_size_nm, names)
        self._background.run(work, self._tell_written)

    def _tell_written(self, outcome: tuple[str, str]) -> None:
        self._session.notify(*outcome)


def flow_of(session: Session) -> SimulateFlow:
    """Give the session's flow, made at the first call."""
    found = session.findChild(SimulateFlow)
    return found if isinstance(found, SimulateFlow) else SimulateFlow(session)


def register(session: Session) -> None:
    """Add the commands of this flow."""
    flow = flow_of(session)
    for info in (
        ActionInfo(
            "simulate.use", "Use as segment images", "Simulate", flow.use, "", "images", flow.can_render,
            "Put the simulated images, their detector and the true surface into the project.",
        ),
        ActionInfo(
            "simulate.save", "Save simulated images…", "Simulate", flow.save, "", "export", flow.can_render,
            "Write the simulated images to a TIFF file.",
        ),
        ActionInfo(
            "simulate.height_map", "Simulate a height map…", "Simulate", flow.ask_height_map, "", "import", None,
            "Read a height map and show how the detector sees it.",
        ),
    ):  # fmt: skip
        session.actions.add(info)


def _rendered(wish: Wish, terrain: Terrain, then: Any, _: Task, result: StepResult) -> None:
    params = simulation.simulate_params(wish.setup, wish.detector, terrain.pixel_size_nm)
    segments, seconds = result.arrays["segments"], float(result.info.get("duration_s", 0.0))
    then(Frame(wish, terrain, params, segments, 1, True, result.info, seconds, result.arrays.get("outside")))


def _edit_of(frame: Frame, name: str, detector_item: DetectorItem | None) -> Edit:
    terrain = frame.terrain
    height = simulation.with_slope(terrain.height, terrain.pixel_size_nm, frame.wish.setup.slope_deg)
    return simulation.edit_of(name, detector_item, terrain, frame.wish.detector, height, frame.segments)


def _written(path: Path, segments: NDArray[Any], pixel_size_nm: float, names: list[str]) -> tuple[str, str]:
    """Write the images; give what to tell, and how."""
    from eclips_app.io.export.stack import write_segments  # late: not needed to start

    try:
        write_segments(path, segments, pixel_size_nm, names)
    except EclipsError as error:
        return str(error), "error"
    return f"Simulated images written to {path}.", "good"
