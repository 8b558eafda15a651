"""The contents of the pages, without a browser: links, names as text, numbers, settings below the line."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from html.parser import HTMLParser
from itertools import product
from pathlib import Path
from urllib.parse import unquote

import pytest

from support.rankings import add_own_and_given_limits
from support.tiny_sites import HOSTILE, evidence_of, png, source_of
from support.trainings import Trainings
from vnnbench.leaderboard.ranking.leaderboard import build_leaderboard
from vnnbench.leaderboard.records.proven import Proven, ProvenAnswer
from vnnbench.leaderboard.site.content import gather
from vnnbench.leaderboard.site.evidence import BestModel, InstanceEvidence, Outputs
from vnnbench.leaderboard.site.figures import data_script, hover
from vnnbench.leaderboard.site.pages import site_files

TWO_MEGABYTES = 2_000_000


class Page(HTMLParser):
    """Keeps the links, identifiers, scripts, attributes and text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.ids: list[str] = []
        self.inline: list[str] = []
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.images_without_alt = 0
        self.text = ""
        self._in_script = False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        own = dict(attrs)
        self.tags.add(tag)
        self.attributes |= own.keys()
        self.links += [own[name] for name in ("href", "src") if own.get(name)]
        self.ids += [own["id"]] if "id" in own else []
        self.images_without_alt += tag == "img" and not own.get("alt")
        self._in_script = tag in ("script", "style")

    def handle_endtag(self, tag):
        self._in_script = False

    def handle_data(self, data):
        if self._in_script and data.strip():
            self.inline.append(data)
        self.text += data


def pages_of(folder: Path) -> dict[Path, Page]:
    return {path: Page(path.read_text(encoding="utf-8")) for path in folder.rglob("*.html")}


def data_of(path: Path) -> dict:
    return script_of(path.read_bytes())


def script_of(data: bytes) -> dict:
    text = data.decode("ascii")
    assert text.startswith("window.vnnbench = ")
    assert text.endswith(";\n")
    return json.loads(text.removeprefix("window.vnnbench = ").removesuffix(";\n"))


def test_every_link_leads_to_a_file_of_the_site_or_to_a_source(site):
    pages = pages_of(site)
    assert len(pages) > 150
    for path, page in pages.items():
        for link in page.links:
            if link.startswith("https://"):
                continue
            file, _, fragment = link.partition("#")
            target = (path.parent / unquote(file)).resolve() if file else path
            assert target.is_file() and target.is_relative_to(site), (path, link)
            assert not fragment or unquote(fragment) in pages[target].ids, (path, link)


def test_links_of_scripts_lead_to_pages(site):
    data = data_of(site / "suites" / "first.js")
    for row in data["tables"]["instances"]["rows"]:
        assert (site / "suites" / row[0][1]).resolve().is_file()
    for figure in data_of(site / "index.js")["figures"]:
        for page in figure.get("pages", []):
            assert (site / page).is_file()


def test_no_page_has_a_script_or_style_of_its_own(site):
    for path, page in pages_of(site).items():
        assert not page.inline, path
        assert not {name for name in page.attributes if name.startswith("on") or name == "style"}, path
        policy = path.read_text(encoding="utf-8")
        assert "default-src 'none'" in policy
        assert "'unsafe-eval'" not in policy
        assert page.images_without_alt == 0


def test_hostile_names_are_text_everywhere(site):
    seen = 0
    for path, page in pages_of(site).items():
        text = path.read_text(encoding="utf-8")
        assert "<script>alert" not in text
        assert "<img src=x" not in text
        assert "{{7*7}}" in text or "49}}" not in text
        assert "\u2028" not in text
        assert "\u202e" not in text
        seen += "<script>alert(1)</script>" in page.text
    assert seen >= 4  # overview, its suite, setting and instance
    for path in site.rglob("*.js"):
        if path.parent.name != "assets":
            assert not set("<>&") & set(path.read_text(encoding="ascii"))
    assert all(path.resolve().is_relative_to(site) for path in site.rglob("*"))


def test_text_for_plots_is_escaped_twice():
    assert hover("<b>a</b>&\n") == "&lt;b&gt;a&lt;/b&gt;&amp;\\n"
    script = data_script({"a": "</script><!--\u2028'\"", "b": [1.5, None]}).decode("ascii")
    assert json.loads(script.removeprefix("window.vnnbench = ").rstrip(";\n")) == {
        "a": "</script><!--\u2028'\"",
        "b": [1.5, None],
    }
    assert not set("<>&") & set(script)
    with pytest.raises(ValueError, match="JSON"):
        data_script({"a": float("nan")})


def test_a_wrong_setting_is_below_the_line_and_named_with_its_witness(site):
    text = (site / "index.html").read_text(encoding="utf-8")
    above, line, below = text.partition("Below the line")
    assert line
    assert ">highs decide<" in above
    assert ">scip decide<" not in above
    assert ">scip decide<" in below
    page = Page((site / "contradictions.html").read_text(encoding="utf-8"))
    assert "claims the bound -0.5, refuted by 0.25 from h149" in page.text
    assert {"instances/easy-149--tight.html#run-wrong", "instances/easy-149--tight.html#run-h149"} <= set(page.links)


def test_the_logs_of_both_sides_of_a_contradiction_can_be_read_and_no_others(site):
    links = Page((site / "contradictions.html").read_text(encoding="utf-8")).links
    assert [link for link in links if link.startswith("logs/")] == ["logs/wrong.html", "logs/h149.html"]
    assert {path.name for path in (site / "logs").iterdir()} == {"wrong.html", "h149.html"}
    log = Page((site / "logs" / "wrong.html").read_text(encoding="utf-8"))
    (shown,) = (line for line in log.text.splitlines() if "presolve" in line)
    assert shown == "        presolve <script>alert(1)</script>\"'><img src=x onerror=alert(2)>/../../{{7*7}}&amp;%{x}"
    assert "claims the bound -0.5, refuted by 0.25 from h149" in log.text
    assert "img" not in log.tags
    of_run = Page((site / "instances" / "easy-149--tight.html").read_text(encoding="utf-8")).links
    assert {"../logs/wrong.html", "../logs/h149.html"} <= set(of_run)


def test_goals_are_ranked_apart(site):
    text = Page((site / "suites" / "first.html").read_text(encoding="utf-8")).text
    for part in (
        "goal decide: highs decide first, done with 150 of 150",
        "goal optimize: highs optimize first, done with 1 of 1",
    ):
        assert part in " ".join(text.split())
    pages = {
        path.name: Page(path.read_text(encoding="utf-8")).text for path in (site / "rankings").glob("first-*.html")
    }
    assert sorted(pages) == ["first-decide-dense-tight.html", "first-optimize-dense-tight.html"]
    assert "Solvers on files: goal optimize" in pages["first-optimize-dense-tight.html"]


def test_an_instance_shows_its_classes_and_the_evidence_of_each_run(site):
    text = " ".join(Page((site / "instances" / "easy-000--tight.html").read_text(encoding="utf-8")).text.split())
    assert "y0" in text.replace(" ", "")
    for number in ("0.25000", "2.5000e-01", "−0.50000", "−1.00000"):
        assert (number in text) == (number != "2.5000e-01")
    assert "Counterexample class 1" in text
    assert "L1 distance 0.75000; 3 inputs changed, by at most 0.500" in text
    assert "found by highs in 0.100 s" in text
    for fact in ("float32 value, ONNX Runtime", "logs/h000.log.gz, candidates/h000.npz"):
        assert (fact in text) == fact.startswith("logs")  # nothing was recorded in float32


def test_curves_name_the_instance_of_every_step(site):
    figures = {figure["id"]: figure for figure in data_of(site / "suites" / "first.js")["figures"]}
    cactus = figures["cactus"]
    highs = next(series for series in cactus["series"] if series["name"] == "highs decide")
    assert highs["x"][:3] == [0.1, 0.2, 0.3]
    assert highs["y"][-1] == 150
    assert [cactus["names"][place] for place in highs["names"][:2]] == ["easy-000--tight", "easy-001--tight"]
    profile = figures["profile"]
    scip = next(series for series in profile["series"] if series["name"] == "scip decide")
    # Twice as slow on each of 74 of 150, and at the widest ratio; its wrong run is not done.
    assert (scip["x"], scip["y"]) == ([2.0], [0.4933])


def test_readers_without_scripts_have_the_curves_in_words(site):
    text = Page((site / "index.html").read_text(encoding="utf-8")).text
    assert "highs decide: fastest on 100%, done with 100%; scip decide: fastest on 0%, done with 49%." in text


def test_downloads_hold_every_run_and_parse(site):
    with (site / "downloads" / "runs.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 302
    assert {"run", "instance", "fault_reason", "wall_seconds"} <= rows[0].keys()
    assert len(json.loads((site / "downloads" / "leaderboard.json").read_text())["settings"]) == 4


def test_every_source_that_is_cited_can_be_cited(site):
    methods = Page((site / "methods.html").read_text(encoding="utf-8"))
    bibliography = (site / "downloads" / "vnnbench.bib").read_text(encoding="utf-8")
    cited = {link.removeprefix("#ref-") for link in methods.links if link.startswith("#ref-")}
    listed = {name.removeprefix("ref-") for name in methods.ids if name.startswith("ref-")}
    assert len(cited) > 5
    assert cited <= listed
    assert all(f"{{{key},\n" in bibliography for key in (*listed, "vnnbench"))
    assert bibliography.count("{") == bibliography.count("}")


def test_a_cell_that_a_spreadsheet_would_run_is_quoted(ledger):
    digest = ledger.instance("=1+2", problem="@x")
    ledger.found("r", digest, 1.0)
    files = dict(site_files(source_of(ledger)))
    (row,) = csv.DictReader(io.StringIO(files["downloads/runs.csv"].decode()))
    assert (row["instance"], row["problem"]) == ("'=1+2", "'@x")


def test_pages_are_small(site):
    for path in site.rglob("*.html"):
        script = path.with_suffix(".js")
        assert path.stat().st_size + (script.stat().st_size if script.exists() else 0) < TWO_MEGABYTES


def test_a_ledger_whose_runs_have_nothing_in_common_has_a_site(ledger):
    ledger.run("a", ledger.instance("one", problem="p1"))
    ledger.run("b", ledger.instance("two", problem="p2", dataset=None), solver="scip")
    files = dict(site_files(source_of(ledger)))
    assert b"Ranking" in files["index.html"]
    assert b">undecided<" in files["instances/two.html"]


def test_the_attack_stands_beside_the_ranking_and_in_no_plot(ledger):
    digest = ledger.instance("one", problem="p1")
    for solver, seconds in (("highs", 1.0), ("scip", 2.0), ("pgd", 0.5)):
        ledger.found(solver, digest, seconds, solver=solver)
    files = dict(site_files(source_of(ledger)))
    text = " ".join(Page(files["rankings/decide-dense-tight.html"].decode()).text.split())
    assert "Reference, not ranked" in text
    data = script_of(files["rankings/decide-dense-tight.js"])
    assert {series["name"] for figure in data["figures"] for series in figure["series"]} == {"highs", "scip"}
    assert "beside the ranking, not in it" in files["settings/pgd.html"].decode()
    assert ">pgd<" in files["instances/one.html"].decode()


def test_the_page_shows_what_a_reference_proves(ledger):
    ledger.found("h", ledger.instance("one", problem="p1"), 1.0)
    ledger.robust("p", ledger.instance("two", problem="p2"), 1.0, solver="prover")
    files = dict(site_files(source_of(ledger)))
    text = " ".join(Page(files["rankings/decide-dense-tight.html"].decode()).text.split())
    assert "settingrunscexrobustalonemissederrfirst prover101000– Beside the solvers" in text
    assert "claimed" in Page(files["instances/two.html"].decode()).text


def test_the_attack_is_in_no_comparison_of_surrogates_and_is_never_the_fastest_run(pairs):
    for solver, dense, surrogate in (("highs", 4.0, 2.0), ("pgd", 0.5, 0.25)):
        pairs.dense("p1", dense, solver=solver)
        pairs.surrogate("p1", surrogate, solver=solver)
    files = dict(site_files(source_of(pairs.ledger)))
    (scatter,) = script_of(files["surrogates.js"])["figures"]
    assert [series["name"] for series in scatter["series"]] == ["highs"]
    assert Page(files["index.html"].decode()).text.count("1 pair a cell") == 1
    (dense,) = (page for name, page in files.items() if name.startswith("instances/") and b"dense</td>" not in page)
    siblings = Page(dense.decode()).text.partition("fastest, seconds")[2]
    assert "2.00" in siblings and "0.250" not in siblings


def test_the_first_screen_says_who_is_first_how_sure_that_is_and_what_was_wrong(site, ledger):
    text = " ".join(Page((site / "index.html").read_text(encoding="utf-8")).text.split())
    assert "4 settings highs 1.0, scip 1.0 time limit 100 s, 1 thread, 4096 MiB" in text
    assert "152 instances 152 problems of" in text
    assert "First highs decide in 1 of 3 rankings" in text
    assert "goal decide, dense files: highs decide first, done with 150 of 150" in text
    assert "Wrong answers1 in 302 runs 225 counterexamples confirmed exactly" in text
    for number in range(8):
        digest = ledger.instance(f"i{number}", problem=f"p{number}")
        ledger.found(f"h{number}", digest, 1.0)
        ledger.found(f"s{number}", digest, 20.0 + number, solver="scip")
    text = " ".join(Page(dict(site_files(source_of(ledger)))["index.html"].decode()).text.split())
    sure = "95 % interval of its rank: 1 scip takes 23.4 times as long, significantly"
    assert f"First highs done with 8 of 8 {sure}" in text
    assert "Wrong answersnone in 16 runs 16 counterexamples confirmed exactly" in text


def first_of(source):
    text = " ".join(Page(dict(site_files(source))["index.html"].decode()).text.split())
    return text[text.index("First ") : text.index("Wrong answers")].strip()


def test_a_setting_that_solved_nothing_is_not_first(ledger):
    for number in range(2):
        sha = ledger.instance(f"i{number}", problem=f"p{number}")
        ledger.run(f"h{number}", sha)
        ledger.run(f"s{number}", sha, solver="scip")
    assert first_of(source_of(ledger)) == "First none no setting is done with a file, of 2 each"


def test_none_is_first_where_only_the_attack_ran(ledger):
    ledger.found("r", ledger.instance("a"), 1.0, solver="pgd")
    assert first_of(source_of(ledger)) == "First none no solver ran"


def test_settings_that_share_the_first_rank_are_compared_with_the_next(ledger):
    for solver, seconds in (("highs", 1.0), ("scip", 1.0), ("cbc", 2.0)):
        ledger.robust(solver, "sha-a" if solver != "highs" else ledger.instance("a"), seconds, solver=solver)
    assert first_of(source_of(ledger)) == (
        "First highs, scip done with 1 of 1 cbc takes 2.00 times as long; 1 independent problem is too few for a test"
    )


@pytest.mark.parametrize(("slower", "chance"), [(9.0, ", significantly"), (2.5, ", which may be chance")])
def test_the_first_screen_says_how_sure_it_is_that_the_first_is_faster(ledger, slower, chance):
    for number in range(8):
        sha = ledger.instance(f"i{number}", problem=f"p{number}")
        ledger.found(f"h{number}", sha, 2.0 + number % 2, solver="highs")
        ledger.found(f"s{number}", sha, slower, solver="scip")
    assert first_of(source_of(ledger)).endswith(f"times as long{chance}")


def test_the_end_of_a_run_is_described_in_words(ledger):
    dense, pruned = ledger.instance("a"), ledger.instance("s", network="net-mag", pruning="magnitude")
    ledger.run("failed", dense, termination="error", message="Invalid option " + "x" * 200)
    ledger.run("spent", pruned, termination="optimal", wall_seconds=1.0, claimed_value=-1.0, dual_bound=-1.0,
               cores="0", foreign_seconds=5.0, swapped_bytes=0)  # fmt: skip
    ledger.run("changed", dense, seed=1, message="a.mps.gz: changed or removed during the run")
    script = dict(site_files(source_of(ledger)))["settings/highs.js"].decode()
    assert '"error, Invalid option \\u2026"' in script
    assert '"time_limit, its files changed"' in script
    assert '"optimal, spent, disturbed"' in script


def test_each_type_of_cpu_is_ranked_by_itself(ledger):
    ledger.machine("m2")
    for number in range(2):
        digest = ledger.instance(f"i{number}", problem=f"p{number}")
        for solver, here, there in (("highs", 1.0, 8.0), ("scip", 2.0, 4.0)):
            ledger.found(f"{solver}{number}", digest, here, solver=solver)
            ledger.found(f"{solver}{number}-2", digest, there, solver=solver, machine="m2")
    files = dict(site_files(source_of(ledger)))
    overview = files["index.html"].decode()
    parts = overview.split('<table class="sortable ranking"')[1:]
    assert [part.index(">highs<") < part.index(">scip<") for part in parts] == [True, False]
    assert "2 types of CPU, each ranked by itself" in overview
    scip = files["settings/scip.html"].decode()
    for machine, place in (("m1", "2 of 2"), ("m2", "1 of 2")):
        link = f'<a href="../rankings/decide-dense-tight-{machine}.html">all instances, {machine}</a>'
        assert f"{link}</th><td>{place}</td>" in scip


def test_a_part_of_the_ledger_is_compared_with_the_best_value_of_all(ledger):
    """m2 found a better value than m1: that is the best known on m1's page as it is in the leaderboard."""
    ledger.machine("m2")
    digest = ledger.instance("a", threshold=None, family="maximize")
    for run, machine, value in (("r", "m1", 0.25), ("s", "m2", 0.5)):
        ledger.run(run, digest, machine=machine, goal="optimize")
        ledger.judge(run, confirmed=1, evidence="exact", best_exact_value=value, primal_steps=f"[[10.0, {value}]]")
    there = gather(source_of(ledger))
    primal = [row.primal_integral_seconds for row in build_leaderboard(ledger.runs()).settings]
    assert primal == [10.0 + 90.0 * 0.5, 10.0]
    parts = sorted(there.rankings, key=lambda contest: contest.cpu)
    assert [contest.leaderboard.settings[0].primal_integral_seconds for contest in parts] == primal


def test_the_leaderboard_ranks_as_the_site_does(ledger):
    """There are two goals on two machines, where different settings are first, solve other numbers and are wrong."""
    ledger.machine("m2")
    for number in range(4):
        digest = ledger.instance(f"i{number}", problem=f"p{number}")
        for place, (goal, machine) in enumerate(product(("decide", "find"), ("m1", "m2"))):
            for solver, seconds in (("highs", 1.0 + place), ("scip", 4.5 - place), ("cbc", 2.5)):
                run = f"{solver}{number}{goal}{machine}"
                if number == place or (solver, goal) == ("cbc", "find"):
                    ledger.run(run, digest, solver=solver, goal=goal, machine=machine)
                else:
                    ledger.found(run, digest, seconds, solver=solver, goal=goal, machine=machine)
    ledger.robust("wrong", "sha-i0", 0.5, solver="cbc", goal="find", machine="m2", seed=1)
    board = build_leaderboard(ledger.runs())
    assert board.by == ("cpu", "goal")
    shown = [
        (row.group, row.setting.unlabelled, row.rank, row.rank_low, row.rank_high, row.below_line, row.solved,
         row.common_runs, row.sgm10_seconds, row.sgm10_ratio, row.par10_seconds, row.alone)
        for row in board.settings
    ]  # fmt: skip
    contests = sorted(gather(source_of(ledger)).rankings, key=lambda contest: (contest.cpu, contest.goal))
    assert shown == [
        ((contest.cpu, contest.goal), row.setting.unlabelled, row.rank, row.rank_low, row.rank_high,
         row.below_line, row.solved, row.common_runs, row.sgm10_seconds, row.sgm10_ratio, row.par10_seconds, row.alone)
        for contest in contests
        for row in contest.leaderboard.settings
    ]  # fmt: skip
    assert len({row.setting.solver for row in board.settings if row.rank == 1}) > 1
    pairs = [(row.group, row.faster.unlabelled, row.slower.unlabelled, row.p_holm) for row in board.pairs]
    assert pairs == [
        ((contest.cpu, contest.goal), row.faster.unlabelled, row.slower.unlabelled, row.p_holm)
        for contest in contests
        for row in contest.leaderboard.pairs
    ]


def test_the_attack_is_alone_on_the_site_where_it_is_in_the_leaderboard(ledger):
    """The solver's counterexample is from another machine, and of another goal."""
    ledger.machine("m2")
    digest = ledger.instance("a")
    ledger.found("p", digest, 1.0, solver="pgd")
    ledger.run("h", digest)
    ledger.found("s", digest, 2.0, solver="scip", goal="find", machine="m2")
    (row,) = build_leaderboard(ledger.runs()).reference
    assert row.alone == 0
    contests = gather(source_of(ledger)).rankings
    assert [own.alone for contest in contests for own in contest.leaderboard.reference] == [0]


def test_a_setting_that_was_wrong_on_one_suite_is_below_the_line_on_all(ledger):
    for suite in ("a", "b"):
        digest = ledger.instance(f"on-{suite}", problem=suite, suite=suite)
        ledger.found(f"h-{suite}", digest, 1.0)
        if suite == "a":
            ledger.robust("wrong", digest, 0.5, solver="scip")
        else:
            ledger.found("right", digest, 0.5, solver="scip")
    files = dict(site_files(source_of(ledger)))
    above, line, below = files["suites/b.html"].decode().partition("Below the line")
    assert line
    assert ">scip<" not in above
    assert ">scip<" in below


def test_the_same_ledger_gives_the_same_bytes(site_source):
    assert dict(site_files(site_source)) == dict(site_files(site_source))


def test_seconds_of_several_runs_are_their_median(ledger):
    digest = ledger.instance("a")
    for seed, seconds in enumerate((1.0, 2.0, 5.0, 40.0)):
        ledger.found(f"r{seed}", digest, seconds, seed=seed)
    table = json.loads(dict(site_files(source_of(ledger)))["suites/imported.js"].decode().split(" = ", 1)[1][:-2])
    columns, ((*cells,),) = (table["tables"]["instances"][name] for name in ("columns", "rows"))
    assert cells[[column["title"] for column in columns].index("highs")] == "3.50"


def test_spent_describes_a_run_and_not_what_other_solvers_can_do(ledger):
    """Two solvers solve one surrogate's file to its end, and one of them found a counterexample on its way."""
    ledger.found("d", ledger.instance("a"), 1.0)
    digest = ledger.instance("s", network="net-mag", pruning="magnitude", zero_share=0.375)
    ledger.run("spent", digest, termination="optimal", wall_seconds=1.0)
    ledger.found("found", digest, 1.0, solver="scip")
    files = dict(site_files(source_of(ledger)))
    spent = files["methods.html"].decode().partition("<dt>spent</dt>")[2].partition("</dd>")[0]
    assert "another run on it" in spent and "No solver" not in spent
    page = files["instances/s.html"].decode()
    assert "zero weights" in page and "37.5 %" in page
    assert "zero weights" not in files["instances/a.html"].decode()


def test_a_site_of_training_problems_explains_them_and_not_images(ledger):
    digest = ledger.instance(
        "t", family="train", network=None, dense_network=None, threshold=None, source=None, target=None, variant="101"
    )
    ledger.run("r", digest, goal="optimize")
    files = dict(site_files(source_of(ledger)))
    methods, overview = files["methods.html"].decode(), files["index.html"].decode()
    assert "classifies an image" not in methods and "Which neural network explains labelled samples" in methods
    for word in ("errors", "weights", "activations", "neurons", "variant", "eps", "train accuracy, test accuracy"):
        assert f"<dt>{word}</dt>" in methods
    assert "Every value was confirmed" in overview and "very counterexample" not in overview


def test_a_site_of_both_kinds_explains_both_and_one_without_training_does_not(ledger):
    ledger.found("d", ledger.instance("a"), 1.0)
    methods = dict(site_files(source_of(ledger)))["methods.html"].decode()
    assert "classifies an image" in methods and "one-hot" not in methods
    digest = ledger.instance("t", problem="t", family="train", network=None, dense_network=None, threshold=None,
                             source=None, target=None, variant="101")  # fmt: skip
    ledger.run("r", digest, goal="optimize")
    files = dict(site_files(source_of(ledger)))
    methods = files["methods.html"].decode()
    assert "classifies an image" in methods and "Another question: which neural network" in methods
    assert "Every counterexample and every value was confirmed" in files["index.html"].decode()


def test_the_difficulty_of_an_instance_follows_from_the_solvers_alone(ledger):
    dense, pruned = ledger.instance("a"), ledger.instance("s", network="net-mag", pruning="magnitude")
    unsolved = ledger.instance("b", problem="q")
    for solver, seconds in (("highs", 1.0), ("scip", 4.0), ("pgd", 9.0)):
        ledger.found(f"{solver}-a", dense, seconds, solver=solver)
        ledger.run(f"{solver}-b", unsolved, solver=solver)
        ledger.run(f"{solver}-s", pruned, solver=solver, termination="optimal", wall_seconds=1.0)
    tables = json.loads(dict(site_files(source_of(ledger)))["suites/imported.js"].decode().split(" = ", 1)[1][:-2])
    table = tables["tables"]["instances"]
    names = [column["title"] for column in table["columns"]]
    shown = {row[0][0]: dict(zip(names, row, strict=True)) for row in table["rows"]}
    assert {name: (row["difficulty"], row["highs"], row["scip"]) for name, row in shown.items()} == {
        "a": ("2.00", "1.00", "4.00"),
        "b": ("open", "–", "–"),
        "s": ("spent", "spent", "spent"),
    }


def test_a_run_of_two_settings_is_on_the_pages_of_both_and_elsewhere_once(ledger):
    add_own_and_given_limits(ledger)
    ledger.robust("wrong", "sha-a", 1.0, seed=1, time_limit_seconds=10.0)
    files = dict(site_files(source_of(ledger)))
    pages = [name for name in files if name.startswith("settings/") and name.endswith(".js")]
    assert len(pages) == 3
    for name in pages:
        runs = [row[0][0] for row in script_of(files[name])["tables"]["runs"]["rows"]]
        is_highs = name.startswith("settings/highs")
        assert runs == (["a", "a", "b", "c", "d"] if is_highs else ["a", "b", "c", "d"])
        assert ("refuted by" in files[name.replace(".js", ".html")].decode()) == is_highs
    assert len(list(csv.DictReader(io.StringIO(files["downloads/runs.csv"].decode())))) == 11
    own = files["instances/a.html"].decode().split('id="run-ha"')
    assert len(own) == 2
    assert "All runs of highs own limits</a> · <a" in own[1] and "All runs of highs 10 s</a>" in own[1]
    script = script_of(files["suites/imported.js"])
    table = script["tables"]["instances"]
    assert [head["title"] for head in table["columns"][3:6]] == ["scip own limits", "highs 10 s", "highs own limits"]
    assert [row[3:6] for row in table["rows"]] == [
        ["5.00", "wrong", "wrong"], ["5.00", "4.00", "4.00"], ["5.00", "–", "15.0"], ["5.00", "–", "15.0"]
    ]  # fmt: skip
    cactus = next(figure for figure in script["figures"] if figure["id"] == "cactus")
    assert {series["name"]: series["y"][-1] for series in cactus["series"]} == {
        "scip own limits": 4.0, "highs own limits": 2.0, "highs 10 s": 2.0
    }  # fmt: skip


def test_the_page_of_a_problem_without_networks_does_not_speak_of_them(ledger):
    trainings = Trainings(ledger)
    trainings.run("101", 0, 0.75, seconds=1.0, centre_value=-89.0)
    trainings.run("101", 0, None, solver="scip")
    page = Page(dict(site_files(source_of(ledger)))["instances/wine-8n-101-s0--tight.html"].decode())
    words = " ".join(page.text.split())
    for text in (
        "Best exact value −2.00000.", "value known beforehand−89", "variant101", "training samples89", "features13",
        "equality rows1000", "test accuracy0.75", "weights5", "exact value−2",
    ):  # fmt: skip
        assert text in words
    assert "dense network" not in words and "counterexample" not in words.replace("Every counterexample and", "")


def test_the_best_network_of_an_instance_is_shown_with_its_features_as_text_and_its_file(ledger):
    trainings = Trainings(ledger)
    run = trainings.run("101", 0, 0.75, seconds=1.0)
    names = (HOSTILE, *(f"gene {number}" for number in range(150)))
    model = BestModel(
        run, -2.0, "network", {"test_accuracy": 0.75, "weights": 5.0}, {"features that it uses, 151 of 400": names},
        ("onnx", b"a network"), png(),
    )  # fmt: skip
    evidence = {"sha-wine-8n-101-s0--tight": InstanceEvidence(None, (), None, None, None, model=model)}
    files = dict(site_files(source_of(ledger, evidence)))
    text = files["instances/wine-8n-101-s0--tight.html"].decode()
    page = Page(text)
    assert "Best network" in page.text and "found by highs." in page.text
    assert "objective, minus the value2.00000" in page.text and "test accuracy0.75" in page.text
    assert "gene 98" in page.text and "gene 99" not in page.text and "and 51 more" in page.text
    assert "<script>alert" not in text and "&lt;script&gt;alert(1)" in text and "img src=x" not in page.tags
    (link,) = [link for link in page.links if link.startswith("../best/")]
    (picture,) = [link for link in page.links if link.startswith("../pictures/")]
    assert files[link[3:]] == b"a network" and files[picture[3:]] == png()
    assert page.images_without_alt == 0 and not page.inline
    assert 'download="best-wine-8n-101-s0--tight.onnx"' in text


def page_with(ledger, digest, proven):
    """Return the text of the page of the only instance, where this is proven of it."""
    source = replace(source_of(ledger), runs=ledger.runs(proven), proven={digest: proven})
    files = dict(site_files(source))
    (page,) = (Page(data.decode()) for path, data in files.items() if path.startswith("instances/") and ".html" in path)
    return " ".join(page.text.split())


def test_the_page_of_an_instance_shows_its_proven_answer_and_how_to_check_it(ledger):
    digest = ledger.instance("a", problem="<b>")
    ledger.robust("r", digest, 1.0)
    text = page_with(ledger, digest, Proven(digest, ProvenAnswer.ROBUST, None, -0.25, "f" * 64, 5457, 120, 0.0888))
    assert "The bound of a solver excludes a counterexample, and a checked proof shows the same." in text
    assert "robust, certified" in text and "robust, claimed" not in text
    assert "vnnbench verify-proof 'LIBRARY/proofs/<b>.npz' --library LIBRARY" in text
    assert (
        "answerrobust no value exceeds−0.25 size of the proof5.5 kB leaves120 checked in0.0888 s sha256" + "f" * 64
    ) in text


def test_a_page_without_a_proof_says_that_the_bound_was_not_checked(ledger):
    digest = ledger.instance("a")
    ledger.robust("r", digest, 1.0)
    text = page_with(ledger, "another", Proven("another", ProvenAnswer.ROBUST, None, -0.25, "f" * 64, 5457, 120, 0.1))
    assert "The bound has not been checked." in text
    assert "robust, certified" not in text
    assert "Proven answer" not in text


def numbered(ledger, kinds, problem="p", first=1.0, more=1.0):
    """Add so many instances of a problem, each on a surrogate of its own, with a counterexample: at first after so many
    seconds, and each later one so many more."""
    for number in range(kinds):
        digest = ledger.instance(
            f"{problem}-{number}", problem=problem, suite="s", network=f"net-{number}", pruning="magnitude",
            structure="unstructured", rate=0.01 * number,
        )  # fmt: skip
        ledger.found(f"{problem}-r{number}", digest, first + more * number)


def test_a_problem_of_many_instances_has_a_page_and_each_of_them_lists_its_nearest(ledger):
    numbered(ledger, 12)
    ledger.found("d", ledger.instance("p-dense", problem="p", suite="s"), 1.0)
    files = dict(site_files(source_of(ledger)))
    listed = Page(files["problems/p.html"].decode()).links
    assert len([link for link in listed if link.startswith("../instances/")]) == 13
    own = Page(files["instances/p-3.html"].decode())
    assert [link for link in own.links if "instances/" in link] == ["../instances/p-dense.html"]
    assert "../problems/p.html" in own.links and "all 13 instances of the problem" in own.text


def test_a_problem_of_few_instances_has_no_page_of_its_own(ledger):
    numbered(ledger, 12)
    files = dict(site_files(source_of(ledger)))
    assert not [name for name in files if name.startswith("problems/")]
    links = Page(files["instances/p-3.html"].decode()).links
    assert len([link for link in links if "instances/" in link]) == 11


def test_the_first_dozen_approaches_are_shown_and_others_and_oracles_can_be_opened(ledger):
    numbered(ledger, 14)
    numbered(
        ledger, 14, problem="q", first=14.0, more=-1.0
    )  # so the best rate is another one, and the oracle is better
    text = dict(site_files(source_of(ledger)))["index.html"].decode()
    first, _, others = text.partition('id="approaches1"')[2].partition("<details")
    assert first.count('<th scope="row"') == 12
    assert "oracle" not in first.partition("</table>")[0]
    assert others.partition("</details>")[0].count('<th scope="row"') == 3  # two more, and the oracle


def test_the_overview_has_the_tables_of_two_rankings_and_links_to_all(ledger):
    for formulation, instances in (("tight", 3), ("surrogatelib", 2), ("other", 1)):
        for number in range(instances):
            problem = f"{formulation}{number}"
            ledger.found(problem, ledger.instance(problem, problem=problem, formulation=formulation), 1.0)
    files = dict(site_files(source_of(ledger)))
    overview = files["index.html"].decode()
    assert overview.count('<table class="sortable ranking"') == 2
    links = [link for link in dict.fromkeys(Page(overview).links) if link.startswith("rankings/")]
    assert links == [f"rankings/decide-dense-{name}.html" for name in ("tight", "surrogatelib", "other")]
    assert {name for name in files if name.startswith("rankings/") and name.endswith(".html")} == set(links)


def point_of_classes(ledger, *margins):
    """Return the words of the page of an instance whose best point has these margins of the classes 0, 1 (the target)
    and 2 over class 0 (the source), and of the overview."""
    digest = ledger.instance("a")
    ledger.found("r", digest, 1.0, value=margins[1])
    outputs = Outputs(margins, margins)
    evidence = evidence_of("r")
    evidence = replace(evidence, best=replace(evidence.best, value=margins[1], outputs=outputs))
    files = dict(site_files(source_of(ledger, {digest: evidence})))
    return [" ".join(Page(files[name].decode()).text.split()) for name in ("instances/a.html", "index.html")]


def test_a_counterexample_of_a_third_class_says_so_in_words(ledger):
    instance, overview = point_of_classes(ledger, 0.0, 0.25, 1.5)
    assert "Counterexample class 2, neither the source 0 nor the target 1" in instance
    assert (
        "At this input the dense network predicts a third class, 2. The goal speaks of two outputs alone: that of "
        "class 1, the target, is to exceed that of class 0, the source, and it does."
    ) in instance
    assert "class 0, taken for 2 (the target is 1)" in overview


def test_a_counterexample_of_the_target_class_needs_no_words(ledger):
    instance, overview = point_of_classes(ledger, 0.0, 0.25, 0.1)
    assert "Counterexample class 1 " in instance and "third class" not in instance and "neither" not in instance
    assert "class 0, taken for 1; margin" in overview
