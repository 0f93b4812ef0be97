//! Each kind of check against real servers, in networks of namespaces: what vipctl shows when the server is up, down,
//! silent or hostile, over IPv4 and IPv6; those of this machine; several that make one verdict; twelve thousand at once.
//! healthcheckd runs as its unit runs it, without privileges.

mod agent;
mod alone;
mod combining;
mod dns;
mod external;
mod fixture;
mod hostile;
mod http;
mod https;
mod local;
mod path;
mod ping;
mod scale;
mod script;
mod smtp;
mod tls;
mod udp;
