"""The entry point: what it imports loads only under its hand, so that Ctrl-C has an answer from the first moment."""

import sys


def main() -> None:
    """Run `watchword`; interrupted before it could begin, it ends as it does later, without a traceback."""
    try:
        from watchword.cli.main import main as run  # see above

        run()
    except KeyboardInterrupt:
        sys.exit(130)
