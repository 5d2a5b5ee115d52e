"""A lesson's story: its cells, and what stands in them as text for a terminal, or as HTML.

The story is written in a small part of Markdown: "# " and "## " headings, paragraphs, "- " lists, *stress*, `code`,
$formulas$, and $$formulas$$ of their own. Code runs in __main__, as that of any script, a cell at a time.
"""

import html
import re
import shutil
import sys
import textwrap
from itertools import pairwise

import formulas

FORMULA = re.compile(r"(\$\$.+?\$\$|\$[^$]+?\$)", re.DOTALL)
WITH_SIGN = re.compile(r"(\$\$.+?\$\$|\$[^$]+?\$)([.,:;)]*)", re.DOTALL)
STRESS = re.compile(r"(?<![\w*`])(\*{1,2})(?=\S)(.+?)(?<=\S)\1(?![\w*`])", re.DOTALL)


def cells(script):
    """The cells of a script: where each begins, whether it is story, and its text."""
    lines = script.read_text(encoding="utf-8").splitlines()
    starts = [number for number, line in enumerate(lines) if line.startswith("# %%")]
    for first, behind in pairwise([*starts, len(lines)]):
        body = lines[first + 1 : behind]
        told = lines[first].endswith("[markdown]")
        yield first + 1, told, "\n".join(line[2:] for line in body) if told else "\n".join(body)


def title(script):
    """Such as "Lesson 3: batches": the number of the file's name, and the first heading."""
    _, _, text = next(cells(script))
    return f"Lesson {int(script.name[:2])}: {text.splitlines()[0].removeprefix('# ')}"


def tell(script, quiet):
    """Print the story, and run the code between."""
    names = vars(sys.modules["__main__"])
    if quiet:
        print(underlined(title(script), "="))
    for number, (first, told, text) in enumerate(cells(script)):
        if told and not quiet:
            text = text if number else f"# {title(script)}\n" + text.partition("\n")[2]
            print("\n" * bool(number) + in_terminal(text), flush=True)
        if not told:
            exec(compile("\n" * first + text, str(script), "exec"), names)


def in_terminal(text):
    """A cell of story, as wide as the terminal."""
    return "\n\n".join(map(block, re.split(r"\n\s*\n", text.strip())))


def block(text):
    """A heading, a formula of its own, a list, or a paragraph."""
    if text.startswith("$$"):
        return wrapped(formulas.plain(text.strip("$ \n")), "    ", "        ")
    if text.startswith("#"):
        sharps, _, words = text.partition(" ")
        heading, _, rest = words.partition("\n")
        return underlined(plain(heading), "=" if sharps == "#" else "-") + (
            f"\n\n{block(rest)}" if rest.strip() else ""
        )
    if text.startswith("- "):
        return "\n".join(wrapped(plain(item), "- ", "  ") for item in re.split(r"(?:^|\n)- ", text)[1:])
    return filled(text)


def underlined(text, sign):
    return f"{text}\n{sign * len(text)}"


def filled(text, indent=""):
    """A paragraph, as wide as the terminal."""
    return wrapped(plain(text), indent, indent)


def wrapped(text, first, later):
    filled = textwrap.fill(text, width(), initial_indent=first, subsequent_indent=later, break_on_hyphens=False)
    return filled.replace("\xa0", " ")


def width():
    """Columns of a line: those of the terminal, 100 at most."""
    return min(max(shutil.get_terminal_size().columns, 20), 100)


def plain(text):
    """Text with formulas in Unicode, which are not broken at the end of a line unless they are long."""
    parts = FORMULA.split(" ".join(text.split()))
    for number, part in enumerate(parts):
        if number % 2:
            formula = formulas.plain(part.strip("$"))
            parts[number] = formula.replace(" ", "\xa0") if len(formula) < 30 else formula
        else:
            parts[number] = STRESS.sub(r"\2", part)
    return "".join(parts)


def in_html(text):
    """A paragraph's text as HTML, its formulas as MathML."""
    escaped = html.escape(" ".join(text.split()), quote=False)
    return with_mathml(re.sub("`([^`]+)`", r"<code>\1</code>", escaped))


def with_mathml(text):
    """Markdown or HTML with its formulas as MathML, each on one line with the sign that follows."""

    def made(match):
        formula = formulas.mathml(html.unescape(match[1].strip("$")), match[1].startswith("$$"))
        return f'<span style="white-space: nowrap">{formula}{match[2]}</span>' if match[2] else formula

    return WITH_SIGN.sub(made, text)


def can_print(stream):
    """Make a stream print a ? for what its encoding lacks, in place of an error."""
    if hasattr(stream, "reconfigure"):
        stream.reconfigure(errors="replace")
