"""Guessing the password of one account, from wherever: lanes that hold guesses up, and never the owner's own devices.

An account has one lane for all strangers who give its name, one for those who give its e-mail address, and one for each
of its devices. A lane is entered before anything is verified. Owns `guessing_lanes` (0008_guessing.sql).

Invariants: a failure is on disk, in one unit of work with its audit entry, before the turn that made it ends; never are
more verifications under way in a lane than failures are left before its next delay, and one where none is left. A name
that nobody has has a lane of the same kind, a row of the same table, so that nothing tells the two apart.

| module | offers |
|---|---|
| `model` | `LaneKey`, `LaneState`, `Reading` |
| `delays` | how long a lane is held, and what a failure makes of it: pure |
| `turns` | `Turns`: how many verify at once, and who waits |
| `nobody` | `NobodysLanes`: the lane of a name that nobody has |
| `store`, `sql` | `LaneStore` |
| `service` | `Guessing.enter`, `Turn` |
"""
