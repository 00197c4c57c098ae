"""The values of ``--space``: paper, wide, or a TOML file that changes one of them."""

import tomllib
from pathlib import Path

from nlb_search.models.hyperparameters import ALLOWED, shown
from nlb_search.search.errors import UsageError
from nlb_search.search.sampling.spaces.predefined_spaces import SPACES
from nlb_search.search.sampling.spaces.range_types import NamedSpace
from nlb_search.search.sampling.spaces.written_ranges import written_range

BASE = "base"
"""Key of the file that names the space to start from."""

AS_WRITTEN = "chain"
"""Value of num_layers that takes the number in the chain's parentheses instead of searching it."""


def named_space(text: str) -> NamedSpace:
    """The space ``text``: a key of SPACES or the path of a TOML file.

    Raises UsageError if it is neither, or if the file is not valid; the message names the file, the key and the
    allowed values.
    """
    if text in SPACES:
        return NamedSpace(text, SPACES[text])
    path = Path(text)
    try:
        return parse_space(path.name, path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UsageError(
            f"there is no space and no file '{text}': choose {' or '.join(SPACES)}, or give a TOML file"
        ) from None
    except OSError as error:
        raise UsageError(f"cannot read the space {path}: {error.strerror}") from error
    except ValueError as error:
        raise UsageError(f"{path}: {error}") from error


def parse_space(name: str, text: str) -> NamedSpace:
    """Parse a space from TOML. Raises ValueError, with the line or the key, if ``text`` is not valid.

    A table that is not a setting is that of a user's model, which ``space_for`` reads.
    """
    try:
        settings = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"this is not TOML: {error}") from error
    base = settings.pop(BASE, "wide")
    if not isinstance(base, str) or base not in SPACES:
        raise ValueError(f"'{BASE}' must be {' or '.join(SPACES)}, not {shown(base)}")
    tables = {name: value for name, value in settings.items() if name not in ALLOWED and isinstance(value, dict)}
    settings = {name: value for name, value in settings.items() if name not in tables}
    for setting in settings:
        if setting not in ALLOWED:
            raise ValueError(f"'{setting}' is not a setting: choose one of {', '.join(ALLOWED)}, or {BASE}")
    base_ranges = dict(SPACES[base])
    if settings.get("num_layers") == AS_WRITTEN:
        del settings["num_layers"], base_ranges["num_layers"]
    ranges = {setting: written_range(setting, ALLOWED[setting], value) for setting, value in settings.items()}
    return NamedSpace(name, base_ranges | ranges, frozenset(ranges), tables)
