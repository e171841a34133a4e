"""Devices: enrolled client instances, their public keys, and the credentials that allow adding one.

Invariants: a device belongs to one account for ever; its signing key names it and no other; an enrolment credential is
used by one device key, whatever is retried.
"""
