"""Works to cite, as BibTeX and on the page on methods: the site itself, vnnbench, sources of problems and formulas."""

from __future__ import annotations

from dataclasses import dataclass

from vnnbench.common.text import plain
from vnnbench.leaderboard.site.folder import SiteError
from vnnbench.leaderboard.tables.latex import latex_text

TITLE = "MILP solvers on neural networks"
"""The title of a site that was not given one."""
LONGEST_TITLE, LONGEST_AUTHOR = 200, 100
"""The most characters of a title, and of an author."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A work to cite. kind: of BibTeX. authors, title: in LaTeX. venue: journal, proceedings, publisher, or number of a
    preprint. Empty: there is none, or it was not checked."""

    key: str
    kind: str
    authors: str
    title: str
    venue: str
    year: int
    url: str = ""
    volume: str = ""
    pages: str = ""

    def bibtex(self) -> str:
        """Return the work as an entry of a .bib file."""
        where = {"article": "journal", "inproceedings": "booktitle", "book": "publisher"}.get(self.kind, "howpublished")
        fields = {
            "author": self.authors, "title": f"{{{self.title}}}", where: self.venue, "volume": self.volume,
            "pages": self.pages.replace("-", "--"), "year": str(self.year), "url": self.url,
        }  # fmt: skip
        lines = ",\n".join(f"  {name} = {{{value}}}" for name, value in fields.items() if value)
        return f"@{self.kind}{{{self.key},\n{lines}\n}}\n"


@dataclass(frozen=True, slots=True)
class Byline:
    """The title and the authors of a site, plain text; None and () where none were given.

    Raises `SiteError`: one is empty, too long, or not a line of visible text.
    """

    title: str | None = None
    authors: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.title is not None:
            _check_line("--title", self.title, LONGEST_TITLE)
        for author in self.authors:
            _check_line("--author", author, LONGEST_AUTHOR)

    def reference(self, year: int) -> Reference | None:
        """Return how to cite the site, which was published in this year; None where it has neither title nor author."""
        if not self.title and not self.authors:
            return None
        authors = " and ".join(map(_bibtex_name, self.authors))
        title = _bibtex_text(self.title or TITLE)
        return Reference("comparison", "misc", authors, title, "benchmark results, made with vnnbench", year)


NO_BYLINE = Byline()
"""The byline of a site that was given neither title nor authors."""


def _check_line(option: str, text: str, most: int) -> None:
    if not text.strip():
        raise SiteError(f"{option}: is empty; give it a text or leave it out")
    if len(text) > most:
        raise SiteError(f"{option}: has {len(text)} characters; at most {most} are allowed")
    if not text.isprintable():
        found = next(character for character in text if not character.isprintable())
        raise SiteError(f"{option}: has the character {plain(found)}; give one line of visible text")


def _bibtex_text(text: str) -> str:
    """Return LaTeX that shows this text, with balanced braces, which BibTeX counts whether or not they are escaped."""
    latex = latex_text(text).replace(r"\{", r"\textbraceleft{}").replace(r"\}", r"\textbraceright{}")
    return latex.replace(r"\textquotesingle{}", "'")  # an apostrophe, as it is in prose


def _bibtex_name(name: str) -> str:
    """Return one name of a list of authors, in braces of its own where BibTeX would read more than one name."""
    text = _bibtex_text(name)
    return f"{{{text}}}" if " and " in name.lower() or name.count(",") > 2 else text


VNNBENCH = Reference(
    "vnnbench", "misc", "{The vnnbench authors}",
    "vnnbench: benchmark libraries of MILPs over neural networks, with every answer judged exactly",
    "software, version 0.1.0", 2026,
)  # fmt: skip

REFERENCES = (
    Reference(
        "pham2025", "misc", "Pham, Hung and Ren, Aiden and Tahir, Ibrahim and Tong, Jiatai and Serra, Thiago",
        "Optimization over Trained (and Sparse) Neural Networks: A Surrogate within a Surrogate",
        "arXiv:2505.01985", 2025, "https://arxiv.org/abs/2505.01985",
    ),
    Reference(
        "cacciola2024", "misc", "Cacciola, Matteo and Frangioni, Antonio and Lodi, Andrea",
        "Structured Pruning of Neural Networks for Constraints Learning",
        "arXiv:2307.07457", 2023, "https://arxiv.org/abs/2307.07457",
    ),
    Reference(
        "tong2024", "misc", "Tong, Jiatai and Cai, Junyang and Serra, Thiago",
        "Optimization Over Trained Neural Networks: Taking a Relaxing Walk",
        "arXiv:2401.03451", 2024, "https://arxiv.org/abs/2401.03451",
    ),
    Reference(
        "rosenhahn2023", "article", "Rosenhahn, Bodo",
        "Optimization of Sparsity-Constrained Neural Networks as a Mixed Integer Linear Program",
        "Journal of Optimization Theory and Applications", 2023, "https://doi.org/10.1007/s10957-023-02317-x",
        volume="199", pages="931-954",
    ),
    Reference(
        "surrogatelib", "misc", "Turner, Mark and Chmiela, Antonia and Koch, Thorsten and Winkler, Michael",
        "PySCIPOpt-ML: Embedding Trained Machine Learning Models into Mixed-Integer Programs",
        "arXiv:2312.08074", 2023, "https://arxiv.org/abs/2312.08074",
    ),
    Reference(
        "madry2017", "misc",
        "Madry, Aleksander and Makelov, Aleksandar and Schmidt, Ludwig and Tsipras, Dimitris and Vladu, Adrian",
        "Towards Deep Learning Models Resistant to Adversarial Attacks",
        "arXiv:1706.06083", 2017, "https://arxiv.org/abs/1706.06083",
    ),
    Reference(
        "croce2021", "misc", "Croce, Francesco and Hein, Matthias",
        "Mind the Box: l1-APGD for Sparse Adversarial Attacks on Image Classifiers",
        "arXiv:2103.01208", 2021, "https://arxiv.org/abs/2103.01208",
    ),
    Reference(
        "gleixner2021", "article",
        "Gleixner, Ambros and Hendel, Gregor and Gamrath, Gerald and Achterberg, Tobias and Bastubbe, Michael and "
        "Berthold, Timo and Christophel, Philipp and Jarck, Kati and Koch, Thorsten and Linderoth, Jeff and "
        "L{\\\"u}bbecke, Marco and Mittelmann, Hans D. and Ozyurt, Derya and Ralphs, Ted K. and "
        "Salvagnin, Domenico and Shinano, Yuji",
        "MIPLIB 2017: Data-Driven Compilation of the 6th Mixed-Integer Programming Library",
        "Mathematical Programming Computation", 2021, "https://doi.org/10.1007/s12532-020-00194-3",
        volume="13", pages="443-490",
    ),
    Reference(
        "dolan2002", "article", "Dolan, Elizabeth D. and Mor{\\'e}, Jorge J.",
        "Benchmarking optimization software with performance profiles",
        "Mathematical Programming", 2002, "https://doi.org/10.1007/s101070100263", volume="91", pages="201-213",
    ),
    Reference(
        "berthold2013", "article", "Berthold, Timo", "Measuring the impact of primal heuristics",
        "Operations Research Letters", 2013, "https://doi.org/10.1016/j.orl.2013.08.007",
        volume="41", pages="611-614",
    ),
    Reference(
        "xu2012", "inproceedings", "Xu, Lin and Hutter, Frank and Hoos, Holger H. and Leyton-Brown, Kevin",
        "Evaluating Component Solver Contributions to Portfolio-Based Algorithm Selectors",
        "Theory and Applications of Satisfiability Testing (SAT 2012)", 2012, pages="228-241",
    ),
    Reference(
        "winkler2014", "article",
        "Winkler, Anderson M. and Ridgway, Gerard R. and Webster, Matthew A. and Smith, Stephen M. and Nichols, "
        "Thomas E.",
        "Permutation inference for the general linear model",
        "NeuroImage", 2014, "https://doi.org/10.1016/j.neuroimage.2014.01.060", volume="92", pages="381-397",
    ),
    Reference(
        "phipson2010", "article", "Phipson, Belinda and Smyth, Gordon K.",
        "Permutation P-values Should Never Be Zero: Calculating Exact P-values When Permutations Are Randomly Drawn",
        "Statistical Applications in Genetics and Molecular Biology", 2010, "https://doi.org/10.2202/1544-6115.1585",
        volume="9",
    ),
    Reference(
        "holm1979", "article", "Holm, Sture", "A Simple Sequentially Rejective Multiple Test Procedure",
        "Scandinavian Journal of Statistics", 1979, "https://www.jstor.org/stable/4615733",
        volume="6", pages="65-70",
    ),
    Reference(
        "mittelmann", "misc", "Mittelmann, Hans D.", "Benchmarks for Optimization Software",
        "web page", 2026, "https://plato.asu.edu/bench.html",
    ),
    Reference(
        "hutter2009", "article",
        "Hutter, Frank and Hoos, Holger H. and Leyton-Brown, Kevin and St{\\\"u}tzle, Thomas",
        "ParamILS: An Automatic Algorithm Configuration Framework",
        "Journal of Artificial Intelligence Research", 2009, "https://doi.org/10.1613/jair.2861",
        volume="36", pages="267-306",
    ),
)  # fmt: skip


def bibliography(own: Reference | None) -> str:
    """Return all works to cite as one .bib file, first the site itself."""
    return "\n".join(reference.bibtex() for reference in (own, VNNBENCH, *REFERENCES) if reference)
