-- The server's keys. Every private key is sealed: data keys under the root key, the others under the at-rest data key.
-- `version` moves with every change of any of these tables: a change is guarded by it, and other nodes watch it.
create table key_state (
    name {text} primary key,
    version {bigint} not null,
    root_check {blob} not null,
    issuer {text} not null,
    document_number {bigint} not null,
    document_issued_at {bigint} not null,
    document {text} not null
);

create table data_keys (
    purpose {text} not null,
    version {bigint} not null,
    wrapped {blob} not null,
    created_at {bigint} not null,
    primary key (purpose, version)
);

-- Sealing and signing keys. `changes_at`: when a coming key becomes current, or a retiring one goes.
create table server_keys (
    kid {text} primary key,
    lane {text} not null,
    state {text} not null,
    sealed {blob} not null,
    created_at {bigint} not null,
    changes_at {bigint}
);

-- Certificates with their private keys: "root", "intermediate", "document_signer", and "tls:" and a hash of the names.
-- `chain` is DER in base64url, leaf first, one line for each.
create table server_certificates (
    role {text} primary key,
    chain {text} not null,
    sealed {blob} not null
);
