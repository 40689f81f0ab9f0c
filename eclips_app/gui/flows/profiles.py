"""The profiles of all visible lines: at once without deviations, which follow when the mouse has come to rest."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

from eclips_app.core.errors import EclipsError
from eclips_app.gui.flows.sampling import Sampled, Sampling, sample_all, sample_run, sampled_run
from eclips_app.gui.qt import QtCore, Signal
from eclips_app.gui.session import Session
from eclips_app.gui.widgets import shape_geometry as shapes
from eclips_app.gui.widgets.background import Background
from eclips_app.model.items import HeightMap, ProfileLine, Run
from eclips_app.model.placing import frame_map

_REST_MS = 60
_Key = tuple[Any, ...]


class Profiles(QtCore.QObject):
    """Samples each line once for what is shown, and again with deviations beside the event loop."""

    completed = Signal()  #: deviations have come
    sampling_changed = Signal()

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session
        self.sampling = _remembered(session)
        self._known: dict[str, tuple[_Key, ProfileLine, tuple[Sampled, ...]]] = {}
        self._background = Background(self)
        self._rest = QtCore.QTimer(self, singleShot=True, interval=_REST_MS)
        self._rest.timeout.connect(self._complete)

    def set_sampling(self, sampling: Sampling) -> None:
        """Sample otherwise from now on, in this project and later ones."""
        if sampling != self.sampling:
            self.sampling = sampling
            self._session.settings.set_text(
                "profile/step_nm", "" if sampling.step_nm is None else repr(sampling.step_nm)
            )
            self._session.settings.set_text("profile/method", sampling.method)
            self.sampling_changed.emit()

    def of(self, line: ProfileLine, selected: bool) -> tuple[Sampled, ...]:
        """Give the profiles along a line: all that is shown if it is selected, else that of run A, or of a map alone."""
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
        return sample_all(self._session.project, line, sampling=self.sampling)

    def keep_only(self, line_ids: set[str]) -> None:
        """Forget the profiles of other lines."""
        for line_id in self._known.keys() - line_ids:
            del self._known[line_id]

    def _key(self, line: ProfileLine, selected: bool) -> _Key:
        project = self._session.project
        chosen, placed = project.selection, project.get(HeightMap, project.selection.map_id)
        # A map that is placed or levelled otherwise is another object.
        return (line, selected, chosen.run_id, chosen.compared_run_id, placed, chosen.set_id, self.sampling)

    def _sample(self, line: ProfileLine, selected: bool) -> tuple[Sampled, ...]:
        project, run = self._session.project, self._session.project.run
        try:
            if selected or (run is None and frame_map(project) is not None):
                return sample_all(project, line, quick=True, sampling=self.sampling)
            if run is None or line.kind not in shapes.WITH_PROFILE:
                return ()
            return (sampled_run("A", run, line, quick=True, sampling=self.sampling),)
        except EclipsError as error:
            self._session.notify(f"{line.name}: {error}", "warning")
            return ()

    def _complete(self) -> None:
        self._background.drop()
        for line_id, (key, line, sampled) in self._known.items():
            for each in sampled:
                run = self._session.project.get(Run, each.source_id)
                if each.waits and run is not None:
                    work = partial(sample_run, run, line, sampling=self.sampling)
                    self._background.run(work, partial(self._take, line_id, key, each.role))

    def _take(self, line_id: str, key: _Key, role: str, profile: Any) -> None:
        known = self._known.get(line_id)
        if known is None or known[0] != key:
            return
        whole = tuple(replace(each, profile=profile, waits=False) if each.role == role else each for each in known[2])
        self._known[line_id] = (key, known[1], whole)
        self.completed.emit()


def profiles_of(session: Session) -> Profiles:
    """Give the session's profiles, made at the first call."""
    found = session.findChild(Profiles)
    return found if isinstance(found, Profiles) else Profiles(session)


def _remembered(session: Session) -> Sampling:
    """Give how profiles were sampled last time."""
    step, method = session.settings.text("profile/step_nm", ""), session.settings.text("profile/method", "linear")
    try:
        step_nm = float(step) if step else None
    except ValueError:  # edited by hand
        step_nm = None
    return Sampling(step_nm, "cubic" if method == "cubic" else "linear")
