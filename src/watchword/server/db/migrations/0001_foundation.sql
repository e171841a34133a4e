-- What the database layer itself needs. Names in `meta` are ours: "instance" tells one database from another.
create table meta (
    name {text} primary key,
    value {blob} not null
);

-- SQLite: one row that counts the groups committed. PostgreSQL: one row per recent group, by its random id, so that
-- the outcome of a commit whose answer was lost can be asked for; `number` is then the time in milliseconds.
create table commits (
    id {blob} primary key,
    number {bigint} not null
);
create index commits_by_number on commits (number);
