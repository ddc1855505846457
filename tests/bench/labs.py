# SPDX-License-Identifier: GPL-3.0-or-later
"""Labs of many shapes and sizes, written down in the language of each tool."""

import json
from dataclasses import dataclass, field


@dataclass
class Lab:
    """Nodes are numbers; interface N of a node is called ethN, from 2 on (1 is lo)."""

    nodes: int = 0
    links: list = field(default_factory=list)  # (node, interface, node, interface)
    addresses: list = field(default_factory=list)  # (node, interface, "A.B.C.D/L")
    bridges: dict = field(default_factory=dict)  # node: (bridge, [ports])
    routes: list = field(default_factory=list)  # (node, gateway)
    forwarding: set = field(default_factory=set)
    delay: int = 0  # of each link in both directions, milliseconds
    used: dict = field(default_factory=dict)

    def link(self, a, b):
        """Adds a link, and returns its two interfaces."""
        ends = []
        for node in (a, b):
            self.used[node] = self.used.get(node, 1) + 1
            ends.append(self.used[node])
        self.links.append((a, ends[0], b, ends[1]))
        return ends

    def subnet(self, a, b):
        """Adds a link with a subnet of its own, and forwarding at both ends."""
        number = 4 * len(self.links)
        ends = self.link(a, b)
        base = f"10.{number >> 16}.{number >> 8 & 255}"
        self.addresses += [(a, ends[0], f"{base}.{number % 256 + 1}/30"),
                           (b, ends[1], f"{base}.{number % 256 + 2}/30")]
        self.forwarding |= {a, b}

    def gateways(self):
        """Gives every node a default route through its first link's other end."""
        address = {(node, interface): text.split("/")[0] for node, interface, text in self.addresses}
        first = {}
        for a, ai, b, bi in self.links:
            first.setdefault(a, address.get((b, bi)))
            first.setdefault(b, address.get((a, ai)))
        self.routes = sorted((node, via) for node, via in first.items() if via)


def chain(size):
    """Routers in a row."""
    lab = Lab(nodes=size)
    for node in range(size - 1):
        lab.subnet(node, node + 1)
    return lab


def star(size):
    """Hosts on one bridge."""
    lab = Lab(nodes=size)
    ports = []
    for node in range(1, size):
        port, own = lab.link(0, node)
        ports.append(port)
        lab.addresses.append((node, own, f"10.0.{(node + 1) >> 8}.{(node + 1) & 255}/16"))
    lab.bridges[0] = (size + 1, ports)
    return lab


def leaf_spine(size):
    """Four spines, a leaf for every eight hosts, all routed."""
    leaves = max(2, (size - 4) // 9)
    lab = Lab(nodes=size)
    for leaf in range(4, 4 + leaves):
        for spine in range(4):
            lab.subnet(spine, leaf)
    for number, host in enumerate(range(4 + leaves, size)):
        lab.subnet(4 + number % leaves, host)
    lab.gateways()
    return lab


def mesh(size):
    """Every router linked to every other."""
    lab = Lab(nodes=size)
    for a in range(size):
        for b in range(a + 1, size):
            lab.subnet(a, b)
    return lab


def impaired(size):
    """Routers in a row, with a delay on each link."""
    lab = chain(size)
    lab.delay = 1
    return lab


SHAPES = {"chain": chain, "impaired": impaired, "star": star, "leaf-spine": leaf_spine, "mesh": mesh}


def for_floor(lab):
    """The input of floor.c."""
    lines = [f"n {lab.nodes}"]
    lines += [f"b {node} {bridge}" for node, (bridge, _) in lab.bridges.items()]
    lines += [f"v {a} {ai} {b} {bi}" for a, ai, b, bi in lab.links]
    lines += [f"m {node} {port} {bridge}" for node, (bridge, ports) in lab.bridges.items() for port in ports]
    lines += [f"a {node} {interface} {text}" for node, interface, text in lab.addresses]
    lines += [f"r {node} {via}" for node, via in lab.routes]
    lines += [f"i {node} {interface} {lab.delay}" for a, ai, b, bi in lab.links if lab.delay
              for node, interface in ((a, ai), (b, bi))]
    lines += [f"f {node}" for node in sorted(lab.forwarding)]
    return "\n".join(lines) + "\n\n"


def as_json(lab):
    """The input of the by_*.py programs: one line."""
    return json.dumps({"nodes": lab.nodes, "links": lab.links, "addresses": lab.addresses,
                       "forwarding": sorted(lab.forwarding)}) + "\n"


def for_netlab(lab, name):
    """A lab file."""
    interfaces = {node: {} for node in range(lab.nodes)}
    for a, ai, b, bi in lab.links:
        interfaces[a].setdefault(ai, [])
        interfaces[b].setdefault(bi, [])
    for node, interface, text in lab.addresses:
        interfaces[node][interface].append(text)
    routes = {}
    for node, via in lab.routes:
        routes.setdefault(node, []).append(via)
    lines = [f"name: {name}", "nodes:"]
    for node, own in interfaces.items():
        lines.append(f"  n{node}:")
        if node in lab.forwarding:
            lines.append("    forwarding: true")
        lines.append("    interfaces:")
        bridge, ports = lab.bridges.get(node, (None, []))
        if bridge:
            lines.append(f"      eth{bridge}: {{ bridge: {{}} }}")
        ports = set(ports)
        for interface, addresses in own.items():
            port = [f"port: {{ bridge: eth{bridge} }}"] if interface in ports else []
            port += [f"addresses: [{', '.join(addresses)}]"] if addresses else []
            lines.append(f"      eth{interface}: {{ {', '.join(port)} }}")
        for via in routes.get(node, []):
            lines.append(f"    routes: [{{ to: 0.0.0.0/0, via: {via} }}]")
    lines.append("links:")
    impair = f", impair: {{ delay: {lab.delay}ms }}" if lab.delay else ""
    lines += [f'  - {{ endpoints: ["n{a}:eth{ai}", "n{b}:eth{bi}"]{impair} }}' for a, ai, b, bi in lab.links]
    return "\n".join(lines) + "\n"


def commands(lab):
    """The notebook's way: (namespace or None, words of one ip or sysctl command) in order."""
    steps = [(None, f"ip netns add n{node}") for node in range(lab.nodes)]
    for a, ai, b, bi in lab.links:
        steps.append((None, f"ip link add eth{ai} netns n{a} type veth peer name eth{bi} netns n{b}"))
    for node, (bridge, ports) in lab.bridges.items():
        steps.append((node, f"ip link add eth{bridge} type bridge"))
        steps += [(node, f"ip link set eth{port} master eth{bridge}") for port in ports]
        steps.append((node, f"ip link set eth{bridge} up"))
    steps += [(node, "ip link set lo up") for node in range(lab.nodes)]
    for a, ai, b, bi in lab.links:
        steps += [(a, f"ip link set eth{ai} up"), (b, f"ip link set eth{bi} up")]
    steps += [(node, f"ip address add {text} dev eth{interface}") for node, interface, text in lab.addresses]
    steps += [(node, f"ip route add default via {via}") for node, via in lab.routes]
    steps += [(node, "sysctl -qw net.ipv4.ip_forward=1") for node in sorted(lab.forwarding)]
    return steps
