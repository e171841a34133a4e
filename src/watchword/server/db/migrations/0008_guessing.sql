-- Failed guesses: one lane of an account for strangers by its user name (way is empty), one for those by its e-mail
-- address ("@"), one for each of its devices (its id). Names that nobody has share places of three bytes; the tag says
-- which of them a place is for.
create table guessing_lanes (
    owner {blob} not null,
    way {blob} not null,
    tag {blob} not null,
    recent {bigint} not null,
    in_row {bigint} not null,
    failed_at {bigint} not null,
    primary key (owner, way)
) {clustered};

-- A device in whose lane too many guesses failed is ended: it signs in no more.
alter table devices add column ended_at {bigint};
