//! Who may say what an external check is: administrators, and whom the check allows. The name service is asked on a helper
//! thread, since it may wait.

use vipkit_config::Principal;
use vipkit_control::rights::{ADMIN_GROUP, Peer, Rights};
use vipkit_linux::peer;

/// Whether this caller may.
pub async fn may_set(caller: Peer, allow: Vec<Principal>) -> bool {
    let ask = move || {
        let rights = Rights { daemon_uid: peer::effective_uid(), admin_gid: peer::group_id(ADMIN_GROUP) };
        rights.may_change(&caller)
            || allow.iter().any(|principal| is(&caller, principal, peer::user_id, peer::group_id))
    };
    tokio::task::spawn_blocking(ask).await.unwrap_or(false)
}

/// Whom the check allows, as it is written.
pub fn needed(allow: &[Principal]) -> Vec<String> {
    let word = |principal: &Principal| match principal {
        Principal::User(name) => format!("user:{name}"),
        Principal::Group(name) => format!("group:{name}"),
    };
    allow.iter().map(word).collect()
}

/// Whether a caller is meant; names are numbers, or `user` and `group` know them.
fn is(
    caller: &Peer,
    principal: &Principal,
    user: impl Fn(&str) -> Option<u32>,
    group: impl Fn(&str) -> Option<u32>,
) -> bool {
    let number = |name: &String, of: &dyn Fn(&str) -> Option<u32>| name.parse().ok().or_else(|| of(name));
    match principal {
        Principal::User(name) => number(name, &user) == Some(caller.uid),
        Principal::Group(name) => {
            number(name, &group).is_some_and(|gid| caller.gid == gid || caller.groups.contains(&gid))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_and_members_of_groups_are_meant_by_name_or_number() {
        let caller = Peer { uid: 1000, gid: 1000, pid: 1, groups: vec![27, 33] };
        let user = |name: &str| (name == "app").then_some(1000);
        let group = |name: &str| (name == "web").then_some(33);
        for (principal, meant) in [
            (Principal::User("app".to_owned()), true),
            (Principal::User("1000".to_owned()), true),
            (Principal::User("root".to_owned()), false),
            (Principal::User("web".to_owned()), false),
            (Principal::Group("web".to_owned()), true),
            (Principal::Group("1000".to_owned()), true),
            (Principal::Group("27".to_owned()), true),
            (Principal::Group("app".to_owned()), false),
        ] {
            assert_eq!(is(&caller, &principal, user, group), meant, "{principal:?}");
        }
        assert_eq!(
            needed(&[Principal::User("app".to_owned()), Principal::Group("web".to_owned())]),
            ["user:app", "group:web"]
        );
    }
}
