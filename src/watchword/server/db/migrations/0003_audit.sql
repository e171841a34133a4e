-- The audit trail (docs/protocol/audit.md): one chain per node, ordered by seq and never by time.
-- Only `personal` is ever updated (erased); rows are never deleted.
create table audit_entries (
    node {text} not null,
    seq {bigint} not null,
    at {bigint} not null,
    tag {text} not null,
    facts {text} not null,
    commitments {text} not null,
    personal {text},
    key_version {bigint} not null,
    previous_mac {blob} not null,
    mac {blob} not null,
    primary key (node, seq)
) {clustered};
