"""All planted bugs: one edit of one file each, and the narrowest tests that must fail with it."""

from __future__ import annotations

from tests.planted import (
    acli,
    admission,
    chain_model,
    chains,
    cli,
    compiler,
    explain,
    host,
    lab,
    machine,
    northbound,
    routing,
    security_api,
    security_hosts,
    security_model,
    security_nic,
    security_oracle,
    security_packets,
    security_rows,
    security_seen,
    security_told,
    security_words,
    server,
    store,
)
from tests.planted.bug import Bug

__all__ = ["BUGS", "Bug"]

BUGS: tuple[Bug, ...] = (
    *admission.BUGS,
    *chain_model.BUGS,
    *store.BUGS,
    *northbound.BUGS,
    *compiler.BUGS,
    *chains.BUGS,
    *routing.BUGS,
    *security_api.BUGS,
    *security_hosts.BUGS,
    *security_model.BUGS,
    *security_nic.BUGS,
    *security_oracle.BUGS,
    *security_packets.BUGS,
    *security_rows.BUGS,
    *security_seen.BUGS,
    *security_told.BUGS,
    *security_words.BUGS,
    *host.BUGS,
    *server.BUGS,
    *explain.BUGS,
    *cli.BUGS,
    *acli.BUGS,
    *lab.BUGS,
    *machine.BUGS,
)
