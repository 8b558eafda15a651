import gzip
import itertools
import struct
import tracemalloc
from dataclasses import replace
from math import inf

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.networks import random_network
from support.properties import make_set, targeted
from vnnbench.instances.bounds.levels import BoundLevel, bound_layers
from vnnbench.instances.errors import ModelError
from vnnbench.instances.families.verify import VerifyProblem
from vnnbench.instances.formulations.milp import MIN_COEFFICIENT, MilpBuilder
from vnnbench.instances.formulations.mps import compress, mps_text, parse_mps, read_mps
from vnnbench.instances.formulations.surrogatelib import encode_surrogatelib
from vnnbench.instances.formulations.tight import encode_tight
from vnnbench.instances.limits import MAX_MPS_LINE
from vnnbench.judging.model_comparison import differences
from vnnbench.solvers.registry import get_solver, installed_solvers


def bits(value):
    return struct.pack("<d", value + 0.0)  # -0.0 becomes 0.0


def as_dictionaries(model):
    """Return columns, rows and entries by name, with numbers as bits."""
    columns = {
        name: (bits(lower), bits(upper), integer, bits(cost))
        for name, lower, upper, integer, cost in zip(
            model.column_names,
            model.lower.tolist(),
            model.upper.tolist(),
            model.integer.tolist(),
            model.objective.tolist(),
            strict=True,
        )
    }
    rows = {
        name: (sense, bits(rhs))
        for name, sense, rhs in zip(model.row_names, model.senses, model.rhs.tolist(), strict=True)
    }
    entries = {
        (model.row_names[row], model.column_names[j]): bits(value)
        for row, (start, end) in enumerate(itertools.pairwise(model.indptr.tolist()))
        for j, value in zip(model.indices[start:end].tolist(), model.data[start:end].tolist(), strict=True)
    }
    assert len(entries) == model.n_nonzeros
    return columns, rows, entries


def as_read(model):
    """Return the columns, rows and entries that a solver has read, by name, with numbers as bits."""
    columns = {
        name: (bits(lower), bits(upper), integer, bits(cost))
        for name, lower, upper, integer, cost in zip(
            model.column_names,
            model.column_lower,
            model.column_upper,
            model.column_integer,
            model.objective,
            strict=True,
        )
    }
    rows = {}
    for name, lower, upper in zip(model.row_names, model.row_lower, model.row_upper, strict=True):
        assert lower == upper or -inf in (lower, -upper)
        sense = "E" if lower == upper else "L" if lower == -inf else "G"
        rows[name] = (sense, bits(lower if sense == "G" else upper))
    entries = {(model.row_names[row], model.column_names[column]): bits(value) for row, column, value in model.entries}
    assert len(entries) == len(model.entries)
    return columns, rows, entries


# -- our writer and our reader ---------------------------------------------------------------------------------------

numbers = st.floats(-1e15, 1e15).filter(lambda v: abs(v) > MIN_COEFFICIENT)
sides = st.floats(allow_nan=False, allow_infinity=False).filter(lambda v: v == 0 or abs(v) > MIN_COEFFICIENT)
names = st.text(st.characters(min_codepoint=48, max_codepoint=122), min_size=1, max_size=12).filter(
    lambda name: name != "objective"
)


@st.composite
def models(draw):
    builder = MilpBuilder(draw(names), draw(st.lists(names, max_size=3)))
    builder.offset = draw(sides) + 0.0
    n = draw(st.integers(1, 6))
    for name in draw(st.lists(names, min_size=n, max_size=n, unique=True)):
        integer = draw(st.booleans())
        ends = st.tuples(st.integers(-9, 9), st.integers(-9, 9)) if integer else st.tuples(sides, sides)
        lower, upper = sorted(map(float, draw(ends | st.just((0.0, 1.0)))))
        if not integer:
            lower, upper = draw(st.sampled_from([lower, 0.0, -inf])), draw(st.sampled_from([upper, inf]))
        builder.add_column(name, min(lower, upper), upper, integer=integer)
    for column in range(n):
        builder.set_objective(column, draw(numbers | st.just(0.0)))
    builder.add_row("all", "L", draw(sides), range(n), draw(st.lists(numbers, min_size=n, max_size=n)))
    for name in draw(st.lists(names.filter(lambda name: name != "all"), max_size=4, unique=True)):
        indices = draw(st.lists(st.integers(0, n - 1), unique=True))
        values = draw(st.lists(numbers, min_size=len(indices), max_size=len(indices)))
        builder.add_row(name, draw(st.sampled_from("LGE")), draw(sides), indices, values)
    return builder.build()


@given(models())
@settings(max_examples=100, deadline=None)
def test_a_model_is_read_back_bit_for_bit(model):
    back = parse_mps(mps_text(model), "memory")
    assert as_dictionaries(back) == as_dictionaries(model)
    assert (back.column_names, back.row_names, back.senses) == (model.column_names, model.row_names, model.senses)
    assert (back.name, back.comments, bits(back.offset)) == (model.name, model.comments, bits(model.offset))
    assert mps_text(back) == mps_text(model)


def by_hand():
    builder = MilpBuilder("hand", ["what it asks"])
    for name, lower, upper in (("x", 0.0, inf), ("f", -inf, inf), ("m", -inf, 2.5), ("n", -2.0, -1.0), ("c", 3.0, 3.0)):
        builder.add_column(name, lower, upper)
    builder.add_column("d", 0.0, 1.0, integer=True)
    builder.add_column("i", 0.0, 7.0, integer=True)
    builder.set_objective(0, -0.1)
    builder.offset = 1.25
    builder.add_row("r", "L", 1e-7, range(7), [1, -1e-7, 0.1, 2, 3, -4, 1 / 3])
    builder.add_row("zero", "E", 0.0, [0, 5], [1.0, 1.0])
    return builder.build()


def test_file_by_hand():
    assert mps_text(by_hand()).decode() == (
        "* what it asks\nNAME hand\nROWS\n N objective\n L r\n E zero\nCOLUMNS\n"
        " x objective -0.1\n x r 1.0\n x zero 1.0\n f r -1e-7\n m r 0.1\n n r 2.0\n c r 3.0\n"
        " MARKER7 'MARKER' 'INTORG'\n d r -4.0\n d zero 1.0\n i r 0.3333333333333333\n MARKER11 'MARKER' 'INTEND'\n"
        "RHS\n RHS objective -1.25\n RHS r 1e-07\n"
        "BOUNDS\n FR BOUND f\n MI BOUND m\n UP BOUND m 2.5\n LO BOUND n -2.0\n UP BOUND n -1.0\n FX BOUND c 3.0\n"
        " BV BOUND d\n LO BOUND i 0.0\n UP BOUND i 7.0\nENDATA\n"
    )


def test_the_same_model_is_the_same_bytes(tmp_path):
    first, second = (compress(mps_text(by_hand())) for _ in range(2))
    assert first == second
    assert first[4:8] == b"\0\0\0\0"  # the time stamp of gzip is zero
    assert gzip.decompress(first) == mps_text(by_hand())


def test_plain_and_compressed_files_are_the_same_model(tmp_path):
    (tmp_path / "m.mps").write_bytes(mps_text(by_hand()))
    (tmp_path / "m.mps.gz").write_bytes(compress(mps_text(by_hand())))
    assert as_dictionaries(read_mps(tmp_path / "m.mps")) == as_dictionaries(read_mps(tmp_path / "m.mps.gz"))


# -- what every solver reads -----------------------------------------------------------------------------------------


def held_against_solvers(model, solvers, folder):
    path = folder / "model.mps.gz"
    path.write_bytes(compress(mps_text(model)))
    assert as_dictionaries(read_mps(path)) == as_dictionaries(model)
    assert solvers
    for name in solvers:
        read = get_solver(name).read_model(path)
        if read.tolerance:  # the solver prints fewer digits than it has
            assert list(differences(model, read)) == [], name
            continue
        assert read.minimize, name
        assert bits(read.offset) == bits(model.offset), name
        assert as_read(read) == as_dictionaries(model), name


def test_every_solver_reads_every_kind_of_bound(tmp_path):
    # CBC takes a section whose first line has less than 13 characters for fixed MPS; names of a family are longer
    model = replace(by_hand(), column_names=tuple(f"{name}_0" for name in by_hand().column_names))
    held_against_solvers(model, installed_solvers(), tmp_path)


@pytest.mark.parametrize("scales", [(0, 0), (-7, -7), (-7, 4)])
@pytest.mark.parametrize("kind", ["tight", "surrogatelib"])
def test_every_solver_reads_encodings_as_they_are(kind, scales, tmp_path):
    network = random_network((12, 6, 6, 3), 9, scales=scales, density=0.8)
    prop = targeted(make_set(np.random.default_rng(9).integers(0, 256, size=12) / 255, 1.5))
    if kind == "tight":
        encoding = encode_tight(network, prop, bound_layers(network, prop.input_set, BoundLevel.BACKWARD), "read")
    else:
        encoding = encode_surrogatelib(network, prop, "read")
    held_against_solvers(encoding.model, installed_solvers(), tmp_path)


@pytest.mark.parametrize("kind", ["tight", "surrogatelib"])
def test_every_solver_reads_files_of_full_size(kind, tmp_path):
    network = random_network((784, 32, 32, 10), 0)
    centre = np.random.default_rng(0).integers(0, 256, size=784).astype(np.float32) / np.float32(255)
    prop = targeted(make_set(centre, 4.75))
    if kind == "tight":
        encoding = encode_tight(network, prop, bound_layers(network, prop.input_set, BoundLevel.BACKWARD), "full")
    else:
        encoding = encode_surrogatelib(network, prop, "full")
    held_against_solvers(encoding.model, installed_solvers(), tmp_path)


def test_a_solution_decodes_from_the_file_alone(tmp_path):
    """A third party needs no more: the centre from the leading comment, x_i = centre_i + p_i - m_i."""
    centre = np.random.default_rng(2).random(9).astype(np.float32).astype(np.float64)
    prop = targeted(make_set(centre, 1.5))
    network = random_network((9, 4, 2), 3)
    model = encode_tight(network, prop, bound_layers(network, prop.input_set, BoundLevel.BACKWARD), "alone").model
    lines = mps_text(model).decode().split("\n")
    x = [float(word) for line in lines if line.startswith("* centre") for word in line.split(":")[1].split()]
    assert x == centre.tolist()
    columns = np.random.default_rng(3).random(model.n_columns)
    for name, value in zip(model.column_names, columns.tolist(), strict=True):
        letter, *number = name.split("_")
        if letter in "pm":
            x[int(number[0])] += value if letter == "p" else -value
    assert VerifyProblem(prop).decoder(model.column_names)(columns) == pytest.approx(x, abs=1e-15)


# -- files that are none ---------------------------------------------------------------------------------------------

GOOD = mps_text(by_hand()).decode()


def edited(old, new):
    assert old in GOOD
    return GOOD.replace(old, new, 1)


BAD = {
    "empty": "",
    "words": "this is not\nan mps file\n",
    "no ENDATA": GOOD.replace("ENDATA\n", ""),
    "cut in a line": GOOD[: GOOD.index("0.3333")],
    "cut after ROWS": GOOD[: GOOD.index("COLUMNS")] + "ENDATA\n",
    "RANGES": edited("BOUNDS\n", "RANGES\n RNG r 4.0\nBOUNDS\n"),
    "SOS": edited("ENDATA", "SOS\n S1 s\nENDATA"),
    "quadratic": edited("ENDATA", "QUADOBJ\n x x 1.0\nENDATA"),
    "indicators": edited("ENDATA", "INDICATORS\n IF r d 1\nENDATA"),
    "OBJSENSE": edited("ROWS", "OBJSENSE\n MAX\nROWS"),
    "OBJSENSE in one line": edited("ROWS", "OBJSENSE MAX\nROWS"),
    "row twice": edited(" L r\n", " L r\n G r\n"),
    "two objectives": edited(" N objective\n", " N objective\n N other\n"),
    "no objective": edited(" N objective\n", "")
    .replace(" x objective -0.1\n", "")
    .replace(" RHS objective -1.25\n", ""),
    "unknown row sense": edited(" L r\n", " R r\n"),
    "unknown row": edited(" m r 0.1", " m s 0.1"),
    "entry twice": edited(" m r 0.1\n", " m r 0.1\n m r 0.1\n"),
    "objective entry twice": edited(" x objective -0.1\n", " x objective -0.1\n x objective -0.1\n"),
    "column in two blocks": edited(" c r 3.0\n", " c r 3.0\n x r 1.0\n"),
    "two entries in a line": edited(" d r -4.0\n d zero 1.0\n", " d r -4.0 zero 1.0\n"),
    "NaN": edited(" m r 0.1", " m r nan"),
    "infinite coefficient": edited(" m r 0.1", " m r inf"),
    "overflowing coefficient": edited(" m r 0.1", " m r 1e999"),
    "no number": edited(" m r 0.1", " m r 0,1"),
    "underscored number": edited(" m r 0.1", " m r 1_0"),
    "Fortran exponent": edited(" m r 0.1", " m r 1d5"),
    "NaN right-hand side": edited("RHS r 1e-07", "RHS r NaN"),
    "right-hand side twice": edited(" RHS r 1e-07\n", " RHS r 1e-07\n RHS r 1e-07\n"),
    "right-hand side of nothing": edited("RHS r 1e-07", "RHS q 1e-07"),
    "NaN bound": edited("UP BOUND m 2.5", "UP BOUND m nan"),
    "infinite bound": edited("UP BOUND m 2.5", "UP BOUND m inf"),
    "negative upper bound alone": edited(" LO BOUND n -2.0\n", ""),
    "lower above upper": edited("LO BOUND n -2.0", "LO BOUND n 2.0"),
    "bound twice": edited(" UP BOUND m 2.5\n", " UP BOUND m 2.5\n UP BOUND m 1.5\n"),
    "bound of nothing": edited("UP BOUND m 2.5", "UP BOUND q 2.5"),
    "bound without number": edited("UP BOUND m 2.5", "UP BOUND m"),
    "bound without set name": edited("UP BOUND m 2.5", "UP m 2.5"),
    "semicontinuous": edited("UP BOUND m 2.5", "SC BOUND m 2.5"),
    "unknown bound": edited("UP BOUND m 2.5", "XX BOUND m 2.5"),
    "PL bound": edited("UP BOUND m 2.5", "PL BOUND m"),
    "integer without bounds": edited(" LO BOUND i 0.0\n UP BOUND i 7.0\n", ""),
    "integer without upper bound": edited(" UP BOUND i 7.0\n", ""),
    "unknown marker": edited("'INTORG'", "'SOSORG'"),
    "data before a section": " x r 1.0\n" + GOOD,
    "data in NAME": edited("ROWS", " x r 1.0\nROWS"),
    "lower case section": edited("BOUNDS", "bounds"),
    "fixed format name with a blank": edited(" m r 0.1", " m m r 0.1"),
    "not ASCII": GOOD.replace("what", "wh\u00e4t"),
}


@pytest.mark.parametrize("content", BAD.values(), ids=BAD)
def test_a_bad_file_is_one_line_that_names_it(content, tmp_path):
    path = tmp_path / "bad.mps"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ModelError, match=r"bad\.mps") as caught:
        read_mps(path)
    assert "\n" not in str(caught.value)


WHOLE = compress(GOOD.encode())


@pytest.mark.parametrize(
    "data",
    [
        None,
        b"",
        GOOD.encode(),
        WHOLE[:-1],
        WHOLE[: len(WHOLE) // 2],
        WHOLE[:-6] + b"\0\0\0\0\0\0",
        WHOLE + b"more",
        WHOLE + WHOLE,
        b"\x00\x01junk" * 50,
        gzip.compress(b"\x00\xff\x7f\x1c junk\n" * 50, mtime=0),
        gzip.compress(bytes(range(128)) * 9, mtime=0),
    ],
    ids=[
        "missing",
        "empty",
        "not zipped",
        "cut",
        "half",
        "checksum",
        "tail",
        "twice",
        "junk",
        "zipped junk",
        "ASCII junk",
    ],
)
def test_a_bad_compressed_file_is_one_line_that_names_it(data, tmp_path):
    path = tmp_path / "bad.mps.gz"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(ModelError, match=r"bad\.mps\.gz") as caught:
        read_mps(path)
    assert "\n" not in str(caught.value)


@given(st.binary(max_size=200), st.integers(0, len(GOOD)))
@settings(max_examples=200, deadline=None)
def test_any_junk_is_read_or_one_line(junk, place):
    data = GOOD.encode()
    try:
        parse_mps(data[:place] + junk + data[place:], "memory")
    except ModelError as error:
        assert "\n" not in str(error)


def test_the_line_of_a_mistake_is_named(tmp_path):
    with pytest.raises(ModelError, match=r"memory: line 12: 'nan' is not a finite number"):
        parse_mps(BAD["NaN"].encode(), "memory")


def test_a_line_of_the_most_characters_is_read_and_a_longer_one_is_not():
    def padded(n):
        return edited(" m r 0.1", " m r 0.1".ljust(n)).encode()

    assert mps_text(parse_mps(padded(MAX_MPS_LINE), "memory")) == GOOD.encode()
    with pytest.raises(ModelError, match=f"line 12: has more than {MAX_MPS_LINE} characters"):
        parse_mps(padded(MAX_MPS_LINE + 1), "memory")


def test_lines_are_read_one_by_one():
    text = b"NAME\n" + b"\n" * (1 << 20)
    tracemalloc.start()
    with pytest.raises(ModelError, match="line 1048577: the file ends without ENDATA"):
        parse_mps(text, "m.mps")
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


# -- large files -----------------------------------------------------------------------------------------------------


def dense_model(n_rows, n_columns):
    """Return a model each of whose rows has every column, with up to 1,024 different coefficients."""
    builder = MilpBuilder("dense")
    columns = builder.add_columns([f"w_{j}" for j in range(n_columns)], -1.0, 1.0)
    values = np.random.default_rng(0).integers(1, 1025, n_rows * n_columns) / 1024
    starts = n_columns * np.arange(n_rows + 1)
    builder.add_rows([f"pre_{i}" for i in range(n_rows)], "E" * n_rows, 0.0, starts, np.tile(columns, n_rows), values)
    return builder.build()


def test_a_large_model_is_written_in_three_times_the_memory_of_its_text():
    model = dense_model(300, 700)
    tracemalloc.start()
    text = mps_text(model)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3 * len(text)
    assert as_dictionaries(parse_mps(text, "memory")) == as_dictionaries(model)
