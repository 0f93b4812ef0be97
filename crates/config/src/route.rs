//! `routes` of an instance, `[[vrrp.NAME.routes]]`: what the Active router's routing tables have beside its addresses.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use vipkit_core::units::Family;

use crate::context::Context;
use crate::scope::{self, Scope};
use crate::section::{About, Absent, Field, Key, Section};
use crate::source::At;
use crate::tree::Datum;
use crate::{host, interface, network};

/// Most routes of one instance.
pub const ROUTES_MAX: usize = 256;

/// A route that is there while the router is Active. No other route of the configuration has the same destination,
/// table and metric.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Route {
    /// Family of all its addresses.
    pub family: Family,
    /// Destination, without bits beyond its prefix; 0.0.0.0/0 or ::/0 is the default route.
    pub to: IpNet,
    /// Gateway.
    pub via: Option<IpAddr>,
    /// Interface it leaves by; the instance's [`place`](crate::Instance::place) if it is none.
    pub interface: Option<String>,
    /// Routing table, never 0; 254 is main.
    pub table: u32,
    /// Metric, never 0; the kernel's default if it is none.
    pub metric: Option<u32>,
    /// Preferred source address.
    pub source: Option<IpAddr>,
    /// Scope, IPv4 only; if it is none, global with a gateway and link without.
    pub scope: Option<Scope>,
}

/// What the kernel knows a route by.
pub(crate) type Identity = (IpNet, u32, Option<u32>);

impl Route {
    pub(crate) fn identity(&self) -> Identity {
        /// `IP6_RT_PRIO_USER` of include/net/ip6_route.h, if none is given.
        const V6_METRIC: u32 = 1024;
        let default = (self.family == Family::V6).then_some(V6_METRIC);
        (self.to, self.table, self.metric.or(default))
    }
}

pub(crate) const KEYS: &[About] =
    &[TO.about, VIA.about, INTERFACE.about, TABLE.about, METRIC.about, SOURCE.about, SCOPE.about];

const TO: Key<To> = Key {
    about: About {
        name: "to",
        kind: "a network with prefix or \"default\"",
        absent: Absent::Required,
        doc: "Destination.",
    },
    read: to,
};

const VIA: Key<IpAddr> = Key {
    about: About {
        name: "via",
        kind: "an IP address",
        absent: Absent::None("none: on the link"),
        doc: "Gateway.",
    },
    read: host::read,
};

const INTERFACE: Key<String> = Key {
    about: About {
        name: "interface",
        kind: "the name of a network interface",
        absent: Absent::None("where the addresses are"),
        doc: "Interface that it leaves by.",
    },
    read: interface::read,
};

const TABLE: Key<u32> = Key {
    about: About {
        name: "table",
        kind: "an integer from 1 to 4294967295",
        absent: Absent::Default("254"),
        doc: "Routing table; 254 is the main one.",
    },
    read: network::table,
};

const METRIC: Key<u32> = Key {
    about: About {
        name: "metric",
        kind: "an integer from 1 to 4294967295",
        absent: Absent::None("the kernel's: 0, with IPv6 1024"),
        doc: "The lowest is taken of routes to one destination.",
    },
    read: |field| field.count(1..=u32::MAX, "leave it out for the kernel's"),
};

const SOURCE: Key<IpAddr> = Key {
    about: About {
        name: "source",
        kind: "an IP address",
        absent: Absent::None("the kernel's choice"),
        doc: "Source address of what this host sends by it; mostly one of `addresses`.",
    },
    read: host::read,
};

const SCOPE: Key<Scope> = Key {
    about: About {
        name: "scope",
        kind: "\"global\", \"site\", \"link\" or \"host\"",
        absent: Absent::None("`\"global\"` with `via`, else `\"link\"`"),
        doc: "Scope, IPv4 only.",
    },
    read: scope::read,
};

/// A destination as it is written.
#[derive(Clone, Copy)]
enum To {
    Default,
    Net(IpNet),
}

/// A route as it is written: it may be of its instance's family.
#[derive(Clone)]
pub(crate) struct Draft {
    to: To,
    family: Option<Family>,
    via: Option<IpAddr>,
    interface: Option<String>,
    table: u32,
    metric: Option<u32>,
    source: Option<IpAddr>,
    /// And where it stands.
    scope: Option<(Scope, At)>,
}

impl Draft {
    /// In an instance of this family.
    pub fn complete(self, instance: Family, cx: &mut Context<'_>) -> Route {
        let family = self.family.unwrap_or(instance);
        if let Some((_, at)) = self.scope.filter(|_| family == Family::V6) {
            cx.fault(at, "\"scope\" of an IPv6 route", "only IPv4 has it: remove it");
        }
        let to = match (self.to, family) {
            (To::Net(net), _) => net,
            (To::Default, Family::V4) => Ipv4Net::default().into(),
            (To::Default, Family::V6) => Ipv6Net::default().into(),
        };
        Route {
            family,
            to,
            via: self.via,
            interface: self.interface,
            table: self.table,
            metric: self.metric,
            source: self.source,
            scope: self.scope.map(|(scope, _)| scope),
        }
    }
}

/// The routes in the order they are written, each with its place.
pub(crate) fn read(field: &mut Field<'_, '_>) -> Option<Vec<(Draft, At)>> {
    let list = field.tables(ROUTES_MAX)?;
    let routes: Vec<_> =
        list.iter().filter_map(|value| Some((draft(field.listed(value, KEYS)?)?, value.at))).collect();
    (routes.len() == list.len()).then_some(routes)
}

fn draft(mut section: Section<'_, '_>) -> Option<Draft> {
    let to = section.get(&TO);
    let via = section.get(&VIA);
    let interface = section.get(&INTERFACE);
    let table = section.get(&TABLE);
    let metric = section.get(&METRIC);
    let source = section.get(&SOURCE);
    let scope = section.get(&SCOPE).map(|scope| (scope, section.at(&SCOPE)));
    let of_to = match to {
        Some(To::Net(net)) => Some(Family::of(net.addr())),
        _ => None,
    };
    let family = network::family([of_to, via.map(Family::of), source.map(Family::of)]);
    if let Err((one, other)) = family {
        let what = format!("both {one} and {other} addresses");
        section.fault(section.place(), &what, "a route is of one family: write two");
    }
    if let Some((scope, at)) = scope.filter(|(scope, _)| via.is_some() && *scope >= Scope::Link) {
        let what = format!("\"scope\" {:?} with \"via\"", scope.name());
        section.fault(at, &what, "what is behind a gateway is farther away: remove one of them");
    }
    section.finish();
    let (to, family, table) = (to?, family.ok()?, table?);
    Some(Draft { to, family, via, interface, table, metric, source, scope })
}

fn to(field: &mut Field<'_, '_>) -> Option<To> {
    match &field.value.datum {
        Datum::Text(text) if text == "default" => Some(To::Default),
        _ => network::read(field).map(To::Net),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_refused, faults, instance, web};

    fn plain(to: &str) -> Route {
        let to: IpNet = to.parse().unwrap();
        let (family, table) = (Family::of(to.addr()), 254);
        Route { family, to, via: None, interface: None, table, metric: None, source: None, scope: None }
    }

    #[test]
    fn has_defaults_and_an_order_of_its_own() {
        let text = web("routes = [{ to = \"2001:db8::/32\" }, { to = \"10.0.0.0/8\" }]");
        assert_eq!(instance(&text).routes, [plain("10.0.0.0/8"), plain("2001:db8::/32")]);
        let text = web(
            "routes = [{ to = \"10.0.0.0/8\", via = \"192.0.2.254\", interface = \"eth1\", table = 100, metric = 50, \
             source = \"192.0.2.80\", scope = \"site\" }]",
        );
        let expected = Route {
            via: Some("192.0.2.254".parse().unwrap()),
            interface: Some("eth1".to_owned()),
            table: 100,
            metric: Some(50),
            source: Some("192.0.2.80".parse().unwrap()),
            scope: Some(Scope::Site),
            ..plain("10.0.0.0/8")
        };
        assert_eq!(instance(&text).routes, [expected]);
    }

    #[test]
    fn the_default_is_of_the_family_of_the_rest_else_of_the_instance() {
        let to = |lines: &str| instance(&web(lines)).routes.first().unwrap().to.to_string();
        assert_eq!(to("routes = [{ to = \"default\" }]"), "0.0.0.0/0");
        assert_eq!(to("routes = [{ to = \"default\", via = \"fe80::1\" }]"), "::/0");
        assert_eq!(to("routes = [{ to = \"default\", source = \"2001:db8::1\" }]"), "::/0");
        assert_eq!(to("addresses = [\"fe80::51/64\"]\nroutes = [{ to = \"default\" }]"), "::/0");
    }

    #[test]
    fn refuses_what_the_kernel_would() {
        let refused = |route: &str, expected: &str| {
            assert_refused(&[(&format!("routes = [{{ {route} }}]"), &format!("vipkit.toml:{expected}"))]);
        };
        refused(
            "to = \"10.0.0.1/8\"",
            "5:18: \"to\" in [[vrrp.web.routes]] has 10.0.0.1/8, whose address is within the network; \
             write \"10.0.0.0/8\"",
        );
        refused(
            "to = \"10.0.0.1\"",
            "5:18: \"to\" in [[vrrp.web.routes]] has 10.0.0.1 without a prefix; \
             write \"10.0.0.1/32\" for the address alone",
        );
        refused(
            "to = \"all\"",
            "5:18: \"to\" in [[vrrp.web.routes]] must be a network with prefix or \"default\", not \"all\"; \
             write it with a prefix, such as \"10.0.0.0/8\" or \"2001:db8::/32\"",
        );
        refused(
            "to = \"10.0.0.0/8\", via = \"fe80::1\"",
            "5:11: both IPv4 and IPv6 addresses in [[vrrp.web.routes]]; a route is of one family: write two",
        );
        refused(
            "to = \"10.0.0.0/8\", via = \"192.0.2.1\", scope = \"link\"",
            "5:59: \"scope\" \"link\" with \"via\" in [[vrrp.web.routes]]; \
             what is behind a gateway is farther away: remove one of them",
        );
        refused(
            "to = \"2001:db8::/32\", scope = \"link\"",
            "5:43: \"scope\" of an IPv6 route; only IPv4 has it: remove it",
        );
        refused(
            "to = \"10.0.0.0/8\", table = 0, metric = 0",
            "5:40: \"table\" in [[vrrp.web.routes]] must be an integer from 1 to 4294967295, not 0; \
             254 is the main table\n\
             vipkit.toml:5:52: \"metric\" in [[vrrp.web.routes]] must be an integer from 1 to 4294967295, not 0; \
             leave it out for the kernel's",
        );
        assert_refused(&[(
            "routes = { to = \"default\" }",
            "vipkit.toml:5:10: \"routes\" in [vrrp.web] must be a list of tables, not a table; \
             write each under [[vrrp.web.routes]]",
        )]);
    }

    #[test]
    fn their_number_is_bounded() {
        let list = |count: usize| {
            let routes: Vec<_> =
                (0..count).map(|n| format!("{{ to = \"10.{}.{}.0/24\" }}", n / 256, n % 256)).collect();
            web(&format!("routes = [{}]", routes.join(", ")))
        };
        assert_eq!(instance(&list(ROUTES_MAX)).routes.len(), 256);
        assert!(
            faults(&list(ROUTES_MAX + 1))
                .contains("\"routes\" in [vrrp.web] has 257 tables; 256 are the most")
        );
    }
}
