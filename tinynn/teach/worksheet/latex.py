"""A worksheet for a LaTeX document: \\usepackage{amsmath}."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from .lines import Line, Step

SPECIAL = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
NEEDS = r"\usepackage{amsmath}; \allowdisplaybreaks lets long steps go over pages"
COMMANDS = {"log": r"\log", "max": r"\max", "tanh": r"\tanh", "pi": r"\pi", "beta1": r"\beta_1", "beta2": r"\beta_2"}
# A derivative, a number with an exponent, or a word, each of the words perhaps with an index.
WORD = re.compile(
    r"dL/d(?P<by>\w+)(?P<at>\[[\d,]+\])?|(?P<ten>\d)e(?P<power>[+-]\d+)|(?P<word>[A-Za-z]\w*'?)(?P<index>\[[\d,:]+\])?"
)


def sheet_latex(sheet: Any) -> str:
    """The whole sheet, a paragraph with its equations for each step."""
    return "\n".join([f"% {sheet.title}", f"% {NEEDS}", *(step_latex(step) for step in sheet if step.number)])


def step_latex(step: Step) -> str:
    """One step."""
    rows = [row for line in step.lines for row in line_rows(line)]
    body = " \\\\\n".join(rows)
    heading = f"\\paragraph{{{plain(step.heading)}}}"
    return f"{heading}\n\\begin{{align*}}\n{body}\n\\end{{align*}}" if rows else heading


def line_rows(line: Line) -> Iterable[str]:
    """left = symbols, and under it the numbers, the parts and the value."""
    if line.value is None:
        yield f"{math(line.left)} &= \\mathrm{{not\\ needed}}"
        return
    yield f"{math(line.left)} &= {math(line.formula.symbols) if line.numbers else typed(line.formula.symbols)}"
    for piece in line.chain:
        yield f"&= {math(piece)}"


def math(text: str) -> str:
    """A formula of the sheet as LaTeX's."""
    text = WORD.sub(word, text).replace("...", r"\cdots").replace(" * ", r" \cdot ")
    text = re.sub(r"e\^\(([^()]*)\)", r"e^{\1}", text)
    return re.sub(r"\\mathrm\{sqrt\}\(([^()]*)\)", r"\\sqrt{\1}", text)


def word(match: re.Match[str]) -> str:
    """One derivative, number or word of a formula."""
    text, end = match.string, match.end()
    if match["by"]:
        return rf"\frac{{\partial L}}{{\partial {match['by']}{below(match['at'])}}}"
    if match["ten"]:
        return rf"{match['ten']} \cdot 10^{{{int(match['power'])}}}"
    name = match["word"]
    if name in COMMANDS or len(name.rstrip("'")) == 1:
        return COMMANDS.get(name, name) + below(match["index"])
    before = r"\ " if re.search(r"(^|[^A-Za-z])[\w\])'] $", text[: match.start()]) else ""
    after = r"\ " if text[end : end + 1] == " " else ""
    return before + rf"\mathrm{{{name}}}".replace("_", r"\_") + below(match["index"]) + after


def below(index: str | None) -> str:
    """[0,1] as a subscript."""
    return f"_{{{index[1:-1]}}}" if index else ""


def typed(text: str) -> str:
    """What is no mathematics, such as a layer's own method, as it is typed."""
    return rf"\texttt{{{plain(text)}}}"


def plain(text: str) -> str:
    """A text, with LaTeX's own signs taken as they are."""
    return "".join(SPECIAL.get(sign, "\\" + sign if sign in "{}_#$%&" else sign) for sign in text)
