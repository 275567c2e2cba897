"""Which policy a name in `netctl policy ...` means: there are routing policies and security policies.

`rp/x`, `routingPolicies/x` and `sp/x`, `securityPolicies/x` say which; an id alone is looked up in both.
"""

from __future__ import annotations

from netctl.cli import api
from netctl.cli.client import Client
from netctl.cli.failures import NOT_FOUND, Failure
from netctl.cli.kinds import BY_COLLECTION, Kind, find_kind

ROUTING = BY_COLLECTION["routingPolicies"]
SECURITY = BY_COLLECTION["securityPolicies"]


def find_policy(client: Client, text: str) -> tuple[Kind, str]:
    """Return kind and resource name of a policy that a name means; refuse an id that is in both kinds, or in none."""
    word, slash, id_ = text.partition("/")
    if slash:
        kind = find_kind(word)
        if kind is None or kind not in (ROUTING, SECURITY):
            raise Failure.usage(f"{text!r} names no policy", hint="write sp/ID, rp/ID or ID alone")
        return kind, f"{kind.collection}/{id_}"
    found = [kind for kind in (ROUTING, SECURITY) if _exists(client, f"{kind.collection}/{text}")]
    if len(found) > 1:
        raise Failure.usage(
            f"{text!r} is a routing policy and a security policy", hint=f"write rp/{text} or sp/{text}"
        )
    if not found:
        raise Failure(
            f"there is no policy {text!r}, neither in routingPolicies nor in securityPolicies",
            exit_status=NOT_FOUND,
            code="NOT_FOUND",
        )
    return found[0], f"{found[0].collection}/{text}"


def security_policy_name(text: str) -> str:
    """Return the resource name of a security policy where only those are meant: `shop`, `sp/shop`."""
    word, slash, id_ = text.partition("/")
    if slash and find_kind(word) is not SECURITY:
        raise Failure.usage(f"{text!r} names no security policy", hint="write sp/ID or ID alone")
    return f"{SECURITY.collection}/{id_ if slash else text}"


def _exists(client: Client, name: str) -> bool:
    try:
        api.get(client, name)
    except Failure as failure:
        if failure.exit_status == NOT_FOUND:
            return False
        raise
    return True
