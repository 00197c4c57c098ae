"""The error that is raised for a problem with a recording, and how other exceptions become one."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class DataError(Exception):
    """Raised if a recording is missing, damaged, of another dataset, or not allowed by the benchmark.

    The message has one or two lines. It says what is wrong, with the value, and what to do.
    """


class UnknownDatasetError(DataError):
    """The name is not that of a dataset."""


@contextmanager
def explained(path: Path, what: str, remedy: str) -> Iterator[None]:
    """Turn any exception raised while ``path`` is read as ``what`` into a DataError that ends with ``remedy``.

    Files can be malformed in more ways than the readers check for.
    """
    try:
        yield
    except DataError:
        raise
    except MemoryError as error:
        raise DataError(
            f"not enough memory to prepare {path}: allow more memory, or prepare it on a larger machine with the same "
            "NLB_SEARCH_CACHE"
        ) from error
    except Exception as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else "no message"
        raise DataError(f"{path} cannot be read as {what} ({type(error).__name__}: {reason})\n{remedy}") from error
