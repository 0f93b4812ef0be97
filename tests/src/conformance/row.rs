//! The format of a row, and the files they are in. Must not play them.
//!
//! Times are milliseconds since the router came into the state it starts in: then its clock shows `trailer::CLOCK`. A
//! packet is written twice: as the description of how it differs from a valid advert (`advert`), and as its text
//! (`packet`, see `arrival`), which alone is played.

use std::collections::BTreeMap;
use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};

use ipnet::IpNet;
use serde::Deserialize;
use vipkit_control::health::Judgement;

use super::packet::Packet;

/// A row: one requirement, played once from each state it starts in.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// Its name in the ledger.
    pub id: String,
    /// Where the requirement stands.
    pub rfc: String,
    /// The requirement in a few words.
    pub name: String,
    /// Row of the state table that it is an instance of.
    pub table: Option<u8>,
    /// Keys of the instance.
    #[serde(default)]
    pub config: String,
    /// The configuration is refused, with this in the message.
    pub refused: Option<String>,
    /// The router's own address: with an IPv6 one, its virtual addresses are fe80::5 and 2001:db8::5 unless said.
    #[serde(default = "own_address")]
    pub source: IpAddr,
    /// How late each of its timers is served.
    #[serde(default)]
    pub late_ms: f64,
    /// States it starts in: each is a case of its own.
    #[serde(default)]
    pub start: Vec<Start>,
    /// Inputs that must change nothing; each is a case of its own, and `valid` follows it.
    #[serde(default)]
    pub refuse: Vec<Refuse>,
    /// What `refuse` was made from: it must be believed.
    pub valid: Option<Input>,
    /// What happens, in order.
    #[serde(default)]
    pub steps: Vec<Step>,
}

/// The state a row starts in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Start {
    /// The program has not started.
    Initialize,
    /// Just started.
    Backup,
    /// Started, and nobody was heard, until it was Active; or started as the owner.
    Active,
}

/// A packet, described and as text.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// How it differs from a valid advert.
    pub advert: Packet,
    /// Its text.
    pub packet: String,
}

/// A packet that must change nothing but a counter.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refuse {
    /// How it differs from a valid advert.
    pub advert: Packet,
    /// Its text.
    pub packet: String,
    /// The counter.
    pub counter: String,
}

/// One input, or none, and everything that was seen since the step before. What is not expected must not be seen,
/// but for counters and log lines.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Step {
    /// When.
    pub at_ms: f64,
    /// Time between repetitions of the input.
    pub every_ms: f64,
    /// How often the input comes; 0 is once.
    pub times: u32,
    /// The program did not run since the step before: the input waits for it, before its timers.
    pub asleep: bool,
    /// Input: how the packet differs from a valid advert.
    pub advert: Option<Packet>,
    /// Input: the packet's text.
    pub packet: Option<String>,
    /// Input: something that happens to the host.
    pub event: Option<Event>,
    /// Input: the host's clock steps to this many milliseconds after the moment 0 of the row.
    pub clock_ms: Option<f64>,
    /// Input: the interface takes packets of so many bytes.
    pub mtu: Option<u32>,
    /// Input: healthcheckd says that checks are up or down.
    pub say: BTreeMap<String, Judgement>,
    /// Input: keys of a new configuration.
    pub reload: Option<String>,
    /// Each input by itself changed nothing but this counter, by one, and perhaps the log.
    pub hold: Option<String>,
    /// Adverts sent.
    pub send: Vec<Sent>,
    /// Gratuitous ARP frames or neighbour advertisements sent, by address.
    pub announce: BTreeMap<IpAddr, usize>,
    /// State reached.
    pub state: Option<String>,
    /// Addresses that are on the interface now, if they changed.
    pub addresses: Option<Vec<IpNet>>,
    /// When the protocol's timer will fire.
    pub expiry_ms: Option<f64>,
    /// Counters that moved, and by how much.
    pub counter: BTreeMap<String, u64>,
    /// Something that a log line says.
    pub log: Option<String>,
    /// How many log lines there are.
    pub log_lines: Option<usize>,
}

/// What happens to a host.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// The program starts.
    Startup,
    /// The program is told to stop.
    Shutdown,
    /// The program dies, and starts again.
    Restart,
    /// The cable is pulled.
    LinkDown,
    /// The cable is back.
    LinkUp,
    /// Its own address is removed.
    AddressGone,
    /// Its own address is back.
    AddressBack,
    /// Its own address may not be used yet.
    AddressTentative,
}

/// Adverts sent.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub enum Sent {
    /// One, at the time of the step.
    Made {
        /// How it differs from a valid advert of another router.
        advert: Box<Packet>,
        /// Its text.
        packet: String,
    },
    /// One or more of a priority.
    Described {
        /// Priority.
        priority: u8,
        /// Where to, if that counts.
        to: Option<IpAddr>,
        /// Key ID of its HMAC, if that counts.
        key_id: Option<u8>,
        /// When the first is sent, if not at the time of the step.
        at_ms: Option<f64>,
        /// Time between them.
        #[serde(default)]
        every_ms: f64,
        /// How many; 0 is one.
        #[serde(default)]
        times: u32,
    },
}

const fn own_address() -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(10, 0, 1, 1))
}

/// Files of rows, in order.
///
/// # Errors
/// The folder cannot be read.
pub fn files() -> Result<Vec<PathBuf>, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance");
    let entries = fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let paths = entries.filter_map(Result::ok).map(|entry| entry.path());
    let mut files: Vec<_> = paths.filter(|path| path.extension().is_some_and(|e| e == "jsonl")).collect();
    files.sort();
    Ok(files)
}

/// All rows, in the order of the files and their lines.
///
/// # Errors
/// What is no row, with file and line.
pub fn load() -> Result<Vec<Row>, String> {
    let mut rows = Vec::new();
    for file in files()? {
        let text = fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
        for (number, line) in text.lines().enumerate() {
            let row = serde_json::from_str::<Row>(line).map_err(|error| error.to_string());
            let row = row.and_then(|row| if row.rfc.is_empty() { Err("no rfc".to_owned()) } else { Ok(row) });
            rows.push(row.map_err(|error| format!("{}:{}: {error}", file.display(), number + 1))?);
        }
    }
    Ok(rows)
}

/// The text of a file of rows with the text of each packet made anew from its description.
///
/// # Errors
/// A description that is none, or has no text beside it.
pub fn bless(text: &str) -> Result<String, String> {
    const DESCRIPTION: &str = "\"advert\": ";
    const TEXT: &str = ", \"packet\": \"";
    let (mut blessed, mut rest) = (String::new(), text);
    while let Some(at) = rest.find(DESCRIPTION) {
        let (before, description) = rest.split_at(at + DESCRIPTION.len());
        let mut stream = serde_json::Deserializer::from_str(description).into_iter::<Packet>();
        let packet = stream.next().ok_or("no description")?.map_err(|error| error.to_string())?;
        let (description, after) = description.split_at(stream.byte_offset());
        let after = after.strip_prefix(TEXT).ok_or(format!("no packet beside {description}"))?;
        blessed += &format!("{before}{description}{TEXT}{}", packet.arrival()?);
        rest = after.trim_start_matches(|c| c != '"');
    }
    Ok(blessed + rest)
}
