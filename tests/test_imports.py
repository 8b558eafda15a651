"""The rule of imports between packages and folders, checked in the sources and by what importing really loads."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from vnnbench.solvers.registry import _own_adapters

ROOT = Path(__file__).parents[1]
OURS = ("bench", "instances", "leaderboard", "solvers")
"""The folders of the package `vnnbench`: bench/ is the package itself, the other three are its sub-packages."""
SOURCES = sorted(path.relative_to(ROOT) for package in OURS for path in (ROOT / package).rglob("*.py"))
TESTS = sorted(path.relative_to(ROOT) for path in (ROOT / "tests").rglob("*.py"))

ALLOWED = {
    "bench": OURS,
    "instances": ("instances",),
    "leaderboard": ("leaderboard", "solvers"),
    "solvers": ("solvers",),
}

ROOMS = {
    "instances": (
        "errors", "limits", "layout", "arrays", "progress", "files", "npz", "randomness", "rationals",
        "networks", "datasets", "training", "onnx_files", "properties", "step_networks", "bounds", "formulations",
        "train_models", "families", "proofs", "suites", "library", "generation",
    ),
    "solvers": (
        "base", "options", "relay", "vendor", "package_solver", "command_line", "gurobi", "highs", "scip", "registry",
    ),
    "leaderboard": (
        "text", "words", "ranges", "serialization", "file_names", "records", "ranking", "tables", "benchmark_sets",
        "papers", "site",
    ),
    "bench": (
        "common", "errors", "limits", "prover", "references", "isolation", "judging", "ledger", "runs", "engines",
        "sharing", "harness", "checking", "proving", "api", "output", "quickstart", "commands", "cli", "__main__",
    ),
}  # fmt: skip
"""The folders and modules of each package in the order of the flow: each imports only what stands before it."""
MAX_MODULES = 20
"""The largest number of modules in one folder, without `__init__`."""

PLACES = {
    "click": {"bench/cli.py", *(f"bench/commands/{name}.py" for name in ("libraries", "options", "results", "runs"))},
    "gurobipy": set(),  # its adapter loads it through solvers/vendor.py
    "highspy": {"instances/bounds/linear_program.py"},
    "jinja2": {"leaderboard/site/rendering.py"},
    "matplotlib": {"leaderboard/papers/pham2025_figures.py", "leaderboard/papers/rosenhahn2023_figures.py"},
    "parsl": {"bench/engines/cluster.py", "bench/engines/providers.py"},
    "plotly": set(),  # the site takes its script, not its Python
    "pyscipopt": {"instances/formulations/surrogatelib.py"},
    "pyscipopt_ml": {"instances/formulations/surrogatelib.py"},
    "rich": {
        "bench/output/display.py",
        "bench/output/progress.py",
        "leaderboard/tables/render.py",
        "leaderboard/tables/terminal.py",
    },
    # surrogatelib: PySCIPOpt-ML reads networks as torch modules
    "torch": {
        *(f"instances/training/{noun}.py" for noun in ("batched", "dense", "finetuning", "gradients")),
        *(f"instances/training/{noun}.py" for noun in ("spr", "untrained", "updates")),
        "instances/formulations/surrogatelib.py",
        "bench/prover/device.py",
        "bench/references/pgd.py",
        "bench/references/projection.py",
        "bench/references/straight_through.py",
    },
    "onnxruntime": {"instances/onnx_files/runtime.py"},
    "sqlite3": {
        "bench/ledger/writer.py",
        *(
            f"leaderboard/records/{name}.py"
            for name in ("integrity", "older_ledgers", "processors", "query_columns", "reader")
        ),
    },
    "pickle": set(),
    "vnnlib": {"instances/properties/vnnlib2_reader.py"},
}
"""The only files that may import a package, inside functions included."""

DYNAMIC = {"solvers/vendor.py"}
"""The only files that import by a computed name."""


@cache
def imports(source: Path) -> tuple[str, ...]:
    """Return the full names of all modules that a file imports, wherever in it; `from a import b` gives a.b."""
    return tuple(_imports(source))


def _imports(source: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse((ROOT / source).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{source}: imports are absolute"
            assert node.module is not None
            yield from (f"{node.module}.{name.name}" for name in node.names)


def is_inside(module: str, package: str) -> bool:
    return module == package or module.startswith(package + ".")


def rooms_used(source: Path) -> set[tuple[str, str]]:
    """Return (package, folder) of each module of ours that a file imports; a package alone has the folder ""."""
    found = set()
    for module in imports(source):
        package, *rest = module.split(".")
        if package == "vnnbench":
            place = rest.pop(0) if rest and rest[0] in OURS else "bench"
            found.add((place, rest[0] if rest else ""))
    return found


def test_sources_are_found():
    assert len(SOURCES) > 40
    assert {source.parts[0] for source in SOURCES} == set(OURS)


@pytest.mark.parametrize("source", SOURCES, ids=str)
def test_packages_import_only_those_that_they_may(source):
    package = source.parts[0]
    used = rooms_used(source) - {("bench", "common")}  # all folders share these modules
    assert {other for other, _ in used} <= set(ALLOWED[package])
    assert package != "leaderboard" or {room for other, room in used if other == "solvers"} <= {"base"}


@pytest.mark.parametrize("source", [source for source in SOURCES if source.parts[1] != "__init__.py"], ids=str)
def test_a_folder_imports_only_folders_before_it(source):
    package, order = source.parts[0], ROOMS[source.parts[0]]
    room = source.parts[1].removesuffix(".py")
    used = {other for place, other in rooms_used(source) if place == package}
    assert used <= {room, *order[: order.index(room)]}


def test_the_order_names_every_folder():
    found = {(source.parts[0], source.parts[1].removesuffix(".py")) for source in SOURCES} - {
        (package, "__init__") for package in OURS
    }
    assert found == {(package, room) for package, rooms in ROOMS.items() for room in rooms}


def test_no_folder_is_too_full_and_no_two_modules_differ_by_an_s():
    names: dict[Path, set[str]] = {}
    for source in SOURCES:
        names.setdefault(source.parent, set()).add(source.stem)
    assert {str(folder): len(own) - 1 for folder, own in names.items() if len(own) - 1 > MAX_MODULES} == {}
    assert {folder / name for folder, own in names.items() for name in own if f"{name}s" in own} == set()


@pytest.mark.parametrize("source", [*SOURCES, *TESTS], ids=str)
def test_nothing_is_imported_by_the_name_of_a_folder(source):
    """In the root of the repository, `import instances` would find a second copy of `vnnbench.instances`."""
    assert [module for module in imports(source) if module.split(".")[0] in OURS] == []


def package_of(folder: Path) -> str:
    """Return the import name of a folder of sources, relative to the root."""
    return ".".join(("vnnbench", *folder.parts[folder.parts[0] == "bench" :]))


def test_the_distribution_lists_every_folder_and_every_file_that_is_not_python():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    assert settings["packages"] == sorted({package_of(source.parent) for source in SOURCES})
    listed = {
        path
        for package, patterns in settings["package-data"].items()
        for pattern in patterns
        for source in SOURCES
        if package_of(source.parent) == package
        for path in (ROOT / source.parent).glob(pattern)
    }
    there = {
        path
        for package in OURS
        for path in (ROOT / package).rglob("*")
        if path.is_file() and path.suffix not in {".py", ".pyc", ".md"}
        if path.parent.name != "pictures" and path.parent != ROOT / "leaderboard" / "runs"  # of the guides
    }
    assert listed == there


@pytest.mark.parametrize("package", PLACES)
def test_packages_are_imported_in_their_places_only(package):
    places = {str(source) for source in SOURCES if any(is_inside(module, package) for module in imports(source))}
    assert places <= PLACES[package]


def test_only_vendor_imports_by_computed_names():
    def calls(source: Path) -> bool:
        text = (ROOT / source).read_text(encoding="utf-8")
        return "import_module" in text or "__import__" in text or "exec_module" in text

    assert {str(source) for source in SOURCES if calls(source)} == DYNAMIC


def test_each_vendor_package_has_one_adapter():
    vendors = {solver.name: solver.module for solver in _own_adapters().values() if solver.module}
    assert vendors == {"gurobi": "gurobipy", "highs": "highspy", "scip": "pyscipopt"}


VENDORS = ("gurobipy", "highspy", "pyscipopt", "pyscipopt_ml")


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("vnnbench", ("numpy", "torch", "click", "parsl", *VENDORS)),
        ("vnnbench.instances", ("torch", "onnxruntime", "sklearn", *VENDORS)),
        ("vnnbench.instances.library.library", ("torch", "onnxruntime", "sklearn", *VENDORS)),
        ("vnnbench.instances.families", ("torch", "sklearn", *VENDORS)),
        ("vnnbench.instances.networks.exact_evaluation", ("torch", "onnx", "sklearn", *VENDORS)),
        ("vnnbench.solvers", ("numpy", *VENDORS)),
        ("vnnbench.solvers.registry", ("numpy", "torch", *VENDORS)),
        ("vnnbench.leaderboard.records.reader", ("torch", "onnx", "rich", "vnnbench.solvers.registry", *VENDORS)),
        ("vnnbench.leaderboard.tables.render", ("torch", "onnx", "vnnbench.solvers.registry", *VENDORS)),
        ("vnnbench.judging.judge", ("torch", "sklearn", "vnnbench.solvers.registry", *VENDORS)),
        (
            "vnnbench.isolation.worker",
            ("torch", "onnx", "pandas", "vnnbench.instances", "vnnbench.leaderboard", *VENDORS),
        ),
        ("vnnbench.leaderboard.papers.report", ("torch", "onnx", "matplotlib", "vnnbench.solvers.registry", *VENDORS)),
        ("vnnbench.cli", ("torch", "matplotlib", "pandas", "parsl", *VENDORS)),
        ("vnnbench.engines.choice", ("parsl",)),
        ("vnnbench.isolation.granted_cores", ("numpy", "psutil")),
        ("vnnbench.output.rankings", ("matplotlib",)),
    ],
)
def test_importing_loads_no_more_than_it_should(module, absent):
    code = f"import sys, {module}; print(*[name for name in {absent!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd="/")
    assert done.stdout.split() == []
