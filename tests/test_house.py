"""The house: imports run one way, from the rooms above to those below, and no circle is among the files of a room."""

import ast
import graphlib
import importlib
from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest

import tinynn

PACKAGE = Path(tinynn.__file__).parent
FLOORS = [  # a room takes from those of the lines above it, and from its own
    {"checks", "elsewhere", "nesting", "process"},
    {"backends", "initializers"},
    {"layers", "losses", "metrics"},
    {"optimizers"},
    {"training"},
    {"model"},
    {"saving", "datasets", "plots"},
    {"diagnosis", "teach", "bridges", "sklearn"},
    {"__init__", "__main__"},
]
FILES = {".".join(path.relative_to(PACKAGE).with_suffix("").parts): path for path in PACKAGE.rglob("*.py")}


def taken(name, everywhere):
    """The files that a file imports when it is loaded; `everywhere`, also later, inside functions."""
    tree = ast.parse(FILES[name].read_text())
    nodes = ast.walk(tree) if everywhere else tree.body
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and node.level:
            base = name.split(".")[: -node.level] + (node.module.split(".") if node.module else [])
            for alias in node.names:
                yield from known([*base, alias.name]) or known(base) or ["__init__"]


def known(parts):
    """The file of a dotted name, as a list of one; empty where it is none."""
    return [key for key in (".".join(parts), ".".join([*parts, "__init__"])) if key in FILES][:1]


@pytest.mark.parametrize("name", FILES)
def test_imports_run_one_way(name):
    floor = {room: level for level, rooms in enumerate(FLOORS) for room in rooms}
    own = name.split(".")[0]
    for other in taken(name, everywhere=False):
        room = other.split(".")[0]
        assert room == own or floor[room] < floor[own] or own == "__main__", f"{name} imports {other}"


def test_no_circle():
    graph = {name: set(taken(name, everywhere=False)) - {name} for name in FILES}
    list(graphlib.TopologicalSorter(graph).static_order())  # raises CycleError


def test_a_class_has_a_name_of_its_own():
    """But for the zoo, whose classes are called what learners call them."""
    files = [name for name in FILES if not name.startswith("teach.zoo")]
    trees = [ast.parse(FILES[name].read_text()) for name in files]
    names = Counter(node.name for tree in trees for node in tree.body if isinstance(node, ast.ClassDef))
    assert len(names) > 50 and [name for name, count in names.items() if count > 1] == []


def test_public_rooms_can_be_imported_by_their_names():
    for name in tinynn.__all__:
        if isinstance(getattr(tinynn, name), ModuleType):
            assert importlib.import_module(f"tinynn.{name}") is getattr(tinynn, name)


CALLS = {"layers/activations.py": "relu_backward", "losses.py": "mse", "optimizers.py": "adam_step"}


@pytest.mark.parametrize("name", CALLS)
def test_an_editor_leads_from_a_call_to_the_textbook(name):
    """Go to definition, with the library that editors and notebooks ask."""
    jedi = pytest.importorskip("jedi")
    op, lines = CALLS[name], (PACKAGE / name).read_text().splitlines()
    number, line = next((n, line) for n, line in enumerate(lines, 1) if f"self.ops.{op}(" in line)
    script = jedi.Script(path=PACKAGE / name, project=jedi.Project(PACKAGE.parent))
    (found,) = script.goto(number, line.index(f"{op}("), follow_imports=True)
    assert found.name == op and found.module_path.parent == PACKAGE / "backends" / "numpy"
