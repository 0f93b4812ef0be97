//! Cuts lists into replies that keep the bounds on objects and bytes.
//! Must not order or choose: that is the caller's.

use std::io;

use serde::Serialize;

use crate::codec::MAX_MESSAGE;

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
}
