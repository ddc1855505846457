#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lab by Mininet, spoken to as floor.c is: a lab in JSON on a line; microseconds of making it; a line;
microseconds of deleting it. Runs on the Python of Debian's package mininet."""

import json
import sys
import time

from mininet.log import setLogLevel
from mininet.net import Mininet


def make(lab):
    """Hosts, links, addresses, forwarding; no controller and no switch."""
    # Mininet would raise limits of the whole machine first; what is measured does not need it.
    Mininet.inited = True
    net = Mininet(controller=None, autoSetMacs=False, autoStaticArp=False)
    hosts = [net.addHost(f"n{node}", ip=None) for node in range(lab["nodes"])]
    for a, ai, b, bi in lab["links"]:
        # Mininet wants names that no other host has.
        net.addLink(hosts[a], hosts[b], intfName1=f"n{a}-eth{ai}", intfName2=f"n{b}-eth{bi}")
    net.start()
    for node, interface, text in lab["addresses"]:
        address, length = text.split("/")
        hosts[node].setIP(address, int(length), f"n{node}-eth{interface}")
    for node in lab["forwarding"]:
        hosts[node].cmd("sysctl -qw net.ipv4.ip_forward=1")
    return net


def main():
    setLogLevel("error")
    lab = json.loads(sys.stdin.readline())
    start = time.monotonic()
    net = make(lab)
    print(int((time.monotonic() - start) * 1e6), flush=True)
    sys.stdin.readline()
    start = time.monotonic()
    net.stop()
    print(int((time.monotonic() - start) * 1e6), flush=True)


main()
