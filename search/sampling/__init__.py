"""Search spaces, samplers and pruners. Samplers and pruners are built from ``SamplingSettings``.

This package does not depend on studies: from search it imports only ``errors`` and ``objectives``.
"""
