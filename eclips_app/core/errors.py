"""Errors that a user reads: one clear sentence of what, where and what to do."""

from __future__ import annotations


class EclipsError(Exception):
    """A failure that the user can understand and act on.

    Parameters
    ----------
    what : str
        What is wrong, naming the thing ("The file is empty").
    where : str
        The file, key or field concerned; empty if `what` names it.
    hint : str
        What to do about it; empty if nothing can be done.
    """

    def __init__(self, what: str, *, where: str = "", hint: str = "") -> None:
        super().__init__(what, where, hint)
        self.what = what
        self.where = where
        self.hint = hint

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        return f"{text.rstrip('.')}. {self.hint}".rstrip() if self.hint else text

    def __reduce__(self) -> tuple[object, ...]:
        # The engine process sends errors to the window; keyword arguments are lost by the default reduction.
        return _rebuild, (type(self), self.what, self.where, self.hint)


class Cancelled(Exception):
    """Raised inside a step when its user asked to stop."""


def _rebuild(kind: type[EclipsError], what: str, where: str, hint: str) -> EclipsError:
    return kind(what, where=where, hint=hint)
