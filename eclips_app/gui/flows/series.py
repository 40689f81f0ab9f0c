"""The sets of images as the frames of a time series: stepping, playing, and what is shown of each."""

from __future__ import annotations

from bisect import bisect_right

from eclips_app.gui.actions import ActionInfo
from eclips_app.gui.qt import Qt, QtCore, Signal
from eclips_app.gui.session import Session
from eclips_app.model.items import Run, SegmentSet
from eclips_app.model.project import Project, Selection

_TICK_MS = 15  #: how often the clock is looked at in real time


class FramePlayer(QtCore.QObject):
    """Selects frames, by hand or by the clock, whichever panel shows them.

    In real time a frame is shown while its time lasts, and frames that the screen was too slow for are counted in
    `dropped`; otherwise every frame is shown, `rate` of them each second at most.
    """

    changed = Signal()  #: position, playing, options or count of dropped frames

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session
        self.loop = True
        self.real_time = False
        self.rate = 5.0  #: frames per second, every frame
        self.speed = 1.0  #: seconds of the series per second, real time
        self.dropped = 0
        self._start_s = 0.0
        self._clock = QtCore.QElapsedTimer()
        self._timer = QtCore.QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._tick)
        session.project.selection_changed.connect(self._on_selection)

    @property
    def frames(self) -> tuple[SegmentSet, ...]:
        """All sets in their order."""
        return self._session.project.of_kind(SegmentSet)

    @property
    def index(self) -> int:
        """Place of the selected set; 0 if there is none."""
        chosen = self._session.project.selection.set_id
        return next((i for i, frame in enumerate(self.frames) if frame.id == chosen), 0)

    @property
    def is_playing(self) -> bool:
        """Whether the frames move by themselves."""
        return self._timer.isActive()

    def go_to(self, index: int) -> None:
        """Select a frame and the run that stands for it."""
        frames = self.frames
        if frames:
            frame = frames[min(max(index, 0), len(frames) - 1)]
            run = run_of(self._session.project, frame)
            self._session.project.select(set_id=frame.id, run_id=run.id if run else "")

    def first(self) -> None:
        """Go to the first frame."""
        self.go_to(0)

    def last(self) -> None:
        """Go to the last frame."""
        self.go_to(len(self.frames) - 1)

    def next(self) -> None:
        """Go one frame on."""
        self.go_to(self.index + 1)

    def previous(self) -> None:
        """Go one frame back."""
        self.go_to(self.index - 1)

    def toggle(self) -> None:
        """Play or pause."""
        if self.is_playing:
            self.pause()
        else:
            self.play()

    def play(self) -> None:
        """Let the frames move; at the end, from the beginning."""
        if not self.has_frames():
            return
        if self.index == len(self.frames) - 1:
            self.first()
        self.dropped = 0
        self._restart()
        self.changed.emit()

    def pause(self) -> None:
        """Stop at the present frame."""
        self._timer.stop()
        self.changed.emit()

    def set_mode(self, *, real_time: bool | None = None, rate: float | None = None, loop: bool | None = None) -> None:
        """Choose how to play; `rate` is frames per second, or in real time the speed."""
        self.real_time = self.real_time if real_time is None else real_time
        self.loop = self.loop if loop is None else loop
        if rate is not None and self.real_time:
            self.speed = rate
        elif rate is not None:
            self.rate = rate
        if self.is_playing:
            self._restart()
        self.changed.emit()

    def has_frames(self) -> bool:
        """Whether there is more than one frame."""
        return len(self.frames) > 1

    def times_s(self) -> list[float]:
        """Give when each frame begins; frames without a rising time follow one another at `rate`."""
        times: list[float] = []
        for frame in self.frames:
            known = frame.time_s is not None and (not times or frame.time_s > times[-1])
            after = times[-1] + 1.0 / self.rate if times else 0.0
            times.append(float(frame.time_s) if known and frame.time_s is not None else after)
        return times

    def advance_to(self, seconds: float) -> None:
        """Show the frame of a moment of the series, in seconds from where playing began, and count what was left out."""
        times, before = self.times_s(), self.index
        moment = self._start_s + seconds
        if moment >= times[-1] + (times[-1] - times[-2]):
            if self.loop:
                self.first()
                self._restart()
            else:
                self.last()
                self.pause()
            return
        index = max(bisect_right(times, moment) - 1, 0)
        if index > before:
            self.dropped += index - before - 1
            self.go_to(index)

    def _restart(self) -> None:
        self._start_s = self.times_s()[self.index]
        self._clock.restart()
        self._timer.start(_TICK_MS if self.real_time else max(1, round(1000 / self.rate)))

    def _tick(self) -> None:
        if not self.has_frames():
            self.pause()
        elif self.real_time:
            self.advance_to(self._clock.elapsed() / 1000 * self.speed)
        elif self.index < len(self.frames) - 1:
            self.next()
        elif self.loop:
            self.first()
        else:
            self.pause()

    def _on_selection(self, _: Selection) -> None:
        self.changed.emit()


def run_of(project: Project, frame: SegmentSet) -> Run | None:
    """Give the run that stands for a frame: the starred one, else the last."""
    runs = project.runs_of(frame.id)
    return next((run for run in runs if run.starred), runs[-1] if runs else None)


def player_of(session: Session) -> FramePlayer:
    """Give the session's player, made at the first call."""
    found = session.findChild(FramePlayer)
    return found if isinstance(found, FramePlayer) else FramePlayer(session)


def register(session: Session) -> None:
    """Add the commands of this flow."""
    player = player_of(session)
    some = player.has_frames
    for info in (
        ActionInfo(
            "series.play", "Play or pause", "Series", player.toggle, "", "play", some, "Play the frames, or pause."
        ),
        ActionInfo("series.first", "First frame", "Series", player.first, "", "first", some),
        ActionInfo("series.previous", "Previous frame", "Series", player.previous, "Ctrl+,", "previous", some),
        ActionInfo("series.next", "Next frame", "Series", player.next, "Ctrl+.", "next", some),
        ActionInfo("series.last", "Last frame", "Series", player.last, "", "last", some),
    ):
        session.actions.add(info)
