"""Names of the user attributes in which a trial stores facts beside its scores."""

DEVICE_KEY, MEMORY_KEY, VERSION_KEY = "device", "memory_mb", "version"
"""The device of its worker, the worker's peak memory when it started the trial, and its version of nlb-search."""

DIVERGED_KEY = "diverged"
"""The error, if its training diverged."""

ORIGIN_KEY = "copied_from"
"""The study and the number there of a trial that was copied."""
