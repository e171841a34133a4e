-- Find an account's entries in the audit trail: indexes over what the entries say, so that nothing is stored twice,
-- older entries are in them at once, and what is erased from an entry is gone from them.
-- Facts are canonical JSON, where "account" is always the first member: the 26 digits of its id begin at character 17.
create index audit_events_by_account on audit_entries (substr(facts, 17, 26), at, seq)
    where substr(facts, 2, 15) = '"account":"acc_' and tag <> 'account:token:issue';

-- Tokens for apps are made every few minutes: apart from the rest, so that they hide nothing.
create index audit_tokens_by_account on audit_entries (substr(facts, 17, 26), at, seq)
    where substr(facts, 2, 15) = '"account":"acc_' and tag = 'account:token:issue';

-- Refused logins by the name that was tried, whether or not anybody has it. It is the last of the personal values: 15
-- characters, the salt in hex, three more, the value up to the end. The bound keeps a key within a page of an index.
create index audit_refused_by_name on audit_entries
    (substr(personal, {find}(personal, '"identifier":["') + 50, 400), at, seq)
    where tag = 'account:session:login-refused' and personal is not null;
