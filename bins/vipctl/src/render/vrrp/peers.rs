//! The other routers of an instance: those heard, those of its unicast peers that were never heard, and those whose
//! adverts were refused lately.

use std::time::SystemTime;

use vipkit_control::vrrp::{Instance, Peer, Refusal, UnicastPeer};

use super::none;
use crate::render::check::count;
use crate::render::notice::INDENT;
use crate::render::text::{Cell, Text, Tone, plain};
use crate::render::time;

/// A router that was heard, or is to be heard.
struct Router<'i> {
    address: &'i str,
    heard: Option<&'i Peer>,
    unicast: Option<&'i UnicastPeer>,
}

/// A row for each, and below it what its adverts are like.
pub fn peers(text: &mut Text, instance: &Instance, now: SystemTime) {
    let routers = routers(instance);
    if routers.is_empty() {
        return none(text, "peers");
    }
    let row = |router: &Router<'_>| match router.heard {
        Some(peer) => vec![
            plain(router.address),
            plain(peer.priority.to_string()),
            plain(time::seconds(peer.advertisement_interval)),
            plain(time::ago(&peer.last_heard, now)),
        ],
        None => vec![plain(router.address), plain("-"), plain("-"), (Tone::Faint, "never".to_owned())],
    };
    text.skip(INDENT).say("peers").end();
    text.list(
        &["ADDRESS", "PRIORITY", "INTERVAL", "LAST HEARD"],
        &routers,
        INDENT * 2,
        row,
        |text, router| {
            let details = details(router, now);
            if !details.is_empty() {
                text.skip(INDENT * 3).fold(&details, INDENT * 3);
            }
        },
    );
}

/// Those heard, then those that are configured and were not.
fn routers(instance: &Instance) -> Vec<Router<'_>> {
    let Instance { peers, unicast_peers, .. } = instance;
    let heard = peers.iter().map(|peer| Router {
        address: &peer.address,
        heard: Some(peer),
        unicast: unicast_peers.iter().find(|unicast| unicast.address == peer.address),
    });
    let unheard =
        unicast_peers.iter().filter(|unicast| peers.iter().all(|peer| peer.address != unicast.address));
    let unheard = unheard.map(|peer| Router { address: &peer.address, heard: None, unicast: Some(peer) });
    heard.chain(unheard).collect()
}

fn details(router: &Router<'_>, now: SystemTime) -> Vec<Cell> {
    let min_ttl = router.unicast.map_or(1, |unicast| unicast.min_ttl);
    let least = (min_ttl > 1).then(|| format!("TTL {min_ttl} at least"));
    let Some(peer) = router.heard else { return least.map(plain).into_iter().collect() };
    let adverts = count(usize::try_from(peer.advertisements).unwrap_or(usize::MAX), "advert");
    let words = [
        Some(format!("version {}", peer.version)),
        peer.checksum.as_ref().map(|form| format!("checksum {form}")),
        peer.key_id.map(|id| format!("HMAC key {id}")),
        Some(format!("{adverts} since {}", time::ago(&peer.first_heard, now))),
        least,
    ];
    let mut cells = vec![plain(words.into_iter().flatten().collect::<Vec<_>>().join(", "))];
    if peer.other_addresses {
        cells.extend([plain(", "), (Tone::Odd, "other addresses than ours".to_owned())]);
    }
    cells
}

/// Who, when, and below it why.
pub fn refused(text: &mut Text, refused: &[Refusal], now: SystemTime) {
    if refused.is_empty() {
        return;
    }
    let row = |refusal: &Refusal| vec![plain(&refusal.address), plain(time::ago(&refusal.last, now))];
    text.skip(INDENT).say("refused lately").end();
    text.list(&[], refused, INDENT * 2, row, |text, Refusal { reason, counter, .. }| {
        text.below(&format!("{reason} ({counter})"), INDENT * 3);
    });
}
