"""What is written when profiles are exported."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eclips_app.gui.flows.profiles import profiles_of
from eclips_app.gui.flows.sampling import sample_all, to_write
from eclips_app.gui.session import Session
from eclips_app.model.items import ProfileLine

if TYPE_CHECKING:
    from eclips_app.io.profile_files import LineProfiles


def profiles_to_write(session: Session) -> list[LineProfiles]:
    """Give the profiles of all visible lines with their standard deviations, as they are sampled now.

    Raises
    ------
    EclipsError
        If a line has no length.
    """
    project, sampling = session.project, profiles_of(session).sampling
    lines = [line for line in project.of_kind(ProfileLine) if line.visible]
    found = [to_write(line, sample_all(project, line, sampling=sampling)) for line in lines]
    return [line for line in found if line.curves]
