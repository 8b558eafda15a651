"""The sources of problems, formulas and tools, for the page on methods and as BibTeX."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reference:
    """A work to cite. kind: of BibTeX. venue: journal, proceedings, or number of a preprint."""

    key: str
    kind: str
    authors: str
    title: str
    venue: str
    year: int
    url: str

    def bibtex(self) -> str:
        """An entry of a .bib file."""
        where = {"article": "journal", "inproceedings": "booktitle"}.get(self.kind, "howpublished")
        fields = {
            "author": self.authors, "title": f"{{{self.title}}}", where: self.venue, "year": str(self.year),
            "url": self.url,
        }  # fmt: skip
        lines = ",\n".join(f"  {name} = {{{value}}}" for name, value in fields.items() if value)
        return f"@{self.kind}{{{self.key},\n{lines}\n}}\n"


VNNBENCH = Reference(
    "vnnbench", "misc", "{The vnnbench authors}",
    "vnnbench: benchmark libraries of MILPs over neural networks, with every answer judged exactly",
    "software, version 0.1.0", 2026, "",
)  # fmt: skip

REFERENCES = (
    Reference(
        "pham2025", "misc", "Pham and Ren and Tahir and Tong and Serra, Thiago",
        "Optimization over Trained (and Sparse) Neural Networks: A Surrogate within a Surrogate",
        "arXiv:2505.01985", 2025, "https://arxiv.org/abs/2505.01985",
    ),
    Reference(
        "cacciola2024", "misc", "Cacciola and Frangioni, Antonio and Lodi, Andrea",
        "Structured Pruning of Neural Networks for Constraints Learning",
        "arXiv:2307.07457", 2024, "https://arxiv.org/abs/2307.07457",
    ),
    Reference(
        "tong2024", "misc", "Tong and Cai and Serra, Thiago",
        "Optimization over Trained Neural Networks: Taking a Relaxing Walk",
        "arXiv:2401.03451", 2024, "https://arxiv.org/abs/2401.03451",
    ),
    Reference(
        "surrogatelib", "misc", "Turner and Chmiela and Koch and Winkler",
        "PySCIPOpt-ML: Embedding Trained Machine Learning Models into Mixed-Integer Programs",
        "arXiv:2312.08074", 2023, "https://arxiv.org/abs/2312.08074",
    ),
    Reference(
        "dolan2002", "article", "Dolan, Elizabeth D. and Mor{\\'e}, Jorge J.",
        "Benchmarking optimization software with performance profiles",
        "Mathematical Programming 91", 2002, "https://doi.org/10.1007/s101070100263",
    ),
    Reference(
        "berthold2013", "article", "Berthold, Timo", "Measuring the impact of primal heuristics",
        "Operations Research Letters 41", 2013, "https://doi.org/10.1016/j.orl.2013.08.007",
    ),
    Reference(
        "xu2012", "inproceedings", "Xu, Lin and Hutter, Frank and Hoos, Holger H. and Leyton-Brown, Kevin",
        "Evaluating Component Solver Contributions to Portfolio-Based Algorithm Selectors",
        "Theory and Applications of Satisfiability Testing", 2012, "https://doi.org/10.1007/978-3-642-31612-8_18",
    ),
    Reference(
        "davison1997", "misc", "Davison, A. C. and Hinkley, D. V.", "Bootstrap Methods and their Application",
        "Cambridge University Press", 1997, "https://doi.org/10.1017/CBO9780511802843",
    ),
    Reference(
        "holm1979", "article", "Holm, Sture", "A Simple Sequentially Rejective Multiple Test Procedure",
        "Scandinavian Journal of Statistics 6", 1979, "https://www.jstor.org/stable/4615733",
    ),
    Reference(
        "pratt1959", "article", "Pratt, John W.",
        "Remarks on Zeros and Ties in the Wilcoxon Signed Rank Procedures",
        "Journal of the American Statistical Association 54", 1959, "https://doi.org/10.1080/01621459.1959.10501526",
    ),
    Reference(
        "mittelmann", "misc", "Mittelmann, Hans D.", "Benchmarks for Optimization Software",
        "web page", 2026, "https://plato.asu.edu/bench.html",
    ),
    Reference(
        "hutter2009", "article", "Hutter, Frank and Hoos, Holger H. and Leyton-Brown, Kevin and St{\\\"u}tzle, Thomas",
        "ParamILS: An Automatic Algorithm Configuration Framework",
        "Journal of Artificial Intelligence Research 36", 2009, "https://doi.org/10.1613/jair.2861",
    ),
)  # fmt: skip


def bibliography() -> str:
    """All of them as one .bib file."""
    return "\n".join(reference.bibtex() for reference in (VNNBENCH, *REFERENCES))
