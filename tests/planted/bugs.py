"""All planted bugs: one edit of one file each, and the narrowest tests that must fail with it."""

from __future__ import annotations

from tests.planted import (
    admission,
    cli,
    compiler,
    explain,
    host,
    lab,
    machine,
    northbound,
    routing,
    security_model,
    server,
    store,
)
from tests.planted.bug import Bug

__all__ = ["BUGS", "Bug"]

BUGS: tuple[Bug, ...] = (
    *admission.BUGS,
    *store.BUGS,
    *northbound.BUGS,
    *compiler.BUGS,
    *routing.BUGS,
    *security_model.BUGS,
    *host.BUGS,
    *server.BUGS,
    *explain.BUGS,
    *cli.BUGS,
    *lab.BUGS,
    *machine.BUGS,
)
