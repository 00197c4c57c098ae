"""``python -m search`` is ``nlb-search``."""

import sys


def main() -> None:
    """Run the command line. Its imports take seconds, and Ctrl-C must end those as quietly as the rest."""
    try:
        from search.cli import main as run

        run()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
