r"""What a lesson is, and what the lessons share. A lesson is one file, NN_name.py, in jupytext's percent format:

# %% [markdown]
# # Softmax and cross-entropy                   the title, without a number: that is the file's
#
# Scores become probabilities by softmax:      the story: paragraphs, "- " lists, `code`, *stress*, "## " headings
#
# $$p_c = \frac{e^{y_c}}{\sum_k e^{y_k}}$$     a formula of its own, in LaTeX, between blank lines

# %%
import lesson
import numpy as np                             further imports

quick = lesson.start()                         once, after the imports; True where the lesson shall train less

# %% [markdown]
# ## Too large, too small
#
# $e^y$ grows fast ...                         a formula in the text

# %%
lesson.say(f"The loss is {value:.3f}.")        a paragraph with what has just been computed; $formulas$ and `code`
print(f"  {name:<12}{value:>9.4f}")            a table: lines of 80 characters at most, indented by two
lesson.show(axes, "eps", "The loss of ...")    a picture: its file's name, and what the reader sees in it
lesson.page(sheet, "step")                     the page of a worksheet (tinynn.explain): a file; in the book, in place
lesson.verdict(tinynn.check(model, x, t, loss))   the check in which each lesson ends

# %%
lesson.ask(                                    a question whose answer is a number; at least three questions a lesson
    "Three classes have equal scores. What is the loss?",
    np.log(3),
    "Each p is 1/3, and -log(1/3) = log 3.",   why: one or two sentences
    slips={1 / 3: "That is p itself; the loss is $-\\log p$."},    what is said to an answer that is a known mistake
)                                              within=...: how far off an answer may be (1 %; a whole number: exactly)
lesson.choose(                                 a question with choices, two to five: what is said to each
    "All scores grow by 5. The probabilities ...",
    {
        "grow": "They still sum to 1.",
        "stay as they are": "$e^5$ is a factor of every term, and cancels.",
    },
    right="stay as they are",
)

Run as a script, a lesson prints its story cell by cell, each before the code that follows it, with formulas in plain
Unicode, and waits for an answer where a person sits at the terminal; --quiet leaves story and questions out. The same
file is a notebook (notebooks.py) and a chapter of the book (book.py). So text and code must not depend on the form:
write "below", not "press Enter"; name other lessons by title. Formulas: formulas.py lists the commands it can print.
A question stands where the reader can answer it from what he has read, before the text or the picture that tells; and
first in a cell of its own, as the code of such a cell, which has the answer, is hidden in notebook and book.
"""

import argparse
import html
import os
import re
import sys
import textwrap
from pathlib import Path

import questions
import story

IN_NOTEBOOK = "IPython" in sys.modules and sys.modules["IPython"].get_ipython() is not None
options = None  # of the script that is being told
asked = []  # the questions so far


def start():
    """Whether the lesson shall train less: --quick, or TINYNN_QUICK=1. A script is told from its start, and ends."""
    global options
    quick = os.environ.get("TINYNN_QUICK", "0") not in ("", "0")
    if IN_NOTEBOOK or options is not None:
        return quick or (options is not None and options.quick)
    script = Path(sys.argv[0])
    options = of_script(script)
    asked.clear()
    story.can_print(sys.stdout)
    try:
        story.tell(script, options.quiet)
    except KeyboardInterrupt:
        sys.exit("\nstopped")
    except BrokenPipeError:  # the reader has had enough, as `head` has
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    finally:
        options = None
    sys.exit()


def of_script(script):
    """A script's options; the folder of its pictures is made."""
    parser = argparse.ArgumentParser(description=story.title(script))
    output = Path("output", "lessons", script.name[:2])
    parser.add_argument("--output", type=Path, default=output, metavar="DIR", help="of the pictures (%(default)s)")
    parser.add_argument("--quick", action="store_true", help="train less, to see that it works")
    parser.add_argument("--quiet", action="store_true", help="what is computed alone, without story and questions")
    args = parser.parse_args()
    try:
        args.output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        parser.error(f"argument --output: cannot make the directory {args.output}: {error.strerror}")
    return args


def say(text, css="said"):
    """A paragraph."""
    if IN_NOTEBOOK:
        display_html(f'<p class="{css}">{story.in_html(text)}</p>')
    else:
        print("\n" + story.filled(text))


def show(axes, name, caption):
    """A picture, and what is seen in it."""
    if not IN_NOTEBOOK:
        path = options.output / f"{name}.png"
        axes.figure.savefig(path, dpi=150)
        print(f"\nPicture: {path}\n{story.filled(caption, '  ')}")
        return
    import io

    from IPython.display import Image, display
    from matplotlib import pyplot

    png = io.BytesIO()
    axes.figure.savefig(png, format="png", dpi=200)
    display(Image(png.getvalue(), retina=True, alt=story.plain(caption)))
    say(caption, "caption")
    pyplot.close(axes.figure)  # else it is shown once more, at the end of the cell


def page(sheet, name):
    """A worksheet as a page to walk through."""
    if not IN_NOTEBOOK:
        path = options.output / f"{name}.html"
        sheet.to_html(path)
        print(f"\nPage to walk through, in a browser: {path}")
        return
    from IPython.display import display

    display(sheet)


def verdict(report):
    """A check's result, a line for each gradient."""
    title = textwrap.shorten(re.sub(r"\(\s+", "(", report.title), 72, placeholder=" ...")
    say(f"{title}: {'right' if report else 'wrong'}")
    if IN_NOTEBOOK:
        rows = ((row.where, row.tensor, row.verdict, f"relative error {row.error:.1g}") for row in report.rows)
        cells = ("".join(f"<td>{html.escape(cell)}</td>" for cell in row) for row in rows)
        display_html(f"<table>{''.join(f'<tr>{row}</tr>' for row in cells)}</table>")
        return
    for row in report.rows:
        where = textwrap.shorten(row.where, 43, placeholder=" ...")
        print(f"  {where:<43}  {row.tensor:<4} {row.verdict:<6} relative error {row.error:.1g}")


def ask(text, answer, why, slips=None, within=None):
    """A question whose answer is a number."""
    put(questions.Number(text, answer, why, slips or {}, within))


def choose(text, choices, right):
    """A question with choices: a dict of what is said to each."""
    put(questions.Choice(text, choices, right))


def put(question):
    asked.append(question)
    if IN_NOTEBOOK:
        display_html(questions.html_of(question, len(asked)))
    elif not options.quiet:
        questions.in_terminal(question, len(asked))


def display_html(text):
    from IPython.display import HTML, display

    display(HTML(text))
