"""vnnbench in Python: the commands as functions for scripts and notebooks, which return objects and DataFrames.

    >>> import vnnbench
    >>> library = vnnbench.generate("quickstart", "library", jobs=2)
    >>> results = vnnbench.run(library, "results", ["highs", "scip"], time_limit_seconds=20.0, jobs=2)
    >>> vnnbench.rank(results)[["setting", "solved", "sgm10_seconds"]]

All functions are in `vnnbench.api`, which is imported when the first of them is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vnnbench.api import Results, check, generate, judge, open_library, open_results, rank, run

__all__ = ["Results", "check", "generate", "judge", "open_library", "open_results", "rank", "run"]


def __getattr__(name: str) -> Any:
    """Import the API when one of its names is first used (PEP 562): importing any module of the package runs this
    file, and the API imports most of them."""
    if name not in __all__:
        raise AttributeError(f"module 'vnnbench' has no attribute {name!r}")
    from vnnbench import api

    return getattr(api, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
