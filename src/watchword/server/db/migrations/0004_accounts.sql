-- Accounts: who there is, what they log in with, and their sealed chests.
create table accounts (
    id {blob} primary key,
    username {text} not null,
    name_key {text} not null unique,
    skeleton {text} not null unique,
    display_name {text},
    email {text},
    email_key {text} unique,
    level {bigint} not null,
    state {text} not null,
    password_version {bigint} not null,
    client_key_seed {blob} not null,
    created_at {bigint} not null,
    updated_at {bigint} not null
) {clustered};

-- One row for each login identifier ("u:" name key, "e:" e-mail key): each has its own salt and verifier.
create table logins (
    identifier_key {text} primary key,
    account_id {blob} not null references accounts (id) on delete cascade,
    kind {text} not null,
    salt {blob} not null,
    memory_kib {bigint} not null,
    passes {bigint} not null,
    lanes {bigint} not null,
    verifier {blob} not null,
    wrapped_chest_key {text} not null
) {clustered};
create index logins_by_account on logins (account_id);

-- Client key seeds of earlier passwords, by password version; the current one stands in the account. A seed is SHA-256
-- of the verifier as it was when the password was set.
create table retired_seeds (
    account_id {blob} not null references accounts (id) on delete cascade,
    version {bigint} not null,
    seed {blob} not null,
    retired_at {bigint} not null,
    primary key (account_id, version)
) {clustered};

-- What every login answers with, apart from what few ever ask for.
create table chests (
    account_id {blob} primary key references accounts (id) on delete cascade,
    version {bigint} not null,
    sealed {text} not null
);

create table chest_keys (
    account_id {blob} primary key references accounts (id) on delete cascade,
    identity_key {text} not null,
    archive_key {text} not null,
    archive_generation {bigint} not null,
    recovery_key {text} not null,
    recovery_wrapped {text} not null,
    recovery_verifier {blob} not null
);

-- Invitations: the id selects, the verifier (a keyed hash) proves; claimed once.
create table invites (
    id {blob} primary key,
    verifier {blob} not null,
    level {bigint} not null,
    note {text} not null,
    created_at {bigint} not null,
    expires_at {bigint} not null,
    used_at {bigint}
) {clustered};
