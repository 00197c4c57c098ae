"""Passwords leave the command line, which every user of the machine can read, for the environment, which none can."""

import os
import re
import sys

VARIABLES = {"--storage": "NLB_SEARCH_STORAGE", "--to": "NLB_SEARCH_TO"}
"""Options that take a storage's URL, and the variables that say the same."""

_WITH_PASSWORD = re.compile(r"://[^@]*:.*@|passw", re.IGNORECASE)


def restart_without_passwords() -> None:
    """Replace this process by one that finds the URLs in its environment, if its command line shows a password.

    The command line keeps its number and its terminal; where it shows no password, nothing happens.
    """
    arguments, environment = sys.argv[1:], {}
    for option, variable in VARIABLES.items():
        rest, values = _taken_out(arguments, option)
        if any(map(_WITH_PASSWORD.search, values)):
            arguments, environment[variable] = rest, values[-1]
    if environment:
        python = sys.orig_argv[1 : len(sys.orig_argv) - len(sys.argv[1:])]
        os.execve(sys.executable, [sys.executable, *python, *arguments], os.environ | environment)


def _taken_out(arguments: list[str], option: str) -> tuple[list[str], list[str]]:
    """The arguments without an option, and the values that it was given."""
    rest, values = [], []
    following = iter(arguments)
    for argument in following:
        if argument == option:
            values.append(next(following, ""))
        elif argument.startswith(f"{option}="):
            values.append(argument.partition("=")[2])
        else:
            rest.append(argument)
    return rest, values
