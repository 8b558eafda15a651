"""How large a file may be, whoever wrote it: each number, and the largest file that is needed.

All are held before anything is parsed. Below them every reader takes at most 20 s and 1 GiB (README, what is promised).
What one kind of file alone has, such as the disjuncts of a VNN-LIB file, stands with its reader. For bundles, and for
what a solver sends, see `vnnbench.limits`.
"""

from __future__ import annotations

from dataclasses import dataclass

MEBIBYTE = 1 << 20

MAX_INSTANCES = 100_000
"""Of a library and of a suite: seven times both libraries of Pham et al. in both formulations. A row of the catalogue
takes 60 us and 2 kB."""
MAX_INPUTS = 160_000
"""Of a property: an image of 224 x 224 pixels in three colours has 150,528."""

MAX_LIBRARY_FILE_BYTES = 256 * MEBIBYTE
"""Of a file of a library as it lies on the disk, where its kind has no smaller limit."""
MAX_CATALOG_BYTES, MAX_CATALOG_FIELDS = 96 * MEBIBYTE, 80 * MAX_INSTANCES
"""Of catalog.csv and of timings.csv: a row of 42 columns has 0.5 to 0.7 kB; later versions may add some."""
MAX_LIST_BYTES = 16 * MEBIBYTE
"""Of a list for --select: a line for every instance, each of 160 bytes."""
MAX_KEY_BYTES = MEBIBYTE
"""Of a planting key, which is any file."""
MAX_ONNX_BYTES = 96 * MEBIBYTE
"""Of a network, unzipped: 25 million float32 weights, each of which is a float64 in memory, for a while twice."""
MAX_ONNX_FIELDS = 300_000
"""Of a network's file, within each other: 1,000 operators have 40,000; each may take 300 bytes of memory."""
MAX_VNNLIB_BYTES = 16 * MEBIBYTE
"""Of a VNN-LIB file, unzipped: two bounds of 40 bytes for each of `MAX_INPUTS` inputs."""
MAX_MPS_BYTES, MAX_MPS_LINES = 160 * MEBIBYTE, 4_000_000
"""Of a model, unzipped: a line of 40 bytes for each coefficient, of which three layers of 500 neurons on 1,000 inputs
have 1.5 million."""
MAX_MPS_NAMES = 500_000
"""Of a model: rows, and columns. A column takes 400 bytes while the file is read."""
MAX_MPS_LINE = 2_000
"""Characters of a line beside comments: three names of 255, and numbers."""
MAX_PICTURE_BYTES, MAX_PICTURE_SIDE = 4 * MEBIBYTE, 1_024
"""Of a picture of a clean input, which is an image of a data set: suites have up to 256 x 256 pixels."""
MAX_IMAGES = 100_000
"""Of an IDX file: MNIST has 60,000, and takes 0.3 GB as float32."""


@dataclass(frozen=True, slots=True)
class JsonLimit:
    """Of one kind of JSON file: bytes; lists and objects, each of which takes up to 250 bytes of memory; commas, and so
    values, each of which takes up to 100."""

    bytes: int
    containers: int
    commas: int


MANIFEST_LIMIT = JsonLimit(64 * MEBIBYTE, containers=16, commas=400_000)
"""Of library.json: a model and a network for each of `MAX_INSTANCES`, and what they are about; each file is one entry
of 140 bytes in one object."""
PROPERTY_LIMIT = JsonLimit(32 * MEBIBYTE, containers=500_000, commas=2_000_000)
"""Of a property: three numbers of 25 to 50 bytes for each of `MAX_INPUTS` inputs, and a goal of 100,000 comparisons of
two outputs, each of which has four lists and objects."""
SEAL_LIMIT = JsonLimit(64 * MEBIBYTE, containers=100_000, commas=4_000_000)
"""Of sealed.json: planted points, each of 20 bytes for each input: 4,000 of 784 inputs."""
STATE_LIMIT = JsonLimit(32 * MEBIBYTE, containers=200_000, commas=1_000_000)
"""Of provenance.json, which holds what was imported, and of what a generation keeps until it is finished."""
