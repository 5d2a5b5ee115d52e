"""Pictures of networks, of their training and of what was learned, with matplotlib.

    from tinynn import plots
    axes = plots.confusion_matrix(model.predict(x), t)
    axes.figure.savefig("confusion_matrix.png", dpi=150)

    network, activations, first_layer_weights         what a network is made of (units.py)
    filters, feature_maps                             what convolutions look for, and what they give (images.py)
    learning_curves, histograms, paths, check_sweep   how it trains, and whether its gradient is right (curves.py)
    decision_boundary, folds, line_fit                what it makes of inputs of one and two numbers (plane.py)
    confusion_matrix, predictions                     what a classifier gets wrong (classes.py)

Every function returns the axes that it drew into: those given as `axes`, or new ones on a figure of their own. None
opens a window or writes a file. A notebook shows the picture below its cell. In a script that has imported pyplot, the
figure is one of pyplot's, for `plt.show()` and `plt.savefig(...)`; `plt.close()` forgets it. Where nobody has imported
pyplot, the figure is the caller's alone.

Colours can be told apart by colour-blind readers (Okabe & Ito 2008; matplotlib's cividis and RdBu), and nothing is said
by colour alone: markers, line styles or numbers say it, too. New figures fit on a printed page with letters of 8 points
or more, unless there are very many classes or layers. `import tinynn` does not import this, nor matplotlib.

Every function raises TypeError or ValueError, which names the argument, for what it cannot draw.
"""

from .classes import confusion_matrix, predictions
from .curves import Histograms, check_sweep, histograms, learning_curves, paths
from .images import feature_maps, filters
from .plane import decision_boundary, folds, line_fit
from .style import BLUE, COLOURS, GREEN, GREY, MARKERS, ORANGE, PURPLE, SKY, VERMILLION, YELLOW
from .units import activations, first_layer_weights, network

__all__ = [
    "BLUE", "COLOURS", "GREEN", "GREY", "MARKERS", "ORANGE", "PURPLE", "SKY", "VERMILLION", "YELLOW", "Histograms",
    "activations", "check_sweep", "confusion_matrix", "decision_boundary", "feature_maps", "filters",
    "first_layer_weights", "folds", "histograms", "learning_curves", "line_fit", "network", "paths", "predictions",
]  # fmt: skip
