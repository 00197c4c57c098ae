"""Reading recordings and caching the prepared tensors. ``from_arrays`` and ``from_pynapple`` make a recording.

Its modules must not import models, storage or search. Layers from the top: opening, recording_from_arrays and
recording_from_pynapple; inspection, dandi, synthesis and preparing; own and nlb; nwb; and the modules that all of them
share.
"""

from importlib import import_module
from typing import TYPE_CHECKING

__all__ = ["from_arrays", "from_pynapple"]

if TYPE_CHECKING:
    from nlb_search.data.recording_from_arrays import from_arrays
    from nlb_search.data.recording_from_pynapple import from_pynapple
else:

    def __getattr__(name):
        """Import a function on first use, so that the dataset names can be imported without NumPy."""
        if name in __all__:
            return getattr(import_module(f"nlb_search.data.recording_{name}"), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
