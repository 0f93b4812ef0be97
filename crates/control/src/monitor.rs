//! The stream behind every `Monitor` method: begin, the snapshot in pages, level, then changes.
//! A subscription remembers which objects are news to its reader, not what they were: they are read when
//! they are sent, so a slow reader costs a set of names and always sees the present.
//! Must not know an interface or a socket; must not build more than one page at a time.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll, Waker};

use serde::{Deserialize, Serialize};

use crate::codec::Frame;
use crate::handler::{Outcome, Reply, Stream};
use crate::page::{MAX_OBJECTS, Page};

/// Which part of a Monitor a reply is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Step {
    /// The first reply: sequence and daemon.
    Begin,
    /// Part of the snapshot.
    Page,
    /// The snapshot is complete.
    Level,
    /// Something changed.
    Change,
}

/// A reply of a Monitor, before its interface gives the fields their names.
#[derive(Clone, Debug, PartialEq)]
pub struct Update<Daemon, Object> {
    /// Which part this is.
    pub step: Step,
    /// Changes so far; what the update shows is at least as new.
    pub sequence: u64,
    /// In begin, and when it changed.
    pub daemon: Option<Daemon>,
    /// As they are now.
    pub objects: Vec<Object>,
    /// Names of those that are gone.
    pub removed: Vec<String>,
}

/// Where a Monitor reads what it shows.
pub trait Source {
    /// Data of the daemon itself.
    type Daemon;
    /// An object.
    type Object: Serialize;
    /// The interface's reply type.
    type Reply: From<Update<Self::Daemon, Self::Object>> + Serialize;

    /// The daemon now.
    fn daemon(&self) -> Self::Daemon;
    /// Names of all objects.
    fn names(&self) -> Vec<String>;
    /// The object of that name now; none: it is gone.
    fn object(&self, name: &str) -> Option<Self::Object>;
}

/// Where a daemon says what changed. Clones are the same feed.
#[derive(Clone, Debug, Default)]
pub struct Feed(Rc<RefCell<Subscribers>>);

#[derive(Debug, Default)]
struct Subscribers {
    sequence: u64,
    news: Vec<Weak<RefCell<News>>>,
}

/// What a reader has not been sent.
#[derive(Debug, Default)]
struct News {
    /// The rest of the snapshot.
    snapshot: BTreeSet<String>,
    /// Changed since.
    changed: BTreeSet<String>,
    daemon: bool,
    waker: Option<Waker>,
}

impl Feed {
    /// An object was added, changed or removed.
    pub fn touch(&self, name: &str) {
        self.tell(|news| {
            if !news.snapshot.contains(name) && !news.changed.contains(name) {
                news.changed.insert(name.to_owned());
            }
        });
    }

    /// The daemon's own data changed.
    pub fn touch_daemon(&self) {
        self.tell(|news| news.daemon = true);
    }

    /// A stream of this feed, read from `source`.
    pub fn monitor<S: Source + 'static>(&self, source: Rc<S>) -> Outcome {
        Outcome::Stream(Box::new(self.subscribe(source)))
    }

    fn subscribe<S: Source>(&self, source: Rc<S>) -> Subscription<S> {
        let news = News { snapshot: source.names().into_iter().collect(), ..News::default() };
        let news = Rc::new(RefCell::new(news));
        self.0.borrow_mut().news.push(Rc::downgrade(&news));
        Subscription { feed: self.clone(), source, news, next: Step::Begin }
    }

    fn tell(&self, what: impl Fn(&mut News)) {
        let mut subscribers = self.0.borrow_mut();
        subscribers.sequence = subscribers.sequence.wrapping_add(1);
        subscribers.news.retain(|news| {
            let Some(news) = news.upgrade() else { return false };
            let mut news = news.borrow_mut();
            what(&mut news);
            if let Some(waker) = news.waker.take() {
                waker.wake();
            }
            true
        });
    }
}

/// One reader's stream.
struct Subscription<S> {
    feed: Feed,
    source: Rc<S>,
    news: Rc<RefCell<News>>,
    /// The least that the next reply is.
    next: Step,
}

impl<S: Source> Subscription<S> {
    fn update(&mut self) -> Update<S::Daemon, S::Object> {
        let mut news = self.news.borrow_mut();
        let step = match self.next {
            Step::Page if news.snapshot.is_empty() => Step::Level,
            step => step,
        };
        let (objects, removed) = match step {
            Step::Begin | Step::Level => (Vec::new(), Vec::new()),
            Step::Page => take(&mut news.snapshot, &*self.source),
            Step::Change => take(&mut news.changed, &*self.source),
        };
        self.next = match step {
            Step::Begin | Step::Page => Step::Page,
            Step::Level | Step::Change => Step::Change,
        };
        let with_daemon = step == Step::Begin || (step == Step::Change && std::mem::take(&mut news.daemon));
        Update {
            step,
            sequence: self.feed.0.borrow().sequence,
            daemon: with_daemon.then(|| self.source.daemon()),
            objects,
            removed,
        }
    }
}

impl<S: Source> Stream for Subscription<S> {
    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let mut news = self.news.borrow_mut();
        if self.next != Step::Change || news.daemon || !news.changed.is_empty() {
            return Poll::Ready(());
        }
        news.waker = Some(context.waker().clone());
        Poll::Pending
    }

    fn reply(&mut self) -> Reply {
        Frame::reply(&S::Reply::from(self.update()), true)
    }
}

/// Takes a page of names out of the set: objects, and names without one.
fn take<S: Source>(names: &mut BTreeSet<String>, source: &S) -> (Vec<S::Object>, Vec<String>) {
    let (mut objects, mut removed) = (Vec::new(), Vec::new());
    let mut page = Page::new(MAX_OBJECTS);
    while let Some(name) = names.pop_first() {
        match source.object(&name) {
            Some(object) if page.admits(&object) => objects.push(object),
            None if page.admits(&name) => removed.push(name),
            _ => {
                names.insert(name);
                break;
            }
        }
    }
    (objects, removed)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use proptest::prelude::*;

    use super::*;
    use crate::codec::MAX_MESSAGE;
    use crate::demo::{Number, Numbers, Watched};

    type Seen = Update<usize, Number>;

    #[derive(Default)]
    struct Wakes(AtomicUsize);

    impl Wake for Wakes {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    struct World {
        numbers: Rc<Numbers>,
        feed: Feed,
    }

    impl World {
        fn new(count: usize, padding: usize) -> Self {
            let values = (0..count).map(|number| (format!("n{number:04}"), 0)).collect();
            let numbers = Rc::new(Numbers { values: RefCell::new(values), padding });
            Self { numbers, feed: Feed::default() }
        }

        fn subscribe(&self) -> Subscription<Numbers> {
            self.feed.subscribe(self.numbers.clone())
        }

        fn set(&self, name: &str, value: u64) {
            self.numbers.values.borrow_mut().insert(name.to_owned(), value);
            self.feed.touch(name);
        }

        fn remove(&self, name: &str) {
            self.numbers.values.borrow_mut().remove(name);
            self.feed.touch(name);
        }
    }

    /// The next update of a stream that is ready; none if it is not.
    fn next(stream: &mut Subscription<Numbers>) -> Option<Seen> {
        let waker = Waker::noop();
        stream.poll_ready(&mut Context::from_waker(waker)).is_ready().then(|| stream.update())
    }

    fn drain(stream: &mut Subscription<Numbers>) -> Vec<Seen> {
        std::iter::from_fn(|| next(stream)).collect()
    }

    fn steps(updates: &[Seen]) -> Vec<Step> {
        updates.iter().map(|update| update.step).collect()
    }

    fn names(update: &Seen) -> Vec<&str> {
        update.objects.iter().map(|object| object.name.as_str()).collect()
    }

    #[test]
    fn begin_pages_level_and_then_silence() {
        let world = World::new(1000, 0);
        let updates = drain(&mut world.subscribe());
        use Step::{Begin, Level, Page};
        assert_eq!(steps(&updates), [Begin, Page, Page, Page, Page, Level]);
        assert_eq!(updates[0].daemon, Some(1000));
        assert!(updates[1..].iter().all(|update| update.daemon.is_none()));
        let sizes: Vec<_> = updates.iter().map(|update| update.objects.len()).collect();
        assert_eq!(sizes, [0, 256, 256, 256, 232, 0]);
    }

    #[test]
    fn nothing_at_all_is_begin_and_level() {
        let updates = drain(&mut World::new(0, 0).subscribe());
        assert_eq!(steps(&updates), [Step::Begin, Step::Level]);
    }

    #[test]
    fn pages_of_large_objects_keep_the_bound_on_messages() {
        let world = World::new(100, 10_000);
        let updates = drain(&mut world.subscribe());
        assert_eq!(updates.len(), 2 + 100_usize.div_ceil(24), "24 objects of 10 kB to a page");
        for update in updates {
            Frame::reply(&Watched::from(update), true).unwrap();
        }
    }

    #[test]
    fn an_object_too_large_for_any_message_ends_the_stream() {
        let world = World::new(2, MAX_MESSAGE);
        let mut stream = world.subscribe();
        assert!(stream.reply().is_ok(), "begin");
        assert!(matches!(stream.reply(), Err(crate::codec::MessageError::TooLarge)));
    }

    #[test]
    fn changes_come_as_they_are_now_and_gone_ones_by_name() {
        let world = World::new(3, 0);
        let mut stream = world.subscribe();
        drain(&mut stream);
        world.set("n0001", 7);
        world.set("new", 8);
        world.remove("n0002");
        let updates = drain(&mut stream);
        assert_eq!(steps(&updates), [Step::Change]);
        assert_eq!(names(&updates[0]), ["n0001", "new"]);
        assert_eq!(updates[0].objects[0].value, 7);
        assert_eq!(updates[0].removed, ["n0002"]);
        assert_eq!(updates[0].sequence, 3);
    }

    #[test]
    fn a_lagging_reader_gets_each_object_once_with_its_last_value() {
        let world = World::new(1000, 0);
        let mut stream = world.subscribe();
        drain(&mut stream);
        for round in 1..=50 {
            for number in 0..1000 {
                world.set(&format!("n{number:04}"), round);
            }
        }
        assert_eq!(stream.news.borrow().changed.len(), 1000, "bounded by the number of objects");
        let updates = drain(&mut stream);
        assert_eq!(steps(&updates), [Step::Change; 4]);
        assert_eq!(updates.iter().map(|update| update.objects.len()).sum::<usize>(), 1000);
        assert!(updates.iter().flat_map(|update| &update.objects).all(|object| object.value == 50));
        assert!(updates.iter().all(|update| update.sequence == 50_000));
    }

    #[test]
    fn what_changes_during_the_snapshot_is_in_it_or_follows_it() {
        let world = World::new(600, 0);
        let mut stream = world.subscribe();
        assert_eq!(next(&mut stream).unwrap().step, Step::Begin);
        assert_eq!(next(&mut stream).unwrap().objects.len(), 256);
        world.set("n0000", 1); // sent already
        world.set("n0599", 2); // still to come
        world.remove("n0300"); // still to come
        let updates = drain(&mut stream);
        assert_eq!(steps(&updates), [Step::Page, Step::Page, Step::Level, Step::Change]);
        assert_eq!(updates[0].removed, ["n0300"]);
        assert_eq!(updates[1].objects.last().unwrap().value, 2);
        assert_eq!(names(&updates[3]), ["n0000"]);
    }

    #[test]
    fn the_daemons_own_change_is_sent_once() {
        let world = World::new(1, 0);
        let mut stream = world.subscribe();
        drain(&mut stream);
        world.feed.touch_daemon();
        world.feed.touch_daemon();
        let updates = drain(&mut stream);
        assert_eq!(steps(&updates), [Step::Change]);
        assert_eq!((updates[0].daemon, updates[0].sequence), (Some(1), 2));
    }

    #[test]
    fn a_waiting_reader_is_woken_and_a_gone_one_forgotten() {
        let world = World::new(1, 0);
        let mut stream = world.subscribe();
        drain(&mut stream);
        let wakes = Arc::new(Wakes::default());
        let waker = Waker::from(wakes.clone());
        assert!(stream.poll_ready(&mut Context::from_waker(&waker)).is_pending());
        world.set("n0000", 1);
        assert_eq!(wakes.0.load(Ordering::SeqCst), 1);
        drop(stream);
        world.set("n0000", 2);
        assert!(world.feed.0.borrow().news.is_empty());
    }

    proptest! {
        /// Whatever changes while a reader takes what it is sent, at the end it knows exactly what is.
        #[test]
        fn a_reader_ends_up_with_the_truth(
            count in 0_usize..600,
            acts in proptest::collection::vec((0_u8..3, 0_usize..700, any::<u64>()), 0..60),
        ) {
            let world = World::new(count, 0);
            let mut stream = world.subscribe();
            let mut known = BTreeMap::new();
            let mut learn = |update: Seen| {
                known.extend(update.objects.into_iter().map(|object| (object.name, object.value)));
                known.retain(|name, _| !update.removed.contains(name));
            };
            for (act, number, value) in acts {
                let name = format!("n{number:04}");
                match act {
                    0 => world.set(&name, value),
                    1 => world.remove(&name),
                    _ => { next(&mut stream).map(&mut learn); }
                }
            }
            drain(&mut stream).into_iter().for_each(learn);
            prop_assert_eq!(&known, &*world.numbers.values.borrow());
        }
    }
}
