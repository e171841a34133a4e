"""What operators are told about the keys: ids, states and times, never a key."""

from watchword.crypto.authority import Issued
from watchword.server.keys.live import DOCUMENT_SIGNER, INTERMEDIATE, ROOT, LiveKeys
from watchword.server.keys.model import KeyStatus


def list_status(live: LiveKeys) -> list[KeyStatus]:
    """Signing and sealing keys, data keys (newest version current), certificates."""
    stored = live.stored
    keys = [
        KeyStatus(
            use=key.lane.value,
            key=key.kid,
            state=key.state.value,
            created_at=key.created_at,
            changes_at=key.changes_at,
        )
        for key in stored.keys
    ]
    newest = {wrapped.purpose: 0 for wrapped in stored.data_keys}
    for wrapped in stored.data_keys:
        newest[wrapped.purpose] = max(newest[wrapped.purpose], wrapped.version)
    data = [
        KeyStatus(
            use=f"data:{wrapped.purpose.value}",
            key=str(wrapped.version),
            state="current" if wrapped.version == newest[wrapped.purpose] else "kept",
            created_at=wrapped.created_at,
            changes_at=None,
        )
        for wrapped in stored.data_keys
    ]
    certificates = {
        f"certificate:{ROOT}": live.authority.root,
        f"certificate:{INTERMEDIATE}": live.authority.intermediate,
        f"certificate:{DOCUMENT_SIGNER}": live.signer,
    }
    tls = [_certificate("tls", issued) for issued in live.tls.values()]
    return [*keys, *data, *tls, *(_certificate(use, issued) for use, issued in certificates.items())]


def _certificate(use: str, issued: Issued) -> KeyStatus:
    return KeyStatus(
        use=use,
        key=f"{issued.certificate.serial_number:x}",
        state="current",
        created_at=issued.starts_at,
        changes_at=issued.ends_at,
    )
