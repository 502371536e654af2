//! JSON bodies seen as byte ranges: one scan, no tree, edits by splicing.

mod error;
mod overlay;
mod scan;
mod splice;
mod view;

#[cfg(test)]
mod tests;

pub use self::error::JsonError;
pub use self::overlay::Overlay;
pub use self::scan::{Kind, MAX_DEPTH, MAX_MEMBERS};
pub use self::splice::Splice;
pub use self::view::{JsonView, Member, ObjectView};
