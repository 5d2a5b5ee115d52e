"""Code in the styles of courses and books, seen as a layer: forward(x), backward(dy), numbers and their gradients.

    roles.py       calls by what the arguments mean: x, targets, dy, a cache, a learning rate
    view.py        View: forward and backward of whatever there is, called by these roles
    taking.py      Taking: what a backward that updates takes from its parameters
    objects.py     reader: objects, by the names of their methods
    cells.py       reader: layers with more inputs than x, such as a step of an LSTM
    tuples.py      reader: functions of tuples, forward(inputs) and backward(inputs, grad_outputs)
    slopes.py      reader: activations with their slope, f(x) and f'(x)
    functions.py   reader: functions in pairs, with what they take beside x
    networks.py    reader: networks that are their loss, too, as objects or as functions over parameters
    valued.py      reader: one function that returns a value and the gradients of its arguments
    lines.py       reader: the lines of a training loop
    around.py      the names around these lines, and those of the functions they call
    updates.py     what these lines update, and where forward ends
    losses.py      which loss that is, where it has none of its own
    layout.py      whether samples are rows or columns, or one at a time
    readers.py     the readers, in the order in which they are tried: a new style is one more

What none of them knows is `Unknown`, which says what to write instead.
"""

from .lines import Lines, Unread
from .losses import find_rule
from .networks import Whole, is_loss
from .objects import goes_back
from .readers import read, recognised
from .view import KNOWN, Unknown, View

__all__ = [
    "KNOWN", "Lines", "Unknown", "Unread", "View", "Whole", "find_rule", "goes_back", "is_loss",
    "read", "recognised",
]  # fmt: skip
