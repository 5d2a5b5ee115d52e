"""What checks and watches: gradients and their bugs by name, one training step in full. Training imports none of it."""

from .checking.gradcheck import check, check_layer, check_loss
from .checking.intake import adapt
from .checking.optimizer_doctor import check_optimizer
from .checking.report import Report
from .checking.training_loop import check_loop
from .worksheet import explain

__all__ = ["Report", "adapt", "check", "check_layer", "check_loop", "check_loss", "check_optimizer", "explain"]
