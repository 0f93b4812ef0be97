//! An entry of `virtual_routes`.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use vipkit_core::units::Family;

use super::address::scope_of;
use super::note::{Notes, Place};
use super::said::Said;
use super::words::{self, Read, Word, apart, flag, lost, lost_value, nothing, value};

/// A route that is there while the addresses are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Where it leads.
    pub to: IpNet,
    /// `via`.
    pub via: Option<IpAddr>,
    /// `dev`.
    pub interface: Option<String>,
    /// `table`, 254 if it is not said.
    pub table: u32,
    /// `metric`.
    pub metric: Option<u32>,
    /// `src`.
    pub source: Option<IpAddr>,
    /// `scope`, IPv4 only.
    pub scope: Option<&'static str>,
    /// Where it stands.
    pub at: Place,
}

/// The main routing table.
const MAIN: u32 = 254;

#[derive(Default)]
struct Draft {
    to: Option<To>,
    via: Option<IpAddr>,
    interface: Option<String>,
    table: Option<u32>,
    metric: Option<u32>,
    source: Option<IpAddr>,
    scope: Option<&'static str>,
    v6: bool,
    /// `via inet6` has the gateway behind it.
    gateway_follows: bool,
    paths: usize,
}

enum To {
    Default,
    Net(IpNet),
}

const METRICS: &str = "vipkit leaves it to the kernel";
const KIND: &str = "vipkit has routes to a gateway or an interface only";

const WORDS: &[Word<Draft>] = &[
    value(&["to"], to),
    value(&["via", "gw"], via),
    value(&["or"], |draft, _| {
        draft.paths = 2;
        Ok(None)
    }),
    flag(&["nexthop"], |draft| draft.paths += 1),
    value(&["dev", "oif"], |draft, name| {
        if draft.paths < 2 {
            draft.interface = Some(name.to_owned());
        }
        Ok(None)
    }),
    value(&["table"], |draft, text| {
        draft.table = Some(table(text)?);
        Ok(None)
    }),
    value(&["metric", "priority", "preference"], |draft, text| {
        let metric: u32 = text.parse().map_err(|_| format!("metric {text} is no number"))?;
        draft.metric = (metric > 0).then_some(metric);
        Ok(None)
    }),
    value(&["src"], |draft, text| {
        draft.source = Some(address(text)?);
        Ok(None)
    }),
    value(&["scope"], |draft, text| {
        draft.scope = scope_of(text);
        Ok(draft.scope.is_none().then(|| "vipkit knows global, site, link and host".to_owned()))
    }),
    flag(&["inet6"], |draft| draft.v6 = true),
    flag(&["inet"], |draft| draft.v6 = false),
    apart(&["tos", "dsfield"], "vipkit has no routes for some packets only"),
    apart(&["blackhole", "unreachable", "prohibit", "throw"], KIND),
    apart(&["unicast", "local", "broadcast", "multicast", "anycast", "nat", "xresolve"], KIND),
    apart(&["encap", "as"], "vipkit encapsulates and translates nothing"),
    apart(&["vrf"], "vipkit knows no VRF"),
    apart(&["onlink"], "vipkit takes gateways that the kernel can reach only"),
    lost_value(&["mtu", "hoplimit", "advmss", "rtt", "rttvar", "reordering", "window", "cwnd"], METRICS),
    lost_value(&["ssthresh", "rto_min", "initcwnd", "initrwnd", "features", "quickack"], METRICS),
    lost_value(&["congctl", "pref", "realms", "fastopen_no_cookie", "ttl-propagate"], METRICS),
    lost_value(&["expires"], "the route is there as long as the addresses are"),
    lost_value(&["track_group"], "vipkit puts a route back whenever it is taken away"),
    lost(&["no_track"], "vipkit puts a route back whenever it is taken away"),
    lost(&["append"], METRICS),
    nothing(&["add", "prepend"], false),
    // vipkit marks its routes with its own.
    nothing(&["proto", "protocol"], true),
    nothing(&["weight"], true),
];

/// The route of a line; none, with a note, if it cannot be carried over.
pub fn read(said: &Said, notes: &mut Notes) -> Option<Route> {
    let words = words::of(said);
    let name = words.join(" ");
    let mut draft = Draft::default();
    let read = words::read(WORDS, other, words, &name, &mut draft, (&said.at, notes));
    match read.and_then(|()| draft.whole(&said.at)) {
        Ok((route, paths)) => {
            if paths > 1 {
                let now = format!("the route {name} has several gateways: vipkit takes the first only");
                notes.say(&said.at, now);
            }
            Some(route)
        }
        Err(what) => {
            notes.say(&said.at, format!("THE ROUTE {name} IS NOT CARRIED OVER: {what}"));
            None
        }
    }
}

impl Draft {
    fn whole(self, at: &Place) -> Result<(Route, usize), String> {
        let to = match self.to.ok_or("it has no destination")? {
            To::Net(net) => net,
            To::Default if self.v6 || self.via.or(self.source).is_some_and(|ip| ip.is_ipv6()) => {
                Ipv6Net::default().into()
            }
            To::Default => Ipv4Net::default().into(),
        };
        let family = Family::of(to.addr());
        if self.via.into_iter().chain(self.source).any(|ip| Family::of(ip) != family) {
            return Err("it has addresses of both families".to_owned());
        }
        // What the kernel does with bits beyond the prefix.
        if family == Family::V4 && to != to.trunc() {
            return Err(format!("{to} has bits beyond its prefix, which the kernel refuses"));
        }
        let far = self.via.is_some() && matches!(self.scope, Some("link" | "host"));
        if far {
            return Err("the kernel refuses this scope behind a gateway".to_owned());
        }
        let route = Route {
            to: to.trunc(),
            via: self.via,
            interface: self.interface,
            table: self.table.unwrap_or(MAIN),
            metric: self.metric,
            source: self.source,
            scope: self.scope.filter(|_| family == Family::V4),
            at: at.clone(),
        };
        Ok((route, self.paths))
    }
}

impl Route {
    /// keepalived lets the kernel find the interface of a gateway, vipkit takes where the addresses are: that is said
    /// unless the gateway is beside one of them.
    pub fn leaves_by(&self, networks: &[IpNet], place: &str, notes: &mut Notes) {
        let Some(via) = self.via.filter(|_| self.interface.is_none()) else { return };
        if !networks.iter().any(|net| net.contains(&via)) && !super::address::is_link_local(via) {
            let now = format!(
                "the route to {} has no dev: keepalived leaves it to the kernel by which interface {via} is; vipkit \
                 takes {place}",
                self.to
            );
            notes.say(&self.at, now);
        }
    }
}

fn other(draft: &mut Draft, word: &str) -> Read {
    if draft.gateway_follows {
        draft.gateway_follows = false;
        return via(draft, word);
    }
    if draft.to.is_none() {
        return to(draft, word);
    }
    Err(format!("{word:?} is nothing that vipkit knows of a route"))
}

fn to(draft: &mut Draft, text: &str) -> Read {
    draft.to = Some(match text {
        "default" => To::Default,
        "default6" => To::Net(Ipv6Net::default().into()),
        _ => To::Net(network(text)?),
    });
    Ok(None)
}

fn via(draft: &mut Draft, text: &str) -> Read {
    if matches!(text, "inet" | "inet6") {
        draft.gateway_follows = true;
    } else if draft.paths < 2 {
        draft.via = Some(address(text)?);
    }
    Ok(None)
}

fn address(text: &str) -> Result<IpAddr, String> {
    text.parse().map_err(|_| format!("{text:?} is no address"))
}

/// A network, or an address alone.
///
/// # Errors
/// It is none.
pub fn network(text: &str) -> Result<IpNet, String> {
    let alone = || text.parse::<IpAddr>().map(IpNet::from);
    text.parse().or_else(|_| alone()).map_err(|_| format!("{text:?} is no network"))
}

/// A routing table; the names that every kernel has are numbers too.
///
/// # Errors
/// It has another name.
pub fn table(text: &str) -> Result<u32, String> {
    match text {
        "main" | "0" => Ok(MAIN),
        "local" => Ok(255),
        "default" => Ok(253),
        _ => text.parse().map_err(|_| {
            format!("table {text} is a name: write its number, which /etc/iproute2/rt_tables tells")
        }),
    }
}
