//! Which keys of one instance go together, and what those that are left out follow from.

use std::net::IpAddr;
use std::time::Duration;

use vipkit_core::units::{Family, Interval, Priority, Version, Vrid};
use vipkit_core::vrrp::{ChecksumForm, UnicastPeer};

use crate::address::Address;
use crate::conflicts::Claim;
use crate::duration::{instead_of, show};
use crate::garp::Garp;
use crate::instance::Instance;
use crate::section::Section;
use crate::source::At;
use crate::track::{Effect, OnHealthLoss, Track, Tracked};
use crate::virtual_mac::AdvertsFrom;
use crate::vrrp::{
    ACCEPT, ADDRESSES, ADVERTISEMENT_INTERVAL, AUTHENTICATION, CHECKSUM, GARP, INTERFACE, ON_HEALTH_LOSS,
    PREEMPT, PRIORITY, ROUTES, RULES, SOURCE_ADDRESS, STARTUP_TIMEOUT, STRICT, TRACK, UNICAST_PEERS, VERSION,
    VIRTUAL_MAC, VIRTUAL_ROUTER_ID,
};
use crate::{authentication, route, rule, virtual_mac};

/// An instance as it is written down; what is none is left out, or wrong.
struct Draft {
    interface: Option<String>,
    virtual_router_id: Option<Vrid>,
    priority: Option<Priority>,
    version: Option<Version>,
    advertisement_interval: Option<Interval>,
    preempt: Option<bool>,
    accept: Option<bool>,
    strict: Option<bool>,
    checksum: Option<ChecksumForm>,
    authentication: Option<authentication::Draft>,
    source_address: Option<IpAddr>,
    unicast_peers: Option<Vec<(UnicastPeer, At)>>,
    virtual_mac: Option<Option<virtual_mac::Draft>>,
    addresses: Option<Vec<(Address, At)>>,
    routes: Option<Vec<(route::Draft, At)>>,
    rules: Option<Vec<(rule::Draft, At)>>,
    garp: Option<Garp>,
    track: Option<Vec<(Track, At)>>,
    on_health_loss: Option<OnHealthLoss>,
    startup_timeout: Option<Duration>,
}

/// A rule between keys: what breaks it is a fault.
type Rule = fn(&Draft, &mut Section<'_, '_>);

const RULES_BETWEEN: &[Rule] = &[
    owner_takes_over,
    owner_accepts,
    version_2_is_ipv4,
    one_checksum,
    password_is_version_2,
    advertised_are_of_one_family,
    first_of_ipv6_is_link_local,
    source_fits,
    peers_are_others,
    unicast_is_authenticated,
    unicast_comes_from_the_interface,
    owner_has_no_weights,
    something_is_waited_for,
];

/// The instance, unless something is wrong; and what it takes that others cannot have too.
pub(crate) fn instance(mut section: Section<'_, '_>) -> (Option<Instance>, Claim) {
    let draft = Draft::read(&mut section);
    RULES_BETWEEN.iter().for_each(|rule| rule(&draft, &mut section));
    let family = draft.family();
    let is_unicast = section.has(&UNICAST_PEERS);
    let tracked = draft.tracked_checks().map(|(name, at)| (name.to_owned(), at)).collect();
    let virtual_mac =
        (|| Some(draft.virtual_mac??.complete(draft.virtual_router_id?, family?, is_unicast)))();
    let made = virtual_mac.as_ref().map(|mac| mac.interface.as_str());
    tracked_interfaces_are_others(draft.track.as_deref(), &[draft.interface.as_deref(), made], &mut section);
    let completed = |(route, at): (route::Draft, _)| Some((route.complete(family?, section.cx()), at));
    let routes: Vec<_> = draft.routes.into_iter().flatten().filter_map(completed).collect();
    let completed = |(rule, at): (rule::Draft, _)| Some((rule.complete(family?), at));
    let rules: Vec<_> = draft.rules.into_iter().flatten().filter_map(completed).collect();
    let claim = Claim {
        interface: draft.interface.clone(),
        vrid: draft.virtual_router_id.zip(family).map(|id| (id, section.at(&VIRTUAL_ROUTER_ID))),
        addresses: draft.addresses.iter().flatten().map(|(address, at)| (address.net.addr(), *at)).collect(),
        virtual_mac: virtual_mac.as_ref().map(|mac| (mac.interface.clone(), section.at(&VIRTUAL_MAC))),
        routes: routes.iter().map(|(route, at)| (route.identity(), *at)).collect(),
        rules: rules.clone(),
        tracked,
    };
    section.finish();
    let whole = || {
        let advertisement_interval = draft.advertisement_interval?;
        let authentication = draft.authentication.map(|draft| draft.complete(advertisement_interval));
        // Without one that is advertised it is no instance.
        family?;
        Some(Instance {
            interface: draft.interface?,
            virtual_router_id: draft.virtual_router_id?,
            priority: draft.priority?,
            advertisement_interval,
            preempt: draft.preempt?,
            accept: draft.accept?,
            strict: draft.strict?,
            checksum: draft.checksum?,
            authentication: authentication.unwrap_or_default(),
            source_address: draft.source_address,
            unicast_peers: sorted(draft.unicast_peers.unwrap_or_default(), |peer| peer.address),
            virtual_mac,
            addresses: draft.addresses?.into_iter().map(|(address, _)| address).collect(),
            routes: sorted(routes, Clone::clone),
            rules: sorted(rules, |rule| *rule),
            garp: draft.garp?,
            track: sorted(draft.track?, Clone::clone),
            on_health_loss: draft.on_health_loss?,
            startup_timeout: draft.startup_timeout?,
        })
    };
    (whole(), claim)
}

/// Without their places, and in an order that does not depend on the files.
fn sorted<T, K: Ord>(read: Vec<(T, At)>, key: impl Fn(&T) -> K) -> Vec<T> {
    let mut values: Vec<_> = read.into_iter().map(|(value, _)| value).collect();
    values.sort_by_cached_key(key);
    values
}

impl Draft {
    fn read(section: &mut Section<'_, '_>) -> Self {
        let version = section.get(&VERSION);
        Self {
            interface: section.get(&INTERFACE),
            virtual_router_id: section.get(&VIRTUAL_ROUTER_ID),
            priority: section.get(&PRIORITY),
            version,
            advertisement_interval: version.and_then(|version| interval(section, version)),
            preempt: section.get(&PREEMPT),
            accept: section.get(&ACCEPT),
            strict: section.get(&STRICT),
            checksum: section.get(&CHECKSUM),
            authentication: section.get(&AUTHENTICATION),
            source_address: section.get(&SOURCE_ADDRESS),
            unicast_peers: section.get(&UNICAST_PEERS),
            virtual_mac: section.get(&VIRTUAL_MAC),
            addresses: section.get(&ADDRESSES),
            routes: section.get(&ROUTES),
            rules: section.get(&RULES),
            garp: section.get(&GARP),
            track: section.get(&TRACK),
            on_health_loss: section.get(&ON_HEALTH_LOSS),
            startup_timeout: section.get(&STARTUP_TIMEOUT),
        }
    }

    /// The addresses that adverts name, each with its place.
    fn advertised(&self) -> impl Iterator<Item = (IpAddr, At)> {
        let advertised = self.addresses.iter().flatten().filter(|(address, _)| address.advertise);
        advertised.map(|(address, at)| (address.net.addr(), *at))
    }

    /// That of the first address that adverts name.
    fn family(&self) -> Option<Family> {
        self.advertised().next().map(|(address, _)| Family::of(address))
    }

    fn tracked_checks(&self) -> impl Iterator<Item = (&str, At)> {
        self.track.iter().flatten().filter_map(|(track, at)| match &track.what {
            Tracked::Check(name) => Some((name.as_str(), *at)),
            Tracked::Interface { .. } => None,
        })
    }

    fn has_address(&self, address: IpAddr) -> bool {
        self.addresses.iter().flatten().any(|(other, _)| other.net.addr() == address)
    }
}

/// The interval as the version's adverts carry it.
fn interval(section: &mut Section<'_, '_>, version: Version) -> Option<Interval> {
    let length = section.get(&ADVERTISEMENT_INTERVAL)?;
    let interval = Interval::exact(version, length);
    if interval.is_none() {
        let what = format!("version {version} cannot carry the \"advertisement_interval\" {}", show(length));
        section.fault(section.at(&ADVERTISEMENT_INTERVAL), &what, instead_of(version, length));
    }
    interval
}

fn owner_takes_over(draft: &Draft, section: &mut Section<'_, '_>) {
    if draft.preempt == Some(false) && draft.priority.is_some_and(Priority::is_owner) {
        let hint = "the owner of the addresses always takes over (RFC 9568 section 6.1): \
                    remove \"preempt\", or lower the priority";
        section.fault(section.at(&PREEMPT), "\"preempt\" is false at priority 255", hint);
    }
}

fn owner_accepts(draft: &Draft, section: &mut Section<'_, '_>) {
    if draft.accept == Some(false) && draft.priority.is_some_and(Priority::is_owner) {
        let hint = "the owner of the addresses takes packets to them (RFC 9568 section 6.1): \
                    remove \"accept\", or lower the priority";
        section.fault(section.at(&ACCEPT), "\"accept\" is false at priority 255", hint);
    }
}

fn version_2_is_ipv4(draft: &Draft, section: &mut Section<'_, '_>) {
    if (draft.version, draft.family()) == (Some(Version::V2), Some(Family::V6)) {
        let hint = "version 2 is for IPv4 only: remove it";
        section.fault(section.at(&VERSION), "\"version\" 2 with IPv6 addresses", hint);
    }
}

fn one_checksum(draft: &Draft, section: &mut Section<'_, '_>) {
    let what = match (draft.version, draft.family()) {
        _ if !section.has(&CHECKSUM) => return,
        (Some(Version::V2), _) => "version 2",
        (_, Some(Family::V6)) => "IPv6",
        _ => return,
    };
    let hint = format!("{what} has but one checksum: remove it");
    section.fault(section.at(&CHECKSUM), &format!("\"checksum\" with {what}"), hint);
}

fn password_is_version_2(draft: &Draft, section: &mut Section<'_, '_>) {
    let password = matches!(draft.authentication, Some(authentication::Draft::Pass(_)));
    if password && draft.version == Some(Version::V3) {
        let mut hint = "RFC 9568 has no passwords: use type = \"hmac\"".to_owned();
        if draft.family() != Some(Family::V6) {
            hint.push_str(", or set version = 2 on all routers");
        }
        section.fault(section.at(&AUTHENTICATION), "a password with version 3", hint);
    }
}

fn advertised_are_of_one_family(draft: &Draft, section: &mut Section<'_, '_>) {
    if draft.addresses.is_none() {
        return;
    }
    let Some(family) = draft.family() else {
        let hint = "an advert names one at least: remove advertise = false from it";
        return section.fault(section.at(&ADDRESSES), "none of \"addresses\" is advertised", hint);
    };
    for (address, at) in draft.advertised().filter(|(address, _)| Family::of(*address) != family) {
        let hint = "an advert carries one family: add advertise = false to hold it beside, \
                    or make it an instance of its own";
        section.fault(at, &format!("{address} is advertised with {family} addresses"), hint);
    }
}

fn first_of_ipv6_is_link_local(draft: &Draft, section: &mut Section<'_, '_>) {
    let Some((IpAddr::V6(first), at)) = draft.advertised().next() else { return };
    if !first.is_unicast_link_local() {
        let number = draft.virtual_router_id.map_or(1, Vrid::number);
        let hint = format!(
            "the first address of IPv6 is link-local (RFC 9568 section 5.2.9): \
             put one before it, such as \"fe80::{number}/64\", on all routers"
        );
        section.fault(at, &format!("{first} stands first"), hint);
    }
}

fn source_fits(draft: &Draft, section: &mut Section<'_, '_>) {
    let Some((source, family)) = draft.source_address.zip(draft.family()) else { return };
    let (what, hint) = match source {
        _ if Family::of(source) != family => {
            ("is of another family than the addresses", format!("write an {family} address"))
        }
        IpAddr::V6(v6) if !v6.is_unicast_link_local() && !section.has(&UNICAST_PEERS) => {
            let why = "adverts to the IPv6 group come from a link-local address (RFC 9568 section 5.1.2.1)";
            ("is not link-local", format!("{why}: write one, or remove it"))
        }
        _ if draft.has_address(source) && draft.priority.is_some_and(|priority| !priority.is_owner()) => {
            ("is one of \"addresses\"", "write an address that this machine always has".to_owned())
        }
        _ => return,
    };
    section.fault(section.at(&SOURCE_ADDRESS), &format!("\"source_address\" {source} {what}"), hint);
}

fn peers_are_others(draft: &Draft, section: &mut Section<'_, '_>) {
    let Some(family) = draft.family() else { return };
    for &(UnicastPeer { address, .. }, at) in draft.unicast_peers.iter().flatten() {
        let (what, hint) = if Family::of(address) != family {
            ("is of another family than the addresses", format!("write an {family} address"))
        } else if draft.source_address == Some(address) {
            ("is the \"source_address\"", "name the other routers".to_owned())
        } else if draft.has_address(address) {
            ("is one of \"addresses\"", "write an address that the other router always has".to_owned())
        } else {
            continue;
        };
        section.fault(at, &format!("the peer {address} {what}"), hint);
    }
}

fn unicast_is_authenticated(draft: &Draft, section: &mut Section<'_, '_>) {
    let is_unknown = section.has(&AUTHENTICATION) && draft.authentication.is_none();
    let is_signed = matches!(draft.authentication, Some(authentication::Draft::Hmac(_)));
    if section.has(&UNICAST_PEERS) && !is_signed && !is_unknown {
        let hint = "whoever can send to this machine can forge adverts: \
                    use authentication = { type = \"hmac\", ... }, or a firewall";
        section.warn(section.at(&UNICAST_PEERS), "\"unicast_peers\" without an HMAC", hint);
    }
}

fn unicast_comes_from_the_interface(draft: &Draft, section: &mut Section<'_, '_>) {
    let adverts_from = draft.virtual_mac.iter().flatten().find_map(|mac| mac.adverts_from);
    if adverts_from == Some(AdvertsFrom::VirtualMac) && section.has(&UNICAST_PEERS) {
        let hint = "write \"interface\", or leave it out";
        let what = "\"adverts_from\" is \"virtual_mac\" with \"unicast_peers\"";
        section.fault(section.at(&VIRTUAL_MAC), what, hint);
    }
}

/// Its own interfaces are followed anyway, or are up because it is Active.
fn tracked_interfaces_are_others(
    track: Option<&[(Track, At)]>,
    own: &[Option<&str>],
    section: &mut Section<'_, '_>,
) {
    for (track, at) in track.into_iter().flatten() {
        if let Tracked::Interface { name, .. } = &track.what
            && own.contains(&Some(name.as_str()))
        {
            let hint = "it is followed without being named: remove it";
            section.fault(*at, &format!("{name:?} is the instance's own interface, and tracked"), hint);
        }
    }
}

fn owner_has_no_weights(draft: &Draft, section: &mut Section<'_, '_>) {
    let is_weighed = |(track, _): &&(Track, At)| matches!(track.effect, Effect::Weight(_));
    if draft.priority.is_some_and(Priority::is_owner)
        && let Some((_, at)) = draft.track.iter().flatten().find(is_weighed)
    {
        let hint = "the priority of the owner never changes: lower it, or remove the weight for Fault";
        section.warn(*at, "a weight at priority 255 changes nothing", hint);
    }
}

fn something_is_waited_for(draft: &Draft, section: &mut Section<'_, '_>) {
    let given = [
        (section.has(&ON_HEALTH_LOSS), section.at(&ON_HEALTH_LOSS), ON_HEALTH_LOSS.about.name),
        (section.has(&STARTUP_TIMEOUT), section.at(&STARTUP_TIMEOUT), STARTUP_TIMEOUT.about.name),
    ];
    if draft.track.is_some() && draft.tracked_checks().next().is_none() {
        for (_, at, name) in given.into_iter().filter(|&(given, ..)| given) {
            let what = format!("{name:?} without a tracked check changes nothing");
            section.warn(at, &what, "track one, or remove it");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_refused, config, faults, instance, web};

    const V6: &str = "addresses = [\"fe80::51/64\", \"2001:db8::80/64\"]";

    fn v6(lines: &str) -> String {
        format!("{}\n{lines}", web(V6))
    }

    #[test]
    fn the_family_is_that_of_the_first_advertised_address() {
        assert_eq!(instance(&web("")).family(), Family::V4);
        assert_eq!(instance(&web(V6)).family(), Family::V6);
        let text =
            web("addresses = [{ address = \"2001:db8::80/64\", advertise = false }, \"192.0.2.80/24\"]");
        let instance = instance(&text);
        assert_eq!(instance.family(), Family::V4);
        assert_eq!(instance.advertised().collect::<Vec<_>>(), ["192.0.2.80".parse::<IpAddr>().unwrap()]);
        assert_eq!(instance.addresses.len(), 2);
    }

    #[test]
    fn the_owner_takes_over_and_accepts() {
        assert_refused(&[
            (
                "preempt = false\npriority = 255",
                "vipkit.toml:5:11: \"preempt\" is false at priority 255 in [vrrp.web]; \
                 the owner of the addresses always takes over (RFC 9568 section 6.1): \
                 remove \"preempt\", or lower the priority",
            ),
            (
                "accept = false\npriority = 255",
                "vipkit.toml:5:10: \"accept\" is false at priority 255 in [vrrp.web]; \
                 the owner of the addresses takes packets to them (RFC 9568 section 6.1): \
                 remove \"accept\", or lower the priority",
            ),
        ]);
    }

    #[test]
    fn each_version_and_family_has_its_keys() {
        assert_refused(&[
            (
                "checksum = \"rfc9568\"\nversion = 2",
                "vipkit.toml:5:12: \"checksum\" with version 2 in [vrrp.web]; \
                 version 2 has but one checksum: remove it",
            ),
            (
                "authentication = { type = \"pass\", key = \"1111\" }",
                "vipkit.toml:5:18: a password with version 3 in [vrrp.web]; \
                 RFC 9568 has no passwords: use type = \"hmac\", or set version = 2 on all routers",
            ),
        ]);
        assert_eq!(
            faults(&v6("version = 2")),
            "vipkit.toml:5:11: \"version\" 2 with IPv6 addresses in [vrrp.web]; version 2 is for IPv4 only: remove it"
        );
        assert_eq!(
            faults(&v6("checksum = \"rfc9568\"")),
            "vipkit.toml:5:12: \"checksum\" with IPv6 in [vrrp.web]; IPv6 has but one checksum: remove it"
        );
        assert_eq!(
            faults(&v6("authentication = { type = \"pass\", key = \"1111\" }")),
            "vipkit.toml:5:18: a password with version 3 in [vrrp.web]; RFC 9568 has no passwords: use type = \"hmac\""
        );
    }

    #[test]
    fn an_advert_carries_addresses_of_one_family_and_one_at_least() {
        assert_refused(&[
            (
                "addresses = [\"192.0.2.80/24\", \"2001:db8::80/64\"]",
                "vipkit.toml:4:31: 2001:db8::80 is advertised with IPv4 addresses in [vrrp.web]; \
                 an advert carries one family: add advertise = false to hold it beside, \
                 or make it an instance of its own",
            ),
            (
                "addresses = [{ address = \"192.0.2.80/24\", advertise = false }]",
                "vipkit.toml:4:13: none of \"addresses\" is advertised in [vrrp.web]; \
                 an advert names one at least: remove advertise = false from it",
            ),
        ]);
    }

    #[test]
    fn the_first_address_of_ipv6_is_link_local() {
        assert_refused(&[(
            "addresses = [\"2001:db8::80/64\", \"fe80::51/64\"]",
            "vipkit.toml:4:14: 2001:db8::80 stands first in [vrrp.web]; \
             the first address of IPv6 is link-local (RFC 9568 section 5.2.9): \
             put one before it, such as \"fe80::51/64\", on all routers",
        )]);
        let beside = "{ address = \"2001:db8::80/64\", advertise = false }";
        assert_eq!(instance(&web(&format!("addresses = [{beside}, \"fe80::51/64\"]"))).family(), Family::V6);
    }

    #[test]
    fn a_source_is_one_that_adverts_can_come_from() {
        assert_refused(&[
            (
                "source_address = \"fe80::1\"",
                "vipkit.toml:5:18: \"source_address\" fe80::1 is of another family than the addresses in [vrrp.web]; \
                 write an IPv4 address",
            ),
            (
                "source_address = \"192.0.2.80\"",
                "vipkit.toml:5:18: \"source_address\" 192.0.2.80 is one of \"addresses\" in [vrrp.web]; \
                 write an address that this machine always has",
            ),
            (
                "source_address = \"127.0.0.1\"",
                "vipkit.toml:5:18: \"source_address\" in [vrrp.web] has 127.0.0.1, a loopback address; \
                 write an address that a host can have",
            ),
        ]);
        assert_eq!(
            faults(&v6("source_address = \"2001:db8::1\"")),
            "vipkit.toml:5:18: \"source_address\" 2001:db8::1 is not link-local in [vrrp.web]; \
             adverts to the IPv6 group come from a link-local address (RFC 9568 section 5.1.2.1): \
             write one, or remove it"
        );
        instance(&v6("source_address = \"fe80::1\""));
        instance(&v6("source_address = \"2001:db8::1\"\nunicast_peers = [\"2001:db8::2\"]"));
        instance(&web("source_address = \"192.0.2.80\"\npriority = 255"));
    }

    #[test]
    fn peers_are_other_routers_of_the_same_family() {
        assert_refused(&[(
            "source_address = \"192.0.2.1\"\nunicast_peers = [\"fe80::2\", \"192.0.2.1\", \"192.0.2.80\", \"192.0.2.2\"]",
            "vipkit.toml:6:18: the peer fe80::2 is of another family than the addresses in [vrrp.web]; \
             write an IPv4 address\n\
             vipkit.toml:6:29: the peer 192.0.2.1 is the \"source_address\" in [vrrp.web]; name the other routers\n\
             vipkit.toml:6:42: the peer 192.0.2.80 is one of \"addresses\" in [vrrp.web]; \
             write an address that the other router always has",
        )]);
    }

    #[test]
    fn unicast_without_an_hmac_is_a_warning() {
        let warnings = |lines: &str| {
            let shown: Vec<_> = config(&web(lines)).warnings.iter().map(ToString::to_string).collect();
            shown.join("\n")
        };
        let warning = "\"unicast_peers\" without an HMAC in [vrrp.web]; \
                       whoever can send to this machine can forge adverts: \
                       use authentication = { type = \"hmac\", ... }, or a firewall";
        let peers = "unicast_peers = [\"192.0.2.2\"]";
        assert_eq!(warnings(peers), format!("vipkit.toml:5:17: {warning}"));
        let password =
            format!("{peers}\nversion = 2\nauthentication = {{ type = \"pass\", key = \"1111\" }}");
        assert_eq!(warnings(&password), format!("vipkit.toml:5:17: {warning}"));
        let hmac = "authentication = { type = \"hmac\", keys = [{ id = 1, credential = \"vrrp-1\" }] }";
        assert_eq!(warnings(&format!("{peers}\n{hmac}")), "");
        assert_eq!(warnings(""), "");
    }

    #[test]
    fn unicast_adverts_come_from_the_interface() {
        let unicast = "unicast_peers = [\"192.0.2.2\"]\nvirtual_mac = ";
        assert_refused(&[(
            &format!("{unicast}{{ adverts_from = \"virtual_mac\" }}"),
            "vipkit.toml:6:15: \"adverts_from\" is \"virtual_mac\" with \"unicast_peers\" in [vrrp.web]; \
             write \"interface\", or leave it out",
        )]);
        let mac = instance(&web(&format!("{unicast}true"))).virtual_mac.unwrap();
        assert_eq!(mac.adverts_from, AdvertsFrom::Interface);
    }
}
