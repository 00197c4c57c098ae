"""``python -m nlb_search`` is ``nlb-search``."""

import signal
import sys

from nlb_search.search.cli.password_arguments import restart_without_passwords


def main() -> None:
    """Run the command line. Handles Ctrl-C also during the imports, which take seconds."""
    # Raise SystemExit on SIGTERM, so that cleanup code runs, for example to stop a private server.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        restart_without_passwords()
        from nlb_search.search.cli.app import main as run

        run()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
