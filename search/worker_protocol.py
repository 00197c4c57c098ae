"""What a launcher and the worker processes that it starts agree on."""

LAUNCHER_VARIABLE = "NLB_SEARCH_LAUNCHER"
"""Set by ``launch`` for its workers: its process id. A worker whose parent is another one has lost its launcher."""

ERROR = "nlb-search: "
"""How the first line of an error begins."""
