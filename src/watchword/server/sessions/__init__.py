"""Sessions: short keys, logging in, and the signed-in device that comes of it.

Invariants: a session belongs to one device and a device has at most one live session; nothing is granted before the
rows that grant it are on disk; every refusal of a credential is one outward error.
"""
