"""A controller's admission under load, to be killed. Arguments: the store's path, how many clients, how many steps.

Each client sends the same requests under the same ids at every start, and prints an id once it is answered. A step
creates three NICs as one change; every third step another request removes the first of them.
"""

from __future__ import annotations

import os
import sys
import threading

from netctl.errors import NetctlError
from netctl.server.admission import Admission, Request
from netctl.store.sqlite import SqliteStore
from tests.unit.server.admission_samples import ANSWER_S, create, foundation, nic, remove

NICS = 3


def requests_of(client: int, steps: int) -> list[Request]:
    """Return what a client sends, in order."""
    requests = []
    for step in range(steps):
        name = f"{client}-{step}"
        requests.append(create(*(nic(f"{name}-{i}") for i in range(NICS)), id=name))
        if step % 3 == 2:
            requests.append(remove(f"{name}-0", id=f"{name}-rm"))
    return requests


def _client(admission: Admission, number: int, steps: int) -> None:
    for request in requests_of(number, steps):
        try:
            answer = admission.submit(request).result(ANSWER_S)
        except NetctlError as error:
            os.write(1, f"error {request.request_id} {error!r}\n".encode())
        else:
            # One write, no buffer: what was printed was answered before the process died.
            os.write(1, f"ack {request.request_id} {answer.revision} {len(answer.results)}\n".encode())


def main() -> None:
    """Serve all clients, then stop properly."""
    path, clients, steps = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    store = SqliteStore(path)
    store.next_epoch()
    admission = Admission(store)
    admission.start()
    os.write(1, b"up\n")
    admission.submit(create(*(edit.intent for edit in foundation().edits), id="foundation")).result(ANSWER_S)  # type: ignore[union-attr]
    threads = [threading.Thread(target=_client, args=(admission, i, steps)) for i in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    admission.close()
    store.close()


if __name__ == "__main__":
    main()
