from __future__ import annotations

import copy
import json
import math
from pathlib import Path
from typing import Any

import pytest

from eclips_app.core.detector import detector_from_json, presets, read_detector
from eclips_app.core.errors import EclipsError

GOOD: dict[str, Any] = {
    "schema": "eclips-detector/1", "name": "four", "distance_mm": 8.0, "inner_radius_mm": 2.0, "outer_radius_mm": 9.0,
    "center_mm": [0, 0], "tilt_deg": [0, 0],
    "quadrants": [
        {"name": name, "azimuth_deg": 90 * i, "span_deg": 86, "gain": 1.0, "offset": 0.0} for i, name in enumerate("ENWS")
    ],
    "beam": {"energy_kev": 15.0, "probe_fwhm_nm": 2.0},
}  # fmt: skip


def changed(path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    data = copy.deepcopy(GOOD)
    at: Any = data
    for key in path[:-1]:
        at = at[key]
    if value is ...:
        del at[path[-1]]
    else:
        at[path[-1]] = value
    return data


def test_the_file_survives_a_round_trip() -> None:
    detector = detector_from_json(GOOD)
    assert detector_from_json(json.loads(json.dumps(detector.to_json()))) == detector
    assert "bias" not in detector.to_json()


@pytest.mark.parametrize(
    "key", ["schema", "name", "distance_mm", "inner_radius_mm", "outer_radius_mm", "center_mm", "tilt_deg", "quadrants"]
)
def test_a_missing_key_is_named(key: str) -> None:
    with pytest.raises(EclipsError, match=f"'{key}' is missing"):
        detector_from_json(changed((key,), ...))


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (("distance_mm",), -1.0, "distance_mm.*0.1 to 200 mm"),
        (("distance_mm",), "8", "distance_mm.*number"),
        (("distance_mm",), True, "distance_mm"),
        (("distance_mm",), math.nan, "distance_mm"),
        (("schema",), "eclips-detector/2", "eclips-detector/1"),
        (("colour",), "red", "unknown key 'colour'"),
        (("quadrants", 1, "span_deg"), 0, r"quadrants\[1\].span_deg.*1 to 360"),
        (("quadrants", 1, "gain"), ..., r"quadrants\[1\].*'gain' is missing"),
        (("quadrants",), GOOD["quadrants"][:2], "three or more"),
        (("outer_radius_mm",), 1.5, "outer_radius_mm"),
        (("center_mm",), [0.0], "2 are expected"),
        (("beam", "energy_kev"), 1000, "beam.energy_kev.*0.05 to 300 keV"),
        (("quadrants", 1, "name"), "E", "same name"),
    ],
)  # fmt: skip
def test_what_breaks_the_contract_is_named_with_its_range(path: tuple[Any, ...], value: Any, words: str) -> None:
    with pytest.raises(EclipsError, match=words):
        detector_from_json(changed(path, value))


def test_take_off_angles_of_an_annulus() -> None:
    detector = detector_from_json(GOOD)
    low, high = detector.take_off_angles_deg(detector.quadrants[0])
    assert low == pytest.approx(math.degrees(math.atan(8 / 9)))
    assert high == pytest.approx(math.degrees(math.atan(4)))


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[1]", b"null", b'{"schema": 1}', b"[" * 100000])
def test_a_damaged_file_gives_one_sentence(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.json"
    path.write_bytes(content)
    with pytest.raises(EclipsError, match=r"bad\.json"):
        read_detector(path)


def test_the_presets_load() -> None:
    assert len(presets()) >= 3
    assert {3, 4, 8} <= {len(d.quadrants) for d in presets().values()}


def test_the_reference_cases_load(shared_data: Path) -> None:
    files = sorted((shared_data / "cases").glob("*/detector.json"))
    assert files
    for path in files:
        assert len(read_detector(path).quadrants) >= 3
