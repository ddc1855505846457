# SPDX-License-Identifier: GPL-3.0-or-later
"""The measurements: each a function that returns seconds, all in turn, round by round."""

import pathlib
import re
import subprocess
import sys
import tempfile
import time

import labs

# (shape, nodes): create and delete, floor and netlabd.
SIZES = [("chain", 10), ("chain", 50), ("chain", 200), ("chain", 1000), ("chain", 2000),
         ("star", 200), ("leaf-spine", 200), ("mesh", 40)]
SMALL_LABS = 200
SETTLE = 0.5  # between measurements: the kernel takes namespaces apart in the background


def timed(work):
    """Seconds that `work` takes."""
    start = time.monotonic()
    work()
    return time.monotonic() - start


class Daemon:
    """netlabd with its store on the disk."""

    def __init__(self, bin_dir):
        self.bin = bin_dir
        self.state = tempfile.TemporaryDirectory(dir="/var/tmp")
        self.start()

    def start(self):
        """Starts it, and waits until it answers."""
        log = open("/run/netlabd.log", "a", encoding="utf-8")
        self.process = subprocess.Popen([self.bin / "netlabd", "--state-dir", self.state.name],
                                        stderr=log, env={"RUST_LOG": "warn"})
        while subprocess.run([self.bin / "netlabctl", "list-labs"], capture_output=True).returncode:
            time.sleep(0.01)

    def stop(self):
        """Ends it; labs run on."""
        self.process.terminate()
        self.process.wait()

    def ctl(self, *words):
        """Runs netlabctl."""
        done = subprocess.run([self.bin / "netlabctl", *words], capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"netlabctl {' '.join(words)}: {done.stdout}{done.stderr}")
        return done.stdout

    def memory(self):
        """Resident MiB and open files."""
        proc = pathlib.Path(f"/proc/{self.process.pid}")
        rss = int(re.search(r"VmRSS:\s+(\d+)", (proc / "status").read_text())[1])
        return rss / 1024, len(list((proc / "fd").iterdir()))


def floor(program, lab):
    """(create, delete) of the C program."""
    process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    process.stdin.write(labs.for_floor(lab))
    process.stdin.flush()
    create = int(process.stdout.readline()) / 1e6
    time.sleep(SETTLE)
    process.stdin.write("\n")
    process.stdin.flush()
    delete = int(process.stdout.readline()) / 1e6
    process.wait()
    return create, delete


def by_batch(lab):
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
    return work


def by_hand(lab):
    """The notebook's way: one command a step."""
    def work():
        for node, line in labs.commands(lab):
            words = line.split()
            if node is not None:
                words = ["ip", "-n", f"n{node}", *words[1:]] if words[0] == "ip" else [
                    "ip", "netns", "exec", f"n{node}", *words]
            subprocess.run(words, check=True)
    return work


def clear(lab):
    """Takes away what the ip tools made."""
    subprocess.run(["ip", "-batch", "-"], input="".join(f"netns del n{n}\n" for n in range(lab.nodes)),
                   text=True, check=True)
    time.sleep(SETTLE)


def of_netlab(daemon, lab, path, result, key):
    """A lab's whole life."""
    path.write_text(labs.for_netlab(lab, "bench"))
    changed = path.with_suffix(".changed.yaml")
    lab.forwarding ^= {lab.nodes - 1}
    changed.write_text(labs.for_netlab(lab, "bench"))
    lab.forwarding ^= {lab.nodes - 1}
    note = lambda what, seconds: result.setdefault((*key, what), []).append(seconds)  # noqa: E731
    note("create", timed(lambda: daemon.ctl("create-lab", "--timeout", "5m", str(path))))
    note("unchanged", timed(lambda: daemon.ctl("apply-lab", str(path))))
    note("get", timed(lambda: daemon.ctl("get-lab", "bench")))
    rss, files = daemon.memory()
    note("rss", rss)
    note("files", files)
    if key[0] == "chain":
        daemon.stop()
        note("restart", timed(daemon.start))
    note("change", timed(lambda: daemon.ctl("apply-lab", str(changed))))
    note("delete", timed(lambda: daemon.ctl("delete-lab", "--timeout", "5m", "bench")))
    time.sleep(SETTLE)


def small_labs(daemon, path, result):
    """Many labs of two nodes."""
    lab = labs.chain(2)
    files = []
    for number in range(SMALL_LABS):
        files.append(path.with_name(f"small{number}.yaml"))
        files[-1].write_text(labs.for_netlab(lab, f"small{number}"))
    result.setdefault(("small", SMALL_LABS, "create"), []).append(
        timed(lambda: [daemon.ctl("create-lab", str(file)) for file in files]))
    result.setdefault(("small", SMALL_LABS, "delete"), []).append(
        timed(lambda: daemon.ctl("delete-lab", *[f"small{number}" for number in range(SMALL_LABS)])))


def load(daemon, path, result):
    """GetLab by 100 clients at once: the slowest."""
    path.write_text(labs.for_netlab(labs.chain(10), "bench"))
    daemon.ctl("create-lab", str(path))
    get = [daemon.bin / "netlabctl", "get-lab", "bench"]

    def crowd():
        clients = [subprocess.Popen(get, stdout=subprocess.DEVNULL) for _ in range(100)]
        for client in clients:
            client.wait()
    result.setdefault(("load", 100, "get"), []).append(timed(crowd))
    result.setdefault(("load", 1, "version"), []).append(
        timed(lambda: subprocess.run([get[0], "--version"], stdout=subprocess.DEVNULL, check=True)))
    daemon.ctl("delete-lab", "bench")


def everything(bin_dir, program, rounds):
    """All rounds: {(shape, nodes, what): [seconds of each round]}."""
    result = {}
    path = pathlib.Path("/run/bench.yaml")
    daemon = Daemon(bin_dir)
    try:
        for number in range(rounds):
            for shape, nodes in SIZES:
                print(f"round {number + 1}: {shape} {nodes}", file=sys.stderr)
                lab = labs.SHAPES[shape](nodes)
                create, delete = floor(program, lab)
                result.setdefault((shape, nodes, "floor create"), []).append(create)
                result.setdefault((shape, nodes, "floor delete"), []).append(delete)
                time.sleep(SETTLE)
                of_netlab(daemon, lab, path, result, (shape, nodes))
                if (shape, nodes) == ("chain", 200):
                    for tool, work in (("ip -batch", by_batch), ("by hand", by_hand)):
                        result.setdefault((shape, nodes, tool), []).append(timed(work(lab)))
                        clear(lab)
            load(daemon, path, result)
        small_labs(daemon, path, result)
    finally:
        daemon.stop()
    return result
