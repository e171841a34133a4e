-- Devices, the sessions on them, and the single-use credentials by which a device is enrolled.
create table devices (
    id {blob} primary key,
    account_id {blob} not null references accounts (id) on delete cascade,
    name {text} not null,
    signing_key {blob} not null unique,
    message_signing_key {blob} not null,
    sealing_key {blob} not null,
    generation_version {bigint} not null,
    created_at {bigint} not null
);
create index devices_by_account on devices (account_id);

create table sessions (
    id {blob} primary key,
    account_id {blob} not null references accounts (id) on delete cascade,
    device_id {blob} not null references devices (id) on delete cascade,
    seed {blob} not null,
    sign_in_version {bigint} not null,
    counter {bigint} not null,
    auth_time {bigint} not null,
    created_at {bigint} not null,
    expires_at {bigint} not null,
    ends_at {bigint} not null,
    address {text} not null,
    user_agent {text} not null,
    ended_at {bigint}
) {clustered};
-- Only live sessions are looked for, and a device has at most one: what has ended costs nothing.
create index sessions_live_by_account on sessions (account_id) where ended_at is null;
create unique index sessions_live_by_device on sessions (device_id) where ended_at is null;

-- Enrolment credentials: the selector finds, the verifier (a keyed hash) proves. After use the row remembers which
-- device key used it, so that a lost answer can be given again to that key and to no other.
create table enrolment_credentials (
    selector {blob} primary key,
    verifier {blob} not null,
    account_id {blob} not null references accounts (id) on delete cascade,
    auth_time {bigint} not null,
    expires_at {bigint} not null,
    used_at {bigint},
    signing_key {blob},
    device_id {blob}
) {clustered};
create index enrolment_credentials_by_account on enrolment_credentials (account_id);
