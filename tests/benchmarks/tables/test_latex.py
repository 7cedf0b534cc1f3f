"""LaTeX: characters of any script, the width of a page, and a compiler where there is one."""

import re
import shutil
import subprocess
from pathlib import Path

import matplotlib as mpl
import pytest
from matplotlib.ft2font import FT2Font, LoadFlags

from benchmarks.tables.latex import tex, to_latex
from benchmarks.tables.paper_tables import LAYOUTS, build_table
from tests.benchmarks.made_up import made_up_scores

NASTY = 'a|b <i> my_model & 5% \\x{}^~#$ "q" σ 中文 é'
PAGE = 496.8  # points: \textwidth of CVPR; ACM's is 506, IEEE's 516
FONTS = Path(mpl.get_data_path()) / "fonts" / "ttf"
CLASSES = {"article": "twocolumn", "IEEEtran": "", "acmart": "sigconf"}


def measured_table(name, method="tiny"):
    return build_table(name, [made_up_scores(method=method, dataset=d) for d in ("CREMA", "LRW")])


def width(text, points, *, bold=False):
    """Width in points of a line in Computer Modern, by the metrics of its font."""
    font = FT2Font(str(FONTS / ("cmb10.ttf" if bold else "cmr10.ttf")))
    font.set_size(points, 72)
    font.set_text(text, 0, LoadFlags.NO_HINTING)
    return font.get_width_height()[0] / 64


def cell_width(cell):
    """The width of a table's cell: the widest of its lines."""
    small, bold = r"\tiny" in cell, r"\textbf" in cell
    lines = cell.removeprefix(r"\shortstack{").split(r"\\")
    marks = sum(map(len, re.findall(r"\\textsuperscript\{(.*?)\}", cell)))
    plain = [
        re.sub(r"\\textsuperscript\{.*?\}|\\[a-z]+ ?|[${}]", "", x.replace(r"\to", "->"))
        for x in lines
    ]
    return max(width(x, 5 if small else 8, bold=bold) for x in plain) + 4 * marks


def test_characters_of_any_script():
    assert tex(NASTY) == (
        r"a\textbar{}b $<$i$>$ my\_model \& 5\% \textbackslash{}x\{\}\textasciicircum{}"
        r"\textasciitilde{}\#\$ ''q'' \anychar{σ}{U+03C3} "
        r"\anychar{中}{U+4E2D}\anychar{文}{U+6587} é"
    )
    assert tex("two\nlines") == "two lines"
    assert r"\providecommand{\anychar}" in to_latex(measured_table("v1", NASTY))
    assert to_latex(build_table("v2", [])).isascii()


def test_rows_have_equal_cells_and_environments_close():
    latex = to_latex(measured_table("v1", NASTY))
    assert r"\textbf{30.92}" in latex
    for begin in ("table*", "tabular"):
        assert latex.count(rf"\begin{{{begin}}}") == latex.count(rf"\end{{{begin}}}") == 1
    body = latex[latex.index(r"\midrule") : latex.index(r"\bottomrule")]
    for line in body.splitlines():
        if r" \\" in line:
            assert len(re.findall(r"(?<!\\)&", line)) == 4
    minus = to_latex(build_table("v2", []))
    assert r"\underline{$-$3}" in minus
    assert "$\\to$GT" in minus
    # Notes of any length must not be in the float, which cannot be taller than a page.
    assert r"\end{table*}" in latex.split("Published rows:")[0]


@pytest.mark.parametrize("name", LAYOUTS)
def test_fits_a_page_of_two_columns(name):
    body = to_latex(measured_table(name)).split(r"\toprule")[1].split(r"\bottomrule")[0]
    rows = [re.split(r"(?<!\\)&", line) for line in body.splitlines() if "&" in line]
    rows = [[cell.split(r" \\")[0].strip() for cell in row] for row in rows]
    rows = [row for row in rows if not any("multicolumn" in cell for cell in row)]
    total = sum(max(map(cell_width, column)) + 2 * 3 for column in zip(*rows, strict=True))
    assert 150 < total <= PAGE


@pytest.mark.parametrize("document", CLASSES)
@pytest.mark.parametrize("name", LAYOUTS)
def test_compiles_without_an_overfull_line(name, document, tmp_path):
    if shutil.which("pdflatex") is None:
        pytest.skip("needs pdflatex, which this machine does not have")
    (tmp_path / "t.tex").write_text(
        rf"\documentclass[{CLASSES[document]}]{{{document}}}\usepackage{{booktabs,graphicx}}"
        rf"\begin{{document}}{to_latex(measured_table(name, NASTY))}\end{{document}}",
        encoding="utf-8",
    )
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "t.tex"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:]
    assert "Float too large" not in done.stdout
