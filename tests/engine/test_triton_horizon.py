"""CUDA loops without a GPU: Triton's interpreter runs them, and its compiler makes machine code of them."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from eclips_app.engine.forward import check_cuda, numba_horizon, quadrature, torch_horizon
from eclips_app.engine.forward.check_cuda import RESULTS

ROOT = Path(__file__).resolve().parents[2]
#: Triton is made for Linux alone; elsewhere these tests do not exist.
TRITON = importlib.util.find_spec("triton") is not None

#: Blocks of several rows and columns that do not divide the image, and tiles smaller than a block. Six azimuths have lines along
#: the grid, four along its diagonals.
INTERPRET = """
import json, sys, torch
from eclips_app.engine.forward import triton_horizon
from eclips_app.engine.forward.check_cuda import EMISSIONS, Case
triton_horizon.HEIGHT, triton_horizon.SHIFT = 8, 2
found = []
for emission, shape, azimuths, dtype, triton_horizon.WIDTH in json.loads(sys.argv[1]):
    case = Case(EMISSIONS[emission], shape, azimuths, torch.device("cpu"), getattr(torch, dtype))
    made, expected = case.by_loops(triton_horizon), case.differentiated()
    scales = [float(e.abs().max()) for e in expected]
    errors = [float((m - e).abs().max()) for m, e in zip(made, expected, strict=True)]
    found.append([errors, scales, float((case.winner > 0).double().mean()), float((case.winner < 0).double().mean())])
print(json.dumps(found))
"""

#: Compiles every function for a GPU that need not be there.
COMPILE = """
import triton
from triton.backends.compiler import GPUTarget
from eclips_app.engine.forward import triton_kernels
fixed = {"WIDTH": 32, "HEIGHT": 1, "SHIFT": 5, "MOVED": True}
sizes = "rows columns tile_columns azimuths places nodes segments functions".split()
kinds = {"winner": "*i16", "lines": "*i32", "low": "*i32", **dict.fromkeys(sizes, "i32"), **dict.fromkeys(fixed, "constexpr")}
for name in ("signal_rows", "adjoint_rows", "tangent_rows", "table_rows"):
    function = getattr(triton_kernels, name)
    for real in ("*fp32", "*fp64"):
        signature = {argument: kinds.get(argument, real) for argument in function.arg_names}
        constants = {argument: value for argument, value in fixed.items() if argument in function.arg_names}
        source = triton.compiler.ASTSource(function, signature, constants)
        made = triton.compile(source, target=GPUTarget("cuda", 90, 32), options={"num_warps": 1})
        print(name, real, len(made.asm["cubin"]), "atom" in made.asm["ptx"] or "red." in made.asm["ptx"])
"""


def run(code: str, *arguments: str, **environment: str) -> str:
    own = "ignore:`torch.jit.script` is deprecated:DeprecationWarning"  # Torch's own forward mode imports it
    command = [sys.executable, "-W", "error", "-W", own, "-c", code, *arguments]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **environment}, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


if TRITON:

    def test_interpreted_loops_give_the_same_as_the_compiled_ones() -> None:
        cases = [
            ("lambert", (16, 24), 8, "float64", 16),
            ("parametric", (16, 24), 8, "float64", 32),
            ("lambert", (13, 16), 6, "float64", 16),
            ("parametric", (13, 16), 4, "float32", 16),
        ]
        for case, found in zip(cases, json.loads(run(INTERPRET, json.dumps(cases), TRITON_INTERPRET="1")), strict=True):
            errors, scales, occluded, tilted = found
            limits = (1e-12, *(1e-10,) * 5) if case[3] == "float64" else (1e-4,) * 6
            for what, error, scale, limit in zip(RESULTS, errors, scales, limits, strict=True):
                assert error < limit * max(scale, 1.0), (case, what)
                assert scale > 1e-3, (case, what)
            assert occluded > 0.05, case
            assert tilted > 0.05, case

    def test_the_compiler_makes_machine_code_of_them(tmp_path: Path) -> None:
        lines = run(COMPILE, TRITON_INTERPRET="0", TRITON_CACHE_DIR=str(tmp_path)).splitlines()
        made = {tuple(line.split()[:2]): line.split()[2:] for line in lines}
        assert len(made) == 8
        for (name, _), (size, atomic) in made.items():
            assert int(size) > 1000
            assert (atomic == "True") == (name in ("adjoint_rows", "table_rows"))

    def test_triton_is_chosen_where_it_can_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        (tmp_path / "Python.h").touch()
        monkeypatch.setenv("CC", "cc")
        monkeypatch.setattr("sysconfig.get_path", lambda _: str(tmp_path))

        def chosen(capability: tuple[int, int] = (9, 0)) -> str:
            monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: capability)
            quadrature.loops_for.cache_clear()
            return quadrature.loops_for(torch.device("cuda")).__name__.rpartition(".")[2]

        assert quadrature.loops_for(torch.device("cpu")) is numba_horizon
        assert chosen() == "triton_horizon"
        assert chosen((6, 1)) == "torch_horizon"
        with monkeypatch.context() as bundle:
            bundle.setattr(sys, "frozen", True, raising=False)
            assert chosen() == "torch_horizon"
        with monkeypatch.context() as bare:
            bare.delenv("CC")
            bare.setattr("shutil.which", lambda _: None)
            assert chosen() == "torch_horizon"
        (tmp_path / "Python.h").unlink()
        assert chosen() == "torch_horizon"
        quadrature.loops_for.cache_clear()


def test_the_check_needs_a_cuda_device(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert check_cuda.main() == 1
    assert capsys.readouterr().err == "Nothing was checked: this computer offers no CUDA device.\n"


def test_the_check_reports_differences_and_times() -> None:
    lines = list(check_cuda.report(torch.device("cpu"), [torch_horizon], 24, 24, 6))
    compared = [line for line in lines if ": signal" in line and "by height" in line]
    assert len(compared) == 4
    for line in compared:
        errors = [float(part.rsplit(" ", 1)[1]) for part in line.partition(": ")[2].split(", ")]
        assert len(errors) == len(RESULTS)
        assert max(errors) < (1e-12 if "float64" in line else 1e-3)
    assert [line.split(":")[0] for line in lines[-2:]] == ["  torch_horizon", "  compiled loops on the CPU"]
