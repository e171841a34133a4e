"""What the terminal shows once the server listens: where it is, how to trust it, and what to type next."""

from pathlib import Path


def banner(*, origin: str, fingerprint: str, data: Path, own_tls: bool) -> str:
    """Plain text, a few lines. `own_tls`: the certificate is of our own CA, so that trust in it is all."""
    folder = data.resolve()
    other = "" if own_tls else " WATCHWORD_TLS_CA=system"
    return (
        f"\nWatchword is ready at {origin}\n"
        f"\n"
        f"  its certificate authority   {folder / 'ca.pem'}\n"
        f"  fingerprint                 {fingerprint}\n"
        f"\n"
        f"Next, in another terminal:\n"
        f"\n"
        f"  export WATCHWORD_SERVER={origin} WATCHWORD_CA={folder / 'ca.pem'}{other}\n"
        f"  watchword register\n"
        f"\n"
        f"(.venv/bin/watchword, if it is not on your PATH. Stop the server with Ctrl-C.)\n"
    )
