"""``python -m nlb_search`` is ``nlb-search``."""

import gc
import os
import signal
import sys

from nlb_search.search.cli.password_arguments import restart_without_passwords


def main() -> None:
    """Run the command line. Handles Ctrl-C also during the imports, which take seconds."""
    # Imports create many objects that stay: with the default threshold, looking through them takes 0.1 s of CPU time.
    gc.set_threshold(50_000)
    # As numpy is imported, OpenBLAS starts a thread for each other core, which by default waits busily for 0.1 s before
    # it sleeps. The value is the binary logarithm of the number of cycles to wait.
    os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "20")
    # Raise SystemExit on SIGTERM, so that cleanup code runs, for example to stop a private server.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        restart_without_passwords()
        from nlb_search.search.cli.app import main as run

        run()
    except KeyboardInterrupt:
        sys.exit(130)
    finally:
        gc.freeze()  # exit without looking through all objects again, which takes 0.4 s with torch


if __name__ == "__main__":
    main()
