"""Files of a DSM: its weights, and the detector and emission that it was distilled for."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eclips_app.core import schema
from eclips_app.core.detector import Detector, detector_from_json
from eclips_app.core.emission import Emission
from eclips_app.core.errors import EclipsError
from eclips_app.engine.surrogates.dsm import DSM, Layout
from eclips_app.engine.training.weights import read_weights, write_weights

FORMAT = "eclips-dsm/1"
_DISTIL = "Distil one for this detector: eclips train dsm --detector."


@dataclass(frozen=True)
class Distilled:
    """A network with what it was distilled for.

    Attributes
    ----------
    network : DSM
    detector : Detector
        As it was given, gains and all.
    emission : Emission
    steepest : float
        Slope beyond which there were hardly any samples to learn from.
    teacher : str
        Model whose images it imitates: "bsesm" or "mc".
    """

    network: DSM
    detector: Detector
    emission: Emission
    steepest: float
    teacher: str = "bsesm"


def metadata_of(
    layout: Layout, detector: Detector, emission: Emission, steepest: float, teacher: str = "bsesm"
) -> dict[str, str]:
    """Give the texts that tell what a network is and what it was distilled for."""
    return {
        "format": FORMAT, "model": "dsm", "layout": json.dumps(dataclasses.asdict(layout)),
        "detector": json.dumps(detector.to_json()), "emission": json.dumps(dataclasses.asdict(emission)),
        "steepest": repr(steepest), "teacher": teacher,
    }  # fmt: skip


def write_dsm(path: Path, made: Distilled, facts: dict[str, str] | None = None) -> None:
    """Write weights and metadata; `facts` are texts to add, such as scores."""
    known = metadata_of(made.network.layout, made.detector, made.emission, made.steepest, made.teacher)
    write_weights(path, made.network.state_dict(), (facts or {}) | known)


def read_dsm(path: Path) -> Distilled:
    """Read a file.

    Raises
    ------
    EclipsError
        It cannot be read, or holds another kind of network.
    """
    tensors, metadata = read_weights(path)
    if metadata.get("format") != FORMAT:
        raise EclipsError("this file holds no DSM", where=str(path), hint="Choose one that eclips train dsm has made.")
    try:
        layout = schema.load(Layout, json.loads(metadata["layout"]), str(path))
        _check_size(layout, sum(tensor.numel() for tensor in tensors.values()))
        network = DSM(layout)
        network.load_state_dict(tensors)
        detector = detector_from_json(json.loads(metadata["detector"]), "detector of the network")
        emission = schema.load(Emission, json.loads(metadata["emission"]), "emission of the network")
        steepest = float(metadata["steepest"])
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise EclipsError("the description of this DSM is damaged", where=str(path), hint="Distil it again.") from error
    network.requires_grad_(False).eval()
    return Distilled(network, detector, emission, steepest, metadata.get("teacher", "bsesm"))


def _check_size(layout: Layout, numbers: int) -> None:
    """Refuse sizes for which a file does not have the numbers, before memory is asked for them."""
    counts = (layout.segments, layout.channels, len(layout.dilations), *layout.dilations)
    if not all(0 < count <= 1024 for count in counts):
        raise ValueError("no network is so large")
    if 9 * layout.channels**2 * (len(layout.dilations) - 1) > numbers:
        raise ValueError("its tensors are fewer than its layout asks for")


def check_match(made: Distilled, detector: Detector, emission: Emission, where: str) -> None:
    """Refuse another detector or emission than those that a network was distilled for.

    Gains, offsets, names and the probe do not matter: they are applied to what the network gives.

    Raises
    ------
    EclipsError
        Says what differs.
    """
    if _physics(made.emission) != _physics(emission):
        raise EclipsError(
            f"this DSM was distilled for {_emission_words(made.emission)}, not for {_emission_words(emission)}", where=where,
            hint=_DISTIL,
        )  # fmt: skip
    for name, value in essence(made.detector, emission).items():
        wanted = essence(detector, emission)[name]
        if wanted != value:
            raise EclipsError(
                f"this DSM was distilled for another detector ({made.detector.name}): {name} is {_words(value)} there, not "
                f"{_words(wanted)}", where=where, hint=_DISTIL,
            )  # fmt: skip


def _physics(emission: Emission) -> Emission:
    """Give an emission without a material that has no effect on it."""
    return emission if emission.needs_table else dataclasses.replace(emission, material="")


def essence(detector: Detector, emission: Emission) -> dict[str, Any]:
    """Give what of a detector changes what its segments see."""
    found = detector.to_json()
    for name in ("schema", "name", "calibration"):
        found.pop(name, None)
    beam = found.pop("beam", None)
    has_energy = detector.bias is not None or detector.response is not None or emission.model != "lambert"
    found["beam energy in keV"] = beam["energy_kev"] if beam and has_energy else None
    for name in ("bias", "pole_piece", "response"):
        found.setdefault(name, None)
    kept = ("azimuth_deg", "span_deg", "inner_radius_mm", "outer_radius_mm")
    found["quadrants"] = [
        [float(s[key]) if s.get(key) is not None else None for key in kept] for s in found["quadrants"]
    ]
    return found


def _emission_words(emission: Emission) -> str:
    return f"{emission.model} emission" + (f" of {emission.material}" if emission.model != "lambert" else "")


def _words(value: Any) -> str:
    if value is None:
        return "not given"
    text = json.dumps(value)
    return text if len(text) < 40 else "different"
