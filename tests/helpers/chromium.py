"""A headless browser."""

import shutil
import subprocess
from pathlib import Path

import pytest

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium or Chrome on this machine")


def opened(address: str, folder: Path, *options: str) -> str:
    """The page after its scripts have run. The browser stores its own files in ``folder``."""
    command = [
        *(str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync"),
        *("--disable-background-networking", "--disable-component-update", f"--user-data-dir={folder}/profile"),
        *("--virtual-time-budget=15000", *options, "--dump-dom", address),
    ]
    return subprocess.run(command, capture_output=True, text=True, timeout=90, check=True).stdout
