"""What is read: recordings, and the prepared cache. ``from_arrays`` makes a recording of arrays.

No module of it may import models, storage or search. From the top: opening and recording_from_arrays; inspection,
dandi, synthesis, preparing; own and nlb; nwb; and the modules that all of them share.
"""

from typing import TYPE_CHECKING

__all__ = ["from_arrays"]

if TYPE_CHECKING:
    from nlb_search.data.recording_from_arrays import from_arrays
else:

    def __getattr__(name):
        """Import ``from_arrays`` when it is first asked for: the names of the datasets need no NumPy."""
        if name == "from_arrays":
            from nlb_search.data.recording_from_arrays import from_arrays

            return from_arrays
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
