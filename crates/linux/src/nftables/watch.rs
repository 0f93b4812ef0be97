//! Tells that something in one table of nftables has changed (linux/netfilter/nf_tables.h); not what: who is told reads
//! it anew. Total over any bytes.

use std::io;

use nix::sys::socket::SockProtocol;

use crate::netlink::attribute::attributes;
use crate::netlink::frame::Frame;
use crate::netlink::signal::Signal;

/// A subscription to changes of a table of family inet.
pub struct NftablesWatch {
    signal: Signal,
    table: &'static str,
}

impl NftablesWatch {
    /// Subscribes in the network namespace of the calling thread. Read the table after this, and no change is missed in
    /// between. Needs a tokio runtime.
    ///
    /// # Errors
    /// CAP_NET_ADMIN missing, the kernel has no nftables, no file descriptor left.
    pub fn open(table: &'static str) -> io::Result<Self> {
        Ok(Self { signal: Signal::open(SockProtocol::NetlinkNetFilter, GROUPS, &[])?, table })
    }

    /// Waits until [`drain`](Self::drain) is worth a call, which must follow: something has changed, perhaps in another
    /// table. May be dropped at any time.
    ///
    /// # Errors
    /// The runtime is shutting down.
    pub async fn readable(&self) -> io::Result<()> {
        self.signal.readable().await
    }

    /// Whether the table has changed since the last call, by us too, or reports were lost. Never waits.
    ///
    /// # Errors
    /// What the kernel reports of the socket.
    pub fn drain(&self) -> io::Result<bool> {
        self.signal.drain(|frame| is_about(frame, self.table))
    }
}

/// Whether a message is about the table or anything in it.
fn is_about(frame: &Frame<'_>, table: &str) -> bool {
    let Some((&[family, _, _, _], rest)) = frame.payload.split_first_chunk() else { return false };
    let name = attributes(rest).find(|(kind, _)| *kind == TABLE).map(|(_, value)| value);
    let is_named = |value: &[u8]| value.strip_suffix(b"\0") == Some(table.as_bytes());
    i32::from(family) == libc::NFPROTO_INET && name.is_some_and(is_named)
}

/// The attribute that names the table, the same in all messages: NFTA_TABLE_NAME, NFTA_CHAIN_TABLE, NFTA_RULE_TABLE,
/// NFTA_SET_TABLE, NFTA_SET_ELEM_LIST_TABLE, NFTA_OBJ_TABLE, NFTA_FLOWTABLE_TABLE.
const TABLE: u16 = 1;
const GROUPS: u32 = 1 << (libc::NFNLGRP_NFTABLES - 1);

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;
    use tokio::time::timeout;

    use super::super::replace_table;
    use super::*;
    use crate::namespace::in_namespace_async;
    use crate::netlink::frame::frames;

    #[test]
    #[ignore = "needs root and network namespaces"]
    fn what_happens_in_the_table_is_told_and_nothing_else() {
        in_namespace_async(async || {
            let watch = NftablesWatch::open("ours").unwrap();
            let tell = async |script: &str, expected: bool| {
                assert!(!watch.drain().unwrap());
                replace_table(script).unwrap();
                // Somebody else's changes wake us too.
                timeout(Duration::from_secs(5), watch.readable()).await.unwrap().unwrap();
                assert_eq!(watch.drain().unwrap(), expected, "{script}");
            };
            tell("add table inet ours", true).await;
            tell("add table inet ours2", false).await;
            tell("add table ip ours", false).await;
            tell("add set inet ours v4 { type ipv4_addr; }", true).await;
            tell("add element inet ours v4 { 192.0.2.1 }", true).await;
            tell("add set inet ours2 v4 { type ipv4_addr; }", false).await;
            tell("add element inet ours2 v4 { 192.0.2.1 }", false).await;
            tell("add chain inet ours input { type filter hook input priority -1; }", true).await;
            tell("add rule inet ours input ip daddr @v4 drop", true).await;
            tell("add chain inet ours2 input { type filter hook input priority -1; }", false).await;
            // Both in one, and ours is not the first.
            tell("flush chain inet ours2 input; flush set inet ours v4", true).await;
            tell("flush ruleset", true).await;
        });
    }

    #[test]
    #[ignore = "needs root and network namespaces"]
    fn what_is_lost_is_told_as_a_change() {
        in_namespace_async(async || {
            let watch = NftablesWatch::open("ours").unwrap();
            watch.signal.set_receive_room(1);
            let tables: String = (0..200).map(|i| format!("add table inet other{i}\n")).collect();
            replace_table(&tables).unwrap();
            assert!(watch.drain().unwrap());
        });
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes: Vec<u8>) {
            for frame in frames(&bytes) {
                let _ = is_about(&frame, "ours");
            }
            let _ = is_about(&Frame { kind: 0, flags: 0, sequence: 0, payload: &bytes }, "ours");
        }
    }
}
