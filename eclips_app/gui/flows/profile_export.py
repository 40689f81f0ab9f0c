"""What is written when profiles are exported; runs beside the event loop."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from eclips_app.core.errors import EclipsError
from eclips_app.gui.flows.sampling import Sampling, sample_all, to_write
from eclips_app.model.items import ProfileLine
from eclips_app.model.project import Project


def frozen(project: Project) -> Project:
    """Give a project of the same items that nobody changes, to be read in another thread."""
    copy = Project()
    copy.apply({item.id: item for item in project})
    copy.select(**asdict(project.selection))
    return copy


def write_visible(project: Project, sampling: Sampling, path: Path, facts: dict[str, str]) -> tuple[str, str]:
    """Sample all visible lines with their standard deviations and write them; gives what to say, and how it went."""
    from eclips_app.io.profile_files import write_profiles  # late: not needed to start

    try:
        lines = [line for line in project.of_kind(ProfileLine) if line.visible]
        found = [to_write(line, sample_all(project, line, sampling=sampling)) for line in lines]
        write_profiles(path, [line for line in found if line.curves], facts)
    except EclipsError as error:
        return str(error), "error"
    return f"Profiles written to {path}.", "good"
