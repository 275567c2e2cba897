"""What a run of the tests needs of the machine, checked once, before the first test.

Unit tests need nothing. Functional and e2e tests need root and the real tools; where one is missing the
run fails and says what to do. It never skips: a skipped suite looks like a passed one.
"""

import os
import shutil

import pytest
from hypothesis import HealthCheck, Phase, settings

# Speed is the machine's affair, not a property's: an example never fails for being slow to make or to run.
settings.register_profile("netctl", deadline=None, suppress_health_check=[HealthCheck.too_slow])
# That an example fails is all that a planted bug asks (tests/planted); the smallest one is for people.
settings.register_profile(
    "planted", settings.get_profile("netctl"), derandomize=True, phases=(Phase.explicit, Phase.generate)
)
settings.load_profile("netctl")

NEED_THE_MACHINE = ("tests/functional/", "tests/e2e/")
TOOLS = (
    *("ovsdb-server", "ovsdb-tool", "ovsdb-client", "ovs-vswitchd", "ovs-vsctl", "ovs-appctl", "ovs-ofctl"),
    *("ovn-northd", "ovn-controller", "ovn-nbctl", "ovn-sbctl", "ovn-trace", "ovn-appctl"),
    *("etcd", "etcdctl", "ip", "ping", "ethtool", "tcpdump", "udhcpc"),
    *("libvirtd", "virsh", "qemu-system-x86_64", "qemu-img", "swtpm"),
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse to start where a collected test could not run."""
    if not any(item.nodeid.startswith(NEED_THE_MACHINE) for item in items):
        return
    if missing := [tool for tool in TOOLS if shutil.which(tool) is None]:
        raise pytest.UsageError(f"not installed: {' '.join(missing)}. Install them with: make setup")
    if os.geteuid() != 0:
        raise pytest.UsageError("functional and e2e tests make network namespaces and need root: make test")
