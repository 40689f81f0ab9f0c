"""The profiles of all visible lines: at once without deviations, which follow when the mouse has come to rest."""

from __future__ import annotations

from functools import partial
from typing import Any

from eclips_app.core.errors import EclipsError
from eclips_app.gui.flows.sampling import Sampled, sample_all, sample_run
from eclips_app.gui.qt import QtCore, Signal
from eclips_app.gui.session import Session
from eclips_app.gui.widgets.background import Background
from eclips_app.model.items import HeightMap, ProfileLine, Run

_REST_MS = 60
_Key = tuple[Any, ...]


class Profiles(QtCore.QObject):
    """Samples each line once for what is shown, and again with deviations beside the event loop."""

    completed = Signal()  #: deviations have come

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session
        self._known: dict[str, tuple[_Key, ProfileLine, tuple[Sampled, ...]]] = {}
        self._background = Background(self)
        self._rest = QtCore.QTimer(self, singleShot=True, interval=_REST_MS)
        self._rest.timeout.connect(self._complete)

    def of(self, line: ProfileLine, selected: bool) -> tuple[Sampled, ...]:
        """Give the profiles along a line: all that is shown if it is selected, else that of run A."""
        key = self._key(line, selected)
        known = self._known.get(line.id)
        if known is None or known[0] != key:
            known = (key, line, self._sample(line, selected))
            self._known[line.id] = known
            if any(each.waits for each in known[2]):
                self._rest.start()
        return known[2]

    def known(self, line: ProfileLine | None) -> tuple[Sampled, ...]:
        """Give what was sampled last along a line."""
        return self._known[line.id][2] if line is not None and line.id in self._known else ()

    def whole(self, line: ProfileLine) -> tuple[Sampled, ...]:
        """Give all that is shown along the selected line with its deviations, sampled now if it has not been.

        Raises
        ------
        EclipsError
            If the line has no length.
        """
        known = self._known.get(line.id)
        if known is not None and known[0] == self._key(line, True) and not any(each.waits for each in known[2]):
            return known[2]
        return sample_all(self._session.project, line)

    def keep_only(self, line_ids: set[str]) -> None:
        """Forget the profiles of other lines."""
        for line_id in self._known.keys() - line_ids:
            del self._known[line_id]

    def _key(self, line: ProfileLine, selected: bool) -> _Key:
        project = self._session.project
        chosen, placed = project.selection, project.get(HeightMap, project.selection.map_id)
        place = (placed.center_px, placed.rotation_deg, placed.z_offset_nm) if placed else ()
        return (line, selected, chosen.run_id, chosen.compared_run_id, chosen.map_id, place, chosen.set_id)

    def _sample(self, line: ProfileLine, selected: bool) -> tuple[Sampled, ...]:
        run = self._session.project.run
        try:
            if selected:
                return sample_all(self._session.project, line, quick=True)
            return (Sampled("A", run.name, run.id, sample_run(run, line, quick=True)),) if run is not None else ()
        except EclipsError as error:
            self._session.notify(f"{line.name}: {error}", "warning")
            return ()

    def _complete(self) -> None:
        self._background.drop()
        for line_id, (key, line, sampled) in self._known.items():
            for each in sampled:
                run = self._session.project.get(Run, each.source_id)
                if each.waits and run is not None:
                    work = partial(sample_run, run, line)
                    self._background.run(work, partial(self._take, line_id, key, each.role))

    def _take(self, line_id: str, key: _Key, role: str, profile: Any) -> None:
        known = self._known.get(line_id)
        if known is None or known[0] != key:
            return
        whole = tuple(
            Sampled(each.role, each.name, each.source_id, profile) if each.role == role else each for each in known[2]
        )
        self._known[line_id] = (key, known[1], whole)
        self.completed.emit()


def profiles_of(session: Session) -> Profiles:
    """Give the session's profiles, made at the first call."""
    found = session.findChild(Profiles)
    return found if isinstance(found, Profiles) else Profiles(session)
