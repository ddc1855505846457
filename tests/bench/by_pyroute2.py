#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lab by pyroute2, spoken to as floor.c is: a lab in JSON on a line; microseconds of making it; a line;
microseconds of deleting it. Runs on the Python into which pyroute2 was installed."""

import json
import os
import sys
import time

from pyroute2 import IPRoute, NetNS, netns


def make(lab):
    """Namespaces, veth pairs made in place, and for each namespace a socket for the rest."""
    spaces = []
    for node in range(lab["nodes"]):
        netns.create(f"n{node}")
        spaces.append(os.open(f"/run/netns/n{node}", os.O_RDONLY | os.O_CLOEXEC))
    addresses, interfaces = {}, {}
    with IPRoute() as host:
        for a, ai, b, bi in lab["links"]:
            host.link("add", ifname=f"eth{ai}", kind="veth", net_ns_fd=spaces[a], index=ai,
                      peer={"ifname": f"eth{bi}", "net_ns_fd": spaces[b], "index": bi})
            interfaces.setdefault(a, []).append(ai)
            interfaces.setdefault(b, []).append(bi)
    for node, interface, text in lab["addresses"]:
        addresses.setdefault(node, []).append((interface, *text.split("/")))
    for node in range(lab["nodes"]):
        with NetNS(f"n{node}") as inside:
            for interface in [1, *interfaces.get(node, [])]:
                inside.link("set", index=interface, state="up")
            for interface, address, length in addresses.get(node, []):
                inside.addr("add", index=interface, address=address, prefixlen=int(length))
        if node in lab["forwarding"]:
            netns.pushns(f"n{node}")
            with open("/proc/sys/net/ipv4/ip_forward", "w", encoding="ascii") as file:
                file.write("1")
            netns.popns()
    for space in spaces:
        os.close(space)


def main():
    lab = json.loads(sys.stdin.readline())
    start = time.monotonic()
    make(lab)
    print(int((time.monotonic() - start) * 1e6), flush=True)
    sys.stdin.readline()
    start = time.monotonic()
    for node in range(lab["nodes"]):
        netns.remove(f"n{node}")
    print(int((time.monotonic() - start) * 1e6), flush=True)


main()
