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
