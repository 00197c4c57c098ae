"""``python -m nlb_search`` is ``nlb-search``."""

import signal
import sys

from nlb_search.search.cli.password_arguments import restart_without_passwords


def main() -> None:
    """Run the command line. Its imports take seconds, and Ctrl-C must end those as quietly as the rest."""
    # As Ctrl-C does, so that what is to be done at the end is done: to stop a private server, for one.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        restart_without_passwords()
        from nlb_search.search.cli.app import main as run

        run()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
