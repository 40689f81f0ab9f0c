"""The detector panel: form, table, files, and the geometry that it draws."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from eclips_app.commands.edits import add, set_detector
from eclips_app.core.detector import Beam, Detector, Segment, presets, read_detector
from eclips_app.core.errors import EclipsError
from eclips_app.gui.panels.detector import geometry
from eclips_app.gui.panels.detector.presenter import DetectorEditor, notes
from eclips_app.gui.panels.detector.view import DetectorPanel
from eclips_app.gui.qt import Qt, QtCore
from eclips_app.gui.session import Session
from eclips_app.model.items import Acquisition, SegmentImage, SegmentSet


def _detector(**changes: object) -> Detector:
    segments = tuple(Segment(name, 90.0 * k, 90.0, 1.0, 0.0) for k, name in enumerate("ENWS"))
    base = Detector(name="Ring", distance_mm=8.0, inner_radius_mm=2.0, outer_radius_mm=8.0, quadrants=segments)
    return replace(base, **changes)


def _set(count: int = 4, **acquisition: object) -> SegmentSet:
    facts = Acquisition(**acquisition)  # type: ignore[arg-type]
    images = tuple(SegmentImage(f"image {k}", np.zeros((4, 4)), facts) for k in range(count))
    return SegmentSet("set", "scan", images)


@pytest.fixture
def panel(session: Session, qtbot: object) -> DetectorPanel:
    session.do(set_detector(session.project, _detector()))
    made = DetectorPanel(session)
    qtbot.addWidget(made)  # type: ignore[attr-defined]
    made.show()
    return made


def test_collected_parts_are_the_cosine_law() -> None:
    caught = geometry.acceptance_map(_detector(), 400)
    parts = geometry.collected_parts(caught, 4)
    # A full annulus between polar angles t1 and t2 collects sin^2 t2 - sin^2 t1 of a cosine emission.
    inner, outer = math.atan(2 / 8), math.atan(8 / 8)
    assert parts.sum() == pytest.approx(math.sin(outer) ** 2 - math.sin(inner) ** 2, abs=2e-3)
    np.testing.assert_allclose(parts, parts.mean(), rtol=0.01)


def test_map_has_right_at_right_and_up_at_top() -> None:
    caught = geometry.acceptance_map(_detector(), 101)
    assert [caught[50, 75], caught[25, 50], caught[50, 25], caught[75, 50]] == [0, 1, 2, 3]
    assert caught[50, 50] == -1


def test_map_follows_a_tilted_face() -> None:
    detector = _detector(tilt_deg=(20.0, 0.0))
    parts = geometry.collected_parts(geometry.acceptance_map(detector, 200), 4)
    # Turned about x by a positive angle, the face rises at +y: the upper segment moves away and catches less.
    assert parts[1] < parts[0] < parts[3]
    assert parts[0] == pytest.approx(parts[2], rel=0.02)


def test_take_off_angles_of_a_centred_detector() -> None:
    detector = _detector()
    found = geometry.take_off_range_deg(detector, detector.quadrants[0])
    assert found == pytest.approx(detector.take_off_angles_deg(detector.quadrants[0]))


def test_overlaps_are_named_by_ring() -> None:
    segments = (Segment("A", 0, 130, 1, 0), Segment("B", 120, 120, 1, 0), Segment("C", 240, 110, 1, 0))
    assert geometry.overlapping(_detector(quadrants=segments)) == [("A", "B")]
    rings = (segments[0], replace(segments[1], inner_radius_mm=8.0, outer_radius_mm=9.0), segments[2])
    assert geometry.overlapping(_detector(quadrants=rings)) == []


def test_typing_a_distance_is_one_undoable_step(panel: DetectorPanel, session: Session, qtbot: object) -> None:
    field = panel.form.fields["distance_mm"]
    field.selectAll()
    qtbot.keyClicks(field, "9500um")  # type: ignore[attr-defined]
    qtbot.keyClick(field, Qt.Key.Key_Return)  # type: ignore[attr-defined]
    assert session.project.detector is not None
    assert session.project.detector.distance_mm == pytest.approx(9.5)
    assert field.text() == "9.5 mm"
    session.history.undo()
    assert session.project.detector.distance_mm == 8.0
    assert field.text() == "8 mm"


def test_what_breaks_the_rules_is_refused_and_explained(panel: DetectorPanel, session: Session, qtbot: object) -> None:
    field = panel.form.fields["outer_radius_mm"]
    before = session.project.detector
    field.selectAll()
    qtbot.keyClicks(field, "1")  # type: ignore[attr-defined]
    qtbot.keyClick(field, Qt.Key.Key_Return)  # type: ignore[attr-defined]
    assert session.project.detector == before
    assert field.text() == "8 mm"
    assert "inner_radius_mm" in panel.problem.text()
    assert panel.problem.isVisible()


def test_table_edits_segments(panel: DetectorPanel, session: Session) -> None:
    panel.table.item(1, 1).setText("100°")
    panel.table.item(0, 0).setText("East")
    detector = session.project.detector
    assert detector is not None
    assert detector.quadrants[1].azimuth_deg == 100.0
    assert detector.quadrants[0].name == "East"
    panel.table.item(1, 2).setText("0")
    assert "1 to 360" in panel.problem.text()
    assert panel.table.item(1, 2).text() == "90°"
    panel.table.item(2, 0).setText("East")
    assert "same name" in panel.problem.text()
    assert session.project.detector == detector


def test_segments_come_and_go_and_turn(panel: DetectorPanel, session: Session) -> None:
    panel.editor.remove_segment(1)
    assert [s.name for s in session.project.detector.quadrants] == ["E", "W", "S"]
    panel.editor.add_segment()
    assert session.project.detector.quadrants[-1].azimuth_deg == 90.0
    panel.editor.rotate_all(45.0)
    assert [s.azimuth_deg for s in session.project.detector.quadrants] == [45.0, 225.0, 315.0, 135.0]
    panel.editor.remove_segment(0)
    with pytest.raises(EclipsError, match="three or more"):
        panel.editor.remove_segment(0)
    assert panel.table.rowCount() == 3


def test_groups_may_be_absent(panel: DetectorPanel, session: Session) -> None:
    assert not panel.form.fields["bias.specimen_v"].isVisible()
    panel.form.groups["bias"].click()
    assert panel.form.fields["bias.specimen_v"].isVisible()
    panel.editor.set_value("bias.specimen_v", -2000.0)
    assert "give the beam energy" in panel.notes.text()
    panel.form.groups["bias"].click()
    assert session.project.detector.bias is None
    panel.editor.set_value("beam.energy_kev", 10.0)
    assert session.project.detector.beam == Beam(10.0, 0.0)
    panel.editor.set_value("beam.energy_kev", None)
    assert session.project.detector.beam is None


def test_energy_comes_from_the_images(panel: DetectorPanel, session: Session, qtbot: object) -> None:
    assert not panel.form.take_energy.isVisible()
    session.do(add("Add images", _set(energy_kev=20.0, working_distance_mm=9.8)))
    panel.editor.set_value("beam.energy_kev", 10.0)
    assert "20 keV" in panel.notes.text()
    assert "not to the detector" in panel.hint.text()
    qtbot.mouseClick(panel.form.take_energy, Qt.MouseButton.LeftButton)  # type: ignore[attr-defined]
    assert session.project.detector.beam.energy_kev == 20.0
    assert panel.notes.text() == ""


def test_notes_tell_a_wrong_number_of_segments_and_scan_rotation() -> None:
    texts = [note.text for note in notes(_detector(), _set(3, scan_rotation_deg=30.0))]
    assert any("3 images" in text and "4 segments" in text for text in texts)
    assert any("30°" in text for text in texts)
    assert notes(_detector(), _set(4)) == []


def test_files_are_written_whole_and_read_back(session: Session, tmp_path: Path) -> None:
    editor = DetectorEditor(session)
    session.do(set_detector(session.project, _detector(tilt_deg=(0.1, 0.3))))
    path = tmp_path / "ring.json"
    editor.save(path)
    assert read_detector(path) == session.project.detector
    assert editor.file_text == "ring.json"
    editor.set_value("distance_mm", 7.0)
    assert editor.file_text == "ring.json, changed since"
    editor.open(path)
    assert session.project.detector.distance_mm == 8.0
    path.write_text(json.dumps({"schema": "eclips-detector/1", "nonsense": 1}))
    with pytest.raises(EclipsError, match="is missing"):
        editor.open(path)
    assert session.project.detector.distance_mm == 8.0
    with pytest.raises(EclipsError, match="does not exist"):
        editor.save(tmp_path / "nowhere" / "ring.json")


def test_presets_start_an_empty_project(session: Session, qtbot: object) -> None:
    panel = DetectorPanel(session)
    qtbot.addWidget(panel)  # type: ignore[attr-defined]
    session.do(add("Add images", _set(energy_kev=12.0)))
    panel.show()
    panel.editor.use_preset(next(d for d in presets().values() if len(d.quadrants) == 4))
    assert panel.name.isVisible()
    assert session.project.detector.beam.energy_kev == 12.0
    assert "not measured" in session.messages.items[-1].text


def test_drawings_paint_every_preset(session: Session, qtbot: object) -> None:
    panel = DetectorPanel(session)
    qtbot.addWidget(panel)  # type: ignore[attr-defined]
    panel.show()
    pictures = set()
    for detector in presets().values():
        panel.editor.use_preset(detector)
        for view in (panel.top, panel.side, panel.acceptance):
            view.resize(QtCore.QSize(220, 200))
            pictures.add(view.grab().toImage().constBits().tobytes())
        assert panel.acceptance.parts.sum() < 1
    assert len(pictures) == 3 * len(presets())
