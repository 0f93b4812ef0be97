//! Networks as routes and rules name them, and what is alike in both: the table, the family.

use std::net::IpAddr;

use ipnet::IpNet;
use vipkit_core::units::Family;

use crate::context::quote;
use crate::section::Field;

/// A network with its prefix, without bits beyond it: the kernel refuses those.
pub(crate) fn read(field: &mut Field<'_, '_>) -> Option<IpNet> {
    let text = field.text()?;
    if let Ok(address) = text.parse::<IpAddr>() {
        let hint = format!("write \"{}\" for the address alone", IpNet::from(address));
        field.fault(&format!("has {address} without a prefix"), hint);
        return None;
    }
    let Ok(net) = text.parse::<IpNet>() else {
        field.wrong(&quote(text), "write it with a prefix, such as \"10.0.0.0/8\" or \"2001:db8::/32\"");
        return None;
    };
    if net != net.trunc() {
        field.fault(
            &format!("has {net}, whose address is within the network"),
            format!("write \"{}\"", net.trunc()),
        );
        return None;
    }
    Some(net)
}

/// A routing table by its number, in which 0 is none (linux/rtnetlink.h).
pub(crate) fn table(field: &mut Field<'_, '_>) -> Option<u32> {
    field.count(1..=u32::MAX, "254 is the main table")
}

/// The family that all of these are of; none if nothing says, a fault if they differ.
pub(crate) fn family(
    said: impl IntoIterator<Item = Option<Family>>,
) -> Result<Option<Family>, (Family, Family)> {
    said.into_iter().flatten().try_fold(None, |known, family| match known {
        Some(other) if other != family => Err((other, family)),
        _ => Ok(Some(family)),
    })
}
