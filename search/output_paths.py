"""Checks output paths before training or prediction, so that nothing is computed that cannot be written."""

import os
from collections.abc import Callable
from pathlib import Path

from nlb_search.search.errors import SearchError


def check_file(path: Path, is_replaceable: Callable[[Path], bool], what: str, option: str = "--out") -> None:
    """Raise SearchError unless ``path``, given with ``option``, can be written. An existing file is replaced only if it
    ``is_replaceable``: it is of the same kind as the new one, which ``what`` names, such as "a submission".
    """
    if path.is_dir():
        raise SearchError(f"{path} is a folder: name a file, like {path / 'rates.h5'}")
    _check_parent(path, option)
    if path.exists() and not is_replaceable(path):
        raise SearchError(f"{path} exists and is not {what}, so it is not overwritten: name another file with {option}")


def check_folder(folder: Path) -> None:
    """Raise SearchError unless ``folder``, given with --model, can be created: it is new, or empty."""
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
        raise SearchError(f"{folder} exists and is not an empty folder: name a new folder with --model")
    _check_parent(folder, "--model")


def _check_parent(path: Path, option: str) -> None:
    parent = path.parent
    if not parent.is_dir():
        raise SearchError(f"the folder {parent} does not exist: create it, or name another path with {option}")
    if not os.access(parent, os.W_OK):
        raise SearchError(f"the folder {parent} cannot be written to: name another path with {option}")
