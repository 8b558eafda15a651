import os
import subprocess
import sys
from itertools import product

import pytest

from vnnbench.common.toml_table import MAX_TOML_BYTES
from vnnbench.instances.bounds.levels import DEFAULT_BOUNDS
from vnnbench.instances.errors import SuiteError
from vnnbench.instances.networks.pruning import Method, Structure
from vnnbench.instances.properties.input_set import Norm
from vnnbench.instances.suites.network_suite import AttackGoal, Formulation, Planting, PropertyPlan, Question
from vnnbench.instances.suites.suite_toml import builtin_suites, load_suite, parse_suite
from vnnbench.instances.training.plan import FinetuningPlan, Optimizer, SprPlan, TrainingPlan

QUICKSTART = "c770d074d424297dfc12043be40e66d2d6d2c586e7fc7f85f54fc901afd84d69"
"""The identity changes only with the meaning of the suite, because existing libraries contain it."""

TINY = """
name = "tiny"
dataset = "digits"
input_sides = [8]
architectures = ["2x8"]
seeds = [0, 3]
formulations = ["tight", "surrogatelib"]

[training]
epochs = 2

[property]
norm = "l1"
radius = [0.5, 1.5]

[[pruning]]
method = "magnitude"
structure = "unstructured"
rates = [0.9]

[[pruning]]
method = "magnitude"
structure = "structured"
rates = [0.5]
"""


def test_builtin_suites_have_their_instances():
    counts = {name: load_suite(name).n_instances for name in builtin_suites()}
    assert counts["pham2025-smoke"] == 24
    assert counts["quickstart"] == 48
    assert counts["pham2025-mnist"] == counts["pham2025-fashion"] == 6560
    for name in builtin_suites():
        suite = load_suite(name)
        assert suite.name == name
        names = [instance.name for instance in suite.instances()]
        assert len(names) == len(set(names)) == suite.n_instances
        assert len({instance.problem for instance in suite.instances()}) == suite.n_problems


@pytest.mark.parametrize(("name", "epochs"), [("pham2025-mnist", 5), ("pham2025-fashion", 40)])
def test_the_suites_of_pham_et_al_are_the_grid_of_the_paper(name, epochs):
    suite = load_suite(name)
    assert suite.n_problems == 80
    assert suite.training == TrainingPlan(epochs=epochs, batch_size=64, learning_rate=1e-3, weight_decay=1e-3)
    assert suite.finetuning == FinetuningPlan(rounds=5, epochs=5)
    instances = list(suite.instances())
    for formulation in Formulation:
        assert sum(instance.formulation is formulation for instance in instances) == 80 * 41 == 3280
    of_one = [i for i in instances if i.dense_network.endswith("28x28-4x64-s3") and i.formulation is Formulation.TIGHT]
    assert len(of_one) == 41
    kinds = {(i.pruning.method, i.pruning.structure, i.pruning.rate, i.pruning.finetuned) for i in of_one if i.pruning}
    assert kinds == set(
        product((Method.MAGNITUDE, Method.RANDOM), Structure, (0.3, 0.5, 0.8, 0.9, 0.95), (False, True))
    )
    assert sum(not (i.pruning and i.pruning.finetuned) for i in of_one) == 21


def test_names_are_those_of_the_design():
    names = [instance.name for instance in parse_suite(TINY, "tiny.toml").instances()]
    assert names[:6] == [
        "digits-8x8-2x8-s0-l1--tight",
        "digits-8x8-2x8-s0-l1--surrogatelib",
        "digits-8x8-2x8-s0-l1-mag-u90--tight",
        "digits-8x8-2x8-s0-l1-mag-u90--surrogatelib",
        "digits-8x8-2x8-s0-l1-mag-n50--tight",
        "digits-8x8-2x8-s0-l1-mag-n50--surrogatelib",
    ]
    surrogate = next(i for i in parse_suite(TINY, "").instances() if i.name.endswith("s3-l1-mag-u90--tight"))
    assert surrogate.problem == "digits-8x8-2x8-s3-l1"
    assert surrogate.dense_network == "digits-8x8-2x8-s3"
    assert surrogate.network == "digits-8x8-2x8-s3-mag-u90"


def test_every_percent_has_a_name_of_its_own():
    rates = ", ".join(f"{percent / 100}" for percent in range(1, 100))
    suite = parse_suite(TINY.replace("rates = [0.9]", f"rates = [{rates}]"), "tiny.toml")
    assert [p.name for p in suite.prunings[:99]] == [f"mag-u{percent}" for percent in range(1, 100)]


def test_random_pruning_has_names_of_its_own():
    suite = parse_suite(TINY.replace('method = "magnitude"', 'method = "random"'), "tiny.toml")
    assert [pruning.name for pruning in suite.prunings] == ["rnd-u90", "rnd-n50"]


FINETUNED = (
    TINY.replace("rates = [0.9]", "rates = [0.8, 0.9]\nfinetuned = [false, true]")
    + """
[finetuning]
rounds = 5
epochs = 3
"""
)


def test_finetuned_surrogates_are_instances_of_their_own():
    suite = parse_suite(FINETUNED, "tiny.toml")
    assert [pruning.name for pruning in suite.prunings] == [
        "mag-u80", "mag-u90", "mag-u80-ft", "mag-u90-ft", "mag-n50",
    ]  # fmt: skip
    assert suite.finetuning == FinetuningPlan(rounds=5, epochs=3)
    assert suite.n_instances == len(list(suite.instances())) == 2 * 6 * 2
    assert "digits-8x8-2x8-s0-l1-mag-u90-ft--tight" in [instance.name for instance in suite.instances()]


def test_identity_depends_on_finetuning_but_not_on_its_absence():
    suite = parse_suite(FINETUNED, "")
    assert parse_suite(FINETUNED.replace("rounds = 5", "rounds = 4"), "").sha256 != suite.sha256
    assert parse_suite(FINETUNED.replace("[false, true]", "[true]"), "").sha256 != suite.sha256
    plain = parse_suite(TINY, "").sha256
    assert parse_suite(TINY.replace("rates = [0.9]", "rates = [0.9]\nfinetuned = [false]"), "").sha256 == plain
    assert load_suite("quickstart").sha256 == QUICKSTART


def test_the_level_of_bounds_is_part_of_the_identity_and_has_a_default():
    suite = parse_suite(TINY, "")
    assert suite.bounds is DEFAULT_BOUNDS
    backward = parse_suite('bounds = "backward"\n' + TINY, "")
    assert (backward.bounds_of(Formulation.TIGHT), backward.bounds_of(Formulation.SURROGATELIB)) == ("backward", "box")
    assert backward.sha256 != suite.sha256
    assert parse_suite(f'bounds = "{DEFAULT_BOUNDS}"\n' + TINY, "").sha256 == suite.sha256


@pytest.mark.parametrize(
    ("old", "new", "parts"),
    [
        ("[finetuning]\nrounds = 5\nepochs = 3\n", "", ["key finetuning is missing", "[finetuning]"]),
        ("rounds = 5\n", "", ["key finetuning.rounds is missing", "1 to 100"]),
        ("epochs = 3", "epochs = 0", ["finetuning.epochs is 0", "each round"]),
        ("epochs = 3", "epochs = 3\nrate = 1", ["unknown key finetuning.rate"]),
        ("[false, true]", "true", ["pruning.finetuned is True", "[false, true]"]),
        ("[false, true]", "[1]", ["pruning.finetuned is [1]"]),
        ("[false, true]", "[false]", ["finetuning is {", "left out"]),
    ],
)
def test_wrong_finetuning_is_named_by_file_and_key(old, new, parts):
    assert old in FINETUNED
    with pytest.raises(SuiteError) as caught:
        parse_suite(FINETUNED.replace(old, new), "mine.toml")
    assert str(caught.value).startswith("mine.toml: ")
    for part in parts:
        assert part in str(caught.value)


SPR_SUITE = (
    TINY[: TINY.index("[[pruning]]")].replace("epochs = 2", 'epochs = 2\noptimizer = "sgd"')
    + """
[[pruning]]
method = "spr"

[spr]
lambdas = [0.5, 1]
alphas = [0.1]
threshold = 0.01
accuracy_loss = 0.005
finetuning_epochs = 3
"""
).replace("radius = [0.5, 1.5]", "radii = [5, 20.0]")


def test_spr_suite_has_a_problem_for_each_radius():
    suite = parse_suite(SPR_SUITE, "spr.toml")
    assert suite.spr == SprPlan((0.5, 1.0), (0.1,), 0.01, 0.005, 3)
    assert suite.training.optimizer is Optimizer.SGD
    assert (suite.n_problems, suite.n_instances) == (4, 16)
    plan = list(suite.instances())
    assert [instance.name for instance in plan[:8:2]] == [
        "digits-8x8-2x8-s0-l1-r5--tight",
        "digits-8x8-2x8-s0-l1-r5-spr-ft--tight",
        "digits-8x8-2x8-s0-l1-r20--tight",
        "digits-8x8-2x8-s0-l1-r20-spr-ft--tight",
    ]
    assert plan[6].network == "digits-8x8-2x8-s0-spr-ft"
    assert plan[6].finetuned and plan[6].pruning.rate is None


def test_the_suite_of_cacciola_et_al_is_the_grid_of_the_paper():
    suite = load_suite("cacciola2024")
    assert suite.n_instances == 2 * 48
    assert suite.architectures == ((2, 50), (2, 100), (2, 200), (6, 100))
    assert suite.training == TrainingPlan(50, 128, 0.1, 0.0, Optimizer.SGD)
    assert (len(suite.spr.lambdas), len(suite.spr.alphas), suite.spr.finetuning_epochs) == (3, 3, 10)
    assert [question.radii for question in suite.questions] == [(5.0, 20.0)]


def test_the_suite_of_tong_et_al_is_the_grid_of_the_paper():
    suite = load_suite("tong2024-maximize")
    assert (suite.n_problems, suite.n_instances) == (90, 540)
    assert {group.n_inputs for group in suite.groups()} == {10, 100, 1000}
    assert {(group.depth, group.width) for group in suite.groups()} == set(product((1, 2, 3), (100, 500)))
    assert suite.seeds == (50, 51, 52, 53, 54)
    assert (suite.training, suite.dataset) == (None, None)
    assert suite.questions == (Question(Norm.BOX, None),)
    assert next(suite.instances()).name == "untrained-10-1x100-s50-max--tight"


MAXIMIZE = """
name = "largest"
family = "maximize"
inputs = [3]
architectures = ["1x4"]
seeds = [50, 2147483648]
formulations = ["tight"]

[property]
norm = "box"

[[pruning]]
method = "magnitude"
structure = "unstructured"
rates = [0.5]
"""


def test_a_suite_of_untrained_networks_needs_no_data():
    suite = parse_suite(MAXIMIZE, "largest.toml")
    assert [group.name for group in suite.groups()] == ["untrained-3-1x4"]
    assert suite.n_instances == 4


@pytest.mark.parametrize(
    ("text", "old", "new", "parts"),
    [
        (SPR_SUITE, "lambdas = [0.5, 1]", "lambdas = [0]", ["spr.lambdas is [0]", "positive"]),
        (SPR_SUITE, "alphas = [0.1]", "alphas = [1.0]", ["spr.alphas is [1.0]", "between 0 and 1"]),
        (SPR_SUITE, "threshold = 0.01\n", "", ["key spr.threshold is missing"]),
        (SPR_SUITE, 'method = "spr"', 'method = "spr"\nrates = [0.5]', ["unknown key pruning.rates"]),
        (SPR_SUITE, '[[pruning]]\nmethod = "spr"\n', "", ["spr is {", "left out"]),
        (SPR_SUITE, '"spr"\n', '"spr"\n\n[[pruning]]\nmethod = "spr"\n', ["pruning.method is 'spr'", "once"]),
        (SPR_SUITE, "radii = [5, 20.0]", "radii = [5, 5.0]", ["property.radii is [5, 5.0]", "different"]),
        (SPR_SUITE, "radii = [5, 20.0]", "radii = [5]\nradius = [1, 2]", ["unknown key property.radius"]),
        (SPR_SUITE, '"sgd"', '"lbfgs"', ["training.optimizer is 'lbfgs'", "adam, sgd"]),
        (MAXIMIZE, '"maximize"', '"minimize"', ["family is 'minimize'", "verify, maximize"]),
        (MAXIMIZE, '"box"', '"l1"', ["property.norm is 'l1'", "box"]),
        (MAXIMIZE, "inputs = [3]", "inputs = [0]", ["inputs is [0]"]),
        (MAXIMIZE, "inputs = [3]", 'inputs = [3]\ndataset = "digits"', ["unknown key dataset"]),
        (MAXIMIZE, "rates = [0.5]", "rates = [0.5]\nfinetuned = [true]", ["pruning is ['mag-u50-ft']", "no images"]),
    ],
)
def test_errors_in_other_families_and_prunings_are_named_too(text, old, new, parts):
    assert old in text
    with pytest.raises(SuiteError) as caught:
        parse_suite(text.replace(old, new), "mine.toml")
    assert str(caught.value).startswith("mine.toml: ")
    for part in parts:
        assert part in str(caught.value)


PLANTED = TINY + "\n[planted]\ncounterexample = 1\nrobust = 1\n"


def test_planted_answers_are_part_of_what_a_suite_means():
    suite = parse_suite(PLANTED, "mine.toml")
    assert suite.planted == Planting(counterexample=1, robust=1)
    assert suite.sha256 != parse_suite(TINY, "mine.toml").sha256
    assert [i.name for i in suite.instances()] == [i.name for i in parse_suite(TINY, "mine.toml").instances()]


CLOSEST = PLANTED.replace('norm = "l1"', 'norm = "l1"\ngoal = "closest"\nmargin = 1').replace(', "surrogatelib"', "")


@pytest.mark.parametrize(
    ("text", "old", "new", "parts"),
    [
        (PLANTED, "robust = 1\n", "", ["key planted.robust is missing", "of 0 to 2"]),
        (PLANTED, "robust = 1", "robust = 3", ["planted.robust is 3", "of 0 to 2"]),
        (PLANTED, "robust = 1", "robust = 2", ["planted is 3", "1 to 2 together"]),
        (PLANTED, "counterexample = 1\nrobust = 1", "counterexample = 0\nrobust = 0", ["planted is 0", "1 to 2"]),
        (PLANTED, "robust = 1", "robust = 1\nkey = 'k'", ["unknown key planted.key"]),
        (PLANTED, "[planted]", "[plantet]", ["unknown key plantet", "did you mean planted?"]),
        (CLOSEST, "robust = 1", "robust = 1", ["planted is {", "left out", "goal closest"]),
        (MAXIMIZE, "[property]", "[planted]\nrobust = 1\n[property]", ["planted is {", "trained networks only"]),
    ],
)
def test_a_wrong_planting_is_one_line(text, old, new, parts):
    assert old in text
    with pytest.raises(SuiteError) as caught:
        parse_suite(text.replace(old, new), "mine.toml")
    message = str(caught.value)
    assert message.startswith("mine.toml: ") and "\n" not in message
    for part in parts:
        assert part in message


def test_a_group_has_all_seeds():
    suite = parse_suite(TINY, "tiny.toml")
    assert [(group.name, group.seeds) for group in suite.groups()] == [("digits-8x8-2x8", (0, 3))]


def test_training_defaults_are_those_of_the_training_plan():
    assert parse_suite(TINY, "tiny.toml").training == TrainingPlan(epochs=2)


def test_identity_ignores_comments_and_the_description_alone():
    suite = parse_suite(TINY, "tiny.toml")
    assert parse_suite('# a comment\ndescription = "text"\n' + TINY, "").sha256 == suite.sha256
    assert parse_suite(TINY.replace("epochs = 2", "epochs = 3"), "").sha256 != suite.sha256


def test_a_file_is_read_by_its_path(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(TINY)
    assert load_suite(str(path)) == load_suite(path) == parse_suite(TINY, "")


@pytest.mark.parametrize(
    ("old", "new", "parts"),
    [
        ('name = "tiny"\n', "", ["key name is missing"]),
        ("seeds = ", "seed = ", ["key seeds is missing", "there is seed, which is not known"]),
        ('name = "tiny"', 'name = "Tiny suite"', ["name is 'Tiny suite'", "a-z"]),
        ('name = "tiny"', 'name = "tiny"\nsedes = [1]', ["unknown key sedes", "did you mean seeds?"]),
        ('dataset = "digits"', 'dataset = "letters"', ["dataset is 'letters'", "digits, mnist, fashion-mnist"]),
        ("input_sides = [8]", "input_sides = 8", ["input_sides is 8", "sides"]),
        ("input_sides = [8]", "input_sides = [true]", ["input_sides is [True]"]),
        ("input_sides = [8]", "input_sides = [8, 8]", ["input_sides is [8, 8]", "different"]),
        ('["2x8"]', '["2 by 8"]', ["architectures", "DEPTHxWIDTH"]),
        ('["2x8"]', '["0x8"]', ["architectures"]),
        ('["2x8"]', "[]", ["architectures is []"]),
        ("seeds = [0, 3]", "seeds = [0, 0.5]", ["seeds is [0, 0.5]"]),
        ("seeds = [0, 3]", "seeds = [-1]", ["seeds is [-1]"]),
        ("seeds = [0, 3]", "seeds = [100]", ["seeds is (100,)", "below 100"]),
        ('"surrogatelib"]', '"convex"]', ["formulations", "tight, surrogatelib"]),
        ("epochs = 2", 'epochs = "2"', ["training.epochs is '2'", "integer"]),
        ("epochs = 2", "epochs = 0", ["training.epochs is 0"]),
        ("epochs = 2", "epochs = 2\nlearning_rate = nan", ["training.learning_rate is nan"]),
        ("epochs = 2", "epochs = 2\nmomentum = 0.9", ["unknown key training.momentum"]),
        ("radius = [0.5, 1.5]", "radius = [1.5, 0.5]", ["property.radius is [1.5, 0.5]", "[LOWEST, HIGHEST]"]),
        ("radius = [0.5, 1.5]", "radius = [0.0, 0.5]", ["property.radius"]),
        ("radius = [0.5, 1.5]", "radius = [1, 2, 3]", ["property.radius"]),
        ('norm = "l1"', 'norm = "l2"', ["property.norm is 'l2'", "l1"]),
        ("rates = [0.9]", "rates = [0.905]", ["pruning.rates is [0.905]", "percents"]),
        ("rates = [0.9]", "rates = [1.0]", ["pruning.rates is [1.0]"]),
        ("[[pruning]]", "[pruning]", ["TOML"]),
        ('structure = "structured"', 'structure = "unstructured"\nrate = 1', ["unknown key pruning.rate"]),
        ('"structured"\nrates = [0.5]', '"unstructured"\nrates = [0.9]', ["pruning.rates is 0.9", "once"]),
        ("seeds = [0, 3]", "seeds = [0, 3", ["is not TOML"]),
    ],
)
def test_a_wrong_suite_is_named_by_file_and_key(old, new, parts):
    assert old in TINY
    with pytest.raises(SuiteError) as caught:
        parse_suite(TINY.replace(old, new), "mine.toml")
    message = str(caught.value)
    assert message.startswith("mine.toml: ")
    assert "\n" not in message
    for part in parts:
        assert part in message


def test_an_unknown_suite_is_an_error_that_lists_the_known_ones(tmp_path):
    with pytest.raises(SuiteError, match=r"unknown suite 'quikstart'; did you mean quickstart\? A suite of your own"):
        load_suite("quikstart")
    with pytest.raises(SuiteError, match=r"unknown suite 'xyz'; there are cacciola2024, .*\. A suite"):
        load_suite("xyz")
    with pytest.raises(SuiteError, match=r"none\.toml: cannot be read \(No such .*; name a suite file"):
        load_suite("none.toml")
    os.mkfifo(tmp_path / "pipe.toml")
    with pytest.raises(SuiteError, match=r"pipe\.toml: is not a file; name a suite file"):
        load_suite(tmp_path / "pipe.toml")
    (tmp_path / "large.toml").write_bytes(b"#" * (MAX_TOML_BYTES + 1))
    with pytest.raises(SuiteError, match=r"large\.toml: holds more than 65536 bytes"):
        load_suite(tmp_path / "large.toml")


def test_too_many_instances_are_refused():
    many = TINY.replace('["2x8"]', str([f"{d}x{w}" for d in range(1, 31) for w in range(1, 34)]).replace("'", '"'))
    many = many.replace("[8]", str(list(range(1, 200)))).replace("[0, 3]", str(list(range(100))))
    with pytest.raises(SuiteError, match="at most 100000"):
        parse_suite(many, "many.toml")


def test_reading_a_suite_imports_neither_torch_nor_sklearn():
    code = (
        "import sys; from vnnbench.instances.suites.suite_toml import load_suite; load_suite('quickstart'); "
        "print({'torch', 'sklearn'} & {*sys.modules})"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == "set()\n"


# -- goals and norms ---------------------------------------------------------------------------------------------

GOALS = TINY.replace('formulations = ["tight", "surrogatelib"]', 'formulations = ["tight"]').replace(
    '[property]\nnorm = "l1"\nradius = [0.5, 1.5]',
    """
[[property]]
norm = "linf"
radius = [0.02, 0.1]

[[property]]
norm = "l1"
goal = "untargeted"
radii = [2.0, 5.0]

[[property]]
norm = "linf"
goal = "closest"
radius = [0.5, 0.5]
margin = 0.25
""",
)


def test_a_suite_may_ask_several_questions_of_each_network():
    suite = parse_suite(GOALS, "goals.toml")
    assert suite.properties() == (
        PropertyPlan(Norm.LINF, (0.02, 0.1), "linf"),
        PropertyPlan(Norm.L1, (2.0, 2.0), "l1-r2-untargeted", AttackGoal.UNTARGETED),
        PropertyPlan(Norm.L1, (5.0, 5.0), "l1-r5-untargeted", AttackGoal.UNTARGETED),
        PropertyPlan(Norm.LINF, (0.5, 0.5), "linf-closest", AttackGoal.CLOSEST, 0.25),
    )
    names = [instance.name for instance in suite.instances()]
    assert len(names) == suite.n_instances == len(set(names))
    assert "digits-8x8-2x8-s0-linf-closest-mag-u90--tight" in names


def test_identity_depends_on_every_question():
    suite = parse_suite(GOALS, "")
    assert parse_suite(GOALS.replace("margin = 0.25", "margin = 0.5"), "").sha256 != suite.sha256
    assert parse_suite(GOALS.replace('"untargeted"', '"targeted"'), "").sha256 != suite.sha256
    plain = parse_suite(TINY, "")
    assert parse_suite(TINY.replace("[property]", "[[property]]"), "").sha256 == plain.sha256
    assert parse_suite(TINY.replace('norm = "l1"', 'norm = "l1"\ngoal = "targeted"'), "").sha256 == plain.sha256


@pytest.mark.parametrize(
    ("old", "new", "parts"),
    [
        ("margin = 0.25", "", ["key property.margin is missing"]),
        ("margin = 0.25", "margin = 0", ["property.margin is 0", "at least 0.0001"]),
        ('goal = "untargeted"', 'goal = "untargeted"\nmargin = 1.0', ["property.margin is 1.0", "left out", "closest"]),
        ('goal = "untargeted"', 'goal = "nearest"', ["property.goal is 'nearest'", "targeted, untargeted, closest"]),
        ('norm = "l1"', 'norm = "box"', ["property.norm is 'box'", "l1, linf"]),
        (
            'norm = "l1"\ngoal = "untargeted"\nradii = [2.0, 5.0]',
            'norm = "linf"\nradius = [1.0, 1.0]',
            ["only once"],
        ),
        ('formulations = ["tight"]', 'formulations = ["surrogatelib"]', ["surrogatelib", "norm linf", "use tight"]),
    ],
)
def test_a_wrong_question_is_one_line(old, new, parts):
    assert old in GOALS
    with pytest.raises(SuiteError) as caught:
        parse_suite(GOALS.replace(old, new), "goals.toml")
    message = str(caught.value)
    assert message.startswith("goals.toml: ") and "\n" not in message
    for part in parts:
        assert part in message


def test_surrogatelib_takes_one_target_alone():
    for goal, more in (("untargeted", ""), ("closest", "\nmargin = 1")):
        with pytest.raises(SuiteError, match=f"surrogatelib, which does not support norm l1, goal {goal}; use tight"):
            parse_suite(TINY.replace('norm = "l1"', f'norm = "l1"\ngoal = "{goal}"{more}'), "")


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("[training]", "x = " + "9" * 5000 + "\n[training]", "is not TOML"),
        ('"digits"', "0x" + "f" * 5000, "dataset is a number of thousands of digits"),
        ("[training]", "x = " + "[" * 5000 + "\n[training]", "too many tables or lists within each other"),
        ('dataset = "digits"', "dataset" + ".a" * 1500 + " = 1", "too many tables or lists within each other"),
        ('dataset = "digits"', "dataset" + ".a" * 5000 + " = 1", "has a line of more than 2000 dots"),
        ("[training]", '"a\\nb" = 1\n[training]', "unknown key a\\nb"),
    ],
)
def test_what_python_cannot_hold_or_print_is_one_line(old, new, what):
    with pytest.raises(SuiteError) as caught:
        parse_suite(TINY.replace(old, new, 1), "my.toml")
    message = str(caught.value)
    assert message.startswith("my.toml: ") and what in message and message.isprintable() and len(message) < 1001
