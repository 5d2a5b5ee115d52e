"""Pictures show themselves: in a notebook below their cell, in a script by plt.show(), and nowhere by themselves."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from conftest import LIMIT
from matplotlib.backend_bases import FigureManagerBase
from matplotlib.backends.backend_agg import FigureCanvasAgg
from test_plots import right_calls

import tinynn
from tinynn import plots

ROOT = Path(__file__).parents[1]

# --- this module as one of matplotlib's backends, whose windows write down that they were opened ---------------------

opened: list[int] = []


class FigureManager(FigureManagerBase):
    def show(self):
        opened.append(self.num)


class FigureCanvas(FigureCanvasAgg):
    manager_class = FigureManager


@pytest.fixture
def plt():
    """pyplot with windows."""
    from matplotlib import pyplot

    before = pyplot.get_backend()
    pyplot.switch_backend(f"module://{__name__}")
    opened.clear()
    yield pyplot
    pyplot.close("all")
    pyplot.switch_backend(before)


@pytest.mark.parametrize("name", sorted(right_calls()))
def test_a_script_opens_the_window_by_show_alone(name, plt):
    with plt.rc_context():  # which gives the settings back, so they are not to change
        settings = dict(plt.rcParams)
        axes = getattr(plots, name)(**right_calls()[name])
        assert dict(plt.rcParams) == settings
    figure = (axes[0] if isinstance(axes, list) else axes).figure
    assert plt.get_fignums() == [figure.number] and plt.gcf() is figure and opened == []
    plt.show()
    assert opened == [figure.number]
    plt.close(figure)
    own = plt.figure()
    panels = list(own.subplots(1, len(axes), squeeze=False).flat) if isinstance(axes, list) else own.subplots()
    getattr(plots, name)(**right_calls()[name], axes=panels)
    assert plt.get_fignums() == [own.number]


def test_what_is_refused_opens_no_picture(plt):
    for draw in (plots.confusion_matrix, plots.predictions, plots.line_fit, plots.paths, plots.folds):
        with pytest.raises((TypeError, ValueError)):
            draw(None, None, None)
    with pytest.raises(ValueError, match="at least one epoch"):
        tinynn.History().plot()
    assert plt.get_fignums() == []


def test_at_a_prompt_pyplot_may_be_imported_later(monkeypatch, plt):
    monkeypatch.delitem(sys.modules, "matplotlib.pyplot")
    plots.activations([tinynn.ReLU()])
    assert plt.get_fignums() == []  # a script that has not imported it
    monkeypatch.setattr(sys, "ps1", ">>> ", raising=False)
    plots.activations([tinynn.ReLU()])
    assert len(plt.get_fignums()) == 1


SETUP = """
import sys
import numpy as np
import tinynn
from tinynn import MSE, SGD, Affine, Sequential, Watch, plots

x, t = np.array([[0, 0], [0, 1], [1, 0], [1, 1.0]]), np.array([[0], [1], [1], [0.0]])
model = Sequential(Affine(2, 3), tinynn.Tanh(), Affine(3, 1), seed=0, dtype="float64", backend="numpy")
watch, loss, optimizer = Watch(), MSE(), SGD(model, lr=0.1)
history = model.fit(x, t, loss=loss, optimizer=optimizer, epochs=2, callbacks=[watch], progress=False)
assert "matplotlib.pyplot" not in sys.modules
"""
CELLS = {  # -> how many pictures the notebook shows
    SETUP: 0,
    "history.plot()": 1,
    "watch.plot()": 1,
    "plots.network(model)\nplots.confusion_matrix(np.arange(3), np.arange(3));": 2,
    "tinynn.check(model, x, t, loss).plot()": 1,
    "tinynn.diagnose(model, loss, x, t).plot()": 1,
    "for _ in range(21): plots.line_fit(x[:, 0], x[:, 1], {'y': x[:, 1]})": 21,  # pyplot warns of so many in a script
    "import matplotlib.pyplot as plt\n_, axes = plt.subplots()\nplots.network(model, axes)": 1,
    "history.plot()\nplt.show()": 1,
    "assert plt.get_fignums() == []": 0,
}


@pytest.mark.filterwarnings("ignore")  # Jupyter's own
def test_a_notebook_shows_each_picture_once(monkeypatch):
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.delenv("MPLBACKEND", raising=False)
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in CELLS])
    nbclient.NotebookClient(notebook, timeout=LIMIT, kernel_name="python3").execute()
    for cell, count in zip(notebook.cells, CELLS.values()):
        assert not [output for output in cell.outputs if output.get("name") == "stderr"], cell
        assert sum("image/png" in output.get("data", {}) for output in cell.outputs) == count, cell.source
