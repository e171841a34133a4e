"""What whoever runs the server may do with it: accounts, invitations, keys, the audit trail.

Invariants: only the owner of the server's process or root is an operator (the control socket and the data directory's
lock see to that); every change is one unit of work with its audit event, which names the operator's uid; a suspended
or deleted account has no session left when the call returns.
"""

from watchword.server.operator.model import (
    AccountDetails,
    LocalOperator,
    MadeInvite,
)
from watchword.server.operator.service import OperatorService

__all__ = ["AccountDetails", "LocalOperator", "MadeInvite", "OperatorService"]
