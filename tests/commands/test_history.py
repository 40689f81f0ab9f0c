from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from eclips_app.commands import edits
from eclips_app.commands.history import Edit, History
from eclips_app.model.items import ProfileLine
from eclips_app.model.project import Project


def line(name: str, at: float = 0.0) -> ProfileLine:
    return ProfileLine(name, name, (at, 0.0), (10.0, 0.0))


def state(project: Project) -> dict[str, ProfileLine]:
    return {item.id: item for item in project.of_kind(ProfileLine)}


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans(), st.floats(0, 5)), max_size=20), st.data())
def test_undo_and_redo_visit_the_same_states(actions: list[tuple[str, bool, float]], data: st.DataObject) -> None:
    project = Project()
    history = History(project)
    states = [state(project)]
    for name, keep, at in actions:
        history.do(Edit("edit", {name: line(name, at) if keep else None}))
        states.append(state(project))
    for position in data.draw(st.lists(st.integers(0, len(actions)), max_size=10)):
        history.go_to(position)
        assert state(project) == states[position]


def test_a_drag_is_one_step() -> None:
    project = Project()
    history = History(project)
    history.do(edits.add("Add line", line("a")))
    for at in (1.0, 2.0, 3.0):
        history.do(edits.change("Move line", line("a", at), merge_key="a/move"))
    history.end_merge()
    history.do(edits.change("Move line", line("a", 4.0), merge_key="a/move"))
    assert history.texts == ("Add line", "Move line", "Move line")
    history.undo()
    history.undo()
    assert state(project)["a"].start_px == (0.0, 0.0)


def test_a_new_edit_drops_what_was_taken_back() -> None:
    history = History(Project())
    for name in "abc":
        history.do(edits.add(f"Add {name}", line(name)))
    history.go_to(1)
    history.do(edits.add("Add d", line("d")))
    assert history.texts == ("Add a", "Add d")
    assert set(state(history.project)) == {"a", "d"}


def test_saved_means_the_state_that_was_written() -> None:
    history = History(Project())
    history.do(edits.add("Add a", line("a")))
    mark = history.mark()
    history.do(edits.add("Add b", line("b")))  # while the file is being written
    history.mark_saved(mark)
    assert not history.is_saved
    history.undo()
    assert history.is_saved
    history.undo()
    history.do(edits.add("Add c", line("c")))
    assert not history.is_saved


def test_another_state_at_the_same_step_is_not_the_saved_one() -> None:
    history = History(Project())
    history.do(edits.add("Add a", line("a")))
    mark = history.mark()
    history.undo()
    history.do(edits.add("Add b", line("b")))
    history.mark_saved(mark)  # the file was written meanwhile, with a
    assert not history.is_saved
    history.clear()
    assert history.is_saved
    history.mark_saved(mark)
    assert not history.is_saved


def test_what_follows_from_an_edit_is_undone_and_redone_with_it() -> None:
    """Item "b" stands for values that follow from "a"."""
    project = Project()
    history = History(project)
    history.do(edits.add("Add", line("a", 0.0), line("b", 0.0)))
    history.mark_saved(history.mark())
    history.do(edits.change("Move", line("a"), start_px=(5.0, 0.0)))
    history.amend({"b": line("b", 5.0)})
    assert history.texts == ("Add", "Move")
    history.undo()
    assert state(project)["b"].start_px == (0.0, 0.0)
    assert history.is_saved
    history.redo()
    assert state(project)["b"].start_px == (5.0, 0.0)
    history.go_to(1)
    history.amend({"b": line("b", 1.0)})  # worked out anew after an undo: a part of the step that is in force
    assert history.is_saved
    history.undo()
    assert state(project) == {}
    history.go_to(2)
    assert state(project)["b"].start_px == (5.0, 0.0)


def test_what_is_worked_out_before_any_edit_is_kept() -> None:
    project = Project()
    project.apply({"b": line("b", 0.0)})
    history = History(project)
    history.amend({"b": line("b", 5.0)})
    assert (history.texts, history.is_saved) == ((), True)
    assert state(project)["b"].start_px == (5.0, 0.0)
