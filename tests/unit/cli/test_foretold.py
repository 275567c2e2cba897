"""Rows that would change, on lines: in words where there are some, by their uuid where there are none."""

from __future__ import annotations

import pytest

from netctl.cli.foretold import Foretold
from netctl.v1 import status_pb2 as pb

_ROW = "6dd60fd4-0000-5000-8000-000000000000"


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (
            pb.RowChange(
                kind=pb.ROW_CHANGE_KIND_ADD_MEMBER,
                table="Port_Group",
                resource_name="nics/d1",
                row_resource_name="categories/web",
                row_name="categories/web in vpcs/blue",
                column="ports",
            ),
            "+ Port_Group  categories/web in vpcs/blue  ports <- nics/d1",
        ),
        (
            pb.RowChange(
                kind=pb.ROW_CHANGE_KIND_REMOVE_MEMBER,
                table="Logical_Switch",
                resource_name="nics/d1",
                row_resource_name="subnets/s1",
                column="ports",
            ),
            "- Logical_Switch  subnets/s1  ports -> nics/d1",
        ),
        (
            pb.RowChange(
                kind=pb.ROW_CHANGE_KIND_REMOVE_MEMBER,
                table="Logical_Switch",
                resource_name="nics/d1",
                column="ports",
            ),
            "- Logical_Switch  6dd60fd4…  ports -> nics/d1",
        ),
        (
            pb.RowChange(
                kind=pb.ROW_CHANGE_KIND_UPDATE,
                table="ACL",
                resource_name="securityPolicies/shop",
                row_name="implicit deny, out",
                columns={"priority": "7"},
                columns_before={"priority": "6"},
            ),
            "~ ACL  implicit deny, out  securityPolicies/shop  priority: 6 -> 7",
        ),
        (
            pb.RowChange(
                kind=pb.ROW_CHANGE_KIND_UPDATE,
                table="NAT",
                resource_name="subnets/s1",
                columns={"external_ip": "192.0.2.1"},
            ),
            "~ NAT  6dd60fd4…  subnets/s1  external_ip: (unset) -> 192.0.2.1",
        ),
        (
            pb.RowChange(
                kind=pb.ROW_CHANGE_KIND_INSERT,
                table="Logical_Switch_Port",
                resource_name="nics/t1",
                row_name="nics/t1 VLAN 7",
                columns={"name": "x", "external_ids": "{a=b}", "addresses": "[]"},
            ),
            "+ Logical_Switch_Port  nics/t1 VLAN 7  name=x",
        ),
        (
            pb.RowChange(
                kind=pb.ROW_CHANGE_KIND_INSERT,
                table="Logical_Switch_Port",
                resource_name="nics/t1",
                row_name="nics/t1",
            ),
            "+ Logical_Switch_Port  nics/t1",
        ),
        (
            pb.RowChange(
                kind=pb.ROW_CHANGE_KIND_DELETE,
                table="NAT",
                resource_name="nics/t1",
                columns_before={"type": "snat"},
            ),
            "- NAT  nics/t1  type=snat",
        ),
    ],
)
def test_a_change_is_a_line(change: pb.RowChange, line: str) -> None:
    change.row = _ROW
    assert list(Foretold(rows=[change], count=1).render_text())[1:] == [f"  {line}"]
