"""What microscopes write about their images: one module for each maker.

A maker's module has ``read(tags) -> Found | None``: None where the file is not of that maker.
"""

from __future__ import annotations

from eclips_app.io.vendor.tags import Found, Tags


def read_metadata(tags: Tags) -> tuple[Found, tuple[str, ...]]:
    """Ask each maker's reader in turn; the first that knows the file answers.

    Returns
    -------
    found : Found
        Empty where no maker knows the file. A pixel size is there only if the file states it.
    warnings : tuple of str
        Metadata that could not be understood; never an exception, for the image itself is still good.
    """
    from eclips_app.io.vendor import fei, hitachi, jeol, phenom, plain, pointelectronic, tescan, zeiss

    warnings = []
    for maker in (pointelectronic, phenom, fei, zeiss, tescan, hitachi, jeol, plain):
        try:
            found = maker.read(tags)
        except Exception as error:  # damaged metadata may raise anything and must not cost the user the image
            warnings.append(f"the {maker.NAME} metadata cannot be understood ({error or type(error).__name__})")
            continue
        if found is not None:
            return found, (*warnings, *found.warnings)
    return Found(), tuple(warnings)
