"""Facts that a site shows and that only a library knows: pictures, classes and files. `sharing.publish` makes them."""

from __future__ import annotations

from dataclasses import dataclass

MAX_INPUTS_SHOWN = 100
"""A page lists the inputs of a point up to so many, and as many names of a list."""


@dataclass(frozen=True, slots=True)
class Outputs:
    """The margins y_k - y_source of every class k at one input, on the dense network: in exact arithmetic, rounded once
    for display, and in float32 by ONNX Runtime."""

    exact: tuple[float, ...]
    float32: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class BestPoint:
    """The best confirmed candidate of all runs of the instance, exactly in its set.

    run: the one that found it. value: on the dense network, exact and rounded once. changed: how many inputs differ
    from the clean ones. distance: in `norm`. largest_step: the most that one input differs. picture, difference: PNG
    files; None where the input is not an image. inputs: the set's centre and the point, input by input; empty for an
    image, and beyond `MAX_INPUTS_SHOWN`.
    """

    run: str
    value: float
    changed: int
    norm: str
    distance: float
    largest_step: float
    outputs: Outputs | None
    picture: bytes | None
    difference: bytes | None
    inputs: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True, slots=True)
class BestModel:
    """The best confirmed candidate of all runs, where it is not a point of an input set, such as a trained network.

    run, value: as in `BestPoint`. noun: what it is. measures: numbers about it by name. names: lists of names of its
    parts, by what they are. file: to be downloaded, with the ending of its name. plane: a PNG file.
    """

    run: str
    value: float
    noun: str
    measures: dict[str, float]
    names: dict[str, tuple[str, ...]]
    file: tuple[str, bytes] | None
    plane: bytes | None


@dataclass(frozen=True, slots=True)
class InstanceFile:
    """A file of an instance. kind: in words. path: in its library. link: a relative address, seen from the root of the
    site, and n_bytes: its size; both None where the site does not hold the file."""

    kind: str
    path: str
    link: str | None = None
    n_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class LibraryCopy:
    """A library that the site holds. name: of its folder in `libraries`, and of the list of its files in `downloads`,
    NAME.txt. n_bytes: of all files."""

    name: str
    n_instances: int
    n_files: int
    n_bytes: int


@dataclass(frozen=True, slots=True)
class InstanceEvidence:
    """The contents of an instance's page that do not come from its runs.

    source: the class of the clean input; None where the property has none, and then there are no outputs. clean: a PNG
    file; None where the input is not an image. best: None where nothing was confirmed, or its candidates are missing.
    files: those of its library, first the model. question: what the problem asks, in words; None where its family has
    none. model: the best candidate in a family without inputs; there is at most one of `best` and `model`.
    """

    source: int | None
    targets: tuple[int, ...]
    clean: bytes | None
    clean_outputs: Outputs | None
    best: BestPoint | None
    files: tuple[InstanceFile, ...] = ()
    question: str | None = None
    model: BestModel | None = None
