# SPDX-License-Identifier: GPL-3.0-or-later
"""The same lab by other means: each returns the seconds of making it and of deleting it."""

import json
import pathlib
import subprocess
import time

import labs
from daemon import timed

HERE = pathlib.Path(__file__).parent
SETTLE = 0.5  # between measurements: the kernel takes namespaces apart in the background


def conversation(words, text):
    """A program that reads a lab, tells how long it took to make it, is told to delete it, and tells again."""
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    process.stdin.write(text)
    process.stdin.flush()
    create = int(process.stdout.readline()) / 1e6
    time.sleep(SETTLE)
    process.stdin.write("\n")
    process.stdin.flush()
    delete = int(process.stdout.readline()) / 1e6
    process.wait()
    time.sleep(SETTLE)
    return create, delete


def floor(program, lab):
    """The C program."""
    return conversation([program], labs.for_floor(lab))


def mininet(lab):
    """Mininet, as Debian packages it."""
    return conversation(["/usr/bin/python3", HERE / "by_mininet.py"], labs.as_json(lab))


def pyroute2(python, lab):
    """pyroute2 on its own Python."""
    return conversation([python, HERE / "by_pyroute2.py"], labs.as_json(lab))


def batch(lab):
    """`ip -batch`, once for the host and once for each node."""
    steps = labs.commands(lab)
    host = "".join(f"{line.removeprefix('ip ')}\n" for node, line in steps if node is None)
    inside = {}
    for node, line in steps:
        if node is not None and line.startswith("ip "):
            inside.setdefault(node, []).append(line.removeprefix("ip ") + "\n")

    def work():
        subprocess.run(["ip", "-batch", "-"], input=host, text=True, check=True)
        for node, lines in inside.items():
            subprocess.run(["ip", "-n", f"n{node}", "-batch", "-"], input="".join(lines), text=True, check=True)
        for node in lab.forwarding:
            subprocess.run(["ip", "netns", "exec", f"n{node}", "sysctl", "-qw", "net.ipv4.ip_forward=1"], check=True)
    return timed(work), clear(lab)


def by_hand(lab):
    """The notebook's way: one command a step."""
    def work():
        for node, line in labs.commands(lab):
            words = line.split()
            if node is not None:
                words = ["ip", "-n", f"n{node}", *words[1:]] if words[0] == "ip" else [
                    "ip", "netns", "exec", f"n{node}", *words]
            subprocess.run(words, check=True)
    return timed(work), clear(lab)


def clear(lab):
    """Takes away what the ip tools made."""
    names = "".join(f"netns del n{node}\n" for node in range(lab.nodes))
    seconds = timed(lambda: subprocess.run(["ip", "-batch", "-"], input=names, text=True, check=True))
    time.sleep(SETTLE)
    return seconds
