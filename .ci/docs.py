"""The API as web pages, made of the docstrings: `python .ci/docs.py [FOLDER]`, then open its index.html (output/api).

Needs pdoc and scikit-learn: pip install -e ".[docs]".
"""

import pkgutil
import re
import sys
import warnings
from pathlib import Path

import pdoc

import tinynn

INSIDE = {"__main__", "checks", "nesting", "process"}  # nothing in them is for users

TAGS = r"(?:<[^>]*>|\s)*"
ARRAY = re.compile(r"numpy \. ndarray \[ typing \. Any , typing \. Any \]".replace(" ", TAGS))


def main() -> None:
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "output/api")
    # pdoc shows what __all__ names, and asks no __getattr__
    vars(tinynn).update({name: getattr(tinynn, name) for name in tinynn.__all__})
    rooms = {info.name for info in pkgutil.iter_modules(tinynn.__path__)} - INSIDE
    tinynn.__all__ += sorted(rooms - {*tinynn.__all__})
    tinynn.training.__all__ += ["callbacks"]
    # CuPy may be missing; types that only a type checker imports are shown as they are written
    warnings.filterwarnings("ignore", message="(Couldn't import|Error loading) tinynn.backends.cupy|Error parsing type")
    pdoc.render.configure(footer_text=f"tinynn {tinynn.__version__}")
    pdoc.pdoc("tinynn", "!tinynn.backends.(cupy|numba)", output_directory=folder)
    for page in folder.rglob("*.html"):  # signatures as they are written: y: Array
        page.write_text(ARRAY.sub("Array", page.read_text(encoding="utf-8")), encoding="utf-8")
    print(f"open {folder / 'index.html'}")


if __name__ == "__main__":
    main()
