"""Writing detector files; `core.detector` reads them."""

from __future__ import annotations

import json
from pathlib import Path

from eclips_app.core.detector import Detector
from eclips_app.io.atomic import whole_file


def write_detector(path: Path, detector: Detector) -> None:
    """Write a detector file, whole or not at all; `EclipsError` if it cannot be written."""
    with whole_file(path) as temporary:
        text = json.dumps(detector.to_json(), indent=2, ensure_ascii=False, allow_nan=False)
        temporary.write_text(text + "\n", encoding="utf-8")
