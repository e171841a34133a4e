"""What happened to an account lately, for its owner: read from the audit trail, and from nothing else.

Owns no table: `0006_activity.sql` indexes the trail. Whatever strangers do to an account's names, what is read and what
is shown stay bounded, and hide nothing that the owner or an operator did.

| module | offers |
|---|---|
| `model` | `Activity`, `ActivityKind` |
| `store`, `sql` | `ActivityStore`: entries of an account, newest first |
| `reading` | an entry as an `Activity` |
| `grouping` | many of a kind as one |
| `service` | `ActivityService.recent` |
"""
