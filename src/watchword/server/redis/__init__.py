"""The one Redis that nodes share: a link that knows whether it answers, and scripts that run there as one step.

Nothing that must survive is kept in Redis. Invariants: no question waits for a silent Redis for longer than 250 ms,
none is asked twice, and none reaches a Redis whose memory is not the one that `boot_id` names; no password is shown.

One Redis, not a cluster: a script names keys of several hash slots.
"""
