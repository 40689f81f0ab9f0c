"""The main window as a user works it: menus, palette, history, results, theme, leaving."""

from __future__ import annotations

import gc
import subprocess
import sys
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from eclips_app.commands import edits
from eclips_app.core.detector import presets
from eclips_app.gui.app import make_window
from eclips_app.gui.panels.results.view import ResultsPanel
from eclips_app.gui.qt import Qt, QtCore, QtGui, QtWidgets
from eclips_app.gui.session import Session
from eclips_app.gui.shell.docks import HistoryDock
from eclips_app.gui.shell.main_window import MainWindow
from eclips_app.gui.shell.palette import CommandPalette, match_score
from eclips_app.io.results_files import results_text
from eclips_app.model.items import DetectorItem, Measurement, ProfileLine


@pytest.fixture
def window(session: Session, qtbot: QtBot) -> Iterator[MainWindow]:
    made = make_window(session)
    made.show()
    qtbot.waitExposed(made)
    yield made
    session.history.mark_saved(session.history.mark())
    made.close()
    made.deleteLater()


def line(name: str = "a") -> ProfileLine:
    return ProfileLine(name, name, (0.0, 0.0), (10.0, 0.0))


def test_every_action_has_a_unique_shortcut_and_a_menu(window: MainWindow, session: Session) -> None:
    shortcuts = [info.shortcut for info in session.actions.infos() if info.shortcut]
    assert len(shortcuts) == len(set(shortcuts))
    for info in session.actions.infos():
        assert info.text
        assert session.actions.action(info.key).toolTip()


def test_the_palette_finds_and_runs_a_command(window: MainWindow, session: Session, qtbot: QtBot) -> None:
    session.actions.action("view.palette").trigger()
    palette = window.findChild(CommandPalette)
    assert palette is not None
    assert palette.isVisible()
    qtbot.keyClicks(palette.field, "dark")
    assert "Dark" in palette.list.currentItem().text()
    qtbot.keyClick(palette.field, Qt.Key.Key_Return)
    assert session.theme.is_dark
    assert not palette.isVisible()
    assert window.palette().window().color().lightness() < 80


@pytest.mark.parametrize(("query", "better", "worse"), [("redo", "Edit Redo", "File Read one"), ("op", "Open", "Stop")])
def test_palette_scores_prefer_runs_and_word_starts(query: str, better: str, worse: str) -> None:
    first, second = match_score(query, better), match_score(query, worse)
    assert first is not None
    assert second is not None
    assert first < second


def test_undo_and_history_dock(window: MainWindow, session: Session, qtbot: QtBot) -> None:
    for name in "abc":
        session.do(edits.add(f"Add {name}", line(name)))
    dock = window.findChild(HistoryDock)
    assert dock is not None
    assert [dock.item(i).text() for i in range(dock.count())] == ["Empty project", "Add a", "Add b", "Add c"]
    dock.itemActivated.emit(dock.item(1))
    qtbot.waitUntil(lambda: session.history.position == 1)
    assert [item.id for item in session.project.of_kind(ProfileLine)] == ["a"]
    session.actions.action("edit.redo").trigger()
    assert session.history.position == 2
    assert window.isWindowModified()


def test_results_table_and_its_text(window: MainWindow, session: Session) -> None:
    quantity = {"dz": {"value": 12.5, "std": 0.25, "unit": "nm"}, "angle": {"value": 3.0, "std": None, "unit": "°"}}
    session.do(edits.add("Add result", Measurement("m", "Step", "Run 1, Profile 1", "", "", quantity)))
    dock = window.findChild(ResultsPanel)
    assert dock is not None
    assert dock.table.item(0, 4).text() == "12.50 ± 0.25"
    assert results_text(session.project).splitlines() == [
        "name,measurement,source,shape,dz (nm),dz (nm) std,angle (°),angle (°) std,problem",
        'Step,,"Run 1, Profile 1",,12.5,0.25,3.0,,',
    ]
    dock.table.selectRow(0)
    dock.delete()
    assert not session.project.of_kind(Measurement)
    session.history.undo()
    assert dock.table.rowCount() == 1


def test_messages_are_kept_with_their_details(window: MainWindow, session: Session) -> None:
    session.notify("Segment C is saturated", "error", details="38 % of the pixels")
    tree = window.tools["messages"].widget()
    assert isinstance(tree, QtWidgets.QTreeWidget)
    row = tree.topLevelItem(tree.topLevelItemCount() - 1)
    assert row.text(1) == "Segment C is saturated"
    assert row.child(0).text(1) == "38 % of the pixels"


def test_dropped_detector_file_is_used_and_can_be_undone(window: MainWindow, session: Session, tmp_path: Path) -> None:
    good = tmp_path / "det.json"
    good.write_text(__import__("json").dumps(next(iter(presets().values())).to_json()))
    bad = tmp_path / "bad.json"
    bad.write_text("{")
    data = QtCore.QMimeData()
    data.setUrls([QtCore.QUrl.fromLocalFile(str(path)) for path in (good, bad)])
    event = QtGui.QDropEvent(
        QtCore.QPointF(5, 5), Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    )
    window.dropEvent(event)
    assert len(session.project.of_kind(DetectorItem)) == 1
    assert "bad.json" in session.messages.items[-1].text or "bad.json" in session.messages.items[-2].text
    session.history.undo()
    assert not session.project.of_kind(DetectorItem)


def test_every_panel_opens_by_its_shortcut_in_both_looks(window: MainWindow, session: Session, qtbot: QtBot) -> None:
    for mode in ("light", "dark"):
        session.theme.set_mode(mode)
        for key, dock in window.panels.items():
            session.show_panel(key)
            qtbot.waitUntil(dock.isVisible)
            assert dock.panel().isVisible()


def test_a_larger_window_is_the_panels_gain(window: MainWindow, qtbot: QtBot) -> None:
    side, lower, panel = window.panels["reconstruct"], window.tools["messages"], window.panels["start"]
    qtbot.waitUntil(lambda: 250 < side.width() < 400)
    width, height = side.width(), lower.height()
    wide = panel.width()
    for size in ((1900, 1100), (900, 600), (1360, 860)):
        window.resize(*size)
        qtbot.waitUntil(lambda: lower.height() == height)
        if size[0] > 1000:  # a small window has not the room
            qtbot.waitUntil(lambda: side.width() == width)
    qtbot.waitUntil(lambda: panel.width() == wide)
    window.resizeDocks([side, panel], [width + 100, wide - 100], Qt.Orientation.Horizontal)
    qtbot.waitUntil(lambda: side.width() == width + 100)
    window.resize(1800, 900)
    qtbot.waitUntil(lambda: panel.width() == wide - 100 + 440)
    assert side.width() == width + 100


def test_layout_is_remembered(session: Session, qtbot: QtBot) -> None:
    first = make_window(session)
    first.tools["history"].hide()
    first.resize(780, 700)
    first.show()
    qtbot.waitExposed(first)
    first.close()
    second = MainWindow(session)
    assert second.tools["history"].isHidden()
    assert second.size() == first.size()


def test_the_panels_of_a_closed_window_are_freed(session: Session, qtbot: QtBot) -> None:
    window = make_window(session)
    window.show()
    qtbot.waitExposed(window)
    for key in window.panels:
        session.show_panel(key)
    panels = {key: weakref.ref(dock.panel()) for key, dock in window.panels.items()}
    window.close()
    window.deleteLater()
    del window
    QtCore.QCoreApplication.sendPostedEvents(None, QtCore.QEvent.Type.DeferredDelete)
    gc.collect()
    assert [key for key, ref in panels.items() if ref() is not None] == []


def test_qt_keeps_the_reference_counts_of_true_and_none(qapp: QtWidgets.QApplication) -> None:
    """PySide6 6.12.0 on Python 3.11 loses one reference at each signal, and the program aborts."""
    timer = QtCore.QTimer()
    before = sys.getrefcount(True), sys.getrefcount(None)
    for _ in range(2000):
        timer.setSingleShot(True)
        timer.timeout.emit()
    after = sys.getrefcount(True), sys.getrefcount(None)
    assert min(a - b for a, b in zip(after, before, strict=True)) > -200


def test_the_window_starts_without_the_heavy_libraries(tmp_path: Path) -> None:
    code = (
        "import sys; from eclips_app.gui.app import make_application, make_window; from eclips_app.gui.session import Session; "
        "from eclips_app.gui.settings import Settings; from pathlib import Path; app = make_application(); "
        f"s = Session(Settings(Path({str(tmp_path / 's.ini')!r}))); w = make_window(s); w.show(); app.processEvents(); "
        "heavy = {'torch', 'vtkmodules', 'scipy', 'skimage', 'matplotlib', 'numba', 'SurfaceTopography', 'tifffile'}; "
        "print(sorted(heavy & set(sys.modules))); w.close()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"
