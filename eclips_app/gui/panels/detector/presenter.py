"""What the detector panel does, without widgets: changes by key, files, and what is worth a warning."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eclips_app.commands.edits import set_detector
from eclips_app.core.detector import (
    Beam,
    Bias,
    Detector,
    PolePiece,
    Response,
    Segment,
    detector_from_json,
    read_detector,
)
from eclips_app.core.schema import Rule, rule_of
from eclips_app.gui.panels.detector.geometry import overlapping
from eclips_app.gui.session import Session
from eclips_app.model.items import Acquisition, SegmentSet

_FILTER = "Detector files (*.json)"
_GROUPS = {"beam": Beam, "bias": Bias, "pole_piece": PolePiece, "response": Response, "quadrants": Segment}
_DIMENSIONS = ("distance_mm", "inner_radius_mm", "outer_radius_mm")  #: what the typical detectors only assume
_SAME_ENERGY = 0.01  #: energies that differ by less than this part are the same


@dataclass(frozen=True)
class Note:
    """Something that the user should know; `kind` is "warning" or "faint"."""

    text: str
    kind: str = "warning"


class DetectorEditor:
    """Changes the project's detector, each change one undoable step.

    Keys are those of the detector file with dots: ``distance_mm``, ``center_mm.0``, ``beam.energy_kev``,
    ``quadrants.2.azimuth_deg``. Every method that changes something raises `EclipsError` and changes nothing if the
    result would break the rules of the detector file.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._on_file: tuple[str, Detector] | None = None

    @property
    def detector(self) -> Detector | None:
        """The detector in use."""
        return self._session.project.detector

    def value(self, key: str) -> Any:
        """Give the value under a key; None where nothing stands."""
        found: Any = self.detector.to_json() if self.detector else None
        for part in key.split("."):
            if found is None:
                return None
            found = found[int(part)] if isinstance(found, list) else found.get(part)
        return found

    def set_value(self, key: str, value: Any) -> None:
        """Put a value under a key; None takes it away."""
        content = self._content()
        place: Any = content
        *groups, name = key.split(".")
        for group in groups:
            place = place[int(group)] if isinstance(place, list) else place.setdefault(group, {})
        if isinstance(place, list):
            place[int(name)] = value
        elif value is None:
            place.pop(name, None)
        else:
            place[name] = value
        if key.startswith("beam."):
            _complete_beam(content)
        if name in _DIMENSIONS and self.detector is not None and self.detector.is_typical:
            content.pop("calibration")  # somebody has entered dimensions of his own
        self._apply(content, f"Detector: {label_of(key)}", key)

    def set_group(self, name: str, present: bool) -> None:
        """Add or take away a group that a detector file may lack: bias, pole_piece or response."""
        content = self._content()
        content.pop(name, None)
        if present:
            content[name] = self._group_defaults(name)
        self._apply(content, f"Detector: {'add' if present else 'remove'} {name.replace('_', ' ')}", "")

    def add_segment(self) -> None:
        """Put one more segment into the widest gap of the ring."""
        content = self._content()
        segments = content["quadrants"]
        azimuths = sorted(s["azimuth_deg"] % 360.0 for s in segments) or [0.0]
        gaps = [(b - a, a) for a, b in zip(azimuths, [*azimuths[1:], azimuths[0] + 360.0], strict=True)]
        gap, start = max(gaps)
        names = {s["name"] for s in segments}
        name = next(n for n in map(str, range(len(segments) + 1, 1000)) if n not in names)
        template = segments[-1] if segments else {"span_deg": 86.0, "gain": 1.0, "offset": 0.0}
        segments.append({**template, "name": name, "azimuth_deg": (start + gap / 2) % 360.0})
        self._apply(content, f"Detector: add segment {name}", "")

    def remove_segment(self, index: int) -> None:
        """Take a segment out."""
        content = self._content()
        name = content["quadrants"].pop(index)["name"]
        self._apply(content, f"Detector: remove segment {name}", "")

    def rotate_all(self, angle_deg: float) -> None:
        """Turn all segments counter-clockwise by an angle."""
        content = self._content()
        for segment in content["quadrants"]:
            segment["azimuth_deg"] = (segment["azimuth_deg"] + angle_deg) % 360.0
        self._apply(content, f"Detector: rotate by {angle_deg:g}°", "")

    def take_energy(self) -> None:
        """Take the beam energy from the images."""
        energy = images_energy_kev(self._session.project.segment_set)
        if energy is not None:
            self.set_value("beam.energy_kev", energy)

    # Presets and files

    def use_preset(self, detector: Detector) -> None:
        """Put a copy of a preset in use; the beam energy of the images goes with it if they have one."""
        content = detector.to_json()
        energy = images_energy_kev(self._session.project.segment_set)
        if energy is not None:
            content.setdefault("beam", {})["energy_kev"] = energy
            _complete_beam(content)
        self._session.do(set_detector(self._session.project, detector_from_json(content)))
        self._session.notify(f"{detector.name}: typical dimensions, not measured. Enter those of your detector.")

    def open(self, path: Path) -> None:
        """Put a detector file in use."""
        detector = read_detector(path)
        self._session.do(set_detector(self._session.project, detector, path=str(path)))
        self._on_file = (str(path), detector)

    def save(self, path: Path) -> None:
        """Write the detector file, whole or not at all."""
        from eclips_app.io.atomic import whole_file  # late: only needed here

        detector = self.detector
        if detector is None:
            return
        with whole_file(path) as part:
            part.write_text(json.dumps(detector.to_json(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        self._on_file = (str(path), detector)
        if self.path != str(path):
            text = f"Detector saved as {path.name}"
            self._session.do(set_detector(self._session.project, detector, path=str(path), text=text))
        self._session.notify(f"Saved {path}.", "good")

    def ask_open(self) -> None:
        """Let the user choose a detector file."""
        paths = self._session.ask_open_files("Open detector file", "detectors", _FILTER)
        if paths:
            self.open(paths[0])

    def ask_save(self) -> None:
        """Let the user choose where to save."""
        name = self.detector.name if self.detector else "detector"
        chosen = self._session.ask_save_file("Save detector file", "detectors", _FILTER, f"{_file_name(name)}.json")
        if chosen is not None:
            self.save(chosen if chosen.suffix == ".json" else chosen.with_name(chosen.name + ".json"))

    @property
    def path(self) -> str:
        """The file of the detector; empty if it has none."""
        item = self._session.project.detector_item
        return item.path if item else ""

    @property
    def file_text(self) -> str:
        """Say in which file the detector stands and whether it has been changed since."""
        if not self.path:
            return "Not saved to a file"
        name = Path(self.path).name
        changed = self._on_file is not None and self._on_file != (self.path, self.detector)
        return f"{name}, changed since" if changed else name

    def _content(self) -> dict[str, Any]:
        assert self.detector is not None  # the form is only shown with one
        return self.detector.to_json()

    def _apply(self, content: dict[str, Any], text: str, merge_key: str) -> None:
        detector = detector_from_json(content, "")
        if detector != self.detector:
            key = f"detector/{merge_key}" if merge_key else ""
            self._session.do(set_detector(self._session.project, detector, path=self.path, merge_key=key, text=text))

    def _group_defaults(self, name: str) -> dict[str, float]:
        if name != "pole_piece":
            return {"bias": {"specimen_v": 0.0, "detector_v": 0.0}, "response": {"threshold_kev": 0.0}}[name]
        distance = self.detector.distance_mm if self.detector else 8.0
        highest = rule_of(PolePiece, "distance_mm").high
        return {"distance_mm": min(distance + 1.0, highest), "bore_radius_mm": 1.0, "outer_radius_mm": 15.0}


def rule_for(key: str) -> Rule:
    """Give the rule of the value under a key."""
    owner, name = key.split(".")[0], [part for part in key.split(".") if not part.isdigit()][-1]
    return rule_of(_GROUPS.get(owner, Detector), name)


def label_of(key: str) -> str:
    """Give the words for a key in the history."""
    return (rule_for(key).label or key.split(".")[-1]).lower()


def images_energy_kev(segment_set: SegmentSet | None) -> float | None:
    """Give the beam energy in keV that the images' metadata tell, None if they tell none."""
    return next((a.energy_kev for a in _acquisitions(segment_set) if a.energy_kev), None)


def notes(detector: Detector, segment_set: SegmentSet | None) -> list[Note]:
    """Say what does not fit: between the detector and the images, and within the detector."""
    found = _geometry_notes(detector)
    if segment_set is not None:
        found += _image_notes(detector, segment_set)
    return found


def _geometry_notes(detector: Detector) -> list[Note]:
    found = []
    bias = detector.bias
    if bias is not None and (bias.specimen_v or bias.detector_v) and detector.beam is None:
        found.append(Note("A bias bends the electrons' flight as the beam energy tells: give the beam energy."))
    pairs = overlapping(detector)
    if pairs:
        one, other = pairs[0]
        more = f" (and {len(pairs) - 1} more)" if len(pairs) > 1 else ""
        found.append(Note(f"Segments {one} and {other} overlap{more}. Lower their spans or turn them apart."))
    if detector.pole_piece is not None and detector.pole_piece.distance_mm < detector.distance_mm:
        found.append(Note("The pole piece is nearer to the specimen than the detector."))
    return found


def _image_notes(detector: Detector, segment_set: SegmentSet) -> list[Note]:
    found = []
    images, segments = len(segment_set.images), len(detector.quadrants)
    if images != segments:
        found.append(Note(f"{segment_set.name} has {images} images, but the detector has {segments} segments."))
    energy, beam = images_energy_kev(segment_set), detector.beam
    if energy is not None and beam is not None and abs(energy - beam.energy_kev) > _SAME_ENERGY * energy:
        found.append(Note(f"The images were taken at {energy:g} keV, the detector says {beam.energy_kev:g} keV."))
    turn = next((a.scan_rotation_deg for a in _acquisitions(segment_set) if a.scan_rotation_deg), None)
    if turn is not None and abs((turn + 180) % 360 - 180) > 0.05:
        text = f"The images have a scan rotation of {turn:g}°. Azimuths count from image right, so turn all segments to match."
        found.append(Note(text))
    distance = next((a.working_distance_mm for a in _acquisitions(segment_set) if a.working_distance_mm), None)
    if distance is not None:
        text = (
            f"Working distance in the images: {distance:.4g} mm. It is measured to the pole piece, not to the detector."
        )
        found.append(Note(text, "faint"))
    return found


def _acquisitions(segment_set: SegmentSet | None) -> list[Acquisition]:
    return [image.acquisition for image in segment_set.images] if segment_set else []


def _complete_beam(content: dict[str, Any]) -> None:
    """Keep the beam whole: without an energy there is none, and a probe that nobody gave is a point."""
    beam = content["beam"]
    if beam.get("energy_kev") is None:
        del content["beam"]
    else:
        beam.setdefault("probe_fwhm_nm", 0.0)


def _file_name(name: str) -> str:
    return "".join(c if c.isalnum() or c in "-_ ." else "_" for c in name).strip() or "detector"
