//! `options`. Those that the canonical model has no word for keep their place as `options.x`.

use serde_json::value::RawValue;

use super::super::common::path;
use super::PROTOCOL;
use crate::chat::{ChatRequest, Drops, Extension, Fields, Json, Object, Sampling, Unsayable};

/// Reads them.
pub(super) fn decode(
    mut options: Fields<'_>,
    sampling: &mut Sampling,
    extension: &mut Extension,
) -> Result<(), Unsayable> {
    sampling.temperature = options.take("temperature")?;
    sampling.top_p = options.take("top_p")?;
    sampling.top_k = options.take("top_k")?;
    sampling.seed = options.take("seed")?;
    sampling.frequency_penalty = options.take("frequency_penalty")?;
    sampling.presence_penalty = options.take("presence_penalty")?;
    sampling.stop = options.raw("stop").map_or(Ok(Vec::new()), stop)?;
    // Negative numbers stand for no limit, or for that of the context.
    let limit = options.peek("num_predict");
    if limit.is_some_and(|limit| serde_json::from_str::<u64>(limit.get()).is_ok()) {
        sampling.max_tokens = options.take("num_predict")?;
    }
    for (name, value) in options.into_extension(PROTOCOL).members(PROTOCOL) {
        extension.push(format!("options.{name}"), value.clone());
    }
    Ok(())
}

fn stop(stop: &RawValue) -> Result<Vec<String>, Unsayable> {
    serde_json::from_str::<Vec<String>>(stop.get())
        .or_else(|_| serde_json::from_str::<String>(stop.get()).map(|stop| vec![stop]))
        .map_err(|_| Unsayable::at("stop", "must be a list of strings"))
}

/// Writes them; `None` if there are none.
pub(super) fn encode(request: &ChatRequest, drops: &mut Drops) -> Option<Json> {
    let sampling = &request.sampling;
    drops.note_if(sampling.choices.is_some_and(|choices| choices > 1), "n");
    let mut options = Object::new()
        .set_some("temperature", sampling.temperature.as_ref())
        .set_some("top_p", sampling.top_p.as_ref())
        .set_some("top_k", sampling.top_k.as_ref())
        .set_some("seed", sampling.seed.as_ref())
        .set_some("frequency_penalty", sampling.frequency_penalty.as_ref())
        .set_some("presence_penalty", sampling.presence_penalty.as_ref())
        .set_some("stop", (!sampling.stop.is_empty()).then_some(&sampling.stop))
        .set_some("num_predict", sampling.max_tokens);
    for (name, value) in path(&request.extension, PROTOCOL, "options.") {
        options.put(name, value);
    }
    (!options.is_empty()).then(|| options.finish())
}
