"""Segment images: opening, their order, registration, and the scale of the pixels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eclips_app.commands import edits
from eclips_app.commands.history import Edit
from eclips_app.core.steps import ReadSegments, Register, StepResult
from eclips_app.gui.actions import ActionInfo
from eclips_app.gui.flows import new_sets, segment_order
from eclips_app.gui.flows.segment_order import OrderGuess
from eclips_app.gui.qt import QtCore, Signal
from eclips_app.model.items import DetectorItem, Item, SegmentSet, new_id

if TYPE_CHECKING:
    from eclips_app.core.detector import Detector
    from eclips_app.gui.session import Session
    from eclips_app.gui.tasks import Task

_FILES = (
    "Images (*.tif *.tiff *.png *.jpg *.jpeg *.bmp *.h5 *.hdf5 *.img *.elid);;"
    "All files (*)"
)  # fmt: skip
_NO_SHIFT_PX = 0.25  #: shifts below this are not worth an interpolation of the images


class ImagesFlow(QtCore.QObject):
    """Reads images into the project and keeps what is known about their order."""

    scale_bar_asked = Signal()  #: the user wants to measure the scale bar in the Images panel

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session
        self._guesses: dict[str, OrderGuess] = {}
        self._facts: dict[str, dict[str, Any]] = {}
        session.images_offered.connect(self.open)

    # What is known of a set beside what the project keeps

    def guess_of(self, segment_set: SegmentSet) -> OrderGuess:
        """Give what is known of the order of a set's images; empty for sets of an opened project."""
        return self._guesses.get(segment_set.id, OrderGuess())

    def warnings_of(self, segment_set: SegmentSet) -> tuple[str, ...]:
        """Give what the reader found odd about a set and its files."""
        about_set = self._facts.get(segment_set.id, {}).get("warnings", ())
        about_images = (f"{image.name}: {text}" for image in segment_set.images for text in image.warnings)
        return tuple(about_set) or tuple(dict.fromkeys(about_images))

    def data_bar_of(self, segment_set: SegmentSet) -> tuple[int, int] | None:
        """Give first and end row of the data bar drawn into a set's images; None without one or where it is not known."""
        bar = self._facts.get(segment_set.id, {}).get("data_bar")
        return (int(bar[0]), int(bar[1])) if bar else None

    # Opening

    def ask_open(self) -> None:
        """Let the user choose images."""
        paths = self._session.ask_open_files("Open the segment images of one scan, or a stack", "images", _FILES)
        if paths:
            self.open(paths)

    def open(self, paths: Sequence[Path]) -> None:
        """Read images: one file for each segment, a stack, or a time series of either."""
        params = ReadSegments(tuple(str(path) for path in paths))
        what = paths[0].name if len(paths) == 1 else f"{len(paths)} images"
        self._session.tasks.run("read-segments", params, {}, f"Reading {what}", self._on_read)

    def _on_read(self, task: Task, result: StepResult) -> None:
        from eclips_app.io.segments import sets_from_result  # late: its readers are not needed to start

        sets = new_sets.with_times(sets_from_result(result))
        detector = self._session.project.detector
        preset = segment_order.best_preset(sets[0]) if detector is None else None
        for segment_set in sets:
            self._guesses[segment_set.id] = segment_order.order_guess(segment_set, result.info)
            self._facts[segment_set.id] = result.info
        order = segment_order.first_order(sets[0], self.guess_of(sets[0]), detector or preset)
        ordered = [new_sets.in_order(segment_set, order) for segment_set in sets]
        if preset is not None:
            preset = segment_order.turned_preset(ordered[0], self.guess_of(sets[0]), preset)
        self._add(ordered, preset)
        self._tell(ordered, detector, preset, result.info)
        if len(sets) == 1 and new_sets.from_several_files(sets[0]):
            self._register(ordered[0], automatic=True)

    def _add(self, sets: list[SegmentSet], preset: Detector | None) -> None:
        items: list[Item] = list(sets)
        if preset is not None:
            items.append(DetectorItem(new_id(), new_sets.with_energy(preset, sets[0])))
        text = f"Open {sets[0].name}" if len(sets) == 1 else f"Open {len(sets)} frames"
        self._session.do(edits.add(text, *items))
        self._session.project.select(set_id=sets[0].id)
        self._session.show_panel("images")

    def _tell(
        self, sets: list[SegmentSet], detector: Detector | None, preset: Detector | None, info: dict[str, Any]
    ) -> None:
        first = sets[0]
        frames = f"{len(sets)} frames of " if len(sets) > 1 else ""
        self._session.notify(f"{first.name}: {frames}{len(first.images)} segments read.", "good")
        if len(sets) > 1 and new_sets.times_s(sets) is None:
            self._session.notify("The files tell no times: frames are counted 0 s, 1 s, 2 s and so on.", "warning")
        for text in info.get("warnings", ()):
            self._session.notify(text, "warning")
        if preset is not None:
            text = f"Detector “{preset.name}” was put in: its dimensions are typical, not measured."
            self._session.notify(text, "warning", action_text="Enter dimensions", action=self._show_detector)
            shading = segment_order.shading_of(self.guess_of(first))
            if shading is not None:
                places = ", ".join(f"{s.name} {s.azimuth_deg:.0f}°" for s in preset.quadrants)
                text = f"Azimuths from {shading.text}: {places}. Hills may be hollows: check one, or turn all by 180°."
                self._session.notify(text, "warning", action_text="Show images", action=self._show_images)
        elif detector is None:
            text = f"There is no preset with {len(first.images)} segments: describe the detector."
            self._session.notify(text, "warning", action_text="Describe it", action=self._show_detector)
        elif len(detector.quadrants) != len(first.images):
            text = f"{len(first.images)} images, but the detector “{detector.name}” has {len(detector.quadrants)} segments."
            self._session.notify(text, "warning", action_text="Show detector", action=self._show_detector)

        in_use = self._session.project.detector
        against = segment_order.contradicting(first, self.guess_of(first), in_use) if in_use else ()
        if against and in_use and len(in_use.quadrants) == len(first.images):
            places = segment_order.azimuths_text(first, against[0], in_use)
            text = f"By {against[0].text}, the segments lie elsewhere: {places}. Check their order."
            self._session.notify(text, "warning", action_text="Show images", action=self._show_images)

    def _show_detector(self) -> None:
        self._session.show_panel("detector")

    # Registration

    def register_segments(self) -> None:
        """Register the segments of the selected set, which were scanned one after another."""
        segment_set = self._session.project.segment_set
        if segment_set is not None:
            self._register(segment_set, automatic=False)

    def register_with_drift(self) -> None:
        """Register the segments of the selected set and undo how each drifted while it was scanned."""
        segment_set = self._session.project.segment_set
        if segment_set is not None:
            self._register(segment_set, automatic=False, drift=True)

    def clear_registration(self) -> None:
        """Put the segments back to where they were read."""
        segment_set = self._session.project.segment_set
        if segment_set is not None:
            self._session.do(edits.register_set(segment_set, (), ()))

    def _register(self, segment_set: SegmentSet, *, automatic: bool, drift: bool = False) -> None:
        top, left, bottom, right = edits.crop_of(segment_set)
        inputs: dict[str, Any] = {"segments": [image.data[top:bottom, left:right] for image in segment_set.images]}
        if segment_set.exclude is not None:
            inputs["exclude"] = segment_set.exclude[top:bottom, left:right]
        text = f"Registering {segment_set.name}"
        data = (segment_set.id, tuple(map(segment_order.image_key, segment_set.images)), automatic)
        self._session.tasks.run(
            "register",
            Register(drift=drift),
            inputs,
            text,
            self._on_registered,
            data=data,
            key=f"register/{segment_set.id}",
        )

    def _on_registered(self, task: Task, result: StepResult) -> None:
        set_id, keys, automatic = task.data
        segment_set = self._session.project.get(SegmentSet, set_id)
        if segment_set is None or sorted(map(segment_order.image_key, segment_set.images)) != sorted(keys):
            return  # the set is gone
        place = {key: i for i, key in enumerate(keys)}
        order = [place[segment_order.image_key(image)] for image in segment_set.images]  # it may have been reordered
        shifts = tuple((float(rows), float(columns)) for rows, columns in (result.info["shifts_px"][i] for i in order))
        quality = tuple(float(result.info["quality"][i]) for i in order)
        largest = max(math.hypot(*shift) for shift in shifts)
        if largest < _NO_SHIFT_PX:
            shifts = tuple((0.0, 0.0) for _ in shifts)
        elif automatic and min(quality) < new_sets.WEAK_MATCH:
            text = (
                f"{segment_set.name} could not be registered reliably (up to {largest:.0f} px): compare its segments."
            )
            self._session.notify(text, "warning", action_text="Show images", action=self._show_images)
            return
        drift = result.arrays.get("drift_px")
        self._session.do(edits.register_set(segment_set, shifts, quality, None if drift is None else drift[order]))
        moved = self._session.project.get(SegmentSet, set_id) or segment_set
        self._session.notify(
            new_sets.shift_text(moved),
            "good" if largest < _NO_SHIFT_PX or min(quality) >= new_sets.WEAK_MATCH else "warning",
        )

    def _show_images(self) -> None:
        self._session.show_panel("images")

    # Order

    def swap(self, one: int, other: int) -> None:
        """Exchange the images of two segments."""
        project = self._session.project
        if project.segment_set is not None and one != other:
            self._session.do(edits.swap_segments(project, project.segment_set, one, other))

    def rotate_clockwise(self) -> None:
        """Give each image to the next segment clockwise."""
        self._rearrange(clockwise=True)

    def rotate_counter_clockwise(self) -> None:
        """Give each image to the next segment counter-clockwise."""
        self._rearrange(clockwise=False)

    def mirror_left_right(self) -> None:
        """Exchange the images of left and right segments."""
        self._rearrange(left_right=True)

    def mirror_top_bottom(self) -> None:
        """Exchange the images of upper and lower segments."""
        self._rearrange(left_right=False)

    def use_guess(self, source: str) -> None:
        """Put the images in the order that a source ("shading", "metadata" …) says."""
        project = self._session.project
        segment_set, detector = project.segment_set, project.detector
        if segment_set is None or detector is None:
            return
        guess = next(g for g in self.guess_of(segment_set).guesses if g.source == source)
        order = segment_order.order_by_azimuth(segment_set.images, guess, detector)
        if order is not None:
            self._session.do(edits.order_frames(f"Order from {guess.text}", project, segment_set, order))

    def use_azimuths(self, source: str) -> None:
        """Turn the detector's segments to where a source ("shading" …) sees the images that they have."""
        project = self._session.project
        segment_set, detector = project.segment_set, project.detector
        item = project.detector_item
        if segment_set is None or detector is None or item is None or not self.can_reorder():
            return
        guess = next(g for g in self.guess_of(segment_set).guesses if g.source == source)
        turned = segment_order.with_azimuths(segment_set, guess, detector)
        text = f"Azimuths from {guess.text}"
        self._session.do(edits.set_detector(project, turned, path=item.path, text=text))

    def _rearrange(self, **how: bool) -> None:
        project = self._session.project
        if project.segment_set is None or project.detector is None:
            return
        make = edits.rotate_segments if "clockwise" in how else edits.mirror_segments
        edit: Edit = make(project, project.segment_set, project.detector, **how)
        self._session.do(edit)

    # Sets

    def remove_set(self) -> None:
        """Take the selected set with its reconstructions out of the project."""
        project = self._session.project
        if project.segment_set is not None:
            name = project.segment_set.name
            self._session.do(edits.remove_set(project, project.segment_set))
            undo = self._session.history.undo
            self._session.notify(f"{name} was removed.", action_text="Undo", action=undo)

    def measure_scale_bar(self) -> None:
        """Let the user draw a line over the scale bar of an image."""
        self._session.show_panel("images")
        self.scale_bar_asked.emit()

    # What can be done now

    def has_set(self) -> bool:
        """Whether images are open."""
        return self._session.project.segment_set is not None

    def is_registered(self) -> bool:
        """Whether the selected set has shifts."""
        segment_set = self._session.project.segment_set
        return segment_set is not None and bool(segment_set.shifts_px)

    def can_reorder(self) -> bool:
        """Whether each image of the selected set has its segment."""
        project = self._session.project
        segment_set, detector = project.segment_set, project.detector
        return segment_set is not None and detector is not None and len(segment_set.images) == len(detector.quadrants)


def images_flow(session: Session) -> ImagesFlow:
    """Give the session's flow."""
    found = session.findChild(ImagesFlow)
    return found if isinstance(found, ImagesFlow) else ImagesFlow(session)


def register(session: Session) -> None:
    """Add the commands."""
    flow = images_flow(session)
    add = session.actions.add
    has, can = flow.has_set, flow.can_reorder
    infos = (
        ActionInfo("images.open", "Open images…", "File", flow.ask_open, "Ctrl+I", "images", None, "Read segment images"),
        ActionInfo(
            "images.register", "Register segments", "Images", flow.register_segments, "Ctrl+Shift+R", "register", has,
            "Find and undo the shifts between segments that were scanned one after another",
        ),
        ActionInfo(
            "images.register_drift", "Register with drift", "Images", flow.register_with_drift, "", "", has,
            "Also undo how each segment drifted while it was scanned; needs sharp features over the whole field",
        ),
        ActionInfo(
            "images.clear_registration", "Clear registration", "Images", flow.clear_registration, "", "",
            flow.is_registered, "Put the segments back to where they were read",
        ),
        ActionInfo(
            "images.rotate_ccw", "Rotate segments counter-clockwise", "Images", flow.rotate_counter_clockwise, "Ctrl+[",
            "rotate", can, "Give each image to the next segment counter-clockwise",
        ),
        ActionInfo(
            "images.rotate_cw", "Rotate segments clockwise", "Images", flow.rotate_clockwise, "Ctrl+]", "", can,
            "Give each image to the next segment clockwise",
        ),
        ActionInfo(
            "images.mirror_lr", "Mirror segments left to right", "Images", flow.mirror_left_right, "", "swap", can,
            "Exchange the images of left and right segments",
        ),
        ActionInfo(
            "images.mirror_tb", "Mirror segments top to bottom", "Images", flow.mirror_top_bottom, "", "", can,
            "Exchange the images of upper and lower segments",
        ),
        ActionInfo(
            "images.measure_scale_bar", "Measure scale bar…", "Images", flow.measure_scale_bar, "", "ruler", has,
            "Draw a line over the scale bar to find the pixel size",
        ),
        ActionInfo("images.remove_set", "Remove image set", "Images", flow.remove_set, "", "delete", has),
    )  # fmt: skip
    for info in infos:
        add(info)
