"""setuptools, with MANIFEST.in in this folder: it says what a source archive holds beside the package."""

from setuptools.build_meta import *  # noqa: F403 (what pip and build call)
from setuptools.command.egg_info import manifest_maker

manifest_maker.template = ".ci/MANIFEST.in"
