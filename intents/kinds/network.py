"""Networks and what of them may be reached."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_network
from typing import Annotated

from pydantic import AfterValidator, Field

from intents.kinds.base import Cidr, Part, refuse

IpNetwork = IPv4Network | IPv6Network

_IPV4_METADATA = (
    "169.254.169.254",  # most clouds
    "169.254.170.2",  # AWS, of a task
    "100.100.100.200",  # Alibaba Cloud
    "168.63.129.16",  # Azure, of the host
    "192.0.0.192",  # Oracle Cloud
)
_IPV4_MAPPED, _NAT64 = IPv6Network("::ffff:0:0/96"), IPv6Network("64:ff9b::/96")
METADATA_ADDRESSES: tuple[IpNetwork, ...] = (
    *(ip_network(each) for each in _IPV4_METADATA),
    *(ip_network(each) for each in ("fd00:ec2::254", "fd20:ce::254")),  # AWS, Google
    *(IPv6Network(int(_NAT64.network_address) + int(IPv4Address(each))) for each in _IPV4_METADATA),
)
"""Where clouds answer any pod with the credentials of its node, or with its set-up; also by way of NAT64 (RFC 6052).

Not 169.254.170.23 of EKS, which answers only who shows the token of a pod, and with that pod's own credentials.
"""


def network_of(cidr: str) -> IpNetwork:
    """Return the network that is meant: one of IPv4 also where it is written as IPv6 (`::ffff:…`)."""
    network = ip_network(cidr)
    if isinstance(network, IPv6Network) and network.subnet_of(_IPV4_MAPPED) and network.network_address.ipv4_mapped:
        return IPv4Network((network.network_address.ipv4_mapped, network.prefixlen - _IPV4_MAPPED.prefixlen))
    return network


def _reachable(cidr: str) -> str:
    if network_of(cidr) in METADATA_ADDRESSES:
        message = f"`{cidr}` is where clouds give out the credentials of nodes; no pod may reach it"
        raise refuse("invalid-network", message, "remove it; larger networks are opened without it")
    return cidr


Port = Annotated[int, Field(strict=True, ge=1, le=65535)]
Ports = Annotated[tuple[Port, ...], Field(min_length=1)]
ReachableCidr = Annotated[Cidr, AfterValidator(_reachable)]
"""A network that may be opened, but for the metadata addresses in it."""


class Egress(Part):
    """One network that pods may reach, over TCP."""

    to: ReachableCidr
    """The network in CIDR notation, such as 10.0.0.0/8; cloud metadata addresses in it stay closed."""
    ports: Ports
    """The TCP ports."""
