//! What the nodes of a pair disagree on: what must be the same on all of them, and what must differ. Compares each with
//! the first.

use std::collections::BTreeSet;

use vipkit_core::units::Family;

use super::authentication::Authentication;
use super::hmac::{Hmac, Kept};
use super::note::{Note, Place};
use super::service::Service;
use super::vrrp::Instance;
use super::{Imported, Named};

/// A value with the place where it is said.
struct Value<'v>(String, &'v Place);

/// All disagreements, in the order of the nodes.
#[must_use]
pub fn nodes(nodes: &[Imported]) -> Vec<Note> {
    let mut report = Report(Vec::new());
    let Some((first, others)) = nodes.split_first() else { return report.0 };
    for other in others {
        if let (Some((ours, at)), Some((theirs, there))) = (&first.node, &other.node) {
            report.differ("router_id", &Value(ours.clone(), at), &Value(theirs.clone(), there));
        }
        instances(first, other, &mut report);
        services(first, other, &mut report);
    }
    report.0
}

struct Report(Vec<Note>);

impl Report {
    fn say(&mut self, at: &Place, now: String) {
        self.0.push(Note { at: at.clone(), now, meant: None });
    }

    fn agree(&mut self, what: &str, Value(first, at): &Value<'_>, Value(other, there): &Value<'_>) {
        if first != other {
            self.say(
                there,
                format!("{what} is {other}, but {first} at {at}: it must be the same on all nodes"),
            );
        }
    }

    fn differ(&mut self, what: &str, Value(first, at): &Value<'_>, Value(other, there): &Value<'_>) {
        if first == other {
            self.say(there, format!("{what} is {other}, as at {at}: it must differ between nodes"));
        }
    }

    fn only(&mut self, what: &str, at: &Place, elsewhere: &Imported) {
        self.say(at, format!("{what} is not in {}", elsewhere.file));
    }
}

/// Instances belong together by name, else by virtual router.
fn instances(first: &Imported, other: &Imported, report: &mut Report) {
    let find = |node: &'_ Imported, wanted: &Instance| -> Option<usize> {
        let position =
            |same: &dyn Fn(&Instance) -> bool| node.instances.iter().position(|named| same(&named.item));
        position(&|instance| instance.name == wanted.name)
            .or_else(|| position(&|instance| virtual_router(instance) == virtual_router(wanted)))
    };
    for Named { item: ours, .. } in &first.instances {
        match find(other, ours).and_then(|index| other.instances.get(index)) {
            Some(theirs) => instance(ours, &theirs.item, report),
            None => report.only(&format!("vrrp_instance {}", ours.name), &ours.at, other),
        }
    }
    for Named { item: theirs, .. } in &other.instances {
        if find(first, theirs).is_none() {
            report.only(&format!("vrrp_instance {}", theirs.name), &theirs.at, first);
        }
    }
}

fn virtual_router(instance: &Instance) -> (u64, Family) {
    (instance.virtual_router_id.0, instance.family)
}

fn instance(ours: &Instance, theirs: &Instance, report: &mut Report) {
    let of = |what: &str| format!("{what} of vrrp_instance {}", theirs.name);
    let addresses = |instance: &Instance| {
        let set: BTreeSet<_> = instance.addresses.iter().map(|entry| entry.net.to_string()).collect();
        set.into_iter().collect::<Vec<_>>().join(" ")
    };
    let mac = |instance: &Instance| if instance.mac.is_some() { "used" } else { "not used" };
    let same = [
        (
            "virtual_router_id",
            Value(ours.virtual_router_id.0.to_string(), &ours.virtual_router_id.1),
            Value(theirs.virtual_router_id.0.to_string(), &theirs.virtual_router_id.1),
        ),
        (
            "version",
            Value(ours.version.0.to_string(), ours.version.1.as_ref().unwrap_or(&ours.at)),
            Value(theirs.version.0.to_string(), theirs.version.1.as_ref().unwrap_or(&theirs.at)),
        ),
        (
            "advert_int",
            Value(seconds(ours), ours.interval.1.as_ref().unwrap_or(&ours.at)),
            Value(seconds(theirs), theirs.interval.1.as_ref().unwrap_or(&theirs.at)),
        ),
        (
            "authentication",
            Value(ours.authentication.kind().to_owned(), &ours.at),
            Value(theirs.authentication.kind().to_owned(), &theirs.at),
        ),
        ("use_vmac", Value(mac(ours).to_owned(), &ours.at), Value(mac(theirs).to_owned(), &theirs.at)),
        ("virtual_ipaddress", Value(addresses(ours), &ours.at), Value(addresses(theirs), &theirs.at)),
    ];
    for (what, first, other) in &same {
        report.agree(&of(what), first, other);
    }
    match (&ours.authentication, &theirs.authentication) {
        (Authentication::Password(our), Authentication::Password(their)) if our != their => {
            report.say(&theirs.at, format!("{} is another than at {}", of("the password"), ours.at));
        }
        (Authentication::Hmac(our), Authentication::Hmac(their)) => hmac(our, their, &of, report),
        _ => {}
    }
    report.differ(
        &of("priority"),
        &Value(ours.priority.0.to_string(), ours.priority.1.as_ref().unwrap_or(&ours.at)),
        &Value(theirs.priority.0.to_string(), theirs.priority.1.as_ref().unwrap_or(&theirs.at)),
    );
}

/// A key of the same number is the same key, and what one node sends with the other has.
fn hmac(ours: &Hmac, theirs: &Hmac, of: &dyn Fn(&str) -> String, report: &mut Report) {
    for key in &theirs.keys {
        let Some(same) = ours.keys.iter().find(|ours| ours.id == key.id) else { continue };
        if let (Kept::Here(our), Kept::Here(their)) = (&same.kept, &key.kept)
            && our != their
        {
            let what = of(&format!("key {}", key.id));
            report.say(&key.at, format!("{what} is another than at {}", same.at));
        }
    }
    for (sender, receiver) in [(ours, theirs), (theirs, ours)] {
        if !receiver.keys.iter().any(|key| key.id == sender.active) {
            let what = of(&format!("key {}", sender.active));
            report.say(&receiver.at, format!("{what} is missing, the active_key at {}", sender.at));
        }
    }
}

fn seconds(instance: &Instance) -> String {
    format!("{} s", instance.interval.0.as_secs_f64())
}

/// Services belong together by protocol and address.
fn services(first: &Imported, other: &Imported, report: &mut Report) {
    let key = |service: &Service| (service.protocol.0, service.address);
    let find = |node: &Imported, wanted: &Service| {
        node.services.iter().position(|named| key(&named.item) == key(wanted))
    };
    for Named { item: ours, .. } in &first.services {
        match find(other, ours).and_then(|index| other.services.get(index)) {
            Some(theirs) => service(ours, &theirs.item, other, first, report),
            None => report.only(
                &format!("virtual_server {} ({})", ours.address, ours.protocol.0),
                &ours.at,
                other,
            ),
        }
    }
    for Named { item: theirs, .. } in &other.services {
        if find(first, theirs).is_none() {
            let what = format!("virtual_server {} ({})", theirs.address, theirs.protocol.0);
            report.only(&what, &theirs.at, first);
        }
    }
}

fn service(ours: &Service, theirs: &Service, other: &Imported, first: &Imported, report: &mut Report) {
    let of = |what: &str| format!("{what} of virtual_server {}", theirs.address);
    let persistence = |service: &Service| match &service.persistence {
        Some((timeout, netmask, _)) => {
            let netmask = netmask.map(|netmask| format!(" by {netmask}")).unwrap_or_default();
            format!("{} s{netmask}", timeout.as_secs())
        }
        None => "none".to_owned(),
    };
    report.agree(
        &of("the scheduler"),
        &Value(ours.scheduler.0.to_owned(), ours.scheduler.1.as_ref().unwrap_or(&ours.at)),
        &Value(theirs.scheduler.0.to_owned(), theirs.scheduler.1.as_ref().unwrap_or(&theirs.at)),
    );
    report.agree(
        &of("persistence"),
        &Value(persistence(ours), &ours.at),
        &Value(persistence(theirs), &theirs.at),
    );
    for server in &ours.servers {
        let Some(same) = theirs.servers.iter().find(|theirs| theirs.address == server.address) else {
            report.only(&of(&format!("real_server {}", server.address)), &server.at, other);
            continue;
        };
        let of = |what: &str| of(&format!("{what} of real_server {}", server.address));
        report.agree(
            &of("weight"),
            &Value(server.weight.0.to_string(), server.weight.1.as_ref().unwrap_or(&server.at)),
            &Value(same.weight.0.to_string(), same.weight.1.as_ref().unwrap_or(&same.at)),
        );
        report.agree(
            &of("the forwarding method"),
            &Value(server.forward.keyword().to_owned(), &server.at),
            &Value(same.forward.keyword().to_owned(), &same.at),
        );
    }
    for server in &theirs.servers {
        if ours.servers.iter().all(|ours| ours.address != server.address) {
            report.only(&of(&format!("real_server {}", server.address)), &server.at, first);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import::import;
    use crate::import::include::File;
    use crate::import::include::tests::NoFiles;

    const NODE: &str = "global_defs {\nrouter_id a\n}\nvrrp_instance V {\ninterface eth0\nvirtual_router_id 1\n\
        priority 100\nadvert_int 1\nauthentication {\nauth_type PASS\nauth_pass 1111\n}\nvirtual_ipaddress {\n\
        192.0.2.1/24\n192.0.2.2/24\n}\n}\nvirtual_server 192.0.2.1 80 {\nprotocol TCP\nlb_algo rr\nlb_kind DR\n\
        real_server 192.0.2.3 80 {\nweight 1\n}\n}\n";

    /// The report on a node, and another that says `new` instead of `old`; both of them differ in what must differ.
    fn report(old: &str, new: &str) -> Vec<String> {
        assert!(NODE.contains(old), "{old}");
        let second = NODE.replace("router_id a", "router_id b").replace("priority 100", "priority 50");
        let node = |name: &str, text: String| {
            import(&File { path: name.into(), text }, &NoFiles, false)
                .unwrap_or_else(|refusal| panic!("{refusal}"))
        };
        let both = [node("a", NODE.to_owned()), node("b", second.replace(old, new))];
        nodes(&both).iter().map(|note| format!("{}: {}", note.at, note.now)).collect()
    }

    #[test]
    fn a_pair_that_agrees_is_no_matter() {
        assert_eq!(report("interface eth0", "interface eth9"), [""; 0]);
        assert_eq!(report("192.0.2.1/24\n192.0.2.2/24", "192.0.2.2/24\n192.0.2.1/24"), [""; 0]);
    }

    #[test]
    fn what_must_be_the_same_is_compared() {
        for (old, new, expected) in [
            ("id 1\n", "id 2\n", "virtual_router_id of vrrp_instance V is 2, but 1 at a:6"),
            ("advert_int 1\n", "advert_int 2\n", "advert_int of vrrp_instance V is 2 s, but 1 s at a:8"),
            ("advert_int 1\n", "version 3\nadvert_int 1\n", "version of vrrp_instance V is 3, but 2 at a:4"),
            ("PASS", "pass", "authentication of vrrp_instance V is none, but a password at a:4"),
            ("1111", "2222", "the password of vrrp_instance V is another than at a:4"),
            ("advert_int 1\n", "use_vmac\n", "use_vmac of vrrp_instance V is used, but not used at a:4"),
            (
                "authentication {\nauth_type PASS\nauth_pass 1111",
                "auth_hmac {\nkey 1 file:/k\nactive_key 1",
                "authentication of vrrp_instance V is an HMAC, but a password at a:4",
            ),
            ("2.2/24", "2.2/32", "is 192.0.2.1/24 192.0.2.2/32, but 192.0.2.1/24 192.0.2.2/24 at a:4"),
            ("rr", "wrr", "the scheduler of virtual_server 192.0.2.1:80 is wrr, but rr at a:20"),
            ("lb_kind DR", "lb_kind NAT", "the forwarding method of real_server 192.0.2.3:80"),
            (
                "TCP",
                "TCP\npersistence_timeout 50",
                "persistence of virtual_server 192.0.2.1:80 is 50 s, but none",
            ),
            ("weight 1", "weight 2", "weight of real_server 192.0.2.3:80"),
            ("192.0.2.3", "192.0.2.4", "real_server 192.0.2.3:80 of virtual_server 192.0.2.1:80 is not in b"),
            ("protocol TCP", "protocol UDP", "virtual_server 192.0.2.1:80 (tcp) is not in b"),
        ] {
            let report = report(old, new);
            assert!(report.iter().any(|line| line.contains(expected)), "{expected}: {report:?}");
        }
    }

    #[test]
    fn instances_belong_together_by_virtual_router_too() {
        assert_eq!(report("vrrp_instance V", "vrrp_instance W"), [""; 0]);
    }

    #[test]
    fn keys_are_compared_and_not_shown() {
        let node = |name: &str, key: &str, active: &str| {
            let hmac = format!("auth_hmac {{\nkey 1 {key}\nkey {active} file:/k\nactive_key {active}");
            let text = NODE.replace("authentication {\nauth_type PASS\nauth_pass 1111", &hmac);
            import(&File { path: name.into(), text }, &NoFiles, false).unwrap()
        };
        let nodes = |other: &Imported| -> Vec<_> {
            let report = super::nodes(&[node("a", &"k".repeat(32), "2"), other.clone()]);
            report.into_iter().map(|note| note.now).filter(|now| now.contains("key")).collect()
        };
        assert_eq!(nodes(&node("b", &"k".repeat(32), "2")), [""; 0]);
        assert_eq!(
            nodes(&node("b", &"K".repeat(32), "3")),
            [
                "key 1 of vrrp_instance V is another than at a:10",
                "key 2 of vrrp_instance V is missing, the active_key at a:9",
                "key 3 of vrrp_instance V is missing, the active_key at b:9"
            ]
        );
    }

    #[test]
    fn what_must_differ_is_compared() {
        let node = import(&File { path: "a".into(), text: NODE.to_owned() }, &NoFiles, false).unwrap();
        let lines: Vec<_> = nodes(&[node.clone(), node]).into_iter().map(|note| note.now).collect();
        assert_eq!(
            lines,
            [
                "router_id is a, as at a:2: it must differ between nodes",
                "priority of vrrp_instance V is 100, as at a:7: it must differ between nodes"
            ]
        );
    }
}
