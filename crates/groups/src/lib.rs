//! A group of people that shares a gateway: who they are (`groups.yaml`), what their consumers are called, what quota
//! they get, what has to be written for that, and the config files of their coding tools.
//!
//! Stands at the bottom, beside `resource`: bytes and JSON in, JSON out. It knows no HTTP, no store and no gateway;
//! who carries a [`Plan`] out, the command line or the Admin API, is above.
//!
//! ```
//! use sluice_groups::{Document, Options, Present, Settings, setup};
//!
//! let groups = Document::from_yaml("groups: {alpha: [alice, bob], beta: [dave]}").unwrap().document;
//! let mut keys = 0;
//! let plan = setup(Some(&groups), &Settings::default(), &Present::default(), Options::default(), || {
//!     keys += 1;
//!     format!("key-{keys}")
//! })
//! .unwrap();
//! let names: Vec<_> = plan.members.iter().map(|member| member.consumer.as_str()).collect();
//! assert_eq!(names, ["alpha-alice", "alpha-bob", "beta-dave"]);
//! ```

mod consumer;
mod csv_list;
mod document;
mod key;
mod nearest;
mod objects;
mod plan;
mod problem;
mod settings;
mod tools;
mod yaml;

pub use self::consumer::{Member, Mode, members, normalize};
pub use self::document::{Document, Group, Parsed, User, micro_usd};
pub use self::key::{KEY_BYTES, key_of};
pub use self::nearest::nearest;
pub use self::objects::{
    COUNT_LABEL, EMBEDDING_ROUTE, ENDS_LABEL, GROUP_LABEL, INSTANCE, MANAGED_BY, MANAGER, MODE_LABEL,
    MORE_ROUTE, Object, RATE_LIMIT_LABEL, ROUTE, TIME_WINDOW_LABEL, USER_LABEL, chat_route, is_managed,
    plain_consumer,
};
pub use self::plan::{Action, Options, Plan, Present, Step, cleanup, key, name, setup, wanted_consumer};
pub use self::problem::Problem;
pub use self::settings::{
    EMBEDDING_MODEL, Flavour, LEMONADE_URL, MODEL, RATE_LIMIT, Redis, Settings, TIME_WINDOW, TokenPrice,
    quota,
};
pub use self::tools::{Access, CONTEXT, OUTPUT, Tool};
