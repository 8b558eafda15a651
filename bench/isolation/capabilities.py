"""The rights of a run's processes: they keep their user's rights on files, but none that would let them reach the
processes that control them.

Root, and a process that has made a user namespace, has capabilities (capabilities(7)), such as tracing any process or
mounting file systems.
"""

from __future__ import annotations

import ctypes
import os
from typing import Any

_FILES = 0b11111  # CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER, CAP_FSETID
_LAST = 63
_PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS = 24, 38
_VERSION_3 = 0x20080522


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Sets(ctypes.Structure):
    """The sets of 32 of the capabilities."""

    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))


def give_up_rights() -> None:
    """Give up all capabilities except root's on files, for this process and all that it starts. Programs with the
    set-user-ID bit then give no rights either."""
    kept = _FILES if os.geteuid() == 0 else 0
    libc: Any = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    for capability in range(_LAST + 1):
        if not kept >> capability & 1:
            libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)  # applies to programs that root starts
    header, sets = _Header(_VERSION_3, 0), (_Sets * 2)()
    libc.capget(ctypes.byref(header), sets)
    for number, some in enumerate(sets):
        for name in ("effective", "permitted", "inheritable"):
            setattr(some, name, getattr(some, name) & kept >> 32 * number)
    libc.capset(ctypes.byref(header), sets)
