"""Gradient checks, and the doctors that name what is wrong."""

from .adapted import adapt
from .gradcheck import check, check_layer, check_loss
from .optimizer_doctor import check_optimizer
from .report import Report

__all__ = ["Report", "adapt", "check", "check_layer", "check_loss", "check_optimizer"]
