"""Memory of this process, for benchmarks."""

from __future__ import annotations

import sys


def peak_rss_mib() -> float | None:
    """Give the largest memory in MiB that this process has held; None on Windows, which does not tell."""
    if sys.platform == "win32":
        return None
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10
