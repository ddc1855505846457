# SPDX-License-Identifier: GPL-3.0-or-later
"""netlabd in use: commands in nodes, repairs, many clients, many labs, and doing nothing."""

import json
import re
import subprocess
import sys
import time
from statistics import median

import labs
from daemon import timed
from tools import SETTLE

# What can be measured by itself.
PARTS = ["exec", "clients", "repairs", "idle", "small-labs"]

SMALL_LABS = 200
CLIENTS = 100
PACE = 1.1  # seconds between repairs: more than ten in ten are a storm, at which netlabd holds still on purpose


def up(daemon, path, lab, name="bench"):
    """Makes a lab and waits until it is ready and the daemon has come to rest."""
    path.write_text(labs.for_netlab(lab, name))
    daemon.ctl("create-lab", "--timeout", "5m", str(path))
    time.sleep(2)


def down(daemon, name="bench"):
    """Takes it away."""
    daemon.ctl("delete-lab", "--timeout", "5m", name)
    time.sleep(SETTLE)


def idle(daemon, seconds=10):
    """The share of one processor that the daemon uses while nobody asks for anything."""
    before = daemon.cpu()
    time.sleep(seconds)
    return (daemon.cpu() - before) / seconds


def repairs(nodes, times=20):
    """Seconds from a lost address to its return, as the kernel's own events tell.

    Addresses of nodes in the middle of a chain, one after the other; `ip monitor` stamps both events.
    """
    found = []
    for turn in range(times):
        node = nodes // 4 + turn
        space = f"bench.n{node}"
        monitor = subprocess.Popen(["ip", "-n", space, "-ts", "-o", "monitor", "address"],
                                   stdout=subprocess.PIPE, text=True)
        time.sleep(0.1)
        shown = subprocess.run(["ip", "-n", space, "-o", "-4", "address", "show", "dev", "eth2"],
                               capture_output=True, text=True, check=True).stdout
        address = re.search(r"inet (\S+)", shown)[1]
        subprocess.run(["ip", "-n", space, "address", "delete", address, "dev", "eth2"], check=True)
        stamps = []
        for line in monitor.stdout:
            if address in line:
                stamps.append(stamp(line))
            if len(stamps) == 2:
                break
        monitor.terminate()
        monitor.wait()
        monitor.stdout.close()
        found.append(stamps[1] - stamps[0])
        time.sleep(PACE)
    return found


def stamp(line):
    """Seconds of a line of `ip -ts monitor`; all within a minute, which may turn over."""
    hours, minutes, seconds = re.search(r"T(\d+):(\d+):([\d.]+)\]", line).groups()
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)


def starts(daemon, times=40):
    """Seconds to run `true` in a node, in turn: (`netlabctl exec`, `ip netns exec`, `netlabctl --version`)."""
    by = {"netlabctl exec": [daemon.bin / "netlabctl", "exec", "bench", "n1", "--", "true"],
          "ip netns exec": ["ip", "netns", "exec", "bench.n1", "true"],
          "netlabctl --version": [daemon.bin / "netlabctl", "--version"]}
    found = {name: [] for name in by}
    for turn in range(times + 1):
        for name, words in by.items():
            seconds = timed(lambda: subprocess.run(words, check=True, stdout=subprocess.DEVNULL))
            if turn:  # the first is for warming up
                found[name].append(seconds)
    return found


def gets(daemon, load):
    """`GetLab` by many clients at once."""
    done = subprocess.run([load, daemon.SOCKET, "get", "bench", str(CLIENTS), "50"],
                          capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def watches(daemon, load):
    """A repair that many clients watch for."""
    watchers = subprocess.Popen([load, daemon.SOCKET, "watch", "bench", str(CLIENTS)],
                                stdout=subprocess.PIPE, text=True)
    assert watchers.stdout.readline() == "watching\n"
    subprocess.run(["ip", "-n", "bench.n1", "link", "set", "eth2", "down"], check=True)
    return json.loads(watchers.communicate(timeout=60)[0])


def small_labs(daemon, path):
    """Seconds to create many labs of two nodes one after the other, and to delete them in one go."""
    files = []
    for number in range(SMALL_LABS):
        files.append(path.with_name(f"small{number}.yaml"))
        files[-1].write_text(labs.for_netlab(labs.chain(2), f"small{number}"))
    create = timed(lambda: [daemon.ctl("create-lab", str(file)) for file in files])
    delete = timed(lambda: daemon.ctl("delete-lab", *[f"small{number}" for number in range(SMALL_LABS)]))
    return create, delete


def of_200(daemon, load, path, wanted):
    """What is measured in a chain of 200."""
    found = {}
    up(daemon, path, labs.chain(200))
    if "exec" in wanted:
        found["starts"] = {name: median(seconds) for name, seconds in starts(daemon).items()}
    if "clients" in wanted:
        found["gets"] = gets(daemon, load)
        found["watches"] = watches(daemon, load)
        time.sleep(1)
    if "repairs" in wanted:
        found["repairs", 200] = repairs(200)
    if "idle" in wanted:
        found["idle", 200] = idle(daemon)
    down(daemon)
    return found


def of_1000(daemon, path, wanted):
    """What is measured in a chain of 1,000."""
    found = {}
    up(daemon, path, labs.chain(1000))
    if "idle" in wanted:
        time.sleep(10)
        found["idle", 1000] = idle(daemon)
    if "repairs" in wanted:
        found["repairs", 1000] = repairs(1000)
    down(daemon)
    return found


def all_of(daemon, load, path, parts):
    """What is wanted of this file: {what: figures}."""
    wanted = {part for part in PARTS if part in parts}
    result = {}
    if wanted & {"exec", "clients", "repairs", "idle"}:
        print("in use: 200 nodes", file=sys.stderr)
        result |= of_200(daemon, load, path, wanted)
    if wanted & {"repairs", "idle"}:
        print("in use: 1,000 nodes", file=sys.stderr)
        result |= of_1000(daemon, path, wanted)
    if "small-labs" in wanted:
        print("in use: small labs", file=sys.stderr)
        result["small"] = small_labs(daemon, path)
    return result
