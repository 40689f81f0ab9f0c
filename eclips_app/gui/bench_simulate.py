"""How well the Simulate panel follows its sliders: pictures per second, and the longest pause of the window meanwhile."""

from __future__ import annotations

import tempfile
import time
from typing import Any

from eclips_app.gui.bench import Figures, Heart, make_session, since, wait_until
from eclips_app.gui.qt import QtCore

_MOVES_S = 2.0  #: how long each slider moves
_WARM_MS = 8000  #: until the engine has loaded its modules, as after the first look at the window
_TICK_MS = 16  #: between two moves, as a mouse does


def bench_simulate_panel(size_px: int = 512) -> Figures:
    """Move sliders of the panel back and forth and count the pictures that follow, a chosen pixel's angles included."""
    from eclips_app.gui.panels.simulate.view import SimulatePanel

    with tempfile.TemporaryDirectory() as folder:
        session = make_session(folder)
        session.jobs.start()
        wait_until(lambda: session.jobs.status == "ready")
        wait_until(lambda: False, _WARM_MS)
        panel = SimulatePanel(session)
        panel.resize(1100, 700)
        live = panel.flow.live
        start = time.perf_counter()
        panel.show()
        wait_until(lambda: live.frame is not None)
        figures: Figures = {"first_picture_ms": since(start)}
        wait_until(lambda: live.is_settled)
        panel.flow.choose_specimen(kind="particles", rows=size_px, columns=size_px)
        panel.flow.choose_pixel((size_px // 3, size_px // 3))
        wait_until(lambda: live.is_settled)
        sliders = {
            "distance": panel.microscope.sliders["distance_mm"],
            "tilt": panel.microscope.sliders["tilt_deg.0"],
            "bias": panel.microscope.sliders["bias.specimen_v"],
            "slope": panel.surface.slopes[0],
            "radius": panel.surface.shape["radius_nm"],
        }
        for name, slider in sliders.items():
            figures |= {f"{name}_{figure}": value for figure, value in _follow(panel, slider.slider).items()}
            slider.reset_asked.emit()
            wait_until(lambda: live.is_settled)
        panel.close()
        session.close()
    return figures


def _follow(panel: Any, slider: Any) -> Figures:
    """Move a slider for a while; then wait for the full picture."""
    live = panel.flow.live
    pictures: list[int] = []
    live.framed.connect(lambda: pictures.append(live.frame.segments.shape[-1]))
    middle, count = slider.value(), 0

    def move() -> None:
        nonlocal count
        count += 1
        swing = 40 - abs(count % 160 - 80)  # to and fro over a fifth of the slider
        slider.setValue(middle + swing)

    timer = QtCore.QTimer()
    timer.timeout.connect(move)
    heart = Heart(5)
    timer.start(_TICK_MS)
    wait_until(lambda: False, round(1e3 * _MOVES_S))
    timer.stop()
    stall = heart.longest_ms()
    figures: Figures = {
        "images_per_s": len(pictures) / _MOVES_S,
        "image_px": pictures[-1] if pictures else 0,
        "longest_stall_ms": stall,
        "most_work_between_beats_ms": 1e3 * heart.most_work_s,
    }
    start = time.perf_counter()
    wait_until(lambda: live.is_settled)
    return figures | {"full_after_ms": since(start)}
