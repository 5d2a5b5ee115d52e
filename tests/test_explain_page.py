"""The worksheet's page in a real browser: Chromium, without a window, steered over a pipe (the DevTools protocol)."""

from __future__ import annotations

import base64
import contextlib
import fcntl
import itertools
import json
import os
import re
import shutil
import subprocess

import matplotlib.image
import numpy as np
import pytest
from test_explain import lecture_step, mazur, own
from test_explain_blocks import deep

from tinynn import explain

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no chromium here (Debian: apt install chromium)")


GIVEN = 16  # numbers of x, t, W and b in the example: the lines before the first that is computed
KEYS = {"ArrowRight": 39, "ArrowLeft": 37, "Home": 36, "End": 35, "Tab": 9, "Enter": 13}


class Browser:
    """One page of a Chromium without a window. Messages are JSON with a zero byte between them: no socket is needed."""

    def __init__(self, folder):
        to_child, self.writing = os.pipe()
        self.reading, from_child = os.pipe()
        ends = [fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (to_child, from_child)]  # out of the way of 3 and 4
        options = "--headless=new --no-sandbox --disable-gpu --no-first-run --disable-dev-shm-usage --hide-scrollbars"
        self.process = subprocess.Popen(
            [CHROMIUM, *options.split(), "--remote-debugging-pipe", f"--user-data-dir={folder}", "about:blank"],
            preexec_fn=lambda: [
                os.dup2(end, number) for end, number in zip(ends, (3, 4))
            ],  # it listens to 3, says to 4
            pass_fds=(3, 4),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for end in ends:
            os.close(end)
        os.close(to_child)
        os.close(from_child)
        self.left, self.number, self.session, self.said = b"", 0, None, []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method, **params):
        """The result of a command; what the page says meanwhile is kept in `said`."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if self.session is not None:
            message["sessionId"] = self.session
        os.write(self.writing, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.receive()
            if answer.get("id") == self.number:
                assert "error" not in answer, answer
                return answer["result"]

    def receive(self):
        """The next message."""
        while b"\0" not in self.left:
            block = os.read(self.reading, 1 << 16)
            assert block, "the browser is gone"
            self.left += block
        first, _, self.left = self.left.partition(b"\0")
        message = json.loads(first)
        if "method" in message:
            self.said.append(message)
        return message

    def open(self, path, width=1280, height=900, scheme="light", fragment=""):
        """Load a file, perhaps at a fragment of it, and wait until it stands."""
        self.said.clear()
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.call("Emulation.setDeviceMetricsOverride", **size)
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.call("Page.navigate", url="about:blank")  # else another fragment would load nothing
        while not any(message["method"] == "Page.loadEventFired" for message in self.said):
            self.receive()
        self.said.clear()
        self.call("Page.navigate", url=path.as_uri() + (f"#{fragment}" if fragment else ""))
        while not any(message["method"] == "Page.loadEventFired" for message in self.said):
            self.receive()

    def press(self, key, shift=False):
        """A key, down and up, as from a keyboard."""
        event = {"key": key, "code": key, "windowsVirtualKeyCode": KEYS[key], "modifiers": 8 if shift else 0}
        self.call("Input.dispatchKeyEvent", type="rawKeyDown", **event)
        self.call("Input.dispatchKeyEvent", type="keyUp", **event)

    def ask(self, expression):
        """The value of a JavaScript expression."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def text(self, selector):
        """What a part of the page shows."""
        return self.ask(f"document.querySelector({json.dumps(selector)}).innerText")

    def complaints(self):
        """Errors, warnings and anything printed to the console, and every request that is not for the page itself."""
        bad = ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded")
        found = [message for message in self.said if message["method"] in bad]
        for message in self.said:
            if message["method"] == "Network.requestWillBeSent":
                url = message["params"]["request"]["url"]
                if not url.startswith(("file:", "data:")):
                    found.append(url)
        return found

    def screenshot(self, path, whole=False):
        """A picture of the page."""
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", captureBeyondViewport=whole)["data"]))

    def close(self):
        """End the browser."""
        with contextlib.suppress(OSError, AssertionError):
            self.session = None
            self.call("Browser.close")
        for end in (self.writing, self.reading):
            os.close(end)
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    browser = Browser(tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


@pytest.fixture(scope="module")
def sheet():
    return explain(*mazur())


@pytest.fixture(scope="module")
def page(sheet, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "step.html"
    assert sheet.to_html(path) is None  # 80 KB would fill the screen of a prompt
    return path


# --- the file ------------------------------------------------------------------------------------------------------------


def test_one_file_that_loads_nothing(page, sheet):
    text = page.read_text(encoding="utf-8")
    assert text == sheet.to_html() and len(text) < 100_000
    assert not re.search(r"<(link|img|iframe|object|embed|base|form)\b(?![^>]*href=\"data:)", text)
    assert not re.search(r"\bsrc=|@import|url\((?!#)|fetch\(|XMLHttp|WebSocket|import\(", text)
    assert set(re.findall(r"https?://[^\"']*", text)) == {"http://www.w3.org/2000/svg"}  # a name, never loaded
    assert '<html lang="en">' in text and 'aria-live="polite"' in text and "prefers-color-scheme: dark" in text


# --- in the browser ------------------------------------------------------------------------------------------------------


@needs_chromium
def test_every_number_is_reached_by_key(browser, page, sheet):
    """Forward to the end, number by number: each shows its line, and nothing that comes after it."""
    browser.open(page)
    lines = sheet.lines[GIVEN:]
    steps = [step for step in sheet for _ in step.lines][GIVEN:]
    boxes = box_texts(sheet)
    assert browser.text("#count").startswith(f"{len(sheet)} steps, {len(lines)} numbers")
    for k in range(len(lines) + 1):
        seen = browser.ask(SHOWN)
        for name, (text, at) in boxes.items():
            assert seen["boxes"][name] == (text if at <= k else ""), f"{name} after {k} numbers"
        if k:
            line = lines[k - 1]
            assert seen["head"] == steps[k - 1].heading
            assert seen["left"] == line.left
            assert re.sub(r"\s+", " ", seen["rows"][0]).strip() == f"= {line.formula.symbols}".strip()
            assert seen["rows"][-1].strip() == f"= {line.text}".strip()
            if line.numbers:
                assert f"= {line.numbers.replace(' * ', ' · ')}" in [re.sub(r"\s+", " ", row) for row in seen["rows"]]
            known = [line.text for line, step in zip(lines[:k], steps) if step is steps[k - 1]]
            listed = seen["list"]
            assert listed[: len(known)] == known and not any(listed[len(known) :])
        browser.press("ArrowRight")
    assert browser.ask("document.getElementById('next').disabled")
    for k in range(len(lines) - 1, -1, -1):
        browser.press("ArrowLeft")
        assert browser.text("#count").startswith(f"step {steps[k - 1].number} of" if k else "13 steps")
    assert not browser.complaints()


SHOWN = """(() => {
  const all = (selector) => [...document.querySelectorAll(selector)], text = (one) => one.textContent;
  const boxes = {};
  for (const box of all(".box")) for (const kind of ["v", "g", "after"]) {
    const one = box.querySelector("text." + kind);
    if (one) boxes[box.id + " " + kind] = one.textContent;
  }
  return { boxes, head: document.getElementById("head").textContent, left: (all("#formula dt")[0] || {}).textContent,
    rows: all("#formula dd").map(text), list: all("#values .hole").map(text) };
})()"""


def box_texts(sheet):
    """For the boxes of Mazur's network: what each shows, and from which number on."""
    names = [line.name for line in sheet.lines[GIVEN:]]
    found = {"c5-0 v": ("L", "L"), "c5-0 after": ("L after the step", "L after the step")}
    for layer in range(1, 5):
        for unit in range(2):
            found[f"c{layer}-{unit} v"] = f"y[0,{unit}] of layer {layer}", f"y[0,{unit}] of layer {layer}"
            backward = f"dL/dx[0,{unit}] of layer {layer + 1}" if layer < 4 else f"dL/dy[0,{unit}] of layer 4"
            found[f"c{layer}-{unit} g"] = backward, backward
    texts = {box: (f"{sheet[name].value:.4g}", names.index(at) + 1) for box, (name, at) in found.items()}
    none = {f"c0-{unit} g": ("not needed", names.index("dL/dx of layer 1") + 1) for unit in range(2)}
    return texts | none | {"c0-0 v": ("0.05", 0), "c0-1 v": ("0.1", 0)}


@needs_chromium
def test_steps_ends_and_buttons(browser, page, sheet):
    browser.open(page)
    numbers = lambda: int(re.match(r"step (\d+)", browser.text("#count"))[1])  # noqa: E731
    for k in range(1, len(sheet) + 1):
        browser.press("ArrowRight", shift=True)
        assert numbers() == k and browser.text("#head") == sheet.step(k).heading
    for k in range(len(sheet) - 1, 0, -1):
        browser.press("ArrowLeft", shift=True)
        assert numbers() == k  # the first number of the step before
        assert browser.text("#formula dt") == sheet.step(k).lines[0].left
    browser.press("Home")
    assert browser.text("#head").startswith("given") and browser.ask("document.getElementById('back').disabled")
    assert browser.text("#values").split()[:3] == ["x", "x[0,0]", "0.05"]
    browser.press("End")
    assert numbers() == len(sheet)
    for name, number in {
        "first": None,
        "stepon": 1,
        "next": 1,
        "stepback": 1,
        "back": None,
        "last": len(sheet),
    }.items():
        browser.ask(f"document.getElementById({name!r}).click()")
        assert browser.text("#head").startswith("given") if number is None else numbers() == number
    browser.ask("document.querySelector('[data-phase=backward]').click()")
    assert browser.text("#head") == "step 6: backward, MSE()"
    assert browser.ask("document.querySelector('[data-phase=backward]').hasAttribute('aria-current')")
    browser.ask("document.querySelectorAll('#values button')[1].click()")
    assert browser.text("#formula dt") == "dL/dy[0,1]"
    assert not browser.complaints()


@needs_chromium
def test_a_step_has_an_address(browser, page, sheet):
    for fragment, count in {"step-3": "step 3 of", "number-2": "step 1 of 13, number 2", "step-99": "13 steps"}.items():
        browser.open(page, fragment=fragment)
        assert browser.text("#count").startswith(count)
    browser.ask("location.hash = '#step-9'")
    assert browser.ask("new Promise((done) => setTimeout(() => done(document.getElementById('head').innerText), 50))")
    assert browser.text("#head") == sheet.step(9).heading
    assert not browser.complaints()


@needs_chromium
def test_buttons_are_reached_by_tab_and_show_it(browser, page):
    browser.open(page)
    reached = []
    for _ in range(30):
        browser.press("Tab")
        reached.append(browser.ask("document.activeElement.id || document.activeElement.textContent"))
        if reached[-1] == "next":
            outline = browser.ask("getComputedStyle(document.activeElement).outlineStyle")
            assert outline == "solid"
            break
    assert reached[0] == "scroll" and "backward" in reached and reached[-1] == "next"
    browser.call(
        "Input.dispatchKeyEvent", type="keyDown", key="Enter", code="Enter", windowsVirtualKeyCode=13, text="\r"
    )
    assert browser.text("#count").startswith("step 1 of 13, number 1 ")


@needs_chromium
def test_a_gradients_paths_light_up(browser, page):
    browser.open(page)
    browser.ask("show(lines.findIndex((line) => line.name === 'dL/dx[0,0] of layer 3') + 1)")
    lit = "[...document.querySelectorAll('.edge.on')].map((edge) => edge.id + (edge.matches('.back') ? ' back' : ''))"
    assert browser.ask(lit) == ["e3-0-0 back", "e3-0-1 back"]
    assert browser.ask("[...document.querySelectorAll('.box.on')].map((box) => box.id)") == ["c2-0"]
    assert browser.ask("[...document.querySelectorAll('#labels text')].map((text) => text.textContent)") == [
        "0.4",
        "0.5",
    ]
    browser.ask("show(lines.findIndex((line) => line.name === 'new W[1,0] of layer 3') + 1)")
    assert browser.ask("[...document.querySelectorAll('#labels text')].map((text) => text.textContent)") == ["0.4087"]
    browser.ask("show(lines.findIndex((line) => line.name === 'dL/dW[1,0] of layer 3') + 1)")
    assert "nudged: L = " in browser.text("#remark") and "slope 0.08266763" in browser.text("#remark")


@needs_chromium
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_have_contrast_and_are_not_needed(browser, page, scheme):
    """WCAG 2's contrast of 4.5 in light and dark; gradients are slanted, too, and their arrows dashed."""
    browser.open(page, scheme=scheme)
    browser.ask("show(lines.findIndex((line) => line.name === 'dL/dx[0,0] of layer 3') + 1)")
    colours = browser.ask(
        """(() => {
      const style = (selector) => getComputedStyle(document.querySelector(selector));
      return { paper: style("body").backgroundColor, panel: style(".card").backgroundColor, ink: style("body").color,
        glow: style(".box.on rect").fill, soft: style("#count").color, value: style("#formula .v").color,
        gradient: style("#formula .g").color, mark: style(".controls .next").backgroundColor };
    })()"""
    )
    for ink, paper in itertools.product(("ink", "soft", "value", "gradient"), ("paper", "panel", "glow")):
        if (ink, paper) != ("soft", "glow"):
            assert contrast(colours[ink], colours[paper]) >= 4.5, (ink, paper, colours)
    assert contrast(colours["mark"], colours["paper"]) >= 4.5
    assert (luminance(colours["paper"]) < 0.1) == (scheme == "dark")
    styles = "[...document.querySelectorAll('.g')].every((one) => getComputedStyle(one).fontStyle === 'italic')"
    assert browser.ask(styles)
    assert browser.ask("getComputedStyle(document.querySelector('.edge.on.back')).strokeDasharray") not in ("none", "")


def luminance(colour):
    """The relative luminance of "rgb(...)", as WCAG 2 defines it."""
    channels = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    """From 1, no difference, to 21, black on white."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@needs_chromium
def test_the_quiz_is_on_the_page(browser, page, sheet):
    """A blank stops the cursor and hides its number everywhere; slips are named; what is right is gone on from."""
    browser.open(page)
    browser.ask("document.getElementById('quiz').click()")
    blanks = browser.ask("data.quiz.map((blank) => [blank.place, lines[blank.place - 1].name, blank.slips[0]])")
    assert len(blanks) == 8 and "quiz: 0 of 8 right, 8 left" in browser.text("#count")
    for place, name, (number, why) in blanks:
        browser.press("End")
        assert f"number {place} of " in browser.text("#count") and browser.text("#formula dt") == sheet[name].left
        shown = [browser.ask("document.body.innerText"), *browser.ask(SHOWN)["boxes"].values()]
        assert not any(sheet[name].text in text for text in shown) and f"{sheet[name].value:.4g}" not in shown
        for answer, words in ((number, why), ("x", "not a number"), (-7 * sheet[name].value, "no slip")):
            write(browser, answer if answer == "x" else f"{answer:.12f}")  # of few digits, less is asked
            assert words in browser.text("#answer p"), name
        write(browser, f"{sheet[name].value:.5g}")
        assert browser.text("#remark").startswith("That is right") and browser.ask("!document.querySelector('#answer')")
        assert sheet[name].text in browser.text("#formula")
    assert "quiz: 8 of 8 right, 0 left" in browser.text("#count")
    browser.press("End")
    assert browser.ask("cursor === lines.length")
    browser.ask("document.getElementById('quiz').click()")
    assert "quiz" not in browser.text("#count") and not browser.complaints()


def write(browser, text):
    """Write an answer to the quiz, and send it."""
    browser.ask(f"document.querySelector('#answer input').value = {json.dumps(text)}")
    browser.ask("document.querySelector('#answer button').click()")


@needs_chromium
@pytest.mark.parametrize("width", [390, 768, 1280])
def test_fits_the_width(browser, page, width, tmp_path):
    """Nothing but the drawing scrolls sideways, and that follows the cursor; the buttons are all in view."""
    browser.open(page, width=width, height=844)
    for key, shift in [("Home", False)] + [("ArrowRight", True)] * 13:
        browser.press(key, shift)
        assert browser.ask("document.documentElement.scrollWidth") <= width
        hidden = """[...document.querySelectorAll('.controls button')].filter((one) => {
          const a = one.getBoundingClientRect();
          return a.left < 0 || a.right > innerWidth || a.bottom > innerHeight || a.height < 36;
        }).map((one) => one.id)"""
        assert browser.ask(hidden) == []
        inside = """(() => {
          const box = document.querySelector(".box.on"), frame = document.getElementById("scroll").getBoundingClientRect();
          if (!box) return true;
          const a = box.getBoundingClientRect();
          return a.left >= frame.left - 1 && a.right <= frame.right + 1;
        })()"""
        assert browser.ask(inside)
    browser.screenshot(tmp_path / "page.png")
    picture = matplotlib.image.imread(tmp_path / "page.png")
    assert picture.shape[:2] == (844, width) and len(np.unique(picture.reshape(-1, picture.shape[2]), axis=0)) > 50


@needs_chromium
def test_what_learners_write_is_text(browser, tmp_path):
    """A docstring with tags in it is shown, not run."""
    sheet = explain(*own())
    sheet.to_html(tmp_path / "own.html")
    browser.open(tmp_path / "own.html")
    for _ in range(len(sheet)):
        browser.press("ArrowRight", shift=True)
        if "loss, Absolute" in browser.text("#head"):
            assert '<script>alert("& no more")</script>' in browser.text("#note")
    assert not browser.complaints()
    assert not any(message["method"] == "Page.javascriptDialogOpening" for message in browser.said)


@needs_chromium
def test_notebook_frame(browser, sheet, tmp_path):
    (tmp_path / "notebook.html").write_text(f"<!DOCTYPE html><body>{sheet._repr_html_()}</body>", encoding="utf-8")
    browser.open(tmp_path / "notebook.html")
    inner = "document.querySelector('iframe').contentDocument.getElementById('count').textContent"
    assert browser.ask(inner).startswith("13 steps")
    assert not browser.complaints()


@needs_chromium
def test_the_lectures_network(browser, tmp_path):
    sheet = explain(*lecture_step())
    sheet.to_html(tmp_path / "mnist.html")
    browser.open(tmp_path / "mnist.html", width=390)
    for k in range(1, len(sheet) + 1):
        browser.press("ArrowRight", shift=True)
        assert browser.text("#head") == sheet.step(k).heading
        assert browser.ask("document.documentElement.scrollWidth") <= 390
    browser.press("ArrowRight")
    assert not browser.complaints()


@needs_chromium
def test_blocks_and_what_is_left_out(browser, tmp_path):
    """A deep residual network: the steps that the page has are walked through under their own numbers."""
    sheet = deep()
    sheet.to_html(tmp_path / "deep.html")
    browser.open(tmp_path / "deep.html", width=390)
    numbers = browser.ask("steps.map((step) => step.number)")
    assert len(numbers) < len(sheet) and numbers[0] == 0 and numbers[-1] == len(sheet)
    for k in numbers[1:]:
        browser.press("ArrowRight", shift=True)
        assert browser.text("#head") == sheet.step(k).heading
        assert browser.text("#count").startswith(f"step {k} of {len(sheet)}, ")
    browser.ask("show(lines.findIndex((line) => /^dL.dx.* of layer 2$/.test(line.name)) + 1)")
    lit = "[...document.querySelectorAll('.edge.on.back')].map((edge) => edge.tagName).sort().join(' ')"
    assert browser.ask(lit) == "line path" and browser.ask("document.documentElement.scrollWidth") <= 390
    assert not browser.complaints()


@needs_chromium
def test_the_browser_would_see_an_error(browser, page, tmp_path):
    """The tests' own test: a page with an error in its script, and one that loads something."""
    text = page.read_text(encoding="utf-8")
    for fault in (
        "<script>nothing.at.all</script>",
        '<img src="http://127.0.0.1:9/x.png">',
        "<script>console.log(1)</script>",
    ):
        (tmp_path / "bad.html").write_text(text.replace("</body>", f"{fault}</body>"), encoding="utf-8")
        browser.open(tmp_path / "bad.html")
        assert browser.complaints(), fault
