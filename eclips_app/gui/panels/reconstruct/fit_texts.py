"""What the forms of a fit offer and say, worked out without widgets."""

from __future__ import annotations

from dataclasses import fields, replace

from eclips_app.core.detector import Detector
from eclips_app.core.schema import rule_of
from eclips_app.core.steps import ClosedLoop, Learned, automatic
from eclips_app.core.tolerance import Tolerances, parameters_of, stated, std_of
from eclips_app.gui.widgets.quantity_edit import quantity_text
from eclips_app.model.items import Run
from eclips_app.model.project import Project
from eclips_app.model.runs import FIT_FIELDS, Options, crop_shape

_AUTOMATIC = Learned()
_OWN_ROWS = ("emission", "quality", "brightness", "tolerances", "coarse_to_fine", "starter")  #: no plain numbers
FIT_NUMBERS = tuple(name for name in FIT_FIELDS if name not in _OWN_ROWS)
#: What the program does where the value is None.
_FOUND = {"grey_per_electron": "from images", "smoothing": "from surface", "tile_px": "where needed"}
_KNOWN = "known:"
_UNET = "unet:"  #: as a start; no run has such an id


def automatic_texts(fit: ClosedLoop, names: tuple[str, ...] = FIT_NUMBERS) -> dict[str, str]:
    """Say for each number of a fit what it is while nobody chooses it."""
    texts = {}
    for name in names:
        default = getattr(_AUTOMATIC, name)
        if default is None:
            default = getattr(automatic(ClosedLoop(quality=fit.quality)), name, None)
        texts[name] = _FOUND.get(name, "automatic") if default is None else f"auto: {default:g}"
    return texts


def brightness_choices(project: Project, options: Options) -> list[tuple[str, str]]:
    """Give the choices of brightness as (text, key); those of earlier runs are for images of the same size."""
    choices = [("Each pixel's own", "pixel"), ("Uniform", "uniform")]
    runs = _usable_runs(project, "rho", options.rho_run_id if options.fit.brightness == "known" else "")
    return choices + [(f"As in {name}", _KNOWN + run_id) for name, run_id in runs]


def brightness_key(options: Options) -> str:
    """Give the key of the brightness that is chosen."""
    brightness = options.fit.brightness
    return _KNOWN + options.rho_run_id if brightness == "known" else brightness


def with_brightness(options: Options, key: str) -> Options:
    """Give the options with the brightness of a key."""
    is_known = key.startswith(_KNOWN)
    fit = replace(options.fit, brightness="known" if is_known else key)
    return replace(options, fit=fit, rho_run_id=key.removeprefix(_KNOWN) if is_known else "")


def start_choices(project: Project, options: Options) -> list[tuple[str, str]]:
    """Give what a fit can start from as (text, key): the linear reconstruction, the network's, or a run of the same size."""
    return [("Result of Live", ""), ("U-Net", _UNET), *_usable_runs(project, "height", options.start_run_id)]


def start_key(options: Options) -> str:
    """Give the key of the start that is chosen; a run goes before the rest."""
    return options.start_run_id or (_UNET if options.fit.starter == "unet" else "")


def with_start(options: Options, key: str) -> Options:
    """Give the options with the start of a key."""
    is_learned = key == _UNET
    fit = replace(options.fit, starter="unet" if is_learned else "linear")
    return replace(options, fit=fit, start_run_id="" if is_learned else key)


def _usable_runs(project: Project, array: str, chosen: str) -> list[tuple[str, str]]:
    """Give name and id of the selected set's runs with a map of the crop's size, and of the one that is chosen."""
    segment_set = project.segment_set
    shape = crop_shape(segment_set) if segment_set else (0, 0)
    runs = [run for run in project.runs_of(project.selection.set_id) if array in run.arrays]
    found = [(run.name, run.id) for run in runs if run.arrays[array].shape == shape]
    if chosen and chosen not in (run_id for _, run_id in found):
        run = project.get(Run, chosen)
        found.append((run.name if run else "a run that was removed", chosen))
    return found


def count_fit_changes(options: Options) -> int:
    """Count the choices of a fit that are not the automatic ones."""
    names = (*FIT_NUMBERS, "brightness", "coarse_to_fine", "starter")
    changed = sum(getattr(options.fit, name) != getattr(_AUTOMATIC, name) for name in names)
    return int(changed) + bool(options.start_run_id)


def count_tolerances(options: Options) -> int:
    """Count the tolerances that are typed."""
    return sum(getattr(options.fit.tolerances, field.name) is not None for field in fields(Tolerances))


def with_automatic_fit(options: Options) -> Options:
    """Give the options with every choice of the fit made by itself; quality, emission, tolerances and networks stay."""
    kept = ("quality", "emission", "tolerances")
    fit = replace(options.fit, **{name: getattr(_AUTOMATIC, name) for name in FIT_FIELDS if name not in kept})
    return replace(options, fit=fit, start_run_id="", rho_run_id="")


def tolerance_texts(detector: Detector | None, options: Options) -> dict[str, str]:
    """Say for each tolerance what holds while nobody types it.

    Raises
    ------
    EclipsError
        If the calibration in the detector file cannot be read as such.
    """
    texts = {field.name: "not stated" for field in fields(Tolerances)}
    if detector is None:
        return texts
    in_file = () if detector.is_typical else stated(detector).names
    known = stated(detector, levelled=options.balance_for(detector) == "level")
    for field in fields(Tolerances):
        names = [name for name in parameters_of(field.name, detector) if name in known.names]
        if names:
            word = "stated" if names[0] in in_file else "typical"
            texts[field.name] = f"{word}: {_span([std_of(known, name) for name in names], field.name)}"
    return texts


def _span(values: list[float], field: str) -> str:
    """Write the standard deviations that a tolerance stands for, lowest to highest, in its unit."""
    scale = 100.0 if field.endswith("percent") else 1.0
    unit = rule_of(Tolerances, field).unit
    low, high = (quantity_text(float(f"{scale * value:.2g}"), unit) for value in (min(values), max(values)))
    return low if low == high else f"{low.removesuffix(unit).strip()} to {high}"
