"""Files of a Finetune: its weights, and the detector, beam and emission that it was trained for."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from eclips_app.core import schema
from eclips_app.core.detector import Detector, detector_from_json
from eclips_app.core.emission import Emission
from eclips_app.core.errors import EclipsError
from eclips_app.engine.learned.finetune import Finetune, Scores
from eclips_app.engine.surrogates.dsm_file import essence
from eclips_app.engine.training.weights import read_weights, write_weights

FORMAT = "eclips-finetune/1"
MOST = 0.3  #: largest limit
_WIDEST = 256
_AGAIN = "Train one for this microscope: eclips finetune."


@dataclass(frozen=True)
class Tuned:
    """A network with what it was trained for.

    Attributes
    ----------
    network : Finetune
    detector : Detector
        As it was given.
    emission : Emission
        Of the images that are corrected.
    scores : Scores
        Of its training.
    """

    network: Finetune
    detector: Detector
    emission: Emission
    scores: Scores


def write_finetune(path: Path, made: Tuned) -> None:
    """Write weights and metadata."""
    metadata = {
        "format": FORMAT, "model": "finetune", "width": str(made.network.width), "limit": repr(made.network.limit),
        "detector": json.dumps(made.detector.to_json()), "emission": json.dumps(asdict(made.emission)),
        "scores": json.dumps(made.scores.facts()),
    }  # fmt: skip
    write_weights(path, made.network.state_dict(), metadata)


def read_finetune(path: Path) -> Tuned:
    """Read a file.

    Raises
    ------
    EclipsError
        It cannot be read, or holds another kind of network.
    """
    tensors, metadata = read_weights(path)
    if metadata.get("format") != FORMAT:
        raise EclipsError(
            "this file holds no Finetune", where=str(path), hint="Choose one that eclips finetune has made."
        )
    try:
        limit, width = float(metadata["limit"]), int(metadata["width"])
        if not (0.0 < limit <= MOST and 0 < width <= _WIDEST):
            raise ValueError("no Finetune is so large")
        network = Finetune(limit, width)
        network.load_state_dict(tensors)
        detector = detector_from_json(json.loads(metadata["detector"]), "detector of the network")
        emission = schema.load(Emission, json.loads(metadata["emission"]), "emission of the network")
        scores = schema.load(Scores, json.loads(metadata["scores"]), "scores of the network")
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise EclipsError(
            "the description of this Finetune is damaged", where=str(path), hint="Train it again."
        ) from error
    return Tuned(network.requires_grad_(False).eval(), detector, emission, scores)


def check_trained_for(made: Tuned, detector: Detector, emission: Emission, where: str) -> None:
    """Refuse another detector, beam energy or emission than those that a network was trained for.

    Raises
    ------
    EclipsError
        Says what differs.
    """
    if made.emission != emission:
        raise EclipsError("this Finetune corrects images of another emission", where=where, hint=_AGAIN)
    wanted, found = _conditions(detector, emission), _conditions(made.detector, emission)
    different = [name for name in wanted if wanted[name] != found[name]]
    if different:
        raise EclipsError(
            f"this Finetune was trained for another microscope ({made.detector.name}): {different[0]} differs", where=where,
            hint=_AGAIN,
        )  # fmt: skip


def _conditions(detector: Detector, emission: Emission) -> dict[str, object]:
    """Give what changes the emission that a network has learnt, and what its segments see of it."""
    beam = detector.beam
    return {**essence(detector, emission), "beam energy in keV": beam.energy_kev if beam else None}
