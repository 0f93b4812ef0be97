//! Who acts on which check, as people are shown it. Must not know what a check is made of.

use std::collections::BTreeMap;

use vipkit_config::{Config, Tracked};

/// Most of them that are named.
const NAMED_MAX: usize = 16;

/// Who acts on each check, by its name: services by their servers, instances by what they track.
#[must_use]
pub fn users(config: &Config) -> BTreeMap<String, Vec<String>> {
    let mut users = BTreeMap::<String, Vec<String>>::new();
    for (name, service) in &config.services {
        for check in service.servers.iter().filter_map(|server| server.check.as_ref()) {
            users.entry(check.clone()).or_default().push(format!("service {name}"));
        }
    }
    for (name, instance) in &config.vrrp {
        for track in &instance.track {
            if let Tracked::Check(check) = &track.what {
                users.entry(check.clone()).or_default().push(format!("instance {name}"));
            }
        }
    }
    for named in users.values_mut().filter(|named| named.len() > NAMED_MAX) {
        let more = named.len() - NAMED_MAX;
        named.truncate(NAMED_MAX);
        named.push(format!("and {more} more"));
    }
    users
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::config;

    #[test]
    fn services_and_instances_act_on_checks() {
        let instances: String = (1..=18)
            .map(|id| {
                format!(
                    "[vrrp.i{id:02}]\ninterface = 'eth0'\nvirtual_router_id = {id}\n\
                     addresses = ['192.0.2.{id}/24']\ntrack = [{{ check = 'a', weight = -5 }}]\n"
                )
            })
            .collect();
        let text = "[check.a]\ntype = 'tcp'\ntarget = '127.0.0.1:80'\n\
                    [[service]]\nname = 'web'\naddress = '192.0.2.80:80'\nforward = 'dr'\ncheck = 'a'\n\
                    server = [{ address = '192.0.2.81:80' }]\n";
        let users = users(&config(&(text.to_owned() + &instances)));
        assert_eq!(users["web/192.0.2.81:80"], ["service web"]);
        let of_a = &users["a"];
        assert_eq!((of_a.len(), of_a[0].as_str(), of_a[16].as_str()), (17, "instance i01", "and 2 more"));
    }
}
