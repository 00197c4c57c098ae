"""Ways to corrupt an NWB file: lost bytes, and invalid tables."""

import os
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np

Spoiler = Callable[[Path, np.random.Generator], str]
"""Changes a file; returns what it did, in words."""

_VALUES = (np.nan, np.inf, -np.inf, -1.0, -1e-4, 0.0, 5e-4, 1e-9, 1.0, 255.0, 1e3, 1e6, 1e300, 2.0**40)
_TABLES = ("intervals/trials/", "units/")
_ARRAYS = (*_TABLES, "processing/", "acquisition/")


def flip_bytes(path: Path, rng: np.random.Generator) -> str:
    """Some bytes become others, anywhere or in the first pages, where HDF5 keeps its tables."""
    size = path.stat().st_size
    end = size if rng.random() < 0.5 else min(size, 8192)
    places = rng.integers(0, end, rng.integers(1, 20))
    with path.open("r+b") as file:
        for place in places:
            file.seek(place)
            file.write(bytes([rng.integers(256)]))
    return f"flipped bytes {sorted(places.tolist())}"


def blank_block(path: Path, rng: np.random.Generator) -> str:
    """A block of the disk reads as zeros."""
    place, length = int(rng.integers(path.stat().st_size)), int(rng.integers(1, 4096))
    with path.open("r+b") as file:
        file.seek(place)
        file.write(bytes(length))
    return f"zeroed {length} bytes at {place}"


def cut_off(path: Path, rng: np.random.Generator) -> str:
    """The file ends too soon."""
    length = int(rng.integers(path.stat().st_size))
    os.truncate(path, length)
    return f"cut off at {length}"


def change_values(path: Path, rng: np.random.Generator) -> str:
    """Some values of one array become odd ones."""
    with h5py.File(path, "r+") as file:
        name = _an_array(file, rng)
        values = file[name][()]
        flat = values.reshape(-1)
        places = rng.integers(0, flat.size, rng.integers(1, 4))
        for place in places:
            flat[place] = _odd(flat, int(place), rng)
        file[name][...] = values
    return f"{name} at {places.tolist()} is now {flat[places].tolist()}"


def swap_values(path: Path, rng: np.random.Generator) -> str:
    """Two values of one array change places."""
    with h5py.File(path, "r+") as file:
        name = _an_array(file, rng)
        values = file[name][()]
        one, other = rng.integers(0, len(values), 2)
        values[[one, other]] = values[[other, one]]
        file[name][...] = values
    return f"{name} has {one} and {other} swapped"


def drop(path: Path, rng: np.random.Generator) -> str:
    """An array, or a table, is missing."""
    with h5py.File(path, "r+") as file:
        name = _an_array(file, rng)
        name = name if rng.random() < 0.8 else name.rpartition("/")[0]
        del file[name]
    return f"{name} is gone"


def rewrite(path: Path, rng: np.random.Generator) -> str:
    """An array has another length, another type or another shape."""
    with h5py.File(path, "r+") as file:
        name = _an_array(file, rng)
        values, attributes = file[name][()], dict(file[name].attrs)
        change = str(rng.choice(list(_CHANGES)))
        if change == "as integers" and not name.startswith(_TABLES):
            change = "as floats"  # nlb_tools does not support integer behavior
        del file[name]
        file[name] = _CHANGES[change](values)
        for key, value in attributes.items():
            file[name].attrs[key] = value
    return f"{name} is {change}"


BYTES: tuple[Spoiler, ...] = (flip_bytes, blank_block, cut_off)
SPOILERS: tuple[Spoiler, ...] = (*BYTES, change_values, swap_values, drop, rewrite)


def _as_numbers(values: np.ndarray) -> np.ndarray:
    return np.arange(values.size).reshape(values.shape) if values.dtype == object else np.nan_to_num(values)


_CHANGES: dict[str, Callable[[np.ndarray], object]] = {
    "shorter": lambda values: values[: len(values) // 2],
    "longer": lambda values: np.concatenate([values, values[-1:]]),
    "as text": lambda values: [str(value) for value in values.reshape(-1)[:2000]],
    "as bytes": lambda values: np.array([str(value).encode()[:20] for value in values.reshape(-1)[:2000]]),
    "as floats": lambda values: _as_numbers(values).astype(float),
    "as integers": lambda values: _as_numbers(values).astype(int),
    "flat": lambda values: values.reshape(-1) if values.ndim > 1 else values[0],
    "deep": lambda values: values[..., None],
}


def _an_array(file: h5py.File, rng: np.random.Generator) -> str:
    """One of the arrays that a recording is made of."""
    names: list[str] = []

    def note(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset) and name.startswith(_ARRAYS) and item.shape and item.size:
            names.append(name)

    file.visititems(note)
    return str(rng.choice(names))


def _odd(values: np.ndarray, place: int, rng: np.random.Generator) -> object:
    if values.dtype == object:
        return rng.choice(np.array([b"train", b"val", b"test", b"none", b"", b"Train", b"\xff\xfe"], dtype=object))
    if values.dtype == bool:
        return not values[place]
    with np.errstate(over="ignore", invalid="ignore"):
        near = values[place] + rng.choice([5e-4, -5e-4, 1e-3, -1e-3, 1, -1])
        return np.array(near if rng.random() < 0.5 else rng.choice(_VALUES)).astype(values.dtype)
