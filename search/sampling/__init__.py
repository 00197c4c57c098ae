"""Search spaces, and the samplers and pruners that are made from ``SamplingSettings``.

It knows no study and no specification, and imports from search only the modules beside the floors.
"""
