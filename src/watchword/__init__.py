"""Watchword: a self-hosted identity server, its client and the middleware that trusts it.

One distribution, cut so that each part can be imported alone: `watchword.middleware` for applications,
`watchword.client` for programs that log in, `watchword.server` for the server itself.
"""

__version__ = "0.1.0"
