"""The largest sizes of files of any origin, each with the largest file that is needed in practice.

All limits are checked before anything is parsed. Below them every reader takes at most 20 s and 1 GiB. The limits of a
single kind of file, such as the disjuncts of a VNN-LIB file, are in its reader's module. For bundles, and for what a
solver sends, see `vnnbench.limits`.
"""

from __future__ import annotations

from dataclasses import dataclass

MEBIBYTE = 1 << 20

MAX_INSTANCES = 100_000
"""Instances of a library and of a suite: seven times both libraries of Pham et al. in both formulations. A row of the
catalogue takes 60 us and 2 kB."""
MAX_INPUTS = 160_000
"""Inputs of a property: an image of 224 x 224 pixels in three colours has 150,528."""

MAX_LIBRARY_FILE_BYTES = 256 * MEBIBYTE
"""Bytes of a library's file as stored on disk, if its kind does not have a smaller limit."""
MAX_CATALOG_BYTES, MAX_CATALOG_FIELDS = 96 * MEBIBYTE, 80 * MAX_INSTANCES
"""Size of catalog.csv and of timings.csv: a row of 42 columns has 0.5 to 0.7 kB; later versions may add columns."""
MAX_ANSWERS_BYTES = 64 * MEBIBYTE
"""Size of answers.csv: a row has 0.2 to 0.6 kB, most of it the problem's name, twice; at most one for each instance."""
MAX_LIST_BYTES = 16 * MEBIBYTE
"""Size of a list for --select: a line of 160 bytes for every instance."""
MAX_KEY_BYTES = MEBIBYTE
"""Size of a planting key, which may be any file."""
MAX_ONNX_BYTES = 96 * MEBIBYTE
"""Size of a network, unzipped: 25 million float32 weights, each a float64 in memory, for a while twice."""
MAX_ONNX_FIELDS = 300_000
"""Fields of a network's file, nested ones included: 1,000 operators have 40,000; one may take 300 bytes of memory."""
MAX_VNNLIB_BYTES = 16 * MEBIBYTE
"""Size of a VNN-LIB file, unzipped: two bounds of 40 bytes for each of `MAX_INPUTS` inputs."""
MAX_MPS_BYTES, MAX_MPS_LINES = 160 * MEBIBYTE, 4_000_000
"""Size of a model, unzipped: a line of 40 bytes for each coefficient; three layers of 500 neurons on 1,000 inputs have
1.5 million, and a training problem of 100 samples of 4,000 inputs with 8 neurons 3.3 million."""
MAX_MPS_NAMES = 500_000
"""Rows of a model, and columns. A column takes 400 bytes while the file is read."""
MAX_MPS_LINE = 2_000
"""Characters of a model's line that is not a comment: three names of 255, and numbers."""
MAX_PICTURE_BYTES, MAX_PICTURE_SIDE = 4 * MEBIBYTE, 1_024
"""Size of a picture of a clean input, which is an image of a data set: suites have up to 256 x 256 pixels."""
MAX_ARRAY_BYTES = 256 * MEBIBYTE
"""The arrays of a .npz file, unzipped: the candidates of a run with the final columns and their names, or a proof of a
million leaves."""
MAX_IMAGES = 100_000
"""Images of an IDX file: MNIST has 60,000, and takes 0.3 GB as float32."""
MAX_TABLE_BYTES, MAX_TABLE_FIELDS = 96 * MEBIBYTE, 5_000_000
"""Size of a table as CSV, unzipped: 187 samples of 19,993 genes have 3.7 million fields, of up to 20 bytes."""


@dataclass(frozen=True, slots=True)
class JsonLimit:
    """The limits of one kind of JSON file.

    They are its bytes, its containers (lists and objects, each of up to 250 bytes in memory), and its commas, which
    bound the number of values (each of up to 100 bytes).
    """

    bytes: int
    containers: int
    commas: int


MANIFEST_LIMIT = JsonLimit(64 * MEBIBYTE, containers=16, commas=400_000)
"""Limits of library.json: a model and a network for each of `MAX_INSTANCES`, and their properties; each file is one
entry of 140 bytes in one object."""
PROPERTY_LIMIT = JsonLimit(48 * MEBIBYTE, containers=500_000, commas=4_000_000)
"""Limits of a property: three numbers of 25 to 50 bytes for each of `MAX_INPUTS` inputs, and a goal of 100,000
comparisons of two outputs, each of which has four lists and objects; or 3.9 million inputs of samples, of up to 12
bytes."""
SEAL_LIMIT = JsonLimit(64 * MEBIBYTE, containers=100_000, commas=4_000_000)
"""Limits of sealed.json: planted points of 20 bytes for each input: 4,000 points of 784 inputs."""
PROOFS_LIMIT = JsonLimit(48 * MEBIBYTE, containers=4, commas=200_000)
"""Limits of the manifest of proofs: one proof for each of `MAX_INSTANCES`, each an entry of 0.2 to 0.4 kB in one
object."""
PROOF_HEAD_LIMIT = JsonLimit(8_192, containers=4, commas=64)
"""Limits of the head of a proof, one object of eight keys."""
STATE_LIMIT = JsonLimit(32 * MEBIBYTE, containers=200_000, commas=1_000_000)
"""Limits of provenance.json, which lists imports, and of the files that a generation keeps until it is finished."""
