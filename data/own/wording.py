"""Words for messages about trials and units."""

from collections.abc import Iterable, Sequence

from nlb_search.data.own.intervals import IntArray


def listed(values: Sequence[object] | IntArray) -> str:
    """The first few values, separated by commas."""
    return ", ".join(map(str, values[:5])) + (", ..." if len(values) > 5 else "")


def counted(rows: IntArray) -> str:
    """The number of trials in these rows of the trial table."""
    return f"{len(rows)} {'trial' if len(rows) == 1 else 'trials'}"


def names_in(names: Iterable[str]) -> str:
    """The names of columns or time series, without those of NWB's index columns, separated by commas."""
    return ", ".join(sorted(name for name in names if not name.endswith("_index"))) or "none"
