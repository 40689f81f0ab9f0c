"""Tell how far away a surface can still block the way to the detector.

The rigorous radius: nothing beyond it blocks an accepted electron. The statistical one: the chance that something beyond it
blocks the lowest accepted electron, where nothing inside does, is below --delta-out; it holds for random surfaces. Beside it
stands the chance counted on this map.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from eclips_app.cli.common import length_nm
from eclips_app.cli.heights import read_heights
from eclips_app.core.context import Context
from eclips_app.core.detector import read_detector
from eclips_app.core.schema import check
from eclips_app.core.steps import EstimateVisionField, run_step
from eclips_app.core.units import format_length


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("height", type=Path, help="height map; plain float TIFF is taken as nm")
    parser.add_argument("--pixel-size", type=length_nm, help="such as 2nm; default: what the height map says")
    parser.add_argument("--detector", type=Path, required=True, help="detector file (JSON)")
    parser.add_argument(
        "--delta-out", type=float, default=0.01, help="accepted chance of being blocked from outside; default 0.01"
    )


def run(args: argparse.Namespace, context: Context) -> dict[str, Any]:
    """Compute the radii; gives them with what they rest on."""
    detector = read_detector(args.detector)
    surface = read_heights(args.height, args.pixel_size, context)
    size = surface.info["pixel_size_nm"][0]
    params = EstimateVisionField(detector, size, args.delta_out)
    check(params, "vision-field")
    found = run_step("vision-field", {"height": surface.arrays["height"]}, params, context)
    return {"pixel_size_nm": size, **found.info}


def describe(result: dict[str, Any]) -> str:
    """Put the result into words."""
    size = result["pixel_size_nm"]

    def radius(name: str) -> str:
        return f"{format_length(result[name])} ({result[name] / size:.1f} px)"

    return (
        f"rigorous radius: {radius('rigorous_nm')}\n"
        f"statistical radius: {radius('statistical_nm')}, chance from outside below {result['delta_out']:g}, "
        f"on this map {result['measured_chance']:.2g}\n"
        f"relief {format_length(result['relief_nm'])}, rms slope {result['rms_slope']:.3g}, correlation length "
        f"{format_length(result['correlation_length_nm'])}, lowest take-off angle {result['lowest_elevation_deg']:.1f}°"
    )
