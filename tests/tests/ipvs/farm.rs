//! The network of the tutorial's second lab, for all scenarios.

use std::collections::BTreeMap;
use std::net::SocketAddrV4;
use std::time::Duration;

use vipkit_tests::lab::Lab;
use vipkit_tests::lab::director::{Director, table};
use vipkit_tests::lab::host::Host;
use vipkit_tests::lab::httpd::Httpd;
use vipkit_tests::lab::installation::Installation;

/// The service's address.
pub const VIP: &str = "192.168.4.15";
/// Until everything is as if nothing had happened.
pub const RECOVERY: Duration = Duration::from_secs(5);
/// Programs start slowly in a virtual machine.
pub const SLACK: Duration = Duration::from_secs(5);
/// A VRRP pair with Advertisement_Interval 1 s has a holder after this.
pub const TAKEOVER: Duration = Duration::from_secs(9);

/// Twelve requests take seconds in a virtual machine, and should they not be shared as they ought to, more follow.
const TWELVE_AGAIN: Duration = Duration::from_secs(60);

/// The network.
pub struct Farm {
    pub httpd1: Httpd,
    pub httpd2: Httpd,
    pub web1: Host,
    pub web2: Host,
    pub lvs1: Host,
    pub lvs2: Host,
    client: Host,
    /// Dropped last: it removes the hosts.
    pub lab: Lab,
}

impl Farm {
    /// Real servers are prepared by vipctl alone.
    pub fn new() -> Self {
        let lab = Lab::new();
        let (lvs1, lvs2, client) = (lab.host("lvs1", 5), lab.host("lvs2", 6), lab.host("client", 77));
        let (web1, web2) = (lab.host("web1", 100), lab.host("web2", 200));
        for web in [&web1, &web2] {
            let added = Installation::new(web, "vipkit", &[], "").vipctl(&["realserver", "add", VIP]);
            assert_eq!(added.code, 0, "{added:?}");
        }
        let (httpd1, httpd2) = (Httpd::started(&web1), Httpd::started(&web2));
        Self { httpd1, httpd2, web1, web2, lvs1, lvs2, client, lab }
    }

    /// The address of the real server of weight 1, which scenarios stop.
    pub fn server1(&self) -> SocketAddrV4 {
        SocketAddrV4::new(self.web1.address(), 80)
    }

    /// The lines of `ipvsadm -Sn` for the service with servers of these weights.
    pub fn table_with(&self, weights: &[(&Host, u32)]) -> Vec<String> {
        let server = |&(host, weight): &(&Host, u32)| {
            format!("-a -t {VIP}:80 -r {}:80 -g -w {weight}", host.address())
        };
        let mut lines: Vec<String> = weights.iter().map(server).collect();
        lines.insert(0, format!("-A -t {VIP}:80 -s wrr"));
        lines
    }

    /// The table while both servers are well.
    pub fn whole(&self) -> Vec<String> {
        self.table_with(&[(&self.web1, 1), (&self.web2, 2)])
    }

    /// The table while the first server is not.
    pub fn without_server1(&self) -> Vec<String> {
        self.table_with(&[(&self.web2, 2)])
    }

    /// Waits until the table of a director is this one.
    pub fn wait_for_table(&self, director: &Host, wanted: &[String], limit: Duration) -> Duration {
        let what = format!("the table of {} is {wanted:?}", director.name());
        self.lab.wait(&what, limit, || table(director) == wanted)
    }

    /// Waits until this director alone has the VIP.
    pub fn wait_for_holder(&self, director: &Host, limit: Duration) -> Duration {
        let what = format!("{VIP} is on {} alone", director.name());
        self.lab.wait(&what, limit, || self.lab.holders(VIP) == [director.name()])
    }

    /// Waits until the client is answered.
    pub fn wait_for_answer(&self, limit: Duration) -> Duration {
        self.lab.wait("the client is answered", limit, || self.fetch().is_some())
    }

    /// How many of so many requests each real server answers.
    ///
    /// # Panics
    /// If one is not answered.
    pub fn answers(&self, requests: usize) -> BTreeMap<String, usize> {
        let mut answers = BTreeMap::new();
        for request in 1..=requests {
            match self.fetch() {
                Some(server) => *answers.entry(server).or_default() += 1,
                None => panic!("request {request} of {requests} is not answered; so far {answers:?}"),
            }
        }
        answers
    }

    /// What [`Farm::answers`] is when so many are answered by the first and the second server.
    pub fn shares(&self, first: usize, second: usize) -> BTreeMap<String, usize> {
        let shares = [(&self.web1, first), (&self.web2, second)];
        shares.into_iter().filter(|(_, n)| *n > 0).map(|(web, n)| (web.address().to_string(), n)).collect()
    }

    /// Waits until twelve requests in a row are shared out so: one that meets both directors while the address moves
    /// is answered, but counts in neither's round.
    pub fn wait_for_shares(&self, first: usize, second: usize) {
        let what = format!("twelve requests are shared {first} to {second}");
        self.lab.wait(&what, TWELVE_AGAIN, || self.answers(12) == self.shares(first, second));
    }

    fn fetch(&self) -> Option<String> {
        self.client.fetch_within(VIP, SLACK)
    }
}

/// Both directors, with the VIP on the first, and both tables whole.
pub fn directors(farm: &Farm, config: impl Fn(u8) -> String) -> (Director, Director) {
    let lvs1 = Director::started(&farm.lvs1, &config(100));
    let lvs2 = Director::started(&farm.lvs2, &config(50));
    farm.wait_for_holder(&farm.lvs1, TAKEOVER);
    for host in [&farm.lvs1, &farm.lvs2] {
        farm.wait_for_table(host, &farm.whole(), SLACK);
    }
    farm.wait_for_answer(SLACK);
    (lvs1, lvs2)
}

/// The tutorial's configuration, with a check that is quicker to judge.
pub fn quick(priority: u8) -> String {
    format!(
        "[vrrp.web]
interface = 'eth0'
virtual_router_id = 51
priority = {priority}
addresses = ['{VIP}/24']

[ipvs]
resync_interval = '1s'

[[service]]
name = 'web'
address = '{VIP}:80'
scheduler = 'wrr'
forward = 'dr'
check = {{ type = 'tcp', interval = '1s', timeout = '1s', retries = 1, retry_delay = '500ms' }}
server = [{{ address = '192.168.4.100:80', weight = 1 }}, {{ address = '192.168.4.200:80', weight = 2 }}]
"
    )
}
