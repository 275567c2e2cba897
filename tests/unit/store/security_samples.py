"""Security intents to store: one of each kind, with every field set, and bare ones; part of samples.py."""

from __future__ import annotations

from netctl.model.category import Category
from netctl.model.groups import AddressGroup, EntityGroup, EntitySelector
from netctl.model.infra import Meta
from netctl.model.intent import Intent
from netctl.model.keys import (
    AddressGroupId,
    CategoryId,
    EntityGroupId,
    SecurityPolicyId,
    ServiceGroupId,
    Uid,
    VpcId,
)
from netctl.model.routing_policy import PortRange
from netctl.model.security_policy import (
    Direction,
    Established,
    IntraGroup,
    PolicyKind,
    PolicyMode,
    PolicyScope,
    RuleAction,
    SecurityPolicy,
    SecurityRule,
)
from netctl.model.service import Service, ServiceGroup, ServiceProtocol

META = Meta(
    uid=Uid("0d5c7c1e-3b1f-4f44-9d5a-6a6a8f9f2f11"),
    display_name="Läden 🎉",
    labels={"owner": "Zoë"},
    revision=9,
    create_time_s=1_700_000_000.125,
    update_time_s=1_700_000_001.5,
)
WEB = CategoryId("web")
CATEGORY = Category(id=WEB, meta=META, key="Schicht 層", value='web "$a" {&&} 🎉')
ADDRESS_GROUP = AddressGroup(
    id=AddressGroupId("office"),
    meta=META,
    addresses=("10.0.0.0/8", "192.0.2.1", "192.0.2.10-192.0.2.20", "2001:db8::/32"),
    except_addresses=("10.1.0.0/16", "2001:db8::1-2001:db8::5"),
)
HTTPS = Service(
    protocol=ServiceProtocol.TCP,
    ports=(PortRange(first=443, last=443), PortRange(first=8000, last=8099)),
    source_ports=(PortRange(first=1024, last=65535),),
)
SERVICE_GROUP = ServiceGroup(
    id=ServiceGroupId("common"),
    meta=META,
    services=(
        HTTPS,
        Service(protocol=ServiceProtocol.UDP),
        Service(protocol=ServiceProtocol.ICMP, icmp_type=8, icmp_code=0),
        Service(protocol=ServiceProtocol.ICMPV6, icmp_type=128),
        Service(protocol=ServiceProtocol.NUMBER, protocol_number=47),
    ),
)
ENTITY_GROUP = EntityGroup(
    id=EntityGroupId("shop"),
    meta=META,
    include=(
        EntitySelector(all_of=("categories/web", "subnets/web")),
        EntitySelector(all_of=("entityGroups/old",)),
    ),
    except_=(EntitySelector(all_of=("nics/web-1",)), EntitySelector(all_of=("vpcs/v1",))),
)
RULE = SecurityRule(
    name="from-office",
    description='what the office may do: "all"',
    direction=Direction.IN_OUT,
    action=RuleAction.ALLOW,
    priority=7,
    applied_to=("entityGroups/shop",),
    peers=("addressGroups/office", "categories/web"),
    service_groups=(SERVICE_GROUP.id,),
    services=(HTTPS,),
    ip_version=6,
    stateless=True,
    log=True,
    owner="Zoë",
    ticket="CHG-1234",
    expire_time_s=1_900_000_000.25,
    disabled=True,
)
SECURITY_POLICY = SecurityPolicy(
    id=SecurityPolicyId("shop"),
    meta=META,
    kind=PolicyKind.APPLICATION,
    mode=PolicyMode.MONITOR,
    scope=PolicyScope.VPC_LIST,
    vpcs=(VpcId("v1"), VpcId("v2")),
    priority=12,
    secured=("categories/web", "entityGroups/shop"),
    intra_group=IntraGroup.DENY,
    rules=(RULE, SecurityRule(name="bare", direction=Direction.IN, action=RuleAction.REJECT)),
    log=True,
    log_rate=17,
    established=Established.PERSIST,
)
SECURITY_OF_EACH: tuple[Intent, ...] = (
    CATEGORY,
    ADDRESS_GROUP,
    SERVICE_GROUP,
    ENTITY_GROUP,
    SECURITY_POLICY,
)
SECURITY_BARE: tuple[Intent, ...] = (
    Category(id=WEB, key="k", value="v"),
    AddressGroup(id=ADDRESS_GROUP.id),
    ServiceGroup(id=SERVICE_GROUP.id, services=(Service(protocol=ServiceProtocol.TCP),)),
    EntityGroup(id=ENTITY_GROUP.id),
    SecurityPolicy(
        id=SECURITY_POLICY.id,
        kind=PolicyKind.QUARANTINE,
        mode=PolicyMode.SAVE,
        scope=PolicyScope.ALL_VLAN,
        secured=("categories/web",),
    ),
)
