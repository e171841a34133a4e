"""Accounts: who there is, what they log in with, their sealed chests, and the invitations to become one.

Invariants: usernames are unique by canonical key and by confusable skeleton; each login identifier has its own salt and
verifier; a password change replaces all verifiers, the client key seed and the chest in one unit of work, and ends
every other session; a registration that is refused looks the same whatever the reason.
"""
