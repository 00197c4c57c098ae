"""A headless browser."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium or Chrome on this machine")

_OF_SOFTWARE_RENDERING = ("WebGL", "swiftshader")
"""Words of the messages that the browser writes to the console because the machine has no GPU."""


def opened(address: str, folder: Path, *options: str) -> str:
    """The page after its scripts have run, which must write nothing to the console: it has the page's errors.

    The browser stores its own files in ``folder``.
    """
    command = [
        *(str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync"),
        "--disable-dev-shm-usage",  # containers have little shared memory
        *("--disable-background-networking", "--disable-component-update", f"--user-data-dir={folder}/profile"),
        *("--virtual-time-budget=15000", "--enable-logging=stderr", *options, "--dump-dom", address),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=90, check=True)
    said = re.findall(r"CONSOLE:?\d*[)\]] *(.*)", done.stderr)
    errors = [line for line in said if not any(word in line for word in _OF_SOFTWARE_RENDERING)]
    assert not errors, errors
    return done.stdout
