"""The training workshop on tiny networks: specimens, exact labels, hard samples, optimisers, the loop and its checkpoints."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from eclips_app.core.context import SilentContext
from eclips_app.core.errors import Cancelled, EclipsError
from eclips_app.engine.forward.measure import DETECTOR
from eclips_app.engine.forward.model import forward_model
from eclips_app.engine.forward.visibility import look_up
from eclips_app.engine.training import optim
from eclips_app.engine.training.hard import HardSamples
from eclips_app.engine.training.labels import horizons, segments, slopes
from eclips_app.engine.training.loop import Batch, Plan, Sample, train
from eclips_app.engine.training.optim import optimisers, schedule
from eclips_app.engine.training.precision import choose_precision
from eclips_app.engine.training.specimens import Recipe, specimen, split_files

CPU = torch.device("cpu")


class _Line:
    """Fit y = W x for a fixed W; samples differ in how hard they are."""

    def __init__(self, seed: int = 3) -> None:
        torch.manual_seed(seed)
        self.net = nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, 2))
        self._truth = np.random.default_rng(5).standard_normal((2, 6)).astype(np.float32)

    def sample(self, index: int) -> Sample:
        rng = np.random.default_rng((7, index))
        x = rng.standard_normal(6).astype(np.float32) * (0.2 + index % 3)
        return {"x": x, "y": np.tanh(self._truth @ x)}

    def losses(self, net: nn.Module, batch: Batch) -> torch.Tensor:
        return (net(batch["x"]) - batch["y"]).square().mean(1)

    def scores(self, net: nn.Module) -> dict[str, float]:
        rows = [self.sample(10_000 + i) for i in range(64)]
        batch = {name: torch.from_numpy(np.stack([r[name] for r in rows])) for name in rows[0]}
        return {"error": float(self.losses(net, batch).detach().mean())}


class _StopAt(SilentContext):
    def __init__(self, count: int) -> None:
        self.count = count

    def check(self) -> None:
        self.count -= 1
        if self.count < 0:
            raise Cancelled


_PLAN = Plan(steps=60, batch=6, rate=1e-2, judge_every=20, hard_room=30, seed=4)


def test_training_learns_and_history_tells_it():
    found = train(_Line(), Plan(**{**_PLAN.__dict__, "steps": 240, "judge_every": 80}), SilentContext(), CPU)
    errors = [row["error"] for row in found.history]
    assert [row["step"] for row in found.history] == [80, 160, 240]
    assert errors[-1] < 0.5 * errors[0]
    assert [step for step, _ in found.curve] == list(range(10, 250, 10))
    assert np.mean([loss for _, loss in found.curve[:8]]) == pytest.approx(found.history[0]["loss"])
    assert found.precision == "float32"
    assert not found.stopped


def test_equal_seeds_give_equal_bits_and_others_do_not():
    a, b = (train(_Line(), _PLAN, SilentContext(), CPU).state for _ in range(2))
    other = train(_Line(), Plan(**{**_PLAN.__dict__, "seed": 5}), SilentContext(), CPU).state
    assert all(torch.equal(a[name], b[name]) for name in a)
    assert not all(torch.equal(a[name], other[name]) for name in a)


@pytest.mark.parametrize("at", [7, 20, 41])
def test_resumed_training_equals_an_uninterrupted_one(tmp_path, at):
    whole = train(_Line(), _PLAN, SilentContext(), CPU)
    file = tmp_path / "net.checkpoint"
    broken = train(_Line(), Plan(**{**_PLAN.__dict__, "checkpoint_s": 1e9}), _StopAt(at), CPU, file)
    assert broken.stopped
    assert broken.steps == at
    resumed = train(_Line(seed=99), _PLAN, SilentContext(), CPU, file, resume=True)  # its first weights do not matter
    assert resumed.steps == 60
    assert all(torch.equal(whole.state[name], resumed.state[name]) for name in whole.state)


def test_killed_training_resumes_from_its_last_regular_checkpoint(tmp_path):
    """A kill leaves no time to write: what counts is the checkpoint of before."""
    file = tmp_path / "net.checkpoint"

    class Killed(Exception): ...

    class Kill(_StopAt):
        def check(self) -> None:
            self.count -= 1
            if self.count < 0:
                raise Killed

    with pytest.raises(Killed):
        train(_Line(), Plan(**{**_PLAN.__dict__, "checkpoint_s": 0.0}), Kill(33), CPU, file)
    resumed = train(_Line(), _PLAN, SilentContext(), CPU, file, resume=True)
    whole = train(_Line(), _PLAN, SilentContext(), CPU)
    assert all(torch.equal(whole.state[name], resumed.state[name]) for name in whole.state)
    assert [row["error"] for row in resumed.history] == [row["error"] for row in whole.history]


def test_stopped_training_gives_the_best_so_far():
    found = train(_Line(), _PLAN, _StopAt(25), CPU)
    assert found.stopped
    assert [row["step"] for row in found.history] == [20, 25]
    task = _Line()
    task.net.load_state_dict(found.state)
    assert task.scores(task.net)["error"] == pytest.approx(min(row["error"] for row in found.history))


def test_limit_of_time_ends_the_training():
    found = train(_Line(), Plan(steps=10**7, minutes=0.005, judge_every=50), SilentContext(), CPU)
    assert 0.3 <= found.seconds < 5.0
    assert found.steps < 10**6


@pytest.mark.parametrize("content", [b"", b"nothing", b"PK\x03\x04" + bytes(64)])
def test_broken_checkpoint_is_refused_in_a_sentence(tmp_path, content):
    file = tmp_path / "net.checkpoint"
    file.write_bytes(content)
    with pytest.raises(EclipsError, match="checkpoint cannot be read"):
        train(_Line(), _PLAN, SilentContext(), CPU, file, resume=True)


def test_checkpoint_of_another_network_is_refused(tmp_path):
    file = tmp_path / "net.checkpoint"
    train(_Line(), Plan(steps=2, judge_every=2), SilentContext(), CPU, file)
    other = _Line()
    other.net = nn.Sequential(nn.Linear(6, 2))
    with pytest.raises(EclipsError, match="belongs to another network"):
        train(other, _PLAN, SilentContext(), CPU, file, resume=True)


def test_muon_has_the_matrices_and_adamw_the_rest():
    net = nn.Sequential(nn.Conv2d(2, 4, 3), nn.Flatten(), nn.Linear(4, 8), nn.LayerNorm(8), nn.Linear(8, 2))
    assert optimisers(net, 1e-3, 0.0).note == "Muon for 2 matrices, AdamW for 6 other tensors"
    assert optimisers(net, 1e-3, 0.0, muon=False).note == "AdamW for all parameters"


def test_torch_without_muon_falls_back_and_says_so(monkeypatch):
    monkeypatch.delattr(optim.torch.optim, "Muon")
    found = train(_Line(), Plan(steps=5, judge_every=5), SilentContext(), CPU)
    assert "has no Muon" in found.optimiser


def test_precision_is_single_on_cpus_unless_asked_for():
    def refuse():
        raise AssertionError("nothing is tried on a CPU")

    assert choose_precision("auto", nn.Linear(1, 1), refuse, CPU) == "float32"
    assert choose_precision("bfloat16", nn.Linear(1, 1), refuse, CPU) == "bfloat16"
    found = train(_Line(), Plan(steps=3, judge_every=3, precision="bfloat16"), SilentContext(), CPU)
    assert found.precision == "bfloat16"
    assert np.isfinite(found.history[0]["error"])


def test_schedule_rises_and_falls_to_zero():
    values = [schedule(part, 0.1) for part in (0.0, 0.05, 0.1, 0.5, 1.0)]
    assert values == pytest.approx([0.02, 0.5, 1.0, 0.5 * (1 + np.cos(np.pi * 4 / 9)), 0.0])


def test_hard_samples_are_those_with_the_largest_loss_and_come_by_their_share():
    hard = HardSamples(8)
    assert hard.draw(2, np.random.default_rng(0)) == []
    hard.learn(list(range(100)), [float(i) for i in range(100)])
    assert sorted(hard.kept) == list(range(92, 100))
    hard.learn([99], [0.0])  # learnt meanwhile
    hard.learn([200], [50.0])
    assert 99 not in hard.kept
    drawn = hard.draw(3, np.random.default_rng(0))
    assert len(set(drawn)) == 3
    assert set(drawn) <= set(hard.kept)


def test_specimens_are_fixed_by_seed_and_index():
    recipe = Recipe(40, seed=2)
    assert np.array_equal(specimen(recipe, 5), specimen(recipe, 5))
    assert not np.array_equal(specimen(recipe, 5), specimen(recipe, 6))
    assert not np.array_equal(specimen(recipe, 5), specimen(Recipe(40, seed=3), 5))


def test_specimens_are_finite_and_of_many_kinds():
    relief = [float(np.ptp(specimen(Recipe(40, 1), i))) for i in range(60)]
    assert np.isfinite(relief).all()
    assert min(relief) < 6.0 < 20.0 < max(relief)


def test_measured_maps_are_cut_turned_and_stretched():
    rows, columns = np.mgrid[:70, :90]
    hills = 5e-4 * np.sin(rows / 4.0) * np.cos(columns / 6.0)  # far flatter than anything worth training on
    recipe = Recipe(48, 0, (hills,), 1.0)
    for index in range(8):
        height = specimen(recipe, index)
        down, right = np.gradient(height)
        assert height.shape == (48, 48)
        assert 0.09 < np.sqrt((down**2 + right**2).mean()) < 1.0
    assert "measured maps" in recipe.words()


def test_files_are_split_whole_and_always_the_same_way():
    names = [f"{i}.ibw" for i in range(9)]
    known, held_out = split_files(names)
    assert sorted(known + held_out) == names
    assert len(held_out) == 2
    assert split_files(names[::-1]) == (known, held_out)
    with pytest.raises(EclipsError, match="cannot be split"):
        split_files(names[:1])


def test_horizons_are_those_of_the_sky_of_each_pixel():
    height = specimen(Recipe(48, 8), 3)
    found = horizons(height, 16)
    for row, col in ((0, 0), (20, 31), (47, 5), (30, 47)):
        sky = look_up(height, row, col, 16)
        assert np.pi / 2 - np.arctan(found[:, row, col]) == pytest.approx(sky.open_to, abs=1e-5)


def test_segments_are_the_exact_images():
    height = specimen(Recipe(48, 8), 4)
    model = forward_model(DETECTOR, 2.0, azimuths=16)
    exact = model.images(torch.from_numpy(height * 2.0))
    assert segments(model, height) == pytest.approx(exact.numpy(), abs=1e-6)
    assert slopes(height).shape == (2, 48, 48)
