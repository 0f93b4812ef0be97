//! The sockets on each interface, for each family that is used there: one that receives the adverts of all its virtual
//! routers, one that sends. Must not look into a packet.

use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;

use tokio::task::AbortHandle;
use vipkit_core::units::Family;
use vipkit_core::vrrp::group;
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

/// Name of an interface, and the family that is spoken there.
pub type Wire = (String, Family);

/// Ports by their wires.
#[derive(Default)]
pub struct Ports(BTreeMap<Wire, Port>);

impl Ports {
    /// Makes sure that there is a port that lets these VRIDs in. `wait` starts the task that waits for its
    /// packets.
    ///
    /// # Errors
    /// What the kernel refuses.
    pub fn open(
        &mut self,
        wire: &Wire,
        index: u32,
        vrids: &[u8],
        wait: impl FnOnce(Rc<VrrpReceiver>) -> AbortHandle,
    ) -> io::Result<()> {
        if let Some(port) = self.0.get(wire).filter(|port| port.index == index) {
            return port.receiver.set_vrids(vrids);
        }
        self.0.remove(wire);
        let receiver = Rc::new(VrrpReceiver::open(index, group(wire.1))?);
        let sender = VrrpSender::open(index, wire.1)?;
        receiver.set_vrids(vrids)?;
        let task = wait(receiver.clone());
        self.0.insert(wire.clone(), Port { index, receiver, sender, task });
        Ok(())
    }

    /// Closes the ports that nobody needs.
    pub fn retain(&mut self, needed: impl Fn(&Wire) -> bool) {
        self.0.retain(|wire, _| needed(wire));
    }

    /// The port of a wire.
    #[must_use]
    pub fn at(&self, wire: &Wire) -> Option<&Port> {
        self.0.get(wire)
    }
}
