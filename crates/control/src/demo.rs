//! A small daemon that the tests of this crate talk to.
//! It has a method of every kind; its objects are numbers with names.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::mpsc::Sender;

use serde::{Deserialize, Serialize};

use crate::call::{Call, NoParameters};
use crate::error::Error;
use crate::handler::{Event, Handler, Outcome};
use crate::monitor::{Feed, Source, Step, Update};
use crate::rights::Peer;
use crate::service::{Interface, Method, Service};

pub const ECHO: &str = "org.example.Demo.Echo";
pub const LATER: &str = "org.example.Demo.Later";
pub const SET: &str = "org.example.Demo.Set";
pub const WATCH: &str = "org.example.Demo.Watch";
pub const FORGOTTEN: &str = "org.example.Demo.Forgotten";

pub static INTERFACE: Interface = Interface {
    name: "org.example.Demo",
    description: "interface org.example.Demo\nmethod Echo(text: string, times: ?int) -> (text: string)\n",
    methods: &[
        Method::reads(ECHO),
        Method::reads(LATER),
        Method::changes(SET),
        Method::streams(WATCH),
        Method::reads(FORGOTTEN),
    ],
};

pub static SERVICE: Service = Service {
    vendor: "vipkit",
    product: "demo",
    version: "1",
    url: "https://example.org",
    interfaces: &[&INTERFACE],
};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Echo {
    pub text: String,
    /// The reply is the text so often.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub times: Option<usize>,
}

/// Parameters of `Set`: numbers to set, names to remove.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Set {
    pub set: BTreeMap<String, u64>,
    pub remove: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Number {
    pub name: String,
    pub value: u64,
    pub padding: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Watched {
    pub step: Step,
    pub sequence: u64,
    pub daemon: Option<usize>,
    pub numbers: Vec<Number>,
    pub removed: Vec<String>,
}

impl From<Update<usize, Number>> for Watched {
    fn from(update: Update<usize, Number>) -> Self {
        let Update { step, sequence, daemon, objects, removed } = update;
        Self { step, sequence, daemon, numbers: objects, removed }
    }
}

/// The daemon's data is how many numbers there are.
#[derive(Default)]
pub struct Numbers {
    pub values: RefCell<BTreeMap<String, u64>>,
    /// Makes every number this many bytes larger.
    pub padding: usize,
}

impl Source for Numbers {
    type Daemon = usize;
    type Object = Number;
    type Reply = Watched;

    fn daemon(&self) -> usize {
        self.values.borrow().len()
    }

    fn names(&self) -> Vec<String> {
        self.values.borrow().keys().cloned().collect()
    }

    fn object(&self, name: &str) -> Option<Number> {
        let value = *self.values.borrow().get(name)?;
        Some(Number { name: name.to_owned(), value, padding: "x".repeat(self.padding) })
    }
}

pub struct Demo {
    pub numbers: Rc<Numbers>,
    pub feed: Feed,
    /// Every event and every call, in words.
    pub log: Sender<String>,
}

impl Handler for Demo {
    fn service(&self) -> &Service {
        &SERVICE
    }

    fn call(&self, call: &Call, caller: &Peer) -> Outcome {
        let _ = self.log.send(format!("called {} by {caller}", call.method));
        match call.method.as_str() {
            ECHO => Outcome::reply(call.parameters().map(repeat)),
            LATER => {
                let echo = call.parameters::<Echo>();
                Outcome::later(async {
                    tokio::task::yield_now().await;
                    echo.map(repeat)
                })
            }
            SET => Outcome::reply(call.parameters().map(|set| self.set(set))),
            WATCH => match call.parameters() {
                Ok(NoParameters {}) => self.feed.monitor(self.numbers.clone()),
                Err(error) => Outcome::reply::<()>(Err(error)),
            },
            other => Outcome::reply::<()>(Err(Error::method_not_implemented(other))),
        }
    }

    fn event(&self, event: Event<'_>) {
        let words = match event {
            Event::Changing { method, caller } => format!("{caller} changes by {method}"),
            Event::Denied { method, caller } => format!("{caller} may not {method}"),
            Event::Dropped { caller, reason } => format!("dropped {caller}: {reason}"),
            Event::Full => "full".to_owned(),
            Event::Unidentified(error) => format!("unidentified: {error}"),
            Event::NotAccepting(error) => format!("not accepting: {error}"),
        };
        let _ = self.log.send(words);
    }
}

impl Demo {
    fn set(&self, Set { set, remove }: Set) -> NoParameters {
        for name in set.keys().chain(&remove) {
            self.feed.touch(name);
        }
        self.numbers.values.borrow_mut().extend(set);
        self.numbers.values.borrow_mut().retain(|name, _| !remove.contains(name));
        NoParameters {}
    }
}

fn repeat(echo: Echo) -> Echo {
    Echo { text: echo.text.repeat(echo.times.unwrap_or(1)), times: None }
}
