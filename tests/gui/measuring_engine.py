"""An engine that measures in this process, when the test lets it."""

from __future__ import annotations

from panel_samples import HeldJobs
from pytestqt.qtbot import QtBot

from eclips_app.core.context import SilentContext
from eclips_app.core.errors import EclipsError
from eclips_app.core.steps import run_step
from eclips_app.gui.flows.results import ResultsFlow
from eclips_app.jobs.job import Done, Failed


class MeasuringJobs(HeldJobs):
    """Runs the step "measure" for real."""

    def answer(self) -> int:
        """Answer what waits; gives how many jobs that were."""
        mine = [job for job in self.jobs if job.step == "measure" and not job.cancelled]
        self.jobs = [job for job in self.jobs if job.step != "measure"]
        for job in mine:
            try:
                result = run_step("measure", job.inputs, job.params, SilentContext())
            except EclipsError as error:
                job.hear(Failed(job, error))
            else:
                job.hear(Done(job, result, 0.1))
        return len(mine)


def settle(flow: ResultsFlow, engine: MeasuringJobs, qtbot: QtBot) -> None:
    """Answer until every row holds."""

    def is_done() -> bool:
        engine.answer()
        return not any(flow.waits(row.id) for row in flow.rows())

    qtbot.waitUntil(is_done)
