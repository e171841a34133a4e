"""What a front gives up before it greets anybody. It is no sandbox.

Code that a stranger gets to run in a front has the server's uid, and so may open all that this uid may: the root key's
file and the control socket too. What is given up here only closes ways to more than that.
"""

import ctypes
import resource
import signal
from typing import Final

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_PR_SET_PDEATHSIG: Final = 1
_PR_SET_DUMPABLE: Final = 4
_PR_CAPBSET_DROP: Final = 24
_PR_SET_NO_NEW_PRIVS: Final = 38
_PR_CAP_AMBIENT: Final = 47
_PR_CAP_AMBIENT_CLEAR_ALL: Final = 4
_CAPABILITIES: Final = 64
"""As many as the kernel's sets have room for."""


def confine() -> None:
    """End with the server, leave no memory image with a key in it, heed the server alone, and gain no right.

    No bound on the size of files: standard error may be one, and so is what OpenSSL reads the certificate from. What
    root may do as root stays: our own modules may belong to another user.
    """
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is None:  # not Linux: the end of the link has to do
        return
    prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    for capability in range(_CAPABILITIES):  # refused, without harm, to who is not root
        prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)
