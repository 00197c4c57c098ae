"""What is read: recordings, and the prepared cache. ``from_arrays`` makes a recording of arrays.

No module of it may import models, storage or search. From the top: opening and recording_from_arrays; inspection,
dandi, synthesis, preparing; own and nlb; nwb; and the modules that all of them share.
"""

from nlb_search.data.recording_from_arrays import from_arrays

__all__ = ["from_arrays"]
