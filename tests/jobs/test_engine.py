"""Jobs in real engine processes: results, order, stopping, and processes that end by themselves."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from job_steps import Params, step
from recorder import Recorder

from eclips_app.core.steps import StepResult
from eclips_app.jobs.engine import Engine
from eclips_app.jobs.job import Cancelled, Done, Failed, Job, Lost, Preview, Progress, Started, State
from eclips_app.jobs.scratch import is_shared, sweep


def done(recorder: Recorder, job: Job) -> StepResult:
    job.wait(60)
    last = recorder.of(job)[-1]
    assert isinstance(last, Done), last
    return last.result


def array_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("eclips_*") if not path.name.endswith("_fault"))


def test_arrays_go_there_and_back(engine: Engine, recorder: Recorder) -> None:
    inputs = {"a": np.arange(6.0).reshape(2, 3), "stack": [np.ones((2, 2)), np.zeros((2, 2))]}
    job = engine.submit(step("double"), Params(), inputs, on_event=recorder)
    result = done(recorder, job)
    np.testing.assert_array_equal(result.arrays["a"], 2 * inputs["a"])
    np.testing.assert_array_equal(result.arrays["stack"], 2 * np.stack(inputs["stack"]))
    assert not result.arrays["a"].flags.writeable
    assert result.info["pid"] != os.getpid()
    assert recorder.kinds(job) == ["Started", "Done"]
    assert job.state is State.DONE
    assert recorder.of(job)[-1].duration_s >= 0.0  # type: ignore[union-attr]


def test_results_go_on_to_the_next_step_without_a_copy(engine: Engine, recorder: Recorder, tmp_path: Path) -> None:
    first = done(recorder, engine.submit(step("double"), Params(), {"a": np.ones((64, 64))}, on_event=recorder))
    gc.collect()
    files = array_files(tmp_path)
    assert len(files) == 1
    assert is_shared(first.arrays["a"])
    job = engine.submit(step("echo"), Params(text="crop"), {"a": first.arrays["a"][8:16, ::2]}, on_event=recorder)
    second = done(recorder, job)
    assert array_files(tmp_path) == files
    assert np.shares_memory(second.arrays["a"], first.arrays["a"])
    assert second.info["a"] == {"writable": False, "sum": 8 * 32 * 2.0}
    assert second.info["params"] == "crop"


def test_facts_may_be_numpy_numbers(engine: Engine, recorder: Recorder) -> None:
    job = engine.submit(step("numbers"), Params(), on_event=recorder)
    assert done(recorder, job).info == {"mean": 1.5, "size": 7, "shift": [1.0, 2.0]}
    assert recorder.wait_for(job, Progress).fraction == 0.0  # type: ignore[union-attr]


def test_progress_grows_comes_seldom_and_ends_whole(engine: Engine, recorder: Recorder) -> None:
    job = engine.submit(step("count"), Params(count=300), on_event=recorder)
    done(recorder, job)
    events = recorder.of(job)
    fractions = [event.fraction for event in events if isinstance(event, Progress)]
    duration_s = events[-1].duration_s  # type: ignore[union-attr]
    assert fractions == sorted(fractions)
    assert 2 <= len(fractions) <= 20 * duration_s + 1
    previews = [event for event in events if isinstance(event, Preview)]
    assert 2 <= len(previews) <= 20 * duration_s + 1
    for preview in previews:
        np.testing.assert_array_equal(preview.array, np.full((4, 4), preview.info["part"]))
    assert [type(event) for event in events].index(Started) == 0


def test_a_cancelled_step_stops_at_its_next_check_and_its_process_lives_on(engine: Engine, recorder: Recorder) -> None:
    pid = done(recorder, engine.submit(step("echo"), Params(), on_event=recorder)).info["pid"]
    job = engine.submit(step("spin"), Params(), on_event=recorder)
    recorder.wait_for(job, Progress)
    job.cancel()
    job.cancel()
    assert job.wait(30) is State.CANCELLED
    assert recorder.kinds(job) == ["Started", "Progress", "Cancelled"]
    assert done(recorder, engine.submit(step("echo"), Params(), on_event=recorder)).info["pid"] == pid


def test_what_a_cancelled_step_gives_in_spite_is_kept(engine: Engine, recorder: Recorder) -> None:
    job = engine.submit(step("spin_and_keep"), Params(), on_event=recorder)
    recorder.wait_for(job, Progress)
    job.cancel()
    assert job.wait(30) is State.CANCELLED
    last = recorder.of(job)[-1]
    assert isinstance(last, Cancelled)
    assert last.result is not None
    np.testing.assert_array_equal(last.result.arrays["best"], np.ones(3))


def test_a_deaf_step_is_ended_and_the_spare_takes_over(engine: Engine, recorder: Recorder) -> None:
    job = engine.submit(replace(step("deaf"), patience_s=0.2), Params(), on_event=recorder)
    recorder.wait_for(job, Progress)
    job.cancel()
    assert job.wait(30) is State.CANCELLED
    assert recorder.kinds(job)[-1] == "Cancelled"
    done(recorder, engine.submit(step("echo"), Params(), on_event=recorder))


def test_a_job_in_the_queue_is_cancelled_without_having_started(engine: Engine, recorder: Recorder) -> None:
    first = engine.submit(step("spin"), Params(), on_event=recorder)
    second = engine.submit(step("spin"), Params(), on_event=recorder)
    recorder.wait_for(first, Started)
    second.cancel()
    assert second.wait(30) is State.CANCELLED
    assert recorder.kinds(second) == ["Cancelled"]
    assert first.state is State.RUNNING
    first.cancel()
    first.wait(30)


@pytest.mark.parametrize(
    ("name", "words"),
    [("die", "The engine stopped (signal 9). It may have run out of memory. Your project is untouched."),
     ("abort", "The engine stopped (signal 6). Your project is untouched."),
     ("leave", "The engine stopped (exit code 3). Your project is untouched.")],
)  # fmt: skip
def test_a_process_that_ends_by_itself_loses_its_job_alone(
    engine: Engine, recorder: Recorder, name: str, words: str
) -> None:
    document = done(recorder, engine.submit(step("double"), Params(), {"a": np.ones(1000)}, on_event=recorder))
    job = engine.submit(step(name), Params(), document.arrays, on_event=recorder)
    following = [engine.submit(step("double"), Params(), document.arrays, on_event=recorder) for _ in range(3)]
    assert job.wait(60) is State.LOST
    last = recorder.of(job)[-1]
    assert isinstance(last, Lost)
    assert str(last.error) == words
    np.testing.assert_array_equal(document.arrays["a"], np.full(1000, 2.0))
    for later in following:
        np.testing.assert_array_equal(done(recorder, later).arrays["a"], np.full(1000, 4.0))
        assert done(recorder, later).info["pid"] != document.info["pid"]
    if name == "abort":
        assert "job_steps.py" in last.details  # where in the Python code the native crash came from


def test_a_process_killed_from_outside_is_noticed_at_once(engine: Engine, recorder: Recorder) -> None:
    pid = done(recorder, engine.submit(step("echo"), Params(), on_event=recorder)).info["pid"]
    job = engine.submit(step("spin"), Params(), on_event=recorder)
    recorder.wait_for(job, Progress)
    os.kill(pid, signal.SIGKILL)
    assert job.wait(30) is State.LOST
    os.kill(done(recorder, engine.submit(step("echo"), Params(), on_event=recorder)).info["pid"], signal.SIGKILL)
    done(recorder, engine.submit(step("echo"), Params(), on_event=recorder))  # an idle process may be killed as well


def test_ctrl_c_in_the_terminal_is_the_windows_to_handle(engine: Engine, recorder: Recorder) -> None:
    pid = done(recorder, engine.submit(step("echo"), Params(), on_event=recorder)).info["pid"]
    os.kill(pid, signal.SIGINT)
    assert done(recorder, engine.submit(step("echo"), Params(), on_event=recorder)).info["pid"] == pid


@pytest.mark.parametrize("ending", ["kill", "leave"])
def test_no_process_outlives_the_window(tmp_path: Path, ending: str) -> None:
    """The engine processes hold the window's standard output: it ends when the last of them has."""
    script = tmp_path / "window.py"
    script.write_text(WINDOW)
    command = [sys.executable, str(script), str(tmp_path), str(Path(__file__).parent), ending]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as window:
        assert window.stdout is not None
        assert window.stdout.readline() == "running\n"
        if ending == "kill":
            window.kill()
        assert window.stdout.read() == ""
    if ending == "kill":  # nobody could remove the files; the next start does
        sweep([tmp_path])
    assert list(tmp_path.glob("eclips_*")) == []


WINDOW = """
import sys
import threading
from pathlib import Path

from eclips_app.jobs.engine import Engine

if __name__ == "__main__":
    sys.path.append(sys.argv[2])
    import numpy as np
    from job_steps import Params, step

    running = threading.Event()
    engine = Engine(warm=(), folders=[Path(sys.argv[1])])
    engine.submit(step("deaf"), Params(), {"a": np.ones(10)}, on_event=lambda event: running.set())
    running.wait()
    print("running", flush=True)
    if sys.argv[3] == "kill":
        threading.Event().wait()
"""


def test_errors_come_as_sentences(engine: Engine, recorder: Recorder) -> None:
    cases = {
        "explain": "a.tif: the image is black. Choose another.",
        "stumble": "stumble: the computation failed through a fault of the program (ZeroDivisionError: by accident). "
        "Your project is untouched; please report this together with the details.",
        "devour": "devour: there is not enough memory for this computation. "
        "Crop the images, choose the CPU as device, or close other programs.",
    }
    for name, words in cases.items():
        job = engine.submit(step(name), Params(), on_event=recorder)
        assert job.wait(60) is State.FAILED
        last = recorder.of(job)[-1]
        assert isinstance(last, Failed)
        assert str(last.error) == words
        assert f"in {name}" in last.details


def test_facts_that_do_not_fit_json_fail_the_step(engine: Engine, recorder: Recorder) -> None:
    job = engine.submit(step("give_objects"), Params(), on_event=recorder)
    assert job.wait(60) is State.FAILED
    assert "a PipeContext does not fit JSON" in str(recorder.of(job)[-1].error)  # type: ignore[union-attr]


def test_parameters_out_of_range_are_refused(engine: Engine, recorder: Recorder) -> None:
    job = engine.submit(step("count"), Params(count=-1), on_event=recorder)
    assert job.wait(60) is State.FAILED
    assert "count.count: -1 is out of range" in str(recorder.of(job)[-1].error)  # type: ignore[union-attr]
    with pytest.raises(TypeError, match="needs Params"):
        engine.submit(step("count"), {"count": 1})


def test_inputs_that_cannot_be_shared_fail_the_job_alone(engine: Engine, recorder: Recorder) -> None:
    huge = np.broadcast_to(np.float64(0), (1 << 22, 1 << 22))
    for inputs, words in (({"a": huge}, "there is no room"), ({"a": np.array(["text"])}, "cannot be handed")):
        job = engine.submit(step("echo"), Params(), inputs, on_event=recorder)
        assert job.wait(60) is State.FAILED
        assert words in str(recorder.of(job)[-1].error)  # type: ignore[union-attr]
    done(recorder, engine.submit(step("echo"), Params(), on_event=recorder))


def test_urgent_jobs_go_first(engine: Engine, recorder: Recorder) -> None:
    first = engine.submit(step("spin"), Params(), on_event=recorder)
    recorder.wait_for(first, Started)
    batch = engine.submit(step("echo"), Params(), on_event=recorder, priority="batch")
    early, late = (engine.submit(step("echo"), Params(), on_event=recorder) for _ in range(2))
    preview = engine.submit(step("echo"), Params(), on_event=recorder, priority="preview")
    first.cancel()
    for job in (batch, early, late, preview):
        done(recorder, job)
    order = [event.job for event in recorder.events if isinstance(event, Done)]
    assert order == [preview, early, late, batch]


def test_the_newest_job_of_a_key_wins(engine: Engine, recorder: Recorder) -> None:
    running = engine.submit(step("spin"), Params(), on_event=recorder, key="look", priority="preview")
    recorder.wait_for(running, Started)
    other = engine.submit(step("spin"), Params(), on_event=recorder, key="else")
    older = [engine.submit(step("spin"), Params(), on_event=recorder, key="look") for _ in range(3)]
    newest = engine.submit(step("echo"), Params(), on_event=recorder, key="look", priority="preview")
    done(recorder, newest)
    assert running.wait(30) is State.CANCELLED
    assert {job.wait(30) for job in older} == {State.CANCELLED}
    assert all(recorder.kinds(job) == ["Cancelled"] for job in older)
    recorder.wait_for(other, Started)
    assert other.state is State.RUNNING
    other.cancel()
    other.wait(30)


def test_files_are_handled_while_a_computation_runs(engine: Engine, recorder: Recorder, tmp_path: Path) -> None:
    computing = engine.submit(step("spin"), Params(), on_event=recorder)
    recorder.wait_for(computing, Progress)
    (tmp_path / "go").touch()
    for _ in range(2):
        done(recorder, engine.submit(step("wait_for_file"), Params(text=str(tmp_path / "go")), on_event=recorder))
    assert computing.state is State.RUNNING
    computing.cancel()
    computing.wait(30)


def test_shutdown_finishes_files_and_cancels_the_rest(engine: Engine, recorder: Recorder, tmp_path: Path) -> None:
    go = tmp_path / "go"
    computing = engine.submit(step("spin"), Params(), on_event=recorder)
    waiting = engine.submit(step("echo"), Params(), on_event=recorder)
    writing = engine.submit(step("wait_for_file"), Params(text=str(go)), on_event=recorder)
    recorder.wait_for(computing, Progress)
    recorder.wait_for(writing, Progress)
    go.touch()
    engine.shutdown()
    assert computing.state is State.CANCELLED
    assert waiting.state is State.CANCELLED
    assert writing.state is State.DONE
    assert go.with_suffix(".written").read_text() == "whole"
    assert engine.status == "stopped"
    with pytest.raises(RuntimeError, match="shut down"):
        engine.submit(step("echo"), Params())


def test_shutdown_does_not_wait_longer_than_told(engine: Engine, recorder: Recorder, tmp_path: Path) -> None:
    job = engine.submit(step("wait_for_file"), Params(text=str(tmp_path / "never")), on_event=recorder)
    recorder.wait_for(job, Progress)
    engine.shutdown(0.0)
    assert job.state is State.CANCELLED


def test_an_engine_that_was_never_started_can_be_shut_down(engine: Engine) -> None:
    engine.shutdown()
    engine.shutdown()
    assert engine.status == "stopped"


def test_status_is_told(engine: Engine, recorder: Recorder) -> None:
    heard: list[str] = []
    engine.on_status = heard.append
    done(recorder, engine.submit(step("echo"), Params(), on_event=recorder))
    engine.shutdown()
    assert heard[0] == "starting"
    assert heard[-1] == "stopped"
    assert heard.index("ready") > heard.index("starting") or "busy" in heard


def test_a_hearer_that_fails_does_not_stop_the_engine(
    engine: Engine, recorder: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_: object) -> None:
        raise LookupError("fault of a panel")

    assert engine.submit(step("echo"), Params(), on_event=fail).wait(60) is State.DONE
    done(recorder, engine.submit(step("echo"), Params(), on_event=recorder))
    assert "fault of a panel" in caplog.text


def test_a_module_that_cannot_be_loaded_ahead_is_logged_and_harms_nobody(
    tmp_path: Path, recorder: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    with Engine(warm=("no_such_module",), file_steps=(), folders=[tmp_path]) as engine:
        job = engine.submit(step("echo"), Params(), on_event=recorder)
        done(recorder, job)
        deadline = time.monotonic() + 30
        while "no_such_module cannot be loaded" not in caplog.text and time.monotonic() < deadline:
            done(recorder, engine.submit(step("echo"), Params(), on_event=recorder))
    assert "no_such_module cannot be loaded ahead of its use (ModuleNotFoundError" in caplog.text


def test_a_module_that_ends_the_process_is_not_loaded_ahead_again(
    tmp_path: Path, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "deadly_module.py").write_text("import os\nos._exit(7)\n")
    monkeypatch.syspath_prepend(tmp_path)
    with Engine(warm=("deadly_module",), file_steps=(), folders=[tmp_path]) as engine:
        for _ in range(4):
            assert engine.submit(step("echo"), Params(), on_event=recorder).wait(60) in (State.DONE, State.LOST)
        assert done(recorder, engine.submit(step("echo"), Params(), on_event=recorder)).info["pid"]


def test_an_engine_that_does_not_start_says_so(
    tmp_path: Path, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONHOME", str(tmp_path))  # a broken installation: Python finds no library of its own
    with Engine(warm=(), folders=[tmp_path]) as engine:
        job = engine.submit(step("echo"), Params(), on_event=recorder)
        assert job.wait(60) is State.LOST
        assert "Your project is untouched." in str(recorder.of(job)[-1].error)  # type: ignore[union-attr]
        monkeypatch.delenv("PYTHONHOME")
        done(recorder, engine.submit(step("echo"), Params(), on_event=recorder))  # trying again is possible


def test_illegal_moves_raise() -> None:
    job = Job(1, step("echo"), {}, {}, "foreground", "", print, Job.end)
    with pytest.raises(RuntimeError, match="from queued to done"):
        job.move(State.DONE)
    job.move(State.CANCELLED)
    assert job.state.is_final
    for state in State:
        with pytest.raises(RuntimeError):
            job.move(state)
