"""Gradient checks, and the doctors that name what is wrong.

    gradcheck.py           check, check_layer, check_loss: start here
    arguments.py           what they are given, and what of it is looked at
    names.py               what an argument means, by its name
    measure.py             derivatives, measured from the forward pass alone
    under_test.py          private copies of layer, loss and model, in double precision
    recorded_step.py       one step of a model, with what went into every layer and came out of it
    layer_report.py        the report on one layer, or on a network that is its loss
    layer_doctor.py        one layer: layer_gradients.py measures, layer_slips.py names, by the tables in slips/
    patterns.py            what can be seen of a mistake that has no name; own_rows.py: where x shows too little
    chance.py              the same random numbers for each forward; copies.py: deep copies
    side_effects.py        what no comparison of gradients shows; finite.py: which operation made NaN
    forwards/              wrong forwards whose backward is theirs, found by probes
    loss_doctor.py         one loss. loss_styles.py and loss_intake.py take code of any style, loss_kinds.py finds out
                           which loss it is; loss_values.py: what it computes; loss_gradient.py: its gradient, by
                           loss_ratios.py and the table of loss_slips.py; loss_eps.py: log(p + 1e-8)
    network_doctor.py      how a model puts its layers together; network_slips.py: slips of whole networks
    optimizer_doctor.py    check_optimizer. optimizer_styles.py and optimizer_form.py say how it is called,
                           optimizer_under_test.py makes its steps in small_network.py, optimizer_family.py says which
                           rule it should follow; optimizer_path.py compares the steps with optimizer_rules.py and the
                           table of optimizer_slips.py, optimizer_decay.py those with a decay
    training_loop.py       check_loop: the order of the lines of a training loop; loop_calls.py sees them run
    styles/                code as other courses write it, seen as a layer: one reader for each family
    intake.py              what is given, as layers and models; conventions.py: what is right in its course alone
    adapted.py             code of other courses as a layer; pairing.py finds its parameters and their gradients,
                           leaves.py all numbers in it
    files/                 what the command takes from a file
    report.py              what is found; sweep.py: the error against the step

A slip is named only where the numbers are exactly those that it would give; anything else is "unknown".
"""

from .gradcheck import check, check_layer, check_loss
from .intake import adapt
from .optimizer_doctor import check_optimizer
from .report import Report
from .training_loop import check_loop

__all__ = ["Report", "adapt", "check", "check_layer", "check_loop", "check_loss", "check_optimizer"]
