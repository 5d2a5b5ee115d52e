"""Wrong forwards whose backward is theirs: no comparison of gradients shows them.

invariance.py                          start here: probes of rows, softmax and dropout, and the order of all probes
probed.py                              a layer that is asked for y of other x, in training and in use
norms.py, attention.py                 which norm or attention a forward is, to 1e-9
norm_names.py, attention_names.py      whether it is the one that it is called
running.py                             what a batch norm keeps, and what use makes of it
"""

from .invariance import remarks, wrong_forward

__all__ = ["remarks", "wrong_forward"]
