"""A client that is not ours, the `varlink` library, against a running vrrpd.

Usage: client.py SOCKET COMMAND...    COMMAND puts the instance `web` in state fault
"""

import subprocess
import sys

import varlink

ADDRESS, COMMAND = "unix:" + sys.argv[1], sys.argv[2:]
VRRP = "io.vipkit.Vrrp"


def refused(call):
    """The name and the parameters of the error that a call gives."""
    try:
        answer = call()
    except varlink.VarlinkError as error:
        return error.error(), error.parameters()
    raise AssertionError(f"answered: {answer}")


with varlink.Client(ADDRESS) as client:
    # Info and introspection: the library knows nothing of the interface but what the daemon says.
    assert client.get_interfaces() == ["org.varlink.service", VRRP], client.info
    assert (client.info["vendor"], client.info["product"]) == ("vipkit", "vrrpd"), client.info
    interface = client.get_interface(VRRP)
    methods = [name for name, member in interface.members.items() if type(member).__name__ == "_Method"]
    assert methods == ["GetDaemon", "List", "Get", "ListAddresses", "Monitor", "Reload"], methods

    # Calls.
    with client.open(VRRP) as vrrp:
        assert vrrp.GetDaemon()["daemon"]["pid"] > 0
        assert [instance["name"] for instance in vrrp.List()["instances"]] == ["mail", "web"]
        first = vrrp.List(limit=1)
        assert [instance["name"] for instance in first["instances"]] == ["mail"] and first["cursor"], first
        second = vrrp.List(limit=1, cursor=first["cursor"])
        assert [instance["name"] for instance in second["instances"]] == ["web"], second
        assert second.get("cursor") is None, second
        web = vrrp.Get("web")["instance"]
        assert web["virtual_router_id"] == 51 and web["state"] in ("backup", "active"), web
        page = vrrp.ListAddresses("web", limit=1)
        assert page["addresses"] == web["addresses"][:1] and page.get("cursor") is None, page

    # Errors, on one connection: none of them ends it.
    with client.open(VRRP) as vrrp:
        error = refused(lambda: vrrp.Get("wbe"))
        assert error == (VRRP + ".NoSuchInstance", {"name": "wbe", "known": ["mail", "web"]}), error
        error = refused(lambda: vrrp.ListAddresses("wbe"))
        assert error == (VRRP + ".NoSuchInstance", {"name": "wbe", "known": ["mail", "web"]}), error
        error = refused(lambda: vrrp.Get())
        assert error == ("org.varlink.service.InvalidParameter", {"parameter": "name"}), error
        error = refused(lambda: vrrp.List(limit=1000))
        assert error == ("org.varlink.service.InvalidParameter", {"parameter": "limit"}), error
        error = refused(lambda: vrrp.Monitor())
        assert error[0] == "org.varlink.service.ExpectedMore", error
        assert vrrp.Get("web")["instance"]["name"] == "web"
    assert refused(lambda: client.get_interface("io.vipkit.None"))[1] == {"interface": "io.vipkit.None"}

    # A stream: what is there, then what changes.
    with client.open(VRRP) as vrrp:
        steps = vrrp.Monitor(_more=True)
        begin, page, level = next(steps), next(steps), next(steps)
        assert [reply["step"] for reply in (begin, page, level)] == ["begin", "page", "level"]
        assert begin["daemon"]["node"], begin
        assert [instance["name"] for instance in page["instances"]] == ["mail", "web"], page
        subprocess.run(COMMAND, check=True)
        for change in steps:
            assert change["step"] == "change" and change["sequence"] > level["sequence"], change
            changed = {instance["name"]: instance for instance in change["instances"]}
            if changed.get("web", {}).get("state") == "fault":
                assert changed["web"]["faults"][0]["remedy"], changed
                break

print("all is as it should be")
