//! dnsmasq: a DNS server that knows the domain example.net, and nobody to ask about others.

use std::fmt::Write as _;
use std::fs;

use super::host::Host;
use super::server::Server;

/// Addresses of `many.example.net`: too many for a datagram.
pub const MANY: u8 = 60;

/// Starts one on port 53 of all addresses.
#[must_use]
pub fn server(host: &Host) -> Server {
    let hosts = host.folder().join("dns-hosts");
    let mut text = "192.0.2.80 www.example.net\n2001:db8::80 www.example.net\n".to_owned();
    for last in 1..=MANY {
        let _ = writeln!(text, "192.0.2.{last} many.example.net");
    }
    fs::write(&hosts, text).unwrap();
    let line = format!(
        "dnsmasq --keep-in-foreground --conf-file=/dev/null --no-hosts --no-resolv --user=root --group=root --pid-file \
         --log-facility=- --local=/example.net/ --addn-hosts={} --cname=alias.example.net,www.example.net \
         --mx-host=example.net,mail.example.net,10 --txt-record=example.net,v=spf1",
        hosts.display()
    );
    let line: Vec<&str> = line.split_whitespace().collect();
    Server::started(host, "dnsmasq", 53, &line)
}
