"""What is read: recordings, and the prepared cache. ``from_arrays`` makes a recording of arrays."""

from nlb_search.data.own.from_arrays import from_arrays

__all__ = ["from_arrays"]
