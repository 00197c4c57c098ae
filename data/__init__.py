"""Reading recordings and caching the prepared tensors. ``from_arrays`` makes a recording from arrays.

Its modules must not import models, storage or search. Layers from the top: opening and recording_from_arrays;
inspection, dandi, synthesis and preparing; own and nlb; nwb; and the modules that all of them share.
"""

from typing import TYPE_CHECKING

__all__ = ["from_arrays"]

if TYPE_CHECKING:
    from nlb_search.data.recording_from_arrays import from_arrays
else:

    def __getattr__(name):
        """Import ``from_arrays`` on first use, so that the dataset names can be imported without NumPy."""
        if name == "from_arrays":
            from nlb_search.data.recording_from_arrays import from_arrays

            return from_arrays
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
