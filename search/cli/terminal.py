"""Output of commands: log lines, JSON, error messages and exit codes."""

import json
import logging
import math
import os
import sys
import textwrap
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import typer
from rich.console import Console
from rich.logging import RichHandler

from nlb_search.data.errors import DataError, UnknownDatasetError
from nlb_search.models.errors import ArchitectureError
from nlb_search.search.errors import SearchError, UsageError
from nlb_search.search.worker_protocol import ERROR, LAUNCHER_VARIABLE
from nlb_search.storage.errors import InvalidNameError, StorageError

DONE, FAILED, WRONG_USAGE, INTERRUPTED = 0, 1, 2, 130

OUTPUT = Console()
MESSAGES = Console(stderr=True)


def configure_logging(debug: bool) -> None:
    """Log to standard error: in colour on a terminal, with the time otherwise."""
    level = logging.DEBUG if debug else logging.INFO
    if MESSAGES.is_terminal:
        handler = RichHandler(console=MESSAGES, show_path=False, show_level=False, log_time_format="%H:%M:%S")
        logging.basicConfig(level=logging.WARNING, handlers=[handler], format="%(message)s")
    else:
        # A launcher adds the time to the lines of its workers.
        time = "" if LAUNCHER_VARIABLE in os.environ else "%(asctime)s "
        logging.basicConfig(level=logging.WARNING, format=f"{time}%(message)s", datefmt="%H:%M:%S")
    logging.getLogger("nlb_search").setLevel(level)


def working(text: str) -> AbstractContextManager[object]:
    """A context in which a terminal shows what a long command is doing. A pipe or a log file shows nothing."""
    return MESSAGES.status(text) if MESSAGES.is_terminal else nullcontext()


def print_line(text: str, indent: int = 0) -> None:
    """Print a line. A terminal breaks it between words, with later lines indented; a pipe or a file has it in one line.

    Not for commands and paths that a reader copies.
    """
    if OUTPUT.is_terminal:
        spaces = " " * indent
        text = textwrap.fill(
            text, OUTPUT.width, subsequent_indent=spaces, break_long_words=False, break_on_hyphens=False
        )
    typer.echo(text)


def print_json(value: Any) -> None:
    """Print one JSON object. Numbers that are not finite become null, because JSON does not support them."""

    def finite(item: Any) -> Any:
        if isinstance(item, dict):
            return {key: finite(inner) for key, inner in item.items()}
        if isinstance(item, list | tuple):
            return [finite(inner) for inner in item]
        return None if isinstance(item, float) and not math.isfinite(item) else item

    typer.echo(json.dumps(finite(value)))


def exit_code_of(command: Callable[[], Any]) -> int:
    """Run a command and return its exit code. Errors are printed in one or two lines."""
    try:
        code = command()
    except typer.TyperException as error:
        return _report_error(error.format_message(), WRONG_USAGE)
    except (UsageError, ArchitectureError, UnknownDatasetError, InvalidNameError) as error:
        return _report_error(str(error), WRONG_USAGE)
    except (SearchError, StorageError, DataError) as error:
        return _report_error(str(error), FAILED)
    except PermissionError as error:
        return _report_error(
            f"no permission to use {error.filename}: run the command as another user, or change the file permissions",
            FAILED,
        )
    except Exception as error:
        from nlb_search.storage.database.failures import failure_of  # imports optuna, which takes a second

        if (failure := failure_of(error)) is not None:
            return _report_error(str(failure), FAILED)
        message = " ".join(f"{type(error).__name__}: {error}".split())
        return _report_error(f"{message}\nrun `nlb-search --debug ...` to see the traceback", FAILED)
    return code if isinstance(code, int) else DONE


def _report_error(message: str, code: int) -> int:
    """Print an error message, after the traceback with --debug; returns the exit code."""
    logging.getLogger("nlb_search").debug("traceback of the error", exc_info=True)
    print(f"{ERROR}{message}", file=sys.stderr)
    return code
