"""Have the kernel refuse namespaces where VNNBENCH_TEST_NO_NAMESPACE is set, as it does in many containers."""

import ctypes
import os


class _Refusing(ctypes.CDLL):
    def unshare(self, _flags: int) -> int:
        return -1


if os.environ.get("VNNBENCH_TEST_NO_NAMESPACE"):
    ctypes.CDLL = _Refusing  # type: ignore[misc]
