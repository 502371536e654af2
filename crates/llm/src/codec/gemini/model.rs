//! What differs between models.

/// Generations of models, as far as their rules for thinking differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Generation {
    /// Up to 2.5 and whatever is not known: thinking is told as a budget, signatures may be missing.
    Budget,
    /// 3 and later: thinking is told as a level, the first call of a turn needs a signature.
    Level,
}

/// The generation of a model by its name, which may stand behind a path.
pub(super) fn generation(model: &str) -> Generation {
    let name = bare(model);
    let Some(version) = name.strip_prefix("gemini-") else {
        return Generation::Budget;
    };
    let digits: String = version.chars().take_while(char::is_ascii_digit).collect();
    let is_level = match digits.parse::<u32>() {
        Ok(major) => major >= 3,
        Err(_) => version.ends_with("-latest"),
    };
    if is_level {
        Generation::Level
    } else {
        Generation::Budget
    }
}

/// The name of a model without the path before it.
pub(super) fn bare(model: &str) -> &str {
    model.rsplit_once('/').map_or(model, |(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generations() {
        for (model, expected) in [
            ("gemini-2.5-flash", Generation::Budget),
            ("models/gemini-2.0-flash-001", Generation::Budget),
            ("gemma-3-27b-it", Generation::Budget),
            ("tunedModels/mine", Generation::Budget),
            ("gemini-3-pro-preview", Generation::Level),
            ("publishers/google/models/gemini-3.1-flash", Generation::Level),
            ("gemini-flash-latest", Generation::Level),
            ("gemini-12", Generation::Level),
        ] {
            assert_eq!(generation(model), expected, "{model}");
        }
    }
}
