"""Tables as text: the variants of CSV and TSV that spreadsheets (in any locale) and phy write."""

import codecs
import io
import re
from pathlib import Path
from typing import TYPE_CHECKING

from nlb_search.data.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

_SEPARATORS = "\t;,"


def read_text(path: Path) -> str:
    """The text of a file in UTF-8 or UTF-16, with or without a byte order mark, or else in Latin-1."""
    content = path.read_bytes()
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def read_table(path: Path) -> "pd.DataFrame":
    """A table of text with a line of column names, separated by tabs, semicolons or commas.

    Lines before it that start with # are skipped, unless the last of them has the column names, as ``numpy.savetxt``
    writes them. Between semicolons, numbers may have decimal commas. Raises DataError if the file is empty, has no
    column names or one of them twice, or has lines of different lengths.
    """
    import pandas as pd  # imported here: importing it takes a second

    lines = re.split(r"\r\n|\r|\n", read_text(path))
    comment = ""
    while lines and (not lines[0].strip() or lines[0].startswith("#")):
        comment = lines.pop(0)
    if not lines:
        raise DataError(f"{path} is empty: write a line of column names, and a line for each row")
    separator = max(_SEPARATORS, key=lines[0].count)
    if _numbers_in(lines[0], separator) and comment.count(separator) == lines[0].count(separator) > 0:
        lines.insert(0, comment.lstrip("# "))
    text = "\n".join(lines)
    if numbers := _numbers_in(lines[0], separator):
        raise DataError(f"{path} starts with the numbers {', '.join(numbers)}: write a first line of column names")
    names = _fields(lines[0], separator)
    twice = sorted({name for name in names if name and names.count(name) > 1})
    if twice:
        raise DataError(f"{path} has several columns {', '.join(twice)}: give each column a name of its own")
    has_commas = separator == ";" and re.search(r"\d,\d", text) and not re.search(r"\d\.\d", text)
    decimal = "," if has_commas else "."
    try:
        return pd.read_csv(io.StringIO(text), sep=separator, decimal=decimal, skipinitialspace=True)
    except pd.errors.ParserError as error:
        raise DataError(f"{path} has lines of different lengths ({str(error).strip().splitlines()[0]})") from error


def _numbers_in(line: str, separator: str) -> list[str]:
    """The numbers in a line, or none if it may be a line of column names, one of which may be a number."""
    fields = _fields(line, separator)
    numbers = [field for field in fields if _is_number(field)]
    return numbers if len(numbers) >= min(2, len(fields)) else []


def _fields(line: str, separator: str) -> list[str]:
    return [field.strip().strip('"') for field in line.split(separator)]


def _is_number(text: str) -> bool:
    try:
        float(text.replace(",", "."))
    except ValueError:
        return False
    return True
