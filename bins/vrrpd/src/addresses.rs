//! From the addresses that should be on the interfaces and those that are there, the operations that make them
//! equal. Addresses that are not ours are never removed or taken over. Must not apply anything.
//!
//! Identity is (interface, address): a changed prefix is an addition, then a removal, so that the address never
//! stops answering; another label or scope of the same prefix is a removal, then an addition, since the kernel changes
//! neither. Removing a primary IPv4 address takes its secondaries along unless promote_secondaries is set
//! (kernel: `__inet_del_ifa`); the plan knows the rule and puts back what goes that way.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;

use crate::observed::{Entry, Interface, Present};

/// One change to an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// Add ours, and fail if it is there.
    Add(Entry),
    /// Remove.
    Delete(Entry),
    /// Add somebody else's again, which went along with one of ours.
    PutBack(Entry),
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Add(entry) => write!(f, "adding {}", entry.net),
            Self::Delete(entry) => write!(f, "removing {}", entry.net),
            Self::PutBack(entry) => write!(f, "putting back {}", entry.net),
        }
    }
}

/// What to do on one interface.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// In this order: what must go, then what must come, then what something that came replaces.
    pub ops: Vec<Op>,
    /// Wanted, but somebody else put an entry with this address there: left alone.
    pub foreign: Vec<IpNet>,
}

/// Plans one interface. `ours` are the entries that this program put there.
#[must_use]
pub fn plan(
    desired: &BTreeSet<Entry>,
    interface: &Interface,
    ours: &BTreeSet<IpNet>,
    promote_secondaries: bool,
) -> Plan {
    let present = &interface.addresses;
    let there: BTreeMap<IpNet, &Entry> = present.iter().map(|p| (p.net(), &p.entry)).collect();
    let wanted: BTreeMap<IpAddr, IpNet> = desired.iter().map(|entry| (entry.net.addr(), entry.net)).collect();
    let foreign: BTreeMap<IpAddr, IpNet> =
        there.keys().filter(|net| !ours.contains(net)).map(|net| (net.addr(), *net)).collect();
    let mut plan = Plan::default();
    let (mut additions, mut altered) = (Vec::new(), Vec::new());
    for entry in desired {
        match there.get(&entry.net).filter(|_| ours.contains(&entry.net)) {
            Some(same) if *same == entry => {}
            Some(_) => altered.push(entry),
            None => match foreign.get(&entry.net.addr()) {
                Some(other) => plan.foreign.push(*other),
                None => additions.push(entry),
            },
        }
    }
    let stays = |p: &Present| !ours.contains(&p.net()) || desired.contains(&p.entry);
    let (staying, gone): (Vec<&Present>, Vec<&Present>) = present.iter().partition(|p| stays(p));
    let (replaced, unwanted): (Vec<&Present>, Vec<&Present>) =
        gone.into_iter().partition(|p| wanted.get(&p.net().addr()).is_some_and(|net| *net != p.net()));
    let removals = |gone: &[&Present], added: &[&Entry]| {
        let secondaries =
            staying.iter().filter(|p| p.secondary).map(|p| &p.entry).chain(added.iter().copied());
        removals(gone, secondaries, |entry| desired.contains(entry), promote_secondaries)
    };
    plan.ops.extend(removals(&unwanted, &[]));
    additions.extend(altered);
    plan.ops.extend(additions.iter().map(|entry| Op::Add((*entry).clone())));
    plan.ops.extend(removals(&replaced, &additions));
    plan
}

/// Removes entries, secondaries first: each primary that goes before them costs the kernel a promotion of all of them.
/// Without promotion, a primary takes the secondaries of its subnet along: those that stay are added again.
fn removals<'e>(
    gone: &[&Present],
    secondaries: impl Iterator<Item = &'e Entry>,
    is_ours: impl Fn(&Entry) -> bool,
    promote_secondaries: bool,
) -> Vec<Op> {
    let (minor, major): (Vec<&Present>, Vec<&Present>) = gone.iter().partition(|p| p.secondary);
    let subnets: BTreeSet<IpNet> =
        major.iter().map(|p| p.net().trunc()).filter(|net| net.addr().is_ipv4()).collect();
    let deletions = minor.iter().chain(&major).map(|p| Op::Delete(p.entry.clone()));
    let taken_along =
        secondaries.filter(|entry| !promote_secondaries && subnets.contains(&entry.net.trunc()));
    let again = taken_along
        .map(|entry| if is_ours(entry) { Op::Add(entry.clone()) } else { Op::PutBack(entry.clone()) });
    deletions.chain(again).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Linux, as far as IPv4 addresses of one interface go (net/ipv4/devinet.c).
    #[derive(Clone, Debug)]
    struct Kernel {
        entries: Vec<Present>,
        promote: bool,
    }

    impl Kernel {
        fn new(promote: bool, entries: &[Entry]) -> Self {
            let mut kernel = Self { entries: Vec::new(), promote };
            for entry in entries {
                kernel.apply(Op::Add(entry.clone()));
            }
            kernel
        }

        fn apply(&mut self, op: Op) {
            match op {
                Op::Add(entry) | Op::PutBack(entry) => {
                    let net = entry.net;
                    if self.entries.iter().any(|e| e.net() == net) {
                        return;
                    }
                    let secondary =
                        self.entries.iter().any(|e| !e.secondary && e.net().trunc() == net.trunc());
                    self.entries.push(Present { entry, secondary, marked: false, unusable: false });
                }
                Op::Delete(Entry { net, .. }) => {
                    let Some(at) = self.entries.iter().position(|e| e.net() == net) else { return };
                    let gone = self.entries.remove(at);
                    if gone.secondary {
                        return;
                    }
                    if self.promote {
                        if let Some(next) = self.entries.iter_mut().find(|e| e.net().trunc() == net.trunc()) {
                            next.secondary = false;
                        }
                    } else {
                        self.entries.retain(|e| !(e.secondary && e.net().trunc() == net.trunc()));
                    }
                }
            }
        }

        fn interface(&self) -> Interface {
            Interface {
                index: 2,
                up: true,
                carrier: true,
                addresses: self.entries.clone(),
                ..Interface::default()
            }
        }

        fn nets(&self) -> BTreeSet<IpNet> {
            self.entries.iter().map(Present::net).collect()
        }

        fn entries(&self) -> BTreeSet<Entry> {
            self.entries.iter().map(|e| e.entry.clone()).collect()
        }
    }

    fn nets(list: &[&str]) -> BTreeSet<IpNet> {
        list.iter().map(|n| n.parse().unwrap()).collect()
    }

    fn plain(nets: &BTreeSet<IpNet>) -> BTreeSet<Entry> {
        nets.iter().map(|net| Entry::plain(*net)).collect()
    }

    fn run(kernel: &mut Kernel, desired: &BTreeSet<Entry>, ours: &BTreeSet<IpNet>) -> Plan {
        let plan = plan(desired, &kernel.interface(), ours, kernel.promote);
        for op in &plan.ops {
            kernel.apply(op.clone());
        }
        plan
    }

    #[test]
    fn the_second_of_two_vips_outlives_the_first() {
        for promote in [true, false] {
            let vips = nets(&["10.9.0.80/24", "10.9.0.81/24"]);
            let all =
                ["192.168.4.1/24", "10.9.0.80/24", "10.9.0.81/24"].map(|n| Entry::plain(n.parse().unwrap()));
            let mut kernel = Kernel::new(promote, &all);
            run(&mut kernel, &plain(&nets(&["10.9.0.81/24"])), &vips);
            assert_eq!(kernel.nets(), nets(&["192.168.4.1/24", "10.9.0.81/24"]), "promote {promote}");
        }
    }

    #[test]
    fn a_changed_prefix_is_added_before_the_old_one_goes() {
        let [new, old] = ["192.168.4.80/32", "192.168.4.80/24"].map(|n| Entry::plain(n.parse().unwrap()));
        let mut kernel = Kernel::new(true, std::slice::from_ref(&old));
        let plan = run(&mut kernel, &[new.clone()].into(), &[old.net, new.net].into());
        assert_eq!(plan.ops, [Op::Add(new), Op::Delete(old)]);
    }

    #[test]
    fn another_label_goes_and_comes_anew_and_leaves_the_others() {
        for promote in [true, false] {
            let [first, second] = ["10.9.0.80/24", "10.9.0.81/24"].map(|n| Entry::plain(n.parse().unwrap()));
            let mut kernel = Kernel::new(promote, &[first.clone(), second.clone()]);
            let labelled = Entry { label: Some("eth0:1".to_owned()), ..first.clone() };
            let desired = BTreeSet::from([labelled, second.clone()]);
            run(&mut kernel, &desired, &[first.net, second.net].into());
            assert_eq!(kernel.entries(), desired, "promote {promote}");
        }
    }

    #[test]
    fn a_foreign_entry_is_named_and_left_alone() {
        let mut kernel = Kernel::new(true, &[Entry::plain("192.168.4.80/32".parse().unwrap())]);
        let before = kernel.nets();
        let plan = run(&mut kernel, &plain(&nets(&["192.168.4.80/24"])), &BTreeSet::new());
        assert_eq!((plan.ops, plan.foreign), (vec![], vec!["192.168.4.80/32".parse().unwrap()]));
        assert_eq!(kernel.nets(), before);
    }

    fn any_net() -> impl Strategy<Value = IpNet> {
        (0..2u8, 1..6u8, prop::sample::select(vec![24u8, 30, 32]))
            .prop_map(|(subnet, host, prefix)| IpNet::new([10, 0, subnet, host].into(), prefix).unwrap())
    }

    proptest! {
        #[test]
        fn the_plan_reaches_what_is_desired_and_keeps_what_is_foreign(
            desired in prop::collection::btree_set(any_net(), 0..6).prop_filter("an address has one prefix", |nets: &BTreeSet<IpNet>| {
                nets.iter().map(IpNet::addr).collect::<BTreeSet<_>>().len() == nets.len()
            }),
            order in prop::collection::vec(any_net(), 0..8),
            mask in prop::collection::vec(any::<bool>(), 8),
            promote in any::<bool>(),
        ) {
            let order: Vec<_> = order.into_iter().map(Entry::plain).collect();
            let wanted = plain(&desired);
            let mut kernel = Kernel::new(promote, &order);
            let before = kernel.nets();
            let ours: BTreeSet<_> = order.iter().zip(&mask).filter(|(_, m)| **m).map(|(e, _)| e.net).collect();
            let first = run(&mut kernel, &wanted, &ours);
            let after = kernel.nets();

            for foreign in before.difference(&ours) {
                prop_assert!(after.contains(foreign), "foreign {foreign} is lost");
            }
            for net in &desired {
                let in_place = before.contains(net) && ours.contains(net);
                let foreign = |b: &IpNet| b.addr() == net.addr() && !ours.contains(b);
                let blocked = !in_place && before.iter().any(foreign);
                prop_assert_eq!(after.contains(net) || blocked, true, "{} is missing", net);
                prop_assert_eq!(blocked, first.foreign.iter().any(|f| f.addr() == net.addr()));
            }
            for net in after.difference(&before) {
                prop_assert!(desired.contains(net), "{net} came from nowhere");
            }
            for gone in ours.difference(&desired) {
                prop_assert!(!after.contains(gone), "{gone} stayed");
            }
            // What the plan added is ours now.
            let ours = ours.union(&desired).filter(|n| !before.contains(*n) || ours.contains(*n)).copied().collect();
            let again = plan(&wanted, &kernel.interface(), &ours, promote);
            prop_assert_eq!(again.ops, vec![]);
        }
    }
}
