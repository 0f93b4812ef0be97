//! Who runs on which configuration. Pure: digests in, groups out.

/// A digest, and all whose it is.
pub type Group<'a> = (&'a str, Vec<&'a str>);

/// Whose digest is which, in the order in which they come; if all agree, that is one group. An empty one is that of a
/// program that has none: it is in no group.
#[must_use]
pub fn groups<'a>(all: impl IntoIterator<Item = (&'a str, &'a str)>) -> Vec<Group<'a>> {
    let mut groups: Vec<Group<'a>> = Vec::new();
    for (digest, whose) in all.into_iter().filter(|(digest, _)| !digest.is_empty()) {
        match groups.iter_mut().find(|(known, _)| *known == digest) {
            Some((_, all)) => all.push(whose),
            None => groups.push((digest, vec![whose])),
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_digests_are_one_group() {
        assert_eq!(groups([("1", "a"), ("2", "b"), ("1", "c")]), [("1", vec!["a", "c"]), ("2", vec!["b"])]);
        assert!(groups([]).is_empty());
        assert_eq!(groups([("1", "a"), ("", "b")]), [("1", vec!["a"])]);
    }
}
