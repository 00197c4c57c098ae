"""``python -m search`` is ``nlb-search``."""

from search.cli import main

main()
