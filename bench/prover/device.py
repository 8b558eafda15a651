"""Where the steps of cases are computed: by numpy on a CPU, or by torch on a GPU.

The steps are written once, with the operations that arrays of both have; `functions_of` gives the functions that have
one name in both, and those that have not are here. What a device holds is typed as the arrays of numpy that it stands
for.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import fields, is_dataclass, replace
from functools import cache, partial
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from torch import Tensor

_Value = TypeVar("_Value")


class Device(Protocol):
    """A device. nodes_at_a_time: how many nodes of a tree are split together."""

    @property
    def nodes_at_a_time(self) -> int: ...

    def put(self, value: _Value) -> _Value:
        """Return an array of numpy, or a dataclass of such arrays, on the device."""

    def fetch(self, value: _Value) -> _Value:
        """Return what `put` has put there, or what was computed from that, as arrays of numpy."""

    def computing(self) -> AbstractContextManager[None]:
        """Return the context of a computation. Raises `DeviceError`: the device fails."""


class Cpu:
    """This process, with numpy."""

    nodes_at_a_time = 128

    def put(self, value: _Value) -> _Value:
        return value

    def fetch(self, value: _Value) -> _Value:
        return value

    def computing(self) -> AbstractContextManager[None]:
        return nullcontext()


class Torch:
    """A device of torch, by torch's name for it."""

    nodes_at_a_time = 1_024
    """More than a CPU's: of few cases, a GPU takes longer to start the operations of a step than to compute them."""

    def __init__(self, name: str) -> None:
        import torch

        from vnnbench.instances.training.batched import device_errors

        self._name, self._inference_mode, self._tensor = name, torch.inference_mode, torch.tensor
        self._errors = partial(device_errors, name)

    def put(self, value: _Value) -> _Value:
        moved: _Value = _mapped(value, np.ndarray, self._put)
        return moved

    def fetch(self, value: _Value) -> _Value:
        import torch

        moved: _Value = _mapped(value, torch.Tensor, _fetched)
        return moved

    @contextmanager
    def computing(self) -> Iterator[None]:
        with self._errors(), self._inference_mode():
            yield

    def _put(self, array: npt.NDArray[Any]) -> Tensor:
        return self._tensor(array, device=self._name)


CPU = Cpu()


@cache
def device_named(name: str) -> Device:
    """Return the device "cpu" or "cuda". Raises `DeviceError`: torch finds no GPU."""
    if name == "cpu":
        return CPU
    from vnnbench.instances.training.batched import check_device

    check_device(name)
    return Torch(name)


def _fetched(tensor: Tensor) -> npt.NDArray[Any]:
    return np.asarray(tensor.cpu())


def _mapped(value: Any, kind: type, move: Any) -> Any:
    if isinstance(value, kind):
        return move(value)
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{f.name: _mapped(getattr(value, f.name), kind, move) for f in fields(value)})
    return value


def functions_of(array: npt.NDArray[Any]) -> Any:
    """Return the package whose functions take an array: numpy, or torch if it is on a device of torch."""
    return np if isinstance(array, np.ndarray) else sys.modules["torch"]


def zeros(shape: tuple[int, ...], like: npt.NDArray[Any]) -> Any:
    """Return zeros of the type of an array, where it is."""
    return np.zeros(shape, dtype=like.dtype) if isinstance(like, np.ndarray) else like.new_zeros(shape)


def at_places(array: Any, places: npt.NDArray[np.intp]) -> Any:
    """Return the numbers (m, q) of an array (m, n) at places (m, q) of each row."""
    if isinstance(array, np.ndarray):
        return array[np.arange(len(array))[:, None], places]  # takes half the time of `np.take_along_axis`
    return array.gather(1, places)
