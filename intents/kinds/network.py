"""Networks and what of them may be reached."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated

from pydantic import AfterValidator, Field

from intents.kinds.base import Cidr, Part, refuse

IpNetwork = IPv4Network | IPv6Network

METADATA_ADDRESSES: tuple[IpNetwork, ...] = (ip_network("169.254.169.254/32"), ip_network("fd00:ec2::254/128"))
"""Where clouds answer any pod with the credentials of its node."""

_IPV4_MAPPED = IPv6Network("::ffff:0:0/96")


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
