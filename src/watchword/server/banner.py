"""What the terminal shows once the server listens: where it is, how to trust it, and what to type next."""

from pathlib import Path


def banner(*, origin: str, fingerprint: str, data: Path) -> str:
    """Plain text, a few lines."""
    folder = data.resolve()
    return (
        f"\nWatchword is ready at {origin}\n"
        f"\n"
        f"  its certificate authority   {folder / 'ca.pem'}\n"
        f"  fingerprint                 {fingerprint}\n"
        f"\n"
        f"Next, in another terminal:\n"
        f"\n"
        f"  export WATCHWORD_SERVER={origin} WATCHWORD_CA={folder / 'ca.pem'}\n"
        f"  watchword register\n"
        f"\n"
        f"(.venv/bin/watchword, if it is not on your PATH. Stop the server with Ctrl-C.)\n"
    )
