-- What the database layer itself needs. Names in `meta` are ours: "instance" tells one database from another, "group"
-- (SQLite) is the number of the last group committed.
create table meta (
    name {text} primary key,
    value {blob} not null
) {clustered};

-- PostgreSQL: one row per recent group, by its random id, so that the outcome of a commit whose answer was lost can be
-- asked for; `number` is the time in milliseconds.
create table commits (
    id {blob} primary key,
    number {bigint} not null
) {clustered};
create index commits_by_number on commits (number);
