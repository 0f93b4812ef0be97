//! What a daemon keeps and is asked for by name or page by page: instances, services, checks.

use std::io;

use serde::de::DeserializeOwned;
use vipkit_control::client::{Client, ClientError};
use vipkit_control::common::{GetParameters, ListParameters};

/// An object of a daemon, and the methods that give it.
pub trait Object: DeserializeOwned {
    /// What it is called.
    const NOUN: &'static str;
    /// The command of vipctl that shows all of them.
    const COMMAND: &'static str;
    /// The method that gives a page.
    const LIST: &'static str;
    /// The method that gives one.
    const GET: &'static str;
    /// The error that says there is no such object, with `name` and `known`.
    const NO_SUCH: &'static str;
    /// Most objects that a configuration has.
    const MOST: usize;
    /// Reply of [`Object::LIST`].
    type Page: DeserializeOwned;
    /// Reply of [`Object::GET`].
    type One: DeserializeOwned;

    /// Its name.
    fn name(&self) -> &str;
    /// The objects of a page, and where it goes on.
    fn page(page: Self::Page) -> (Vec<Self>, Option<String>);
    /// The object of a reply.
    fn one(one: Self::One) -> Self;
}

/// All objects, page by page.
///
/// # Errors
/// Those of a call; the list does not end.
pub fn all<T: Object>(client: &mut Client) -> Result<Vec<T>, ClientError> {
    let mut all = Vec::new();
    let mut asked = ListParameters::default();
    // A page holds one at least.
    for _ in 0..=T::MOST {
        let (objects, cursor) = T::page(client.call(T::LIST, &asked)?);
        all.extend(objects);
        if cursor.is_none() {
            return Ok(all);
        }
        asked.cursor = cursor;
    }
    Err(ClientError::Io(io::Error::other(format!("the list of {}s does not end", T::NOUN))))
}

/// One object.
///
/// # Errors
/// Those of a call; [`Object::NO_SUCH`].
pub fn get<T: Object>(client: &mut Client, name: &str) -> Result<T, ClientError> {
    client.call(T::GET, &GetParameters { name: name.to_owned() }).map(T::one)
}
