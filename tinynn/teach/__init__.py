"""What checks and watches: gradients and their bugs by name, one training step in full. Training imports none of it."""

from .adapted import adapt
from .gradcheck import check, check_layer, check_loss
from .optimizer_doctor import check_optimizer
from .report import Report
from .worksheet import explain

__all__ = ["Report", "adapt", "check", "check_layer", "check_loss", "check_optimizer", "explain"]
