//! The sockets on each interface: one that receives the adverts of all its virtual routers, one that sends.
//! Must not look into a packet.

use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;

use tokio::task::AbortHandle;
use vipkit_core::vrrp::GROUP_V4;
use vipkit_linux::vrrp_socket::{VrrpReceiver, VrrpSender};

/// Sockets on one interface.
pub struct Port {
    /// Index of the interface they were opened on.
    pub index: u32,
    /// Receives; shared with the task that waits for packets.
    pub receiver: Rc<VrrpReceiver>,
    /// Sends.
    pub sender: VrrpSender,
    task: AbortHandle,
}

impl Drop for Port {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Ports by name of the interface.
#[derive(Default)]
pub struct Ports(BTreeMap<String, Port>);

impl Ports {
    /// Makes sure that the interface has a port that lets these VRIDs in. `wait` starts the task that waits for its
    /// packets.
    ///
    /// # Errors
    /// What the kernel refuses.
    pub fn open(
        &mut self,
        interface: &str,
        index: u32,
        vrids: &[u8],
        wait: impl FnOnce(Rc<VrrpReceiver>) -> AbortHandle,
    ) -> io::Result<()> {
        if let Some(port) = self.0.get(interface).filter(|port| port.index == index) {
            return port.receiver.set_vrids(vrids);
        }
        self.0.remove(interface);
        let receiver = Rc::new(VrrpReceiver::open(index, GROUP_V4)?);
        let sender = VrrpSender::open(index)?;
        receiver.set_vrids(vrids)?;
        let task = wait(receiver.clone());
        self.0.insert(interface.to_owned(), Port { index, receiver, sender, task });
        Ok(())
    }

    /// Closes the ports of interfaces that nobody needs.
    pub fn retain(&mut self, needed: impl Fn(&str) -> bool) {
        self.0.retain(|interface, _| needed(interface));
    }

    /// The port on an interface.
    #[must_use]
    pub fn on(&self, interface: &str) -> Option<&Port> {
        self.0.get(interface)
    }
}
