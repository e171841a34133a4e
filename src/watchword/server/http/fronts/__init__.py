"""Fronts: processes that do TLS and HTTP for the one process that decides, so that a second core is of use.

    caller ══TLS══▶ front ──socket pair──▶ server: door, handlers, database
                      ▲                       │ accepts, counts, and hands the connection over
                      └───────────────────────┘

`frames` is what the two say to each other, `link` the server's end, `relay` the front's, `front` its process, `child`
and `pool` how the server keeps them, `confine` what a front gives up. Invariant: a front decides nothing, listens
nowhere and keeps nothing; of what is secret its memory holds the key of the server's certificate and what TLS carries,
and sealed envelopes stay sealed in it. It is no sandbox: code run in it has the server's uid, and so can read all that
this uid can, the root key's file too.
"""
