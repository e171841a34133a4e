"""The one Redis that nodes share: a link that knows whether it answers, and scripts that run there as one step.

Nothing that must survive is kept in Redis. Invariants: no question waits for a silent Redis for longer than 250 ms,
none is asked twice, and no password is shown. A flush is noticed within a second; short keys and device headers have a
record of their own in Redis (uses.py), which is checked in the claim itself.

One Redis, not a cluster: a script names keys of several hash slots.
"""
