r"""The lessons' formulas, which are LaTeX, as plain Unicode for a terminal and as MathML for a page.

    plain(r"\frac{1}{N} \sum_n (y_n - t_n)^2")     1/N Σₙ (yₙ - tₙ)²
    mathml(...)                                     <math ...>, by latex2mathml

`plain` knows the commands below, raises ValueError for any other, and loads nothing but Python.
"""

import re

# ruff: noqa: RUF001  the characters below are meant

GREEK = {
    "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "epsilon": "ε", "eta": "η", "theta": "θ", "kappa": "κ",
    "lambda": "λ", "mu": "μ", "nu": "ν", "xi": "ξ", "pi": "π", "rho": "ρ", "sigma": "σ", "tau": "τ", "phi": "φ",
    "chi": "χ", "psi": "ψ", "omega": "ω", "Gamma": "Γ", "Delta": "Δ", "Theta": "Θ", "Lambda": "Λ", "Sigma": "Σ",
    "Phi": "Φ", "Psi": "Ψ", "Omega": "Ω",
}  # fmt: skip
SIGNS = GREEK | {
    "sum": "Σ", "prod": "Π", "partial": "∂", "nabla": "∇", "infty": "∞", "leftarrow": "←", "rightarrow": "→", "to": "→",
    "cdot": "·", "times": "×", "pm": "±", "le": "≤", "ge": "≥", "ne": "≠", "approx": "≈", "in": "∈", "mid": "|",
    "odot": "⊙", "dots": "...", "cdots": "...", "quad": "  ", "qquad": "   ", "|": "‖", "top": "T", "{": "{", "}": "}",
    ",": " ", ";": " ", "!": "", "left": "", "right": "", "%": "%",
}  # fmt: skip
WORDS = {"log", "exp", "max", "min", "tanh", "sin", "cos", "arg"}
TEXTS = {"operatorname", "mathrm", "text"}
ACCENTS = {"bar": "\u0304", "hat": "\u0302", "tilde": "\u0303"}
SUB = dict(zip("0123456789+-=()aehijklmnoprstuvxβγρφχ", "₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓᵦᵧᵨᵩᵪ"))
SUP = dict(zip("0123456789+-=()abcdefghijklmnoprstuvwxyzTNDHLK", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖʳˢᵗᵘᵛʷˣʸᶻᵀᴺᴰᴴᴸᴷ"))


def plain(latex):
    """LaTeX in characters that a terminal shows."""
    tokens = re.findall(r"\\[A-Za-z]+|\\.|\s+|.", latex.strip())[::-1]
    text = sequence(tokens)
    if tokens:
        raise ValueError(f"formula must not have a }} too many: {latex}")
    return re.sub(r" +([.,]?)$", r"\1", text).strip()


def sequence(tokens):
    """What stands up to the end, or to the brace that closes; takes it off the end of `tokens`."""
    text = ""
    while tokens and tokens[-1] != "}":
        text += one(tokens)
    return text


def one(tokens):
    """The next thing: a character, a command with its arguments, a group."""
    token = tokens.pop()
    if token == "{":
        text = sequence(tokens)
        if not tokens:
            raise ValueError("formula must close every {")
        tokens.pop()
        return text
    if token in "_^":
        return script(token, argument(tokens))
    if token == "'":
        return "′"
    if token.isspace():
        return " "
    return command(token[1:], tokens) if token[0] == "\\" and len(token) > 1 else token


def argument(tokens):
    """The next thing, blanks skipped."""
    while tokens and tokens[-1].isspace():
        tokens.pop()
    if not tokens:
        raise ValueError("formula must not end before an argument")
    return one(tokens)


def command(name, tokens):
    if name == "frac":
        return f"{enclosed(argument(tokens))}/{enclosed(argument(tokens))}"
    if name == "sqrt":
        return "√" + enclosed(argument(tokens))
    if name in ACCENTS:
        return "".join(letter + ACCENTS[name] for letter in argument(tokens))
    if name in TEXTS:
        return argument(tokens)
    if name in WORDS:
        return name
    if name not in SIGNS:
        raise ValueError(f"formula must be made of commands that formulas.py lists, not \\{name}")
    if name in ("partial", "nabla", *",;!") and tokens and tokens[-1].isspace():
        tokens.pop()  # ∂L, and one blank where LaTeX has a narrow one as well
    return SIGNS[name]


def enclosed(text):
    """In parentheses, unless it is one thing."""
    outside = text
    while "(" in outside and outside != (outside := re.sub(r"\([^()]*\)", "", outside)):
        pass
    return f"({text})" if re.search(r"[ +\-=/·]", outside) else text


def script(kind, text):
    small = SUB if kind == "_" else SUP
    if all(letter in small for letter in text):
        return "".join(small[letter] for letter in text)
    return kind + (text if len(text) == 1 else f"({text})")


def mathml(latex, display=False):
    """LaTeX as MathML, which every browser shows by itself."""
    from latex2mathml.converter import convert

    made = convert(latex, display="block" if display else "inline")
    return re.sub(rf"<mi>({'|'.join(WORDS)})</mi>(?!<mo)", r'\g<0><mspace width="0.17em" />', made)  # log p
