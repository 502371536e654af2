//! What codecs of Gemini, Ollama and Cohere share: finding objects in a stream, telling parts, ids of calls, errors.

mod calls;
mod emitter;
mod fault;
#[cfg(test)]
mod hostile;
mod left_out;
mod objects;
mod results;

pub(super) use self::calls::{Calls, derived_id, is_made};
pub(super) use self::emitter::{Emitter, Kind};
pub(super) use self::fault::said;
pub(super) use self::left_out::{note_foreign, note_left_out, path, with_nested};
pub(super) use self::objects::ObjectScanner;
pub(super) use self::results::{custom_schema, offered, result_text};

/// Largest object or frame of a stream that is put together, in bytes: answers with images in them are long.
pub(super) const MAX_OBJECT: usize = 32 * 1024 * 1024;
