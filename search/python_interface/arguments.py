"""Checks of arguments that the command line performs when it parses options."""

from typing import Any, get_args

from nlb_search.search.errors import UsageError


def check_at_least(lowest: int, **arguments: float | None) -> None:
    """Raise UsageError if one of the arguments, by name, is below ``lowest``. None is a default."""
    for name, value in arguments.items():
        if value is not None and value < lowest:
            raise UsageError(f"{name}={value!r}: give a number from {lowest}")


def check_choice(name: str, value: str | None, literal: Any) -> None:
    """Raise UsageError if an argument is not one of the values of a type ``Literal``. None is a default."""
    choices = get_args(literal)
    if value is not None and value not in choices:
        raise UsageError(f"{name}={value!r}: choose one of {', '.join(choices)}")
