#!/usr/bin/env python3
"""One lab of scripts/demo: hosts are network namespaces on a switch of their own; what the tutorial does on machines is
done on them, shown, and compared with what the tutorial expects. Run by scripts/demo, as root.

usage: demo.py LAB LANGUAGE PROGRAMS RESULTS [--keep]      demo.py table LANGUAGE RESULTS      demo.py down
"""
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from demo_table import table, wrapped
from demo_words import words

PREFIX = "vipkit-demo"
FOLDER = f"/run/{PREFIX}"
PROJECT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TUTORIAL = os.path.join(PROJECT, "tests/import/tutorial")
EXAMPLES = os.path.join(PROJECT, "docs/examples")
DAEMONS = ("healthcheckd", "ipvs-sync", "vrrpd")
# Without a table of the kernel's.
PAIR = ("healthcheckd", "vrrpd")


def sh(*line, check=True, **more):
    done = subprocess.run(line, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **more)
    if check and done.returncode:
        raise Failed(f"{' '.join(line)}: {done.stdout.strip()}")
    return done.stdout


class Failed(Exception):
    """Something that should have worked did not."""


class Host:
    """A namespace with eth0, and programs that run there."""

    def __init__(self, name, last):
        self.name, self.address, self.namespace = name, f"192.168.4.{last}", f"{PREFIX}-{name}"
        self.folder, self.running = os.path.join(FOLDER, name), {}
        os.makedirs(os.path.join(self.folder, "www"))
        self.environment = dict(os.environ, VIPKIT_RUNTIME_DIR=self.folder, VIPKIT_STATE_DIR=os.path.join(self.folder, "state"))
        switch = f"{PREFIX}-switch"
        sh("ip", "netns", "add", self.namespace)
        sh("ip", "link", "add", name, "netns", switch, "type", "veth", "peer", "name", "eth0", "netns", self.namespace)
        sh("ip", "-n", switch, "link", "set", name, "master", "br0", "up")
        for change in ("link set lo up", "link set eth0 up", f"address add {self.address}/24 dev eth0"):
            sh("ip", "-n", self.namespace, *change.split())

    def run(self, *line, check=False):
        return sh("ip", "netns", "exec", self.namespace, *line, check=check, env=self.environment)

    def start(self, name, *line):
        with open(os.path.join(self.folder, f"{name}.log"), "a", encoding="utf-8") as log:
            line = ("ip", "netns", "exec", self.namespace, *line)
            self.running[name] = subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                                  env=self.environment, start_new_session=True)

    def kill(self, name):
        process = self.running.pop(name)
        process.kill()
        process.wait()

    def serve(self):
        """A web server that says whose it is."""
        www = os.path.join(self.folder, "www")
        with open(os.path.join(www, "index.html"), "w", encoding="ascii") as page:
            page.write(f"{self.address}\n")
        self.start("httpd", "busybox", "httpd", "-f", "-p", "80", "-h", www)

    def cable(self, state):
        sh("ip", "-n", f"{PREFIX}-switch", "link", "set", self.name, state)

    def addresses(self):
        return [line.split()[3] for line in self.run("ip", "-4", "-o", "address", "show", "dev", "eth0").splitlines()]


class Lab:
    """The network of a lab, its story, and what came of each step."""

    def __init__(self, lab, language, programs, vip):
        self.words, self.programs, self.vip, self.hosts, self.rows = words(language), programs, vip, {}, []
        self.say("title" + lab)
        os.makedirs(FOLDER)
        sh("ip", "netns", "add", f"{PREFIX}-switch")
        sh("ip", "-n", f"{PREFIX}-switch", *"link add br0 up type bridge mcast_snooping 0 forward_delay 0".split())

    def host(self, name, last):
        self.hosts[name] = Host(name, last)
        return self.hosts[name]

    def say(self, key, **what):
        for number, line in enumerate(self.words[key].format(**what).split("\n")):
            lines = wrapped(line, 77) if number == 0 else [line]
            before, after = ("\033[1m", "\033[0m") if sys.stdout.isatty() else ("", "")
            lead = "\n== " if number == 0 else ""
            print(lead + "\n   ".join(f"{before}{part}{after}" for part in lines), flush=True)

    def show(self, host, *line):
        """What an administrator would type, and what the screen says."""
        shown = " ".join(os.path.basename(word) if "/" in word and os.path.exists(word) else word for word in line)
        print(f"[{host.name}]# {shown}", flush=True)
        print(host.run(*line).rstrip(), flush=True)

    def expect(self, key, limit, look, **what):
        """Waits until it is seen; what is seen then, or last, is a row of the table at the end."""
        expected = self.words[key].format(**dict(what, wanted=text(what["wanted"])))
        print(f"   {self.words['expected']}: {expected}", flush=True)
        deadline, wanted, began = time.monotonic() + limit, what["wanted"], time.monotonic()
        while (seen := look()) != wanted and time.monotonic() < deadline:
            time.sleep(0.1)
        took = time.monotonic() - began
        self.rows.append((expected, text(seen), f"{took:.1f} s", "ok" if seen == wanted else "DIFFERS"))
        print(f"   {self.words['seen']}: {text(seen)} ({took:.1f} s)", flush=True)

    def holders(self):
        return [name for name, host in self.hosts.items() if any(net.split("/")[0] == self.vip for net in host.addresses())]

    def fetch(self, client):
        return client.run("curl", "-s", "-m", "3", f"http://{self.vip}/").strip()

    def fetches(self, client, count):
        answers = {}
        for _ in range(count):
            answer = self.fetch(client) or "no answer"
            answers[answer] = answers.get(answer, 0) + 1
        answers = dict(sorted(answers.items()))
        print(f"[{client.name}]# for i in $(seq {count}); do curl http://{self.vip}/; done\n{text(answers)}", flush=True)
        return answers

    def install(self, host, file):
        """The tutorial's own file, imported as its author meant it."""
        path = os.path.join(host.folder, "vipkit.toml")
        print(f"[{host.name}]# vipctl import --intended {file} > vipkit.toml", flush=True)
        vipctl = os.path.join(self.programs, "vipctl")
        done = subprocess.run([vipctl, "import", "--intended", file], text=True, cwd=TUTORIAL,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        print(done.stderr.rstrip(), flush=True)
        if done.returncode:
            raise Failed(f"vipctl import {file}")
        with open(path, "w", encoding="utf-8") as config:
            config.write(done.stdout)

    def configure(self, host, file):
        """A file of the documentation."""
        print(f"[{host.name}]# cp {os.path.relpath(EXAMPLES, PROJECT)}/{file} vipkit.toml", flush=True)
        shutil.copyfile(os.path.join(EXAMPLES, file), os.path.join(host.folder, "vipkit.toml"))

    def daemon(self, host, name):
        host.start(name, os.path.join(self.programs, name), "--config", os.path.join(host.folder, "vipkit.toml"))

    def vipctl(self, host, *arguments):
        self.show(host, os.path.join(self.programs, "vipctl"), *arguments)


def lab1(lab):
    web1, web2, proxy = lab.host("web1", 100), lab.host("web2", 200), lab.host("proxy", 5)
    lab.say("network1")
    for web in (web1, web2):
        web.serve()
    lab.say("import")
    lab.install(web1, "lab1-web1.keepalived.conf")
    lab.install(web2, "lab1-web2.keepalived.conf")
    lab.say("start1")
    for web in (web1, web2):
        for name in PAIR:
            lab.daemon(web, name)
    lab.expect("vip_on", 15, lab.holders, vip=lab.vip, wanted=["web1"], host="web1")
    for web in (web1, web2):
        lab.show(web, "ip", "-brief", "address", "show", "eth0")
    for web in (web1, web2):
        lab.vipctl(web, "status")
    lab.expect("answers", 5, lambda: lab.fetch(proxy), vip=lab.vip, wanted=web1.address)
    lab.say("web1_dies")
    for name in PAIR:
        web1.kill(name)
    web1.cable("down")
    lab.expect("answers", 10, lambda: lab.fetch(proxy), vip=lab.vip, wanted=web2.address)
    lab.show(web2, "ip", "-brief", "address", "show", "eth0")
    lab.vipctl(web2, "status")
    lab.say("web1_back")
    web1.cable("up")
    for name in PAIR:
        lab.daemon(web1, name)
    lab.expect("vip_on", 15, lab.holders, vip=lab.vip, wanted=["web1"], host="web1")
    lab.expect("answers", 5, lambda: lab.fetch(proxy), vip=lab.vip, wanted=web1.address)
    lab.say("tracked")
    for web in (web1, web2):
        lab.configure(web, f"lab1-{web.name}.toml")
        lab.vipctl(web, "reload")
    lab.expect("effective", 10, lambda: effective(lab, web1), wanted="100", host="web1")
    lab.say("server_dies")
    web1.kill("httpd")
    lab.expect("effective", 10, lambda: effective(lab, web1), wanted="40", host="web1")
    lab.expect("answers", 10, lambda: lab.fetch(proxy), vip=lab.vip, wanted=web2.address)
    lab.vipctl(web1, "status")
    lab.say("server_back")
    web1.serve()
    lab.expect("answers", 15, lambda: lab.fetch(proxy), vip=lab.vip, wanted=web1.address)


def lab2(lab):
    lvs1, lvs2, client = lab.host("lvs1", 5), lab.host("lvs2", 6), lab.host("client", 77)
    web1, web2 = lab.host("web1", 100), lab.host("web2", 200)
    lab.say("network2")
    for web in (web1, web2):
        web.serve()
        lab.vipctl(web, "realserver", "add", lab.vip)
    lab.say("import")
    lab.install(lvs1, "lab2-lvs1.keepalived.conf")
    lab.install(lvs2, "lab2-lvs2.keepalived.conf")
    lab.say("start2")
    for lvs in (lvs1, lvs2):
        for name in DAEMONS:
            lab.daemon(lvs, name)
    lab.expect("vip_on", 30, lab.holders, vip=lab.vip, wanted=["lvs1"], host="lvs1")
    # The tutorial's second file has other weights than its first.
    whole = {lvs1: {web1.address: 1, web2.address: 2}, lvs2: {web1.address: 1, web2.address: 1}}
    for lvs in (lvs1, lvs2):
        lab.expect("table", 10, lambda lvs=lvs: servers(lvs), wanted=whole[lvs], host=lvs.name)
    lab.show(lvs1, "ipvsadm", "-Ln")
    lab.vipctl(lvs1, "status")
    lab.expect("answers", 15, lambda: lab.fetch(client) and "yes", vip=lab.vip, wanted="yes")
    lab.expect("shares", 0, lambda: lab.fetches(client, 12), wanted={web1.address: 4, web2.address: 8})
    lab.say("server_dies")
    web1.kill("httpd")
    for lvs in (lvs1, lvs2):
        lab.expect("table", 40, lambda lvs=lvs: servers(lvs), wanted={web2.address: whole[lvs][web2.address]}, host=lvs.name)
    lab.show(lvs1, "ipvsadm", "-Ln")
    lab.vipctl(lvs1, "services")
    lab.expect("shares", 0, lambda: lab.fetches(client, 6), wanted={web2.address: 6})
    lab.say("server_back")
    web1.serve()
    for lvs in (lvs1, lvs2):
        lab.expect("table", 30, lambda lvs=lvs: servers(lvs), wanted=whole[lvs], host=lvs.name)
    lab.expect("shares", 0, lambda: lab.fetches(client, 12), wanted={web1.address: 4, web2.address: 8})
    lab.say("lvs1_dies")
    for name in DAEMONS:
        lvs1.kill(name)
    lvs1.cable("down")
    lab.expect("answers", 20, lambda: lab.fetch(client) and "yes", vip=lab.vip, wanted="yes")
    lab.show(lvs2, "ip", "-brief", "address", "show", "eth0")
    lab.show(lvs2, "ipvsadm", "-Ln")
    lab.expect("shares", 0, lambda: lab.fetches(client, 12), wanted={web1.address: 6, web2.address: 6})


def text(found):
    """What was found, in words."""
    if isinstance(found, dict):
        found = [f"{name}={count}" for name, count in found.items()]
    return (found if isinstance(found, str) else ", ".join(found)) or "-"


def effective(lab, host):
    """The priority that the host takes part with, once its web server was looked at."""
    instance = json.loads(host.run(os.path.join(lab.programs, "vipctl"), "vrrp", "--json"))["instances"][0]
    judged = all(tracker["judged"] for tracker in instance["trackers"])
    return str(instance["effective_priority"]) if judged else "-"


def servers(director):
    """The destinations in the kernel's table, and their weights."""
    rows = [line.split() for line in director.run("ipvsadm", "-Ln").splitlines() if line.startswith("  -> ")]
    return {row[1].split(":")[0]: int(row[3]) for row in sorted(rows) if row[3].isdigit()}


def down():
    """Takes away whatever a demo made: processes, namespaces, files."""
    for name in sh("ip", "netns", "list", check=False).split():
        if name.startswith(f"{PREFIX}-"):
            for pid in sh("ip", "netns", "pids", name, check=False).split():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)
            sh("ip", "netns", "delete", name, check=False)
    shutil.rmtree(FOLDER, ignore_errors=True)


def results_table(language, results):
    """The table of all labs, a line of the file for each row."""
    word = words(language)
    with open(results, encoding="utf-8") as file:
        rows = [line.rstrip("\n").split("\t") for line in file]
    print("\n".join(table([word[head] for head in ("lab", "result", "took", "expected", "seen")],
                          [(lab, result, took, expected, seen) for lab, expected, seen, took, result in rows])))


def main(which, language, programs, results, *flags):
    vip, play = {"1": ("192.168.4.80", lab1), "2": ("192.168.4.15", lab2)}[which]
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    kept = False
    down()
    try:
        lab = Lab(which, language, programs, vip)
        try:
            play(lab)
        except Failed as error:
            lab.rows.append((" ".join(str(error).split()), "-", "-", "DIFFERS"))
        with open(results, "a", encoding="utf-8") as file:
            file.writelines("\t".join((which, *row)) + "\n" for row in lab.rows)
        if "--keep" in flags:
            kept = True
            lab.say("keep", vip=vip, namespace=f"{PREFIX}-web1", folder=os.path.join(FOLDER, "web1"), vipctl=os.path.join(programs, "vipctl"))
    finally:
        # Whoever presses Ctrl-C again is not to interrupt this.
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        if not kept:
            down()


if __name__ == "__main__":
    try:
        if sys.argv[1:] == ["down"]:
            down()
        elif sys.argv[1:2] == ["table"]:
            results_table(*sys.argv[2:])
        else:
            main(*sys.argv[1:])
    except KeyboardInterrupt:
        sys.exit(130)
