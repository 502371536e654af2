//! References to secrets kept elsewhere (compat §1.11): `$env://NAME` and `$secret://{manager}/{id}/{key}`.
//!
//! Configuration is compiled with the values that references lead to, so that a request never waits for a secret
//! manager. [`Secrets::watch`] begins to read what a resource refers to and keeps it fresh; [`Secrets::changed`] tells
//! when something has to be compiled again. A value that was read once stays in use while its manager is slow or away.
//!
//! In the order of crates this one stands above `cloud` and below `core`. It knows no plugin and no route: what a
//! value is for, and what becomes of it when there is none, is decided above.
//!
//! ```
//! use serde_json::json;
//! use sluice_secret::Secrets;
//!
//! let secrets = Secrets::default();
//! let conf = json!({"key": "$env://CARGO_PKG_NAME", "other": "$secret://vault/1/jack/key"});
//! let resolution = secrets.resolve(&conf);
//! assert_eq!(resolution.value["key"], "sluice-secret");
//! // What cannot be resolved stays as it is written.
//! assert_eq!(resolution.value["other"], "$secret://vault/1/jack/key");
//! assert_eq!(resolution.unresolved[0].reference, "$secret://vault/1/jack/key");
//! ```

mod aws;
mod document;
mod environment;
mod gcp;
mod http;
mod manager;
mod managers;
mod reference;
mod resolution;
mod secrets;
mod vault;

pub use self::document::DocumentId;
pub use self::environment::Environment;
pub use self::manager::{Connect, Reading, SecretManager, SecretReadError};
pub use self::managers::HttpManagers;
pub use self::resolution::{Resolution, Unresolved};
pub use self::secrets::{Secrets, Watch};
