"""Moves passwords from the command line, which every user of the machine can read, to the environment."""

import os
import re
import sys

VARIABLES = {"--storage": "NLB_SEARCH_STORAGE", "--to": "NLB_SEARCH_TO"}
"""Options with a storage URL, and the corresponding environment variables."""

_WITH_PASSWORD = re.compile(r"://[^@]*:.*@|passw", re.IGNORECASE)


def restart_without_passwords() -> None:
    """If the command line contains a password, replace this process by one with the URLs in its environment.

    The new process has the same process id and terminal.
    """
    arguments, environment = sys.argv[1:], {}
    for option, variable in VARIABLES.items():
        remaining, values = _remove_option(arguments, option)
        if any(map(_WITH_PASSWORD.search, values)):
            arguments, environment[variable] = remaining, values[-1]
    if environment:
        python = sys.orig_argv[1 : len(sys.orig_argv) - len(sys.argv[1:])]
        os.execve(sys.executable, [sys.executable, *python, *arguments], os.environ | environment)


def _remove_option(arguments: list[str], option: str) -> tuple[list[str], list[str]]:
    """Remove an option from the arguments; returns the remaining arguments and the option's values."""
    remaining, values = [], []
    iterator = iter(arguments)
    for argument in iterator:
        if argument == option:
            values.append(next(iterator, ""))
        elif argument.startswith(f"{option}="):
            values.append(argument.partition("=")[2])
        else:
            remaining.append(argument)
    return remaining, values
