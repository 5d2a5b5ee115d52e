"""Questions with graded answers: a number, or one of several choices; at a terminal, or as a form on a page.

A number is right within 1 % (or `within`), a whole number exactly. It may be typed as 0.25, 1/4, 2^-2 or 2.5e-1.
Answers that are known mistakes have a sentence of their own. The page grades its form by the few lines of questions.js.
"""

import html
import json
import math
import re
import sys
from pathlib import Path

import story

TRIES = 3


class Number:
    """A question whose answer is a number."""

    hint = "a number, such as 0.25, 1/4 or 2.5e-1"

    def __init__(self, text, answer, why, slips, within):
        whole = isinstance(answer, int)
        self.text, self.answer, self.why, self.slips = text, answer, why, slips
        self.within = within if within is not None else 1e-9 if whole else 0.01 * abs(float(answer))
        self.shown = f"{answer:,}" if whole else f"{float(answer):.4g}"
        if self.within == 0:
            raise ValueError(f"within must be given where the answer is 0.0: {text}")
        for slip in slips:
            if abs(slip - answer) <= 2 * self.within:
                raise ValueError(f"slip {slip} must be farther from the answer, {answer}, than {self.within}: {text}")

    def grade(self, typed):
        """Whether what was typed is right, and what is said to it; ValueError where it is no number."""
        match = re.fullmatch(r"\s*([-+\d.,e^*]+)\s*(?:/\s*([-+\d.,e^*]+))?\s*", typed, re.IGNORECASE)
        try:
            value = power(match[1]) / power(match[2] or "1")
        except (TypeError, ValueError, ArithmeticError):
            raise ValueError(f"{typed.strip()!r} is not a number; write {self.hint}") from None
        if abs(value - self.answer) <= self.within:
            return True, self.why
        for slip, said in self.slips.items():
            if abs(value - slip) <= self.around(slip):
                return False, said
        return False, ""

    def around(self, slip):
        """How far off a known mistake may be."""
        return max(self.within, 1e-9 if isinstance(slip, int) else 0.01 * abs(slip))

    def data(self):
        """For the page."""
        slips = [[slip, self.around(slip), story.in_html(said)] for slip, said in self.slips.items()]
        return {"answer": float(self.answer), "within": self.within, "why": story.in_html(self.why), "slips": slips}

    def fields(self):
        return '<input name="typed" size="12" autocomplete="off" aria-label="answer"><button>Grade it</button>'


class Choice:
    """A question with choices, and what is said to each."""

    def __init__(self, text, choices, right):
        if right not in choices or len(choices) < 2:
            raise ValueError(f"right must be one of two choices or more, not {right!r}: {text}")
        self.text, self.choices = text, list(choices.items())
        number = list(choices).index(right)
        self.right, self.why, self.shown = number + 1, self.choices[number][1], f"{number + 1}) {right}"
        self.hint = f"1 to {len(self.choices)}"

    def grade(self, typed):
        """Whether the number of a choice is right, and what is said to it; ValueError where it is none."""
        if not re.fullmatch(rf"\s*[1-{len(self.choices)}]\s*\)?\s*", typed):
            raise ValueError(f"{typed.strip()!r} is none of them; write {self.hint}")
        number = int(typed.strip(" )\t\n"))
        return number == self.right, self.choices[number - 1][1]

    def data(self):
        return {"right": self.right, "said": [story.in_html(said) for _, said in self.choices]}

    def fields(self):
        return "".join(
            f'<button name="typed" value="{number}">{story.in_html(choice)}</button>'
            for number, (choice, _) in enumerate(self.choices, 1)
        )


def power(text):
    """A number, or one to the power of another: 2^10 or 2**10."""
    base, *exponent = map(to_float, text.replace("**", "^").split("^", 1))
    return math.pow(base, *exponent) if exponent else base


def to_float(text):
    """A number; 1,000 is a thousand, and 0,5 a half."""
    return float(
        text.replace(",", "") if re.fullmatch(r"[-+]?\d{1,3}(,\d{3})+(\.\d*)?", text) else text.replace(",", ".")
    )


def in_terminal(question, number):
    """Print the question; where a person sits at the terminal, wait for answers and grade them."""
    print("\n" + story.filled(f"Question {number}: {question.text}"))
    for place, (choice, _) in enumerate(getattr(question, "choices", ()), 1):
        print(story.filled(f"{place}) {choice}", "  "))
    if sys.stdin is not None and sys.stdin.isatty() and answered(question):
        return
    print(story.filled(f"Answer: {question.shown}{'' if question.shown.endswith('.') else '.'} {question.why}", "  "))


def answered(question):
    """Whether one of a few answers was right. An empty one, or the end of the input, gives up."""
    print(f"  ({question.hint}; Enter alone shows the answer)")
    tries = 0
    while tries < TRIES:
        try:
            typed = input("> ")
        except EOFError:
            print()
            return False
        if not typed.strip():
            return False
        try:
            right, said = question.grade(typed)
        except ValueError as error:
            print(story.filled(str(error), "  "))
            continue
        print(story.filled(f"{'Right.' if right else 'Not so.'} {said}", "  "))
        if right:
            return True
        tries += 1
    return False


def html_of(question, number):
    """The question as a form, which grades by itself."""
    script = Path(__file__).with_name("questions.js").read_text(encoding="utf-8")
    data = html.escape(json.dumps(question.data()), quote=True)
    return f"""<script>{script}</script>
<form class="question" onsubmit="return gradeAnswer(event)" data-lm-suppress-shortcuts="true" data-question="{data}">
<p><b>Question {number}.</b> {story.in_html(question.text)}</p>
<p class="answers">{question.fields()}</p><output></output>
<details><summary>Show the answer</summary><p>{story.in_html(f"{question.shown}. {question.why}")}</p></details>
</form>"""
