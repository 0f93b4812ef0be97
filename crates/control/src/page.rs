//! Cuts lists into replies that keep the bounds on objects and bytes.
//! Must not order or choose: that is the caller's.

use std::io;

use serde::Serialize;

use crate::codec::MAX_MESSAGE;
use crate::error::Error;

/// Most objects in a reply.
pub const MAX_OBJECTS: usize = 256;

/// Most bytes of objects in a reply; the rest of [`MAX_MESSAGE`] is for what stands around them.
pub const MAX_BYTES: usize = MAX_MESSAGE - 16 * 1024;

/// The objects of one reply.
#[derive(Debug)]
pub struct Page {
    objects: usize,
    bytes: usize,
    limit: usize,
}

impl Page {
    /// Room for `limit` objects, [`MAX_OBJECTS`] at most.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { objects: 0, bytes: 0, limit: limit.min(MAX_OBJECTS) }
    }

    /// Room for as many objects as a caller asks for with its `limit`.
    ///
    /// # Errors
    /// It is not from 1 to [`MAX_OBJECTS`].
    pub fn asked(limit: Option<u32>) -> Result<Self, Error> {
        let limit = limit.map_or(Ok(MAX_OBJECTS), usize::try_from).unwrap_or(usize::MAX);
        let is_in_range = (1..=MAX_OBJECTS).contains(&limit);
        is_in_range.then(|| Self::new(limit)).ok_or_else(|| Error::invalid_parameter("limit"))
    }

    /// Takes an object's room; false if there is none. The first object always has room, so that a list of
    /// objects that are too large ends in a refused message, not in an endless row of empty pages.
    pub fn admits<T: Serialize>(&mut self, object: &T) -> bool {
        let size = size(object).saturating_add(1);
        let bytes = self.bytes.saturating_add(size);
        if self.objects >= self.limit || (self.objects > 0 && bytes > MAX_BYTES) {
            return false;
        }
        self.objects = self.objects.saturating_add(1);
        self.bytes = bytes;
        true
    }
}

/// Those of a list without names that a caller asks for, and the cursor to go on from if there are more: how many
/// came before.
///
/// # Errors
/// The limit is out of range, or the cursor none of ours.
pub fn listed<T: Serialize>(
    all: impl IntoIterator<Item = T>,
    cursor: Option<&str>,
    limit: Option<u32>,
) -> Result<(Vec<T>, Option<String>), Error> {
    let mut page = Page::asked(limit)?;
    let from: usize = cursor.map_or(Ok(0), str::parse).map_err(|_| Error::invalid_parameter("cursor"))?;
    let mut objects = Vec::new();
    for object in all.into_iter().skip(from) {
        if !page.admits(&object) {
            let next = from.saturating_add(objects.len());
            return Ok((objects, Some(next.to_string())));
        }
        objects.push(object);
    }
    Ok((objects, None))
}

/// Bytes of an object as JSON; one that cannot be JSON is refused when it is sent.
fn size<T: Serialize>(object: &T) -> usize {
    struct Count(usize);
    impl io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 = self.0.saturating_add(bytes.len());
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    match serde_json::to_writer(&mut count, object) {
        Ok(()) | Err(_) => count.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Frame;

    fn admitted(limit: usize, object: &str) -> usize {
        let mut page = Page::new(limit);
        (0..10_000).take_while(|_| page.admits(&object)).count()
    }

    #[test]
    fn small_objects_are_bounded_by_number() {
        assert_eq!(admitted(usize::MAX, "x"), MAX_OBJECTS);
        assert_eq!(admitted(3, "x"), 3);
        assert_eq!(admitted(0, "x"), 0);
    }

    #[test]
    fn large_objects_are_bounded_by_bytes() {
        let object = "x".repeat(10_000);
        let count = admitted(MAX_OBJECTS, &object);
        assert_eq!(count, MAX_BYTES / 10_003);
        Frame::reply(&vec![object; count], true).unwrap();
    }

    #[test]
    fn one_object_has_room_however_large() {
        assert_eq!(admitted(MAX_OBJECTS, &"x".repeat(MAX_MESSAGE)), 1);
    }

    #[test]
    fn the_pages_of_a_list_without_names_are_the_list() {
        let all: Vec<String> = (0..600).map(|number| format!("{number:01000}")).collect();
        for limit in [None, Some(1), Some(256)] {
            let (mut got, mut pages, mut cursor) = (Vec::new(), 0, None);
            loop {
                let (objects, next) = listed(&all, cursor.as_deref(), limit).unwrap();
                Frame::reply(&objects, false).unwrap();
                got.extend(objects.into_iter().cloned());
                pages += 1;
                cursor = next;
                if cursor.is_none() {
                    break;
                }
            }
            assert_eq!(got, all);
            assert_eq!(pages, if limit == Some(1) { 600 } else { 3 }, "{limit:?}: bounded by bytes as well");
        }
    }

    #[test]
    fn a_cursor_or_limit_that_is_none_is_named() {
        let of = |cursor, limit| listed([1, 2, 3], cursor, limit);
        assert_eq!(of(Some("2"), Some(1)), Ok((vec![3], None)));
        assert_eq!(of(Some("3"), None), Ok((vec![], None)), "the list is shorter now");
        for cursor in ["", "-1", "web", "99999999999999999999999"] {
            assert_eq!(of(Some(cursor), None), Err(Error::invalid_parameter("cursor")), "{cursor}");
        }
        for limit in [0, 257] {
            assert_eq!(of(None, Some(limit)), Err(Error::invalid_parameter("limit")), "{limit}");
        }
    }
}
