"""`eclips simulate` with its models, emissions and corrections."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

from eclips_app.core.detector import Beam, Bias
from tests.cli.conftest import DETECTOR, SIZE_NM, Case, Outcome, hill

Eclips = Callable[..., Outcome]

COPPER = dataclasses.replace(DETECTOR, beam=Beam(10.0, 0.0))


@pytest.fixture
def surface(case: Case) -> Path:
    path = case.folder / "surface.tif"
    tifffile.imwrite(path, (3.0 * hill()).astype(np.float32))
    return path


@pytest.fixture
def copper(case: Case) -> Path:
    path = case.folder / "copper.json"
    path.write_text(json.dumps(COPPER.to_json()), encoding="utf-8")
    return path


def images(eclips: Eclips, surface: Path, detector: Path, *more: str) -> NDArray[Any]:
    output = surface.with_name("made.tif")
    done = eclips("simulate", surface, "--pixel-size", f"{SIZE_NM}nm", "--detector", detector, "-o", output, *more)
    assert done.status == 0, done.err
    return tifffile.imread(output).astype(float)


def slope_signal(made: NDArray[Any]) -> float:
    """Give the root-mean-square difference of east and west over their sum."""
    return float(np.sqrt((((made[0] - made[2]) / (made[0] + made[2])) ** 2).mean()))


def test_mc_agrees_with_bsesm(eclips: Eclips, surface: Path, copper: Path) -> None:
    exact = images(eclips, surface, copper)
    traced = images(eclips, surface, copper, "--model", "mc", "--rays", "200")
    error = traced - exact
    assert 0.01 < error.std() < 0.2  # some 20 of 200 electrons land on each segment
    assert abs(error.mean()) < 5 * error.std() / np.sqrt(error.size)


def test_copper_has_more_slope_signal_than_lambert(eclips: Eclips, surface: Path, copper: Path) -> None:
    lambert = slope_signal(images(eclips, surface, copper))
    table = slope_signal(images(eclips, surface, copper, "--emission", "tabulated"))
    fitted = slope_signal(images(eclips, surface, copper, "--emission", "parametric"))
    assert 1.05 < table / lambert < 1.45
    assert fitted / lambert == pytest.approx(table / lambert, rel=0.1)
    zeros = slope_signal(images(eclips, surface, copper, "--emission", "parametric", "--coefficients", "0,0,0,0,0,0"))
    assert zeros == pytest.approx(lambert, rel=1e-4)


def test_a_biased_specimen_sends_electrons_up(eclips: Eclips, surface: Path, copper: Path) -> None:
    biased = dataclasses.replace(COPPER, bias=Bias(-3000.0, 0.0))
    path = copper.with_name("biased.json")
    path.write_text(json.dumps(biased.to_json()), encoding="utf-8")
    # Bent toward the axis, electrons of lower elevation land: the same detector reaches farther down and shows more slope.
    assert slope_signal(images(eclips, surface, path)) > 1.02 * slope_signal(images(eclips, surface, copper))


def test_far_from_the_axis_the_near_segment_is_brighter(eclips: Eclips, surface: Path, copper: Path) -> None:
    centred, aside = (
        images(eclips, surface, copper, "--scan-parallax", f"--field-center={x}mm,-0.1mm").mean(axis=(1, 2))
        for x in (0, 0.5)
    )
    assert aside[0] > 1.02 * centred[0]  # E: the beam is nearer to it
    assert aside[2] < 0.98 * centred[2]
    assert centred[3] > 1.001 * centred[1]  # S, for a field a little below the axis


def test_lists_of_numbers_and_lengths_are_read_or_refused(eclips: Eclips, surface: Path, copper: Path) -> None:
    given = ("simulate", surface, "--pixel-size", "5nm", "--detector", copper, "-o", surface.with_name("none.tif"))
    for option, words in (("--coefficients=a,b", "list of numbers"), ("--field-center=1mm", "two lengths")):
        done = eclips(*given, option)
        assert done.status == 2
        assert words in done.err


def test_delocalisation_blurs_what_is_smaller(eclips: Eclips, surface: Path, copper: Path) -> None:
    sharp, spread = images(eclips, surface, copper), images(eclips, surface, copper, "--delocalised")
    assert slope_signal(spread) < 0.8 * slope_signal(
        sharp
    )  # copper, 10 keV: half leave beyond 90 nm; the hill is 50 nm wide


def test_material_and_subpixels(eclips: Eclips, surface: Path, copper: Path) -> None:
    rho = surface.with_name("rho.tif")
    tifffile.imwrite(rho, np.full((60, 80), 0.5, np.float32))
    whole, halved = images(eclips, surface, copper), images(eclips, surface, copper, "--rho", str(rho))
    np.testing.assert_allclose(halved, whole / 2, rtol=1e-5)
    binned = images(eclips, surface, copper, "--subpixels", "2")
    np.testing.assert_allclose(binned, whole.reshape(4, 30, 2, 40, 2).mean(axis=(2, 4)), rtol=1e-5)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--emission", "tabulated", "--material", "Unobtainium"), "Unobtainium"),
        (("--emission", "parametric", "--coefficients", "1,2"), "coefficients"),
        (("--coefficients", "0,0,0,0,0,0"), "--emission parametric"),
        (("--pivot", "8mm"), "--scan-parallax"),
        (("--field-center", "1mm,0mm"), "--scan-parallax"),
        (("--read-noise", "3"), "--dose"),
    ],
)
def test_what_cannot_be_is_said(eclips: Eclips, surface: Path, copper: Path, more: tuple[str, ...], words: str) -> None:
    output = surface.with_name("none.tif")
    done = eclips("simulate", surface, "--pixel-size", "5nm", "--detector", copper, "-o", output, *more)
    assert done.status == 1
    assert words in done.err
    assert not output.exists()


def test_a_table_needs_the_beam_energy(eclips: Eclips, surface: Path, case: Case) -> None:
    done = eclips(
        "simulate", surface, "--pixel-size", "5nm", "--detector", case.detector, "-o", surface.with_name("none.tif"),
        "--emission", "tabulated",
    )  # fmt: skip
    assert done.status == 1
    assert "beam energy" in done.err
