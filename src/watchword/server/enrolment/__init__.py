"""Enrolment: a credential, a device's public keys, and the signed-in device that comes of both.

The claim of the credential, the device row, the session and the audit entry are one unit of work. Until the credential
is 30 minutes past its use, the same credential with the same device key gets the same device again; with another key it
is refused: a lost answer costs nothing, a stolen credential gains nothing.
"""
