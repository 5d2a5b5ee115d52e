"""The gallery: every picture on a page that stands alone; what its words say can be seen in what was computed."""

from __future__ import annotations

import base64
import importlib
import re
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread
from matplotlib.text import Text

from tinynn import plots

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"


@pytest.fixture(scope="module")
def gallery():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(EXAMPLES)
        patch.delenv("TINYNN_BACKEND", raising=False)
        yield importlib.import_module("gallery")
    for name in ("common", "gallery", "gallery_page", "gallery_networks"):
        sys.modules.pop(name, None)


def labels(axes):
    """The texts of axes that are to be seen: title, legend, and those of the two sides."""
    found = [axes.title, *(axes.get_legend().get_texts() if axes.get_legend() else [])]
    for axis in (axes.xaxis, axes.yaxis) if axes.axison else ():
        low, high = sorted(axis.get_view_interval())
        ticks = [tick for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high]
        found += [axis.label, *(text for tick in ticks for text in (tick.label1, tick.label2))]
    return [text for text in found if text.get_visible() and text.get_text()]


def measure(event):
    """Keep where the labels lie, while the figure is drawn: it is not drawn a second time."""
    figure = event.canvas.figure
    figure.drawn_size = event.canvas.get_width_height()
    shown = [text for axes in figure.axes for text in labels(axes)]
    figure.drawn_labels = [(text.get_text(), text.get_window_extent(event.renderer)) for text in shown]


@pytest.fixture(scope="module")
def made(gallery, tmp_path_factory):
    """(directory, name -> figure) of a quick gallery."""
    directory, figures = tmp_path_factory.mktemp("gallery") / "new" / "pictures", {}
    with pytest.MonkeyPatch.context() as patch:
        page = sys.modules["gallery_page"]
        save = page.save

        def keep(directory, name, axes):
            figures[name] = axes.figure
            axes.figure.canvas.mpl_connect("draw_event", measure)
            save(directory, name, axes)

        patch.setattr(page, "save", keep)
        assert gallery.main(["--quick", "--output", str(directory)]) == 0
    return directory, figures


class Reader(HTMLParser):
    """The tags of a page, checked to be closed in their order, and the text between them."""

    VOID = ("meta", "img")

    def __init__(self, page):
        super().__init__()
        self.tags, self.open, self.text = [], [], []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


def test_everything_is_there(gallery, made):
    directory, _ = made
    assert {path.name for path in directory.iterdir()} == {
        "index.html",
        *(f"{name}.png" for name in sys.modules["gallery_page"].WORDS),
    }
    for name in sys.modules["gallery_page"].WORDS:
        picture = imread(directory / f"{name}.png")[::3, ::3, :3]
        assert len(np.unique(picture @ [1, 1e3, 1e6])) > 20  # it is not blank


def test_every_function_is_shown(gallery):
    """A new function of plots wants a picture in the gallery."""
    text = (EXAMPLES / "gallery.py").read_text(encoding="utf-8")
    assert {name for name in plots.__all__ if name.islower()} == set(re.findall(r"plots\.([a-z_]+)\(", text))


def test_the_page_stands_alone(gallery, made):
    directory, _ = made
    reader = Reader((directory / "index.html").read_text(encoding="utf-8"))
    images = reader.all("img")
    assert len(images) == len(sys.modules["gallery_page"].WORDS)
    for image, (name, (title, look, alt)) in zip(images, sys.modules["gallery_page"].WORDS.items()):
        assert image["alt"] == alt and 40 < len(alt) < 400
        kind, data = image["src"].split(",")
        assert kind == "data:image/png;base64"
        assert base64.b64decode(data) == (directory / f"{name}.png").read_bytes()
        assert title in reader.text and look in reader.text
    links = [link["href"] for link in reader.all("a")]
    assert {link for link in links if not link.startswith("#")} == {
        f"{name}.png" for name in sys.modules["gallery_page"].WORDS
    }
    anchors = {section["id"] for section in reader.all("section")}
    assert {link[1:] for link in links if link.startswith("#")} == anchors == set(sys.modules["gallery_page"].WORDS)
    assert {tag for tag, _ in reader.tags}.isdisjoint({"script", "link", "iframe"})
    page = re.sub(r'src="data:[^"]*"', "", (directory / "index.html").read_text(encoding="utf-8"))
    assert "http" not in page and "url(" not in page and "@import" not in page  # nothing comes over the network
    assert reader.all("html") == [{"lang": "en"}]
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in reader.all("meta")
    assert "prefers-color-scheme: dark" in page and "max-width: 100%" in page


def test_pictures_are_readable_in_print(made):
    """No wider than a page, letters of 8 points and more."""
    for name, figure in made[1].items():
        assert figure.get_figwidth() <= 7.2 and figure.get_figheight() <= 9.5, name
        sizes = [text.get_fontsize() for text in figure.findobj(Text) if text.get_text() and text.get_visible()]
        assert min(sizes) >= 8, name


def test_no_labels_lie_on_each_other(made):
    """And none is cut off at the edge of the figure."""
    for name, figure in made[1].items():
        width, height = figure.drawn_size
        boxes = figure.drawn_labels
        assert len(boxes) > 3 or name in ("mistakes", "network", "digits_network")
        for number, (text, box) in enumerate(boxes):
            assert min(box.min) >= 0 and box.x1 <= width and box.y1 <= height, (name, text)
            for other, second in boxes[:number]:
                shared = np.minimum(box.max, second.max) - np.maximum(box.min, second.min)
                assert min(shared) < 1, (name, text, other)  # pixels, of which an inch has 150


# --- what the words say ----------------------------------------------------------------------------------------------


def curve(figure, label):
    (line,) = (line for line in figure.axes[0].lines if str(line.get_label()).startswith(label))
    return line.get_xdata(), line.get_ydata()


def test_the_sweep_is_a_v_a_plateau_and_a_cliff(made):
    figure = made[1]["check_sweep"]
    h, error = curve(figure, "right gradient")
    assert 1e-7 < h[error.argmin()] < 1e-4 and error.min() < 1e-9
    assert error[0] > 1e-6 and error[-1] > 1e-6
    right = (h >= 1e-4) & (h <= 1e-2)
    slope = np.polyfit(np.log(h[right]), np.log(error[right]), 1)[0]
    assert slope == pytest.approx(2, abs=0.1)  # the error of central differences is of the order h^2
    h, error = curve(figure, "wrong by")
    middle = (h >= 1e-9) & (h <= 1e-4)
    np.testing.assert_allclose(error[middle], 1e-4, rtol=0.05)
    h, error = curve(figure, "right, beside")
    assert (error[(h >= 1e-6) & (h <= 1e-4)] < 1e-6).all() and (error[h >= 1e-3] > 0.01).all()


def test_gradients_vanish_in_sigmoids_alone(made):
    panels = [axes for axes in made[1]["gradients"].axes if "Affine" in axes.get_title()]
    sizes = np.reshape([panel.lines[0].get_ydata()[-1] for panel in panels], (2, -1))
    assert (np.diff(sizes[0]) > 0.3).all() and np.ptp(sizes[0]) > 1.5  # powers of ten
    assert np.ptp(sizes[1]) < 1


def test_the_paths_zigzag_swing_and_reach_the_valley(made):
    figure = made[1]["paths"]
    ends = {}
    for name in ("SGD: ", "SGD, momentum", "Adam"):
        W, b = curve(figure, name)
        ends[name] = W[-1], b[-1]
        assert abs(2 * W[-1] + b[-1] - 2) < 0.1  # the valley's floor: the data's mean, at x = 2, is met
    W, _ = curve(figure, "SGD: ")
    turns = np.sign(np.diff(W)[:8])
    assert (turns[1:] != turns[:-1]).all()


def test_the_networks_have_learned(made):
    """The boundaries of moons and spiral have the points on their sides; XOR needs its hidden layer."""
    flat, small, *_ = (axes for axes in made[1]["boundaries"].axes if axes.get_title())
    fields = [axes.collections[0].get_array() for axes in (flat, small)]
    assert abs(fields[0] - 0.5).max() < 0.01
    assert fields[1].min() < 0.1 and fields[1].max() > 0.9
    for name in ("folds_xor", "folds_moons", "folds_spiral"):
        assert made[1][name].axes[0].get_title() == "the plane"


def test_the_networks_inputs_carry_ink_and_its_tiles_have_learned(gallery, made):
    """Wide lines lead from the inputs that are shown; the tiles have no speckles at the rim, where nothing is learned."""
    first, second = (np.median(one.get_linewidths()) for one in made[1]["digits_network"].axes[0].collections)
    assert first > 0.1 * second  # of pixels without ink it would be a hundredth
    tiles = made[1]["first_layer_weights"].axes[0].images[0].get_array()
    inside, rim = (abs(np.ma.filled(tiles, 0)[rows, 2:26]) for rows in (slice(2, 26), slice(0, 2)))
    assert inside.max() > 5 * rim.mean()


def test_a_resnets_maps(made):
    names = [axes.get_ylabel().split("\n")[0] for axes in made[1]["feature_maps"].axes]
    assert sum("Residual" in name for name in names) == 2 and sum("BatchNorm" in name for name in names) == 1


# --- options ---------------------------------------------------------------------------------------------------------


def test_options(gallery, tmp_path, capsys):
    (tmp_path / "file").touch()
    with pytest.raises(SystemExit) as end:
        gallery.main(["--output", str(tmp_path / "file")])
    assert end.value.code == 2
    assert "argument --output: must be a directory, but a file is in the way of" in capsys.readouterr().err
    with pytest.raises(SystemExit) as end:
        gallery.main(["--help"])
    assert end.value.code == 0
    assert "--quick" in capsys.readouterr().out


def test_data(gallery, rng):
    """As many points of both classes; moons on circles around (0, 0) and (1, 1/2), arms where their angle says."""
    x, t = gallery.moons(500, rng)
    assert x.dtype == np.float32 and np.bincount(t).tolist() == [500, 500]
    for label, center in ((0, (0, 0)), (1, (1, 0.5))):
        radius = np.linalg.norm(x[t == label] - center, axis=1)
        assert abs(radius.mean() - 1) < 0.05 and radius.std() < 0.2  # the noise has 0.12
    x, t = gallery.spiral(500, rng)
    assert x.dtype == np.float32 and np.bincount(t).tolist() == [500, 500]
    radius, angle = np.linalg.norm(x, axis=1), np.arctan2(x[:, 1], x[:, 0])
    off = np.angle(np.exp(1j * (angle - 1.5 * np.pi * radius - np.pi * t)))
    assert np.median(abs(off)) < 0.3  # radians; between the arms there are pi
