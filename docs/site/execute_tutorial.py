"""Execute the tutorial and store its outputs, with figures as images: ``make tutorial``. Needs Chromium."""

import os
from pathlib import Path

import nbformat
from nbclient import NotebookClient

TUTORIAL = Path(__file__).parents[1] / "tutorial.ipynb"

# The kernel reads these. The warning is about a progress bar of another package, and names a path of this machine.
os.environ |= {"PLOTLY_RENDERER": "png", "PYTHONWARNINGS": "ignore:IProgress"}
notebook = nbformat.read(TUTORIAL, as_version=4)
NotebookClient(notebook, timeout=600, record_timing=False).execute()
nbformat.write(notebook, TUTORIAL)
