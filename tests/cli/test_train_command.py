"""`eclips train`: writes weights and a card, takes measured maps, refuses in a sentence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Outcome

Eclips = Callable[..., Outcome]
_SMALL = ("--steps", "1", "--batch", "1", "--size", "32", "--device", "cpu")


def test_train_writes_weights_and_a_card(eclips: Eclips, tmp_path: Path) -> None:
    output, maps = tmp_path / "mine.safetensors", []
    for number in ("0", "1"):
        maps += ["--afm", tmp_path / f"{number}.tif"]
        made = eclips("surface", "rough", "--pixel-size", "2nm", "--size", "48", "--seed", number, "-o", maps[-1])
        assert made.status == 0
    outcome = eclips("train", "vft", "-o", output, *_SMALL, *maps, "--json")
    assert outcome.status == 0
    assert outcome.json["steps"] == 1
    assert outcome.json["history"][0]["error"] > 0
    assert output.with_suffix(".md").is_file()


def test_real_maps_of_many_makers_are_split_by_file(eclips: Eclips, tmp_path: Path, shared_data: Path) -> None:
    names = ("di-1.di", "NanoSurf_20160301.nid", "matrix-4.txt", "sample_0.jpk-qi-image", "spot_1-1000nm.ibw")
    maps = [word for name in names for word in ("--afm", shared_data / "data" / "afm" / name)]
    output = tmp_path / "mine.safetensors"
    outcome = eclips("train", "vft", "-o", output, *_SMALL, *maps, "--json")
    assert outcome.status == 0
    assert 0 < outcome.json["history"][0]["error"] < 0.2
    card = output.with_suffix(".md").read_text(encoding="utf-8")
    assert "Measured maps, split by file: 4 to train on, 1 to judge by." in card


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (("-o", "a.npz"), "safetensors"), (("-o", "no/a.safetensors"), "no"),
        (("--size", "8"), "out of range"), (("--afm", "missing.ibw"), "missing.ibw"),
    ],
)  # fmt: skip
def test_train_refuses_in_a_sentence(eclips: Eclips, tmp_path: Path, monkeypatch, argv, words) -> None:
    monkeypatch.chdir(tmp_path)
    outcome = eclips("train", "vft", *_SMALL, *argv)
    assert outcome.status == 1
    assert words in outcome.err
    assert len(outcome.err.splitlines()) == 1
