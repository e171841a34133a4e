-- Failed guesses: one lane of an account for all strangers (device is empty), one for each of its devices. Names that
-- nobody has share places of three bytes; the tag says which of them a place is for.
create table guessing_lanes (
    owner {blob} not null,
    device {blob} not null,
    tag {blob} not null,
    recent {bigint} not null,
    in_row {bigint} not null,
    failed_at {bigint} not null,
    primary key (owner, device)
) {clustered};

-- A device in whose lane too many guesses failed is ended: it signs in no more.
alter table devices add column ended_at {bigint};
