"""Conventions shared by a launcher and its worker processes."""

LAUNCHER_VARIABLE = "NLB_SEARCH_LAUNCHER"
"""Environment variable with the process id of the launcher. A worker with another parent has lost its launcher."""

ERROR = "nlb-search: "
"""Prefix of the first line of an error message."""
