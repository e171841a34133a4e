"""How often, and how many at once: token buckets and places of concurrent requests.

A request names everything that it takes as one `Demand`; a `Limiter` grants all of it or nothing. `MemoryLimiter`
counts for one process, `RedisLimiter` for all nodes that share one Redis. Invariants: a refusal takes nothing; a table
never exceeds its bound; no answer depends on the wall clock of a node.
"""
