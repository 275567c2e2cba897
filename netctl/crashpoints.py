"""Named places where a test kills the process, to prove that what is left behind can be started again.

In: the environment, `NETCTL_CRASHPOINT=name` or `name:n` (die at the n-th pass, 1 by default), read once at import.
Out: nothing, or the end of the process without any clean-up: exit status 137, as after SIGKILL.
The points, in the order in which one request meets them:

    store.before_commit       everything is written inside the transaction, COMMIT is not
    store.after_commit        durable, nobody knows
    admission.after_publish   durable and visible to the reconciler, the client not answered
    northbound.before_apply   the delta is known, OVN is not told
    northbound.after_apply    OVN took it, the pass not recorded
    migration.STAGE           a migration of a virtual machine has entered this stage, e.g. `migration.binding`
"""

from __future__ import annotations

import itertools
import os

_NAME, _, _PASS = os.environ.get("NETCTL_CRASHPOINT", "").partition(":")
_DIE_AT = int(_PASS or 1)
_passes = itertools.count(1)


def crashpoint(name: str) -> None:
    """Die here if the environment says so."""
    if name == _NAME and next(_passes) == _DIE_AT:
        os._exit(137)
