"""Fronts: processes that do TLS and HTTP for the one process that decides, so that a second core is of use.

    caller ══TLS══▶ front ──socket pair──▶ server: door, handlers, database
                      ▲                       │ accepts, counts, and hands the connection over
                      └───────────────────────┘

`frames` is what the two say to each other, `link` the server's end, `relay` the front's, `front` its process, `child`
and `pool` how the server keeps them. Invariant: a front decides nothing, listens nowhere and keeps nothing; of what is
secret it holds the key of the server's certificate, and sealed envelopes stay sealed in it.
"""
