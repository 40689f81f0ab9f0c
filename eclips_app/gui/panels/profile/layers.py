"""What the image pane can show: the layers of a set and its run, each with its look."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from numpy.typing import NDArray

from eclips_app.core.units import format_length
from eclips_app.metrology.map_pixels import seen_alone
from eclips_app.model.items import HeightMap, Run, SegmentSet
from eclips_app.model.measurements import image_pixel_size_nm
from eclips_app.model.placing import frame_map
from eclips_app.model.project import Project
from eclips_app.model.runs import has_values
from eclips_app.scene3d.hatching import flag_names

HEIGHT = "height"
FLAGS = "flags"
_MOST_PX = 1 << 18  #: of a map that has to be sampled to be shown


@dataclass(frozen=True)
class Layer:
    """An array to show; `unit` is "nm", "°" or empty, `diverging` asks for levels even about zero."""

    key: str
    name: str
    data: NDArray[Any]
    origin_px: tuple[int, int]
    colormap: str = ""
    unit: str = ""
    diverging: bool = False
    step_px: int = 1  #: distance of the rows and columns of `data`, of a map that is thinned out

    def value_text(self, value: float) -> str:
        """Write a value of this layer."""
        if self.key == FLAGS:
            return ", ".join(flag_names(int(value))) or "not doubtful"
        return format_length(value, 4) if self.unit == "nm" else f"{value:.4g}{self.unit}"


def layers(project: Project, height_colormap: str) -> list[Layer]:
    """Give all layers of what is selected, the height first; of a height map alone its heights."""
    found = []
    run, segment_set = project.run, project.segment_set
    placed = project.get(HeightMap, project.selection.map_id)
    if placed is not None and frame_map(project) is not None:
        found.append(_map_layer(placed, image_pixel_size_nm(project) or 1.0, height_colormap))
    if run is not None:
        found += _run_layers(run, segment_set, height_colormap)
    if segment_set is not None:
        for i, image in enumerate(segment_set.images):
            found.append(Layer(f"segment/{i}", f"Image {segment_name(project, segment_set, i)}", image.data, (0, 0)))
    return found


@lru_cache(maxsize=1)  # the panel asks at each change, and a turned map has to be sampled
def _map_layer(placed: HeightMap, pixel_size_nm: float, colormap: str) -> Layer:
    heights, origin, step = seen_alone(placed, pixel_size_nm, _MOST_PX)
    return Layer(HEIGHT, f"Height, {placed.name}", heights, origin, colormap, "nm", step_px=step)


def segment_name(project: Project, segment_set: SegmentSet, index: int) -> str:
    """Give the name of a segment: the detector's, else the image's."""
    detector = project.detector
    if detector is not None and len(detector.quadrants) == len(segment_set.images):
        return detector.quadrants[index].name
    return segment_set.images[index].name


def _run_layers(run: Run, segment_set: SegmentSet | None, height_colormap: str) -> list[Layer]:
    arrays, origin = run.arrays, run.origin_px
    found = []
    if "height" in arrays:
        found.append(Layer(HEIGHT, "Height", arrays["height"], origin, height_colormap, "nm"))
    if "height_std" in arrays:
        found.append(Layer("height_std", "Height uncertainty", arrays["height_std"], origin, "magma", "nm"))
    if "rho" in arrays:
        found.append(Layer("rho", "Material", arrays["rho"], origin))
    if has_values(run, "chi2"):
        found.append(Layer("chi2", "χ²", arrays["chi2"], origin, "magma"))
    if has_values(run, "chi2_known"):
        found.append(Layer("chi2_known", "χ², brightness of the material", arrays["chi2_known"], origin, "magma"))
    if "normal_error" in arrays:
        found.append(
            Layer("normal_error", "Error of normals, by the network", arrays["normal_error"], origin, "magma", "°")
        )
    if FLAGS in arrays:
        found.append(Layer(FLAGS, "Doubtful areas", arrays[FLAGS], origin))
    names = [segment["name"] for segment in run.params.get("detector", {}).get("quadrants", [])]
    for i, data in enumerate(arrays.get("residual", ())):
        name = names[i] if i < len(names) else str(i + 1)
        found.append(Layer(f"residual/{i}", f"Residual {name}", data, origin, "CET-D1A", diverging=True))
    return found
