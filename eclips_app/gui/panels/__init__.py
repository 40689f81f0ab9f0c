"""The panels, named by text so that each is imported when it is first shown."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from eclips_app.gui.qt import QtWidgets
    from eclips_app.gui.session import Session


@dataclass(frozen=True)
class PanelInfo:
    """A panel: `factory` is "package.module:Class", called with the session; `area` is "main" or "side"."""

    key: str
    title: str
    icon: str
    shortcut: str
    factory: str
    area: str = "main"
    help: str = ""

    def create(self, session: Session) -> QtWidgets.QWidget:
        """Import and make the panel."""
        module, _, name = self.factory.partition(":")
        widget: QtWidgets.QWidget = getattr(importlib.import_module(module), name)(session)
        return widget


_P = "eclips_app.gui.panels"
PANELS = (
    PanelInfo(
        "start", "Start", "start", "Ctrl+1", "eclips_app.gui.shell.start_page:StartPage", help="Open, examples, recent"
    ),
    PanelInfo(
        "images", "Images", "images", "Ctrl+2", f"{_P}.images.view:ImagesPanel", help="Segment images and their order"
    ),
    PanelInfo(
        "detector", "Detector", "detector", "Ctrl+3", f"{_P}.detector.view:DetectorPanel", help="Detector geometry"
    ),
    PanelInfo(
        "calibration",
        "Calibration",
        "calibration",
        "Ctrl+0",
        f"{_P}.calibration.view:CalibrationPanel",
        help="Calibrate the detector on objects of known shape",
    ),
    PanelInfo("surface3d", "3D", "surface", "Ctrl+4", f"{_P}.surface3d.view:Surface3DPanel", help="The surface in 3D"),
    PanelInfo("profile", "Profile", "profile", "Ctrl+5", f"{_P}.profile.view:ProfilePanel", help="Line profiles"),
    PanelInfo(
        "levelling",
        "Level",
        "level",
        "",
        f"{_P}.levelling.view:LevelPanel",
        help="Planes, bows, lines and scars taken out",
    ),
    PanelInfo(
        "facets",
        "Facets",
        "facets",
        "Ctrl+Shift+F",
        f"{_P}.facets.view:FacetsPanel",
        help="Plane facets, angles between them, crystal planes",
    ),
    PanelInfo(
        "compare",
        "Compare",
        "compare",
        "Ctrl+Alt+C",
        f"{_P}.compare.view:ComparePanel",
        help="A reconstruction against an AFM or other height map",
    ),
    PanelInfo("series", "Series", "series", "Ctrl+6", f"{_P}.series.view:SeriesPanel", help="Frames over time"),
    PanelInfo(
        "simulate",
        "Simulate",
        "simulate",
        "Ctrl+8",
        f"{_P}.simulate.view:SimulatePanel",
        help="How a detector sees a known surface",
    ),
    PanelInfo(
        "check",
        "Check",
        "check",
        "Ctrl+9",
        f"{_P}.check.view:CheckPanel",
        help="How far the result explains the images",
    ),
    PanelInfo(
        "methods",
        "Methods",
        "methods",
        "Ctrl+Alt+M",
        f"{_P}.methods.view:MethodsPanel",
        help="Several methods on the same images, side by side",
    ),
    PanelInfo(
        "reconstruct",
        "Reconstruct",
        "run",
        "Ctrl+7",
        f"{_P}.reconstruct.view:ReconstructPanel",
        "side",
        "From images to height",
    ),
    PanelInfo(
        "uncertainty",
        "Uncertainty",
        "uncertainty",
        "",
        f"{_P}.uncertainty.view:UncertaintyPanel",
        "side",
        "Why a pixel is uncertain",
    ),
)
