"""The launcher's decisions; nothing is installed and no network is used."""

from __future__ import annotations

import importlib.util
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TORCH = "https://wheels.example/cu130"


@pytest.fixture
def launch(tmp_path, monkeypatch):
    """The launcher with its .venv in an empty folder."""
    spec = importlib.util.spec_from_file_location("launch", ROOT / "installer" / "launch.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(module, "PYTHON", tmp_path / ".venv" / "bin" / "python")
    monkeypatch.setattr(module.shutil, "which", lambda name: None)
    return module


class Machine:
    """Stands for `subprocess`: remembers commands; an environment works once both installs went well."""

    def __init__(self, launch, monkeypatch, failures=()):
        self.launch, self.failures, self.commands, self.made = launch, list(failures), [], 0
        monkeypatch.setattr(launch.subprocess, "run", self.run)
        monkeypatch.setattr(launch, "_make_environment", self.make)

    def make(self, with_pip):
        self.made += 1
        self.launch.VENV.mkdir(exist_ok=True)
        (self.launch.VENV / "pip").touch()
        (self.launch.VENV / "eclips_app").unlink(missing_ok=True)

    def run(self, command, *, check=False, **_):
        if command[1] == "-c":
            needs = [name for name in ("pip", "eclips_app") if name in command[2]]
            works = all((self.launch.VENV / name).exists() for name in needs) and self.made > 0
            return subprocess.CompletedProcess(command, 0 if works else 1)
        self.commands.append(command)
        if self.failures and self.failures.pop(0):
            raise subprocess.CalledProcessError(1, command)
        if "-e" in command:
            (self.launch.VENV / "eclips_app").touch()
        return subprocess.CompletedProcess(command, 0)


def test_the_first_start_makes_the_environment_and_later_ones_do_nothing(launch, monkeypatch):
    machine = Machine(launch, monkeypatch)
    launch.ensure_environment(launch.LOCK)
    assert machine.made == 1
    assert [("-r" in c, "-e" in c) for c in machine.commands] == [(True, False), (False, True)]
    launch.ensure_environment(launch.LOCK)
    assert len(machine.commands) == 2


def test_the_environment_for_tests_serves_for_the_window_but_not_the_other_way(launch, monkeypatch):
    machine = Machine(launch, monkeypatch)
    launch.ensure_environment(launch.LOCK)
    assert not launch.is_current(launch.DEV_LOCK)
    launch.ensure_environment(launch.DEV_LOCK)
    assert (machine.made, len(machine.commands)) == (1, 4)
    assert launch.is_current(launch.LOCK)


def test_a_changed_lock_is_installed_into_the_same_environment(launch, monkeypatch, tmp_path):
    lock = tmp_path / "requirements.lock"
    lock.write_text("numpy==1\n")
    monkeypatch.setattr(launch, "LOCK", lock)
    machine = Machine(launch, monkeypatch)
    launch.ensure_environment(lock)
    lock.write_text("numpy==2\n")
    assert not launch.is_current(lock)
    launch.ensure_environment(lock)
    assert machine.made == 1
    assert launch.is_current(lock)


def test_another_torch_index_is_another_environment(launch):
    fingerprints = {launch.fingerprint(launch.LOCK, env) for env in ({}, {"ECLIPS_TORCH_INDEX": TORCH})}
    assert len(fingerprints) == 2


def test_an_environment_that_lost_its_files_is_made_anew(launch, monkeypatch):
    machine = Machine(launch, monkeypatch)
    launch.ensure_environment(launch.LOCK)
    (launch.VENV / "eclips_app").unlink()
    (launch.VENV / "pip").unlink()
    launch.ensure_environment(launch.LOCK)
    assert machine.made == 2
    assert launch.is_current(launch.LOCK)


def test_a_half_made_environment_is_made_anew_when_installing_into_it_fails(launch, monkeypatch):
    machine = Machine(launch, monkeypatch, failures=[True])
    machine.make(with_pip=True)
    launch.ensure_environment(launch.LOCK)
    assert machine.made == 2
    assert launch.is_current(launch.LOCK)


def test_what_cannot_be_installed_leaves_no_stamp_and_one_sentence(launch, monkeypatch):
    Machine(launch, monkeypatch, failures=[True, True])
    with pytest.raises(launch.LaunchError, match=r"Setting up failed at: .*requirements\.lock"):
        launch.ensure_environment(launch.LOCK)
    assert not launch.is_current(launch.LOCK)


def test_a_file_in_place_of_the_environment_is_replaced(launch, monkeypatch):
    made = []
    monkeypatch.setattr(launch.venv.EnvBuilder, "create", lambda self, folder: made.append((folder, self.clear)))
    launch.VENV.write_text("")
    launch._make_environment(with_pip=True)
    assert made == [(launch.VENV, False)]
    assert not launch.VENV.exists()


def test_commands_of_pip_and_uv(launch):
    environment = {"PIP_FIND_LINKS": "/wheels /more", "ECLIPS_TORCH_INDEX": TORCH}
    (lock, own) = launch.install_commands(launch.LOCK, None, environment)
    assert lock[1:] == ["-m", "pip", "install", "-q", "--extra-index-url", TORCH, "-r", str(launch.LOCK)]
    assert own[-4:] == ["--no-deps", "--no-build-isolation", "-e", str(ROOT)]
    (lock, own) = launch.install_commands(launch.LOCK, "uv", environment)
    assert lock[:5] == ["uv", "pip", "install", "--python", str(launch.PYTHON)]
    assert [lock[i + 1] for i, word in enumerate(lock) if word == "--find-links"] == ["/wheels", "/more"]
    assert "unsafe-best-match" in lock
    assert launch.install_commands(launch.LOCK, "uv", {})[0][5:] == ["-r", str(launch.LOCK)]


def test_missing_libraries_are_named_by_their_packages(launch, monkeypatch):
    assert launch.missing_packages(False, lambda library: True) == []
    assert launch.missing_packages(False, lambda library: library != "libEGL.so.1") == ["libegl1"]
    assert launch.missing_packages(True, lambda library: True) == ["xvfb", "xauth"]
    monkeypatch.setattr(launch.shutil, "which", lambda name: f"/usr/bin/{name}")
    assert launch.missing_packages(True, lambda library: True) == []


@pytest.mark.parametrize("root", [True, False])
def test_only_root_installs_and_everyone_else_is_told_the_line(launch, monkeypatch, capsys, root):
    machine = Machine(launch, monkeypatch)
    monkeypatch.setattr(launch.sys, "platform", "linux")
    monkeypatch.setattr(launch, "loads", lambda library: True)
    monkeypatch.setattr(launch, "missing_packages", lambda testing: ["libegl1"])
    monkeypatch.setattr(launch.shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(launch.os, "geteuid", lambda: 0 if root else 1000)
    launch.install_system_packages(testing=False)
    line = "apt-get install -y --no-install-recommends libegl1"
    assert [" ".join(c) for c in machine.commands] == (["apt-get update -q", line] if root else [])
    assert (f"sudo {line}" in capsys.readouterr().out) is not root


def test_without_a_display_one_sentence_says_so(launch, monkeypatch, capsys):
    monkeypatch.setattr(launch.sys, "platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    assert launch.open_window() == 1
    assert capsys.readouterr().out.count("\n") == 1
    assert launch.has_display({"WAYLAND_DISPLAY": "wayland-0"})


def test_pytest_runs(launch, monkeypatch, tmp_path):
    monkeypatch.setattr(launch.sys, "platform", "linux")
    monkeypatch.setattr(launch, "ROOT", tmp_path)
    monkeypatch.setattr(launch, "XCB_TESTS", tmp_path / "tests" / "xcb")
    display = {"DISPLAY": ":0"}
    [(command, environment)] = launch.pytest_commands(["-k", "profile"], display)
    assert command[1:] == ["-m", "pytest", "--ignore=tests/xcb", "-k", "profile"]
    assert environment["QT_QPA_PLATFORM"] == "offscreen"
    assert "DISPLAY" not in environment
    launch.XCB_TESTS.mkdir(parents=True)
    (first, first_environment), (second, _), (last, _) = launch.pytest_commands([], display)
    assert second[-1] == "tests/scenarios"
    assert first[0] == "xvfb-run"
    assert first[-1] == "tests/xcb"
    assert first_environment["QT_QPA_PLATFORM"] == "xcb"
    assert last[-2:] == ["--ignore=tests/xcb", "--ignore=tests/scenarios"]
    [(only, _)] = launch.pytest_commands(["tests/xcb/test_window.py", "-x"], display)
    assert only[0] == "xvfb-run"
    assert only[-2:] == ["tests/xcb/test_window.py", "-x"]


@pytest.mark.parametrize(("checks", "tests", "status"), [(0, 0, 0), (1, 0, 1), (0, 2, 2), (1, 5, 5)])
def test_the_exit_status_is_that_of_the_tests_or_a_failed_check(launch, monkeypatch, checks, tests, status):
    monkeypatch.setattr(launch.subprocess, "call", lambda command, **_: tests if "pytest" in command else checks)
    assert launch.run_checks([]) == status
    assert launch.run_checks(["-x"]) == tests


def test_usage(launch, capsys):
    assert launch.main(["--help"]) == 0
    assert launch.main(["nonsense"]) == 2
    assert "ECLIPS_TORCH_INDEX" in capsys.readouterr().out


def test_the_lock_for_tests_holds_all_that_the_program_needs(launch):
    program, tests = (set(path.read_text().split("\n")) for path in (launch.LOCK, launch.DEV_LOCK))
    assert program <= tests
    assert "torch==2.13.0" in program
    assert not [line for line in program if line.startswith(("nvidia", "cuda", "triton"))]
    # Triton alone, which tests the GPU code without a GPU, in the version that this torch would bring.
    assert [line for line in tests if line.startswith(("nvidia", "cuda", "triton"))] == [
        "triton==3.7.1 ; platform_machine == 'x86_64' and sys_platform == 'linux'"
    ]
