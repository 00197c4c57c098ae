"""Search spaces: ranges, the predefined spaces, those of the user's TOML files and models, and default settings.

From search it imports only ``errors``.
"""
