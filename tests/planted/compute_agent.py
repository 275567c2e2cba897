"""Bugs of the compute agent: domains, what ended, what is not ours."""

from __future__ import annotations

from tests.planted.bug import Bug

BUGS = (
    Bug(
        "a machine is started while its migration's order stands",
        "agents/netctl_compute/plan.py",
        "    starts = not ordered and vm.uid not in past.waiting",
        "    starts = vm.uid not in past.waiting",
        "tests/unit/compute/test_plan.py",
    ),
    Bug(
        "what ended by an unknown hand is started before libvirt says how",
        "agents/netctl_compute/plan.py",
        "        case HowEnded.NONE | HowEnded.MIGRATED:",
        "        case HowEnded.MIGRATED:",
        "tests/unit/compute/test_plan.py tests/unit/compute/test_agent.py",
    ),
    Bug(
        "a guest that is copied away is steered",
        "agents/netctl_compute/plan.py",
        "    if ordered or incoming or vm.uid in state.migrating:",
        "    if incoming:",
        "tests/unit/compute/test_plan.py",
    ),
    Bug(
        "a copy of our domain with another identity is taken for ours",
        "agents/netctl_compute/domain_found.py",
        'ours is None or ours.get("uid") != uid or',
        "ours is None or",
        "tests/unit/compute/test_domain_xml.py",
    ),
    Bug(
        "taps of domains that are not assigned are swept",
        "agents/netctl_compute/plan.py",
        "    needed.update(_used_taps(state.domains.values()))\n",
        "",
        "tests/unit/compute/test_plan.py",
    ),
    Bug(
        "how a domain ended is lost when it ended before anybody looked",
        "agents/netctl_compute/agent.py",
        "                self._note_start(action)\n",
        "                pass\n",
        "tests/unit/compute/test_agent.py",
    ),
    Bug(
        "secrets are written to disk with the assignment",
        "agents/netctl_compute/saved_assignment.py",
        "msgspec.json.encode(without_secrets(assignment))",
        "msgspec.json.encode(assignment)",
        "tests/unit/compute/test_saved_assignment.py",
    ),
    Bug(
        "the connection to a libvirtd that hangs is kept",
        "agents/netctl_compute/libvirt_connection.py",
        "                self._drop(link)\n            raise HostUnavailable(",
        "                pass\n            raise HostUnavailable(",
        "tests/functional/compute/test_hanging.py",
    ),
    Bug(
        "what events say of domains is not heard",
        "agents/netctl_compute/libvirt_driver.py",
        "                self._ended[uid] = _HOW_ENDED.get(detail, HowEnded.UNKNOWN)",
        "                self._ended[uid] = HowEnded.UNKNOWN",
        "tests/functional/compute/test_contract.py",
    ),
    Bug(
        "a changed domain is not read again",
        "agents/netctl_compute/libvirt_driver.py",
        "        finally:\n            self._forget(uid)\n",
        "        finally:\n            pass\n",
        "tests/functional/compute/test_contract.py",
    ),
)
