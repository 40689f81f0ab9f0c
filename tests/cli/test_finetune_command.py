"""`eclips finetune`: trains on images of a known surface, tells chi-square with and without, refuses in a sentence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.cli.conftest import SIZE_NM, Case, Outcome, hill

Eclips = Callable[..., Outcome]


@pytest.fixture
def known(tmp_path: Path) -> Path:
    path = tmp_path / "hill.npy"
    np.save(path, hill())
    return path


def test_finetune_writes_weights_and_tells_what_they_do(
    eclips: Eclips, case: Case, known: Path, tmp_path: Path
) -> None:
    output = tmp_path / "own.safetensors"
    common = (*case.files, "--detector", case.detector, "--height", known, "--pixel-size", f"{SIZE_NM}nm", "-o", output)
    outcome = eclips("finetune", *common, "--updates", "20", "--device", "cpu", "--no-scan-parallax")
    assert outcome.status == 0
    assert output.is_file()
    assert "without" in outcome.out
    assert "limit 10 %" in outcome.out
    refused = eclips("finetune", *common, "--limit", "0.9")
    assert refused.status == 1
    assert "out of range" in refused.err
    cropped = eclips("finetune", *common, "--crop", "0,0,40,40", "--updates", "1", "--device", "cpu", "--json")
    assert cropped.status == 0
    assert cropped.json["largest"] <= cropped.json["limit"]
