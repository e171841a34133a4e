-- Who is banned, and was: one row for each network, with its newest ban. It stays for as long as a further ban of the
-- network would be a longer one for it. `ends_at` is at `made_at` for a ban that was lifted.
create table bans (
    network {text} primary key,
    id {blob} not null,
    reason {text} not null,
    note {text} not null,
    made_at {bigint} not null,
    ends_at {bigint} not null,
    doublings {bigint} not null,
    change {bigint} not null
);
create index bans_by_change on bans (change, network);
create index bans_by_end on bans (ends_at);

-- How often a table has changed. Whoever changes `bans` counts here first, and so waits for whoever is about to: the
-- numbers of its rows come in the order in which they can be seen, and none comes late.
create table changes (
    name {text} primary key,
    last {bigint} not null
);

-- The offences of a source that count towards a ban, as one node has seen them: instants (8 bytes each), and keyed tags
-- of the names that were tried, with instants (16 bytes each).
create table offences (
    source {text} not null,
    node {text} not null,
    times {blob} not null,
    names {blob} not null,
    newest_at {bigint} not null,
    primary key (source, node)
) {clustered};
create index offences_by_age on offences (newest_at);
