"""The learned methods in the Reconstruct panel: their names, their form, what a run shows live and afterwards, their cycle."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from learned_samples import small_unet
from panel_samples import COLUMNS, PIXEL_NM, ROWS, Submitted, detector, fill, hill_images, make_set
from pytestqt.qtbot import QtBot

from eclips_app.commands import edits
from eclips_app.core.context import SilentContext
from eclips_app.core.emission import Emission
from eclips_app.core.steps import Learned, StepResult, run_step
from eclips_app.gui.flows import check, reconstruct
from eclips_app.gui.flows.methods import LIVE, LOOP, METHODS, PAPER, STANDARD, UNET, method_of, method_of_run, name_of
from eclips_app.gui.panels.check.presenter import prepare
from eclips_app.gui.panels.profile.layers import layers
from eclips_app.gui.panels.reconstruct import fit_texts, presenter
from eclips_app.gui.panels.reconstruct.view import ReconstructPanel
from eclips_app.gui.panels.surface3d.textures import textures_of
from eclips_app.gui.qt import Qt
from eclips_app.gui.session import Session
from eclips_app.gui.widgets.calm_combo import CalmCombo
from eclips_app.model.check import cycle_request
from eclips_app.model.items import Measurement, Run, SegmentImage
from eclips_app.model.runs import Options, make_run, parameters, step_inputs

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def held(held: Session) -> Session:
    """A session whose jobs the test answers itself, with the commands of reconstructions."""
    reconstruct.register(held)
    return held


@pytest.fixture
def panel(held: Session, qtbot: QtBot) -> ReconstructPanel:
    """The column with images and detector, the section of the network open."""
    made = ReconstructPanel(held)
    qtbot.addWidget(made)
    made.resize(320, 1100)
    made.show()
    fill(held, runs=0)
    made.learned_section.head.setChecked(True)
    return made


def options_of(session: Session) -> Options:
    return reconstruct.flow_of(session).options


def fit_of(session: Session) -> Learned:
    fit = options_of(session).fit
    assert isinstance(fit, Learned)
    return fit


def choose(combo: CalmCombo, text: str) -> None:
    combo.setCurrentIndex(combo.findText(text))
    combo.activated.emit(combo.currentIndex())


def start(panel: ReconstructPanel, held: Session, qtbot: QtBot) -> Submitted:
    qtbot.mouseClick(panel.button, LEFT)
    job: Submitted = held.jobs.jobs[-1]  # type: ignore[attr-defined]
    return job


def result(chi2_steps: tuple[float, ...] = (2.0,), **info: Any) -> StepResult:
    maps = {name: np.full((ROWS, COLUMNS), 1.5, np.float32) for name in ("height", "rho", "chi2", "normal_error")}
    arrays = {**maps, "mask": np.ones((ROWS, COLUMNS), bool), "residual": np.zeros((4, ROWS, COLUMNS), np.float32)}
    facts = {
        "chi2": chi2_steps[-1],
        "chi2_steps": list(chi2_steps),
        "cost": [],
        "inner_steps": [],
        "smoothing": 0.0,
        "rounds_taken": len(chi2_steps) - 1,
    }
    return StepResult(arrays, {**facts, "stopping": "as it was", **info})


def answer(job: Submitted, found: StepResult) -> None:
    job.done(found.arrays, **found.info)


def test_each_method_goes_with_its_run_and_is_known_by_it(panel: ReconstructPanel, held: Session, qtbot: QtBot) -> None:
    images = make_set()
    for method in METHODS:
        qtbot.mouseClick(panel.choice.button(method.name), LEFT)
        assert method_of(options_of(held)) is method
        assert panel.choice.text.text() == method.text
        assert panel.learned_section.isVisible() == method.is_learned
        assert panel.fit_section.isVisible() == method.is_exact
        assert panel.choice.emission.isVisible() == method.has_emission
        params = parameters(images, detector(), options_of(held))
        made = make_run(images, options_of(held).step, params, result(), 1.0, method.name)
        assert method_of_run(made) is method


def test_a_method_takes_back_what_the_one_before_has_set() -> None:
    paper = PAPER.chosen(Options())
    assert isinstance(paper.fit, Learned)
    assert (paper.fit.renderer, paper.fit.finetune, paper.method, paper.integrator) == ("vft", True, "learned", "pinn")
    live = LIVE.chosen(paper)
    assert live.fit == Options().fit
    assert live == Options()
    more = replace(paper, fit=replace(paper.fit, rounds=500))
    assert PAPER.chosen(more) is more  # chosen once more, it keeps what was typed
    assert method_of(replace(paper, fit=replace(paper.fit, renderer="dsm"))) is LOOP
    assert method_of(replace(paper, fit=replace(paper.fit, rounds=0))) is UNET
    assert method_of(replace(paper, integrator="wiener")) is LOOP


def test_the_form_shows_what_counts_and_goes_with_the_run(
    panel: ReconstructPanel, held: Session, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    form = panel.learned
    qtbot.mouseClick(panel.choice.button("U-Net"), LEFT)
    assert form.minimumSizeHint().width() <= 300
    assert not form.renderer.isVisible()
    qtbot.mouseClick(panel.choice.button("U-Net + loop"), LEFT)
    assert form.renderer.isVisible()
    assert not form.weights["renderer_weights"].isVisible()
    assert form.fields["rounds"].value == fit_of(held).rounds > 0
    choose(form.renderer, "DSM, a network")
    assert form.weights["renderer_weights"].isVisible()
    file = tmp_path / "mine.safetensors"
    monkeypatch.setattr(held, "ask_open_files", lambda *_: [file])
    choose(form.weights["renderer_weights"], "File…")
    assert form.weights["renderer_weights"].currentText() == "mine.safetensors"
    choose(form.weights["network"], "File…")
    form.finetune.click()
    form.fields["rounds"].setText("25")
    qtbot.keyClick(form.fields["rounds"], Qt.Key.Key_Return)
    job = start(panel, held, qtbot)
    assert job.step == "reconstruct-learned"
    assert isinstance(job.params, Learned)
    assert (job.params.rounds, job.params.renderer, job.params.finetune) == (25, "dsm", True)
    assert job.params.renderer_weights == job.params.network == str(file)
    job.cancel()
    choose(form.renderer, "Horizons (exact)")
    assert fit_of(held).renderer_weights == ""


def test_a_file_that_is_not_chosen_changes_nothing(
    panel: ReconstructPanel, held: Session, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    qtbot.mouseClick(panel.choice.button("U-Net"), LEFT)
    monkeypatch.setattr(held, "ask_open_files", lambda *_: [])
    choose(panel.learned.weights["network"], "File…")
    assert panel.learned.weights["network"].currentText() == "Of the program"
    assert fit_of(held).network == ""


def test_the_loop_shows_heights_chi_square_and_residuals_and_keeps_its_best(
    panel: ReconstructPanel, held: Session, qtbot: QtBot
) -> None:
    qtbot.mouseClick(panel.choice.button("U-Net + loop"), LEFT)
    job = start(panel, held, qtbot)
    job.preview(np.zeros((ROWS, COLUMNS), np.float32), pixel_size_nm=PIXEL_NM)
    job.preview(np.array([[0.0, 3.0], [1.0, 2.0]]), "chi2")
    residual = np.zeros((4, ROWS, COLUMNS), np.float32)
    residual[2] = 5.0
    job.preview(residual, "residual")
    assert panel.preview.isVisible()
    assert panel.curve.isVisible()
    assert panel.curve.getAxis("bottom").labelText == "Round"
    assert panel.missed.isVisible()
    assert panel.missed.value_at(2.5 * COLUMNS + 8, ROWS / 2) == 5.0  # the third segment
    assert panel.missed.value_at(COLUMNS / 2, ROWS / 2) == 0.0
    job.best = result((3.0, 2.0), stopped=True)
    reconstruct.flow_of(held).stop()
    run = held.project.run
    assert run is not None
    assert run.name == "U-Net + loop (stopped)"
    assert dict(presenter.facts(run))["Rounds"] == "1"
    assert "after 1 round; its best heights are kept." in held.messages.items[-1].text
    assert not panel.missed.isVisible()
    held.history.undo()
    assert held.project.run is None


def test_facts_maps_and_checks_of_a_learned_run(panel: ReconstructPanel, held: Session, qtbot: QtBot) -> None:
    qtbot.mouseClick(panel.choice.button("U-Net"), LEFT)
    job = start(panel, held, qtbot)
    answer(job, result())
    run = held.project.run
    assert run is not None
    told = dict(presenter.facts(run))
    assert (told["Method"], told["U-Net"], told["χ²"], told["Emission"]) == ("U-Net", "of the program", "2", "Lambert")
    assert told["Normals may err by"].startswith("1.5°")
    assert "Smoothing" not in told
    assert presenter.chi2_curve(run) is None  # one point is no curve
    layer = next(each for each in layers(held.project, "viridis") if each.key == "normal_error")
    assert layer.value_text(1.5) == "1.5°"
    assert "normal_error" in [texture.key for texture in textures_of(run, held.project)]
    shown = prepare(run, held.project.segment_set)
    np.testing.assert_array_equal(shown.chi2, np.log2(run.arrays["chi2"]))  # as it is: smooth already
    assert not any("Live" in note for note in shown.notes)


def test_the_start_of_a_fit_may_be_the_network(panel: ReconstructPanel, held: Session, qtbot: QtBot) -> None:
    qtbot.mouseClick(panel.choice.button("Standard"), LEFT)
    panel.fit_section.head.setChecked(True)
    choose(panel.fit.start, "U-Net")
    assert panel.fit_section.head.text() == "Fit (1 chosen)"
    assert name_of(options_of(held)) == "Standard from U-Net"
    assert start(panel, held, qtbot).params.starter == "unet"
    assert fit_texts.with_automatic_fit(options_of(held)).fit.starter == "linear"
    assert method_of(options_of(held)) is STANDARD


@pytest.fixture
def images(session: Session) -> Session:
    """A session with rendered images of a hill, and a real engine."""
    session.do(edits.set_detector(session.project, detector()))
    session.do(edits.add("Open", make_set("hill", images=hill_images(20.0))))
    return session


def test_a_network_of_ones_own_reconstructs_and_is_cycled(images: Session, qtbot: QtBot, tmp_path: Path) -> None:
    """Through the engine process, with a network that has learnt nothing: it leaves the linear solution as it is."""
    flow = reconstruct.flow_of(images)
    chosen = UNET.chosen(Options(device="cpu"))
    fit = replace(chosen.fit, network=str(small_unet(tmp_path)), azimuths=16)  # type: ignore[call-arg]
    flow.set_options(replace(chosen, fit=fit))
    flow.run()
    qtbot.waitUntil(lambda: flow.task is None, timeout=120_000)
    (run,) = images.project.of_kind(Run)
    assert run.name == "U-Net"
    assert run.arrays["normal_error"].shape == (ROWS, COLUMNS)
    cycle = check.flow_of(images)
    assert cycle.can_cycle()
    cycle.cycle()
    qtbot.waitUntil(lambda: not cycle.is_busy, timeout=120_000)
    assert cycle.result is not None
    assert cycle.result.params.method == "learned"
    assert cycle.result.params.network == run.params["network"]
    assert cycle.result.facts["rms_percent"] < 20.0
    assert [each.name for each in images.project.of_kind(Measurement)] == ["Cycle"]


def test_a_real_loop_shows_how_it_goes_and_is_stopped(images: Session, qtbot: QtBot, tmp_path: Path) -> None:
    """Through the engine process: what is missed is shown as it goes, and a stop keeps the best."""
    panel = ReconstructPanel(images)
    qtbot.addWidget(panel)
    flow = reconstruct.flow_of(images)
    chosen = LOOP.chosen(Options(device="cpu"))
    more = {
        "network": str(small_unet(tmp_path)),
        "azimuths": 8,
        "subpixels": 1,
        "rounds": 10_000,
        "grey_per_electron": 1e-3,
    }
    flow.set_options(replace(chosen, fit=replace(chosen.fit, **more)))  # type: ignore[arg-type]
    curves: list[np.ndarray] = []
    missed: list[np.ndarray] = []
    flow.stepped.connect(curves.append)
    flow.missed.connect(missed.append)
    flow.run()
    qtbot.waitUntil(lambda: bool(curves) and len(curves[-1]) >= 6, timeout=120_000)
    assert missed[-1].shape == (4, ROWS, COLUMNS)
    assert not panel.missed.isHidden()
    flow.stop()
    qtbot.waitUntil(lambda: flow.task is None, timeout=60_000)
    (run,) = images.project.of_kind(Run)
    assert run.name == "U-Net + loop (stopped)"
    told = dict(presenter.facts(run))
    assert int(told["Rounds"]) >= 5
    assert told["Finetune"] == "off"
    curve = presenter.chi2_curve(run)
    assert curve is not None
    assert len(curve[0]) == int(told["Rounds"]) + 1


def test_a_cycle_keeps_the_parameters_of_a_learned_run(tmp_path: Path) -> None:
    made = make_set("scan", images=tuple(
        SegmentImage(name, np.full((ROWS, COLUMNS), 1000 + 7 * k, np.uint16), sha256=name * 64) for k, name in enumerate("ENWS")
    ))  # fmt: skip
    params = Learned(
        detector(),
        PIXEL_NM,
        device="cpu",
        emission=Emission(),
        network=str(small_unet(tmp_path)),
        azimuths=8,
        subpixels=1,
    )
    run = make_run(
        made, "reconstruct-learned", params, run_step("reconstruct-learned", step_inputs(made), params, SilentContext()),
        1.0, "U-Net",
    )  # fmt: skip
    request, inputs = cycle_request(run, made, noise=True)
    assert (request.method, request.subpixels, request.azimuths) == ("learned", 1, 8)
    assert request.network == params.network
    assert request.dose_grey == request.grey_per_electron == run.info["grey_per_electron"]
    found = run_step("cycle", inputs, request, SilentContext())
    assert found.arrays["difference"].shape == (ROWS, COLUMNS)
