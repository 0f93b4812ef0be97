//! Holds the interface files against the Rust types: every field, method and error, both ways.
//! Tests only. The files are read by a parser that is not ours.

mod health;
mod ipvs;
mod vrrp;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt::Debug;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use varlink_parser::{IDL, VStruct, VStructOrEnum, VType, VTypeExt};

use crate::call::NoParameters;
use crate::common;
use crate::error::Error;
use crate::rights::NEEDED;
use crate::service::{self, Description, Info, Interface, Wanted};

/// An interface file and what of it was held against a Rust type.
struct Contract {
    idl: IDL<'static>,
    interface: &'static Interface,
    met: RefCell<BTreeSet<String>>,
}

impl Contract {
    fn of(interface: &'static Interface) -> Self {
        let idl = IDL::try_from(interface.description).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(idl.name, interface.name);
        let in_table: BTreeSet<_> = interface.methods.iter().map(|method| method.name.to_owned()).collect();
        let in_file = idl.method_keys.iter().map(|method| format!("{}.{method}", interface.name)).collect();
        assert_eq!(in_table, in_file, "methods");
        Self { idl, interface, met: RefCell::default() }
    }

    fn method<P, R>(&self, name: &str, parameters: P, reply: R)
    where
        P: Serialize + DeserializeOwned + Debug + PartialEq,
        R: Serialize + DeserializeOwned + Debug + PartialEq,
    {
        let method = &self.idl.methods[self.short(name)];
        self.fields(&method.input, &round_trip(parameters), name);
        self.fields(&method.output, &round_trip(reply), name);
        self.met.borrow_mut().insert(self.short(name).to_owned());
    }

    fn error(&self, error: &Error) {
        let name = self.short(&error.name);
        self.fields(&self.idl.errors[name].parm, &Value::Object(error.parameters.clone()), name);
        self.met.borrow_mut().insert(name.to_owned());
    }

    /// All variants of an enum.
    fn variants<T: Serialize + DeserializeOwned + Debug + PartialEq>(&self, name: &str, all: Vec<T>) {
        let VStructOrEnum::VEnum(variants) = &self.idl.typedefs[name].elt else {
            panic!("{name} is no enum")
        };
        let ours: Vec<Value> = all.into_iter().map(round_trip).collect();
        assert_eq!(ours, variants.elts, "{name}");
    }

    /// Everything in the file was met.
    fn complete(&self) {
        let all = [&self.idl.method_keys, &self.idl.error_keys, &self.idl.typedef_keys];
        let all: BTreeSet<_> = all.into_iter().flatten().map(|name| (*name).to_owned()).collect();
        assert_eq!(*self.met.borrow(), all);
    }

    fn short<'a>(&self, name: &'a str) -> &'a str {
        name.strip_prefix(self.interface.name).and_then(|rest| rest.strip_prefix('.')).unwrap()
    }

    fn fields(&self, wanted: &VStruct<'_>, value: &Value, at: &str) {
        let fields = value.as_object().unwrap_or_else(|| panic!("{at}: {value} is no object"));
        let ours: BTreeSet<_> = fields.keys().map(String::as_str).collect();
        let theirs: BTreeSet<_> = wanted.elts.iter().map(|field| field.name).collect();
        assert_eq!(ours, theirs, "fields of {at}");
        for field in &wanted.elts {
            self.holds(&field.vtype, &fields[field.name], &format!("{at}.{}", field.name));
        }
    }

    fn holds(&self, wanted: &VTypeExt<'_>, value: &Value, at: &str) {
        match (wanted, value) {
            (VTypeExt::Option(_), Value::Null) => panic!("{at}: the example leaves it out"),
            (VTypeExt::Option(inner), value) => self.holds(inner, value, at),
            (VTypeExt::Array(inner), Value::Array(values)) => {
                assert!(!values.is_empty(), "{at}: the example is empty");
                values.iter().for_each(|value| self.holds(inner, value, at));
            }
            (VTypeExt::Dict(inner), Value::Object(values)) => {
                assert!(!values.is_empty(), "{at}: the example is empty");
                values.values().for_each(|value| self.holds(inner, value, at));
            }
            (VTypeExt::Plain(VType::Bool), Value::Bool(_))
            | (VTypeExt::Plain(VType::String), Value::String(_)) => {}
            (VTypeExt::Plain(VType::Int), value) if value.is_i64() => {}
            (VTypeExt::Plain(VType::Float), value) if value.is_f64() => {}
            (VTypeExt::Plain(VType::Struct(wanted)), value) => self.fields(wanted, value, at),
            (VTypeExt::Plain(VType::Typename(name)), value) => {
                self.met.borrow_mut().insert((*name).to_owned());
                match &self.idl.typedefs[name].elt {
                    VStructOrEnum::VStruct(wanted) => self.fields(wanted, value, at),
                    VStructOrEnum::VEnum(wanted) => {
                        assert!(wanted.elts.iter().any(|variant| value == variant), "{at}: {value}");
                    }
                }
            }
            _ => panic!("{at}: {value} is of another type"),
        }
    }
}

/// The value as JSON, which comes back as the same value, and with null for what may be left out if so.
fn round_trip<T: Serialize + DeserializeOwned + Debug + PartialEq>(value: T) -> Value {
    let json = serde_json::to_value(&value).unwrap();
    assert_eq!(serde_json::from_value::<T>(json.clone()).unwrap(), value);
    json
}

fn running() -> common::Running {
    common::Running {
        node: "lvs1".to_owned(),
        version: "0.1.0".to_owned(),
        pid: 4242,
        started: "2026-11-24T06:00:00Z".to_owned(),
        config: "/etc/vipkit/vipkit.toml".to_owned(),
        digest: "sha256:0123".to_owned(),
        log_records_dropped: 0,
    }
}

fn notice() -> common::Notice {
    common::Notice { what: "no carrier".to_owned(), remedy: "plug it in".to_owned() }
}

fn names(name: &str) -> Vec<String> {
    vec![name.to_owned()]
}

fn changes() -> common::Changes {
    common::Changes { added: 1, changed: 2, removed: 3, unchanged: 4 }
}

fn listed() -> common::ListParameters {
    common::ListParameters { cursor: Some("db".to_owned()), limit: Some(10) }
}

fn named() -> common::GetParameters {
    common::GetParameters { name: "web".to_owned() }
}

/// A name that there is not, and those that there are.
fn missing() -> (String, Vec<String>) {
    ("wbe".to_owned(), names("web"))
}

fn refused() -> common::ConfigRefused {
    common::ConfigRefused {
        faults: vec![common::Fault {
            file: "vipkit.toml".to_owned(),
            line: 3,
            column: 1,
            what: "unknown key `prioritty`".to_owned(),
            hint: "did you mean `priority`?".to_owned(),
        }],
    }
}

#[test]
fn the_service_interface_is_what_its_file_says() {
    let contract = Contract::of(&service::INTERFACE);
    contract.method(
        service::GET_INFO,
        NoParameters {},
        Info {
            vendor: "vipkit".to_owned(),
            product: "vrrpd".to_owned(),
            version: "0.1.0".to_owned(),
            url: "https://example.org".to_owned(),
            interfaces: vec!["io.vipkit.Vrrp".to_owned()],
        },
    );
    contract.method(
        service::GET_INTERFACE_DESCRIPTION,
        Wanted { interface: "io.vipkit.Vrrp".to_owned() },
        Description { description: crate::vrrp::INTERFACE.description.to_owned() },
    );
    contract.error(&Error::interface_not_found("x"));
    contract.error(&Error::method_not_found("x"));
    contract.error(&Error::method_not_implemented("x"));
    contract.error(&Error::invalid_parameter("x"));
    contract.error(&Error::permission_denied(1000, NEEDED));
    contract.error(&Error::expected_more());
    contract.complete();
}

#[test]
fn a_value_that_is_not_as_the_file_says_is_noticed() {
    let contract = Contract::of(&crate::vrrp::INTERFACE);
    let wrong: [(&str, Value); 4] = [
        ("a field too many", json!({"name": "a", "known": ["b"], "x": 1})),
        ("a field too few", json!({"name": "a"})),
        ("another type", json!({"name": 1, "known": ["b"]})),
        ("another element type", json!({"name": "a", "known": [1]})),
    ];
    for (what, value) in wrong {
        let parameters: Map<String, Value> = value.as_object().unwrap().clone();
        let error = Error { name: crate::vrrp::NO_SUCH_INSTANCE.to_owned(), parameters };
        let check = std::panic::AssertUnwindSafe(|| contract.error(&error));
        assert!(std::panic::catch_unwind(check).is_err(), "{what}");
    }
}
