//! What OpenAI's models refuse, by their names.

/// Whether a model takes no temperature and its like.
pub(super) fn has_no_dials(model: &str) -> bool {
    let name = bare(model);
    let is_gpt_5 = name
        .strip_prefix("gpt-5")
        .is_some_and(|rest| (rest.is_empty() || rest.starts_with('-')) && !rest.starts_with("-chat"));
    is_gpt_5 || ["o1", "o3", "o4"].iter().any(|family| name.starts_with(family))
}

/// Whether a model takes an effort. Of names that are not OpenAI's it is taken for granted.
pub(super) fn thinks(model: &str) -> bool {
    const PLAIN: [&str; 5] = ["gpt-3", "gpt-4", "gpt-35", "chatgpt-4o", "ft:gpt-4"];
    let name = bare(model);
    !PLAIN.iter().any(|plain| name.starts_with(plain))
}

fn bare(model: &str) -> &str {
    model.rsplit('/').next().unwrap_or(model)
}
