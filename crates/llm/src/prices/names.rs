//! Reading model names: what is the model, and what is date, version, vendor and region around it.

/// A model name, then the same with one suffix after the other taken off.
pub(super) fn from_full_to_bare(name: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(name), |name| without_suffix(name))
}

/// A fine-tuned model as `ft:base`, without organisation, name and id.
pub(super) fn without_tuning(model: &str) -> &str {
    let Some(tuned) = model.strip_prefix("ft:") else {
        return model;
    };
    let base = tuned.split(':').next().unwrap_or(tuned);
    &model[..base.len() + 3]
}

/// What stands after the last `/`, as in `models/gemini-2.5-pro` or an ARN.
pub(super) fn without_path(model: &str) -> &str {
    model.rsplit('/').next().unwrap_or(model)
}

/// Vendor and model of a reseller's name: `openai/gpt-4o`, or Bedrock's `eu.anthropic.claude-…`.
pub(super) fn vendor(model: &str) -> Option<(&str, &str)> {
    const REGIONS: [&str; 6] = ["us.", "eu.", "apac.", "global.", "jp.", "au."];
    let bare = without_path(model);
    let placeless = REGIONS
        .iter()
        .find_map(|region| bare.strip_prefix(region))
        .unwrap_or(bare);
    match placeless.split_once('.') {
        Some((vendor, name)) if vendor.bytes().all(|byte| byte.is_ascii_lowercase()) => Some((vendor, name)),
        _ => model
            .strip_suffix(bare)?
            .trim_end_matches('/')
            .rsplit('/')
            .next()
            .map(|vendor| (vendor, bare)),
    }
}

/// Takes one suffix off that does not change the price: `-latest`, `-preview`, a date or a version. In patterns `0`
/// stands for a digit.
fn without_suffix(name: &str) -> Option<&str> {
    const SUFFIXES: [&str; 13] = [
        "-latest",
        "-preview",
        "-0000-00-00",
        "@0000-00-00",
        "-00-0000",
        "-00-00",
        "-00000000",
        "@00000000",
        "-0000",
        "-000",
        "@000",
        "@latest",
        "-v0:0",
    ];
    let bare = SUFFIXES.iter().find_map(|suffix| {
        let cut = name.len().checked_sub(suffix.len())?;
        let end = &name.as_bytes()[cut..];
        let fits = end
            .iter()
            .zip(suffix.bytes())
            .all(|(byte, pattern)| match pattern {
                b'0' => byte.is_ascii_digit(),
                literal => *byte == literal,
            });
        if fits { name.get(..cut) } else { None }
    });
    bare.filter(|bare| !bare.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn barest(name: &str) -> &str {
        from_full_to_bare(name).last().unwrap()
    }

    #[test]
    fn suffixes_that_do_not_matter_come_off() {
        for (name, bare) in [
            ("gpt-4o-2024-08-06", "gpt-4o"),
            ("gpt-4-0613", "gpt-4"),
            ("claude-sonnet-4-5-20250929", "claude-sonnet-4-5"),
            ("claude-sonnet-4-5@20250929", "claude-sonnet-4-5"),
            (
                "anthropic.claude-3-haiku-20240307-v1:0",
                "anthropic.claude-3-haiku",
            ),
            ("gemini-2.5-pro-preview-05-06", "gemini-2.5-pro"),
            ("gemini-2.5-flash-lite-preview-09-2025", "gemini-2.5-flash-lite"),
            ("gemini-2.0-flash-001", "gemini-2.0-flash"),
            ("mistral-large-latest", "mistral-large"),
            ("command-a-03-2025", "command-a"),
        ] {
            assert_eq!(barest(name), bare);
        }
    }

    #[test]
    fn suffixes_that_matter_stay() {
        for name in [
            "gpt-4o-mini",
            "gpt-4-32k",
            "claude-opus-4-1",
            "gpt-4o-audio",
            "llama-3.3-70b",
            "é-",
            "-0613",
            "",
        ] {
            assert_eq!(barest(name), name);
        }
    }

    #[test]
    fn vendors_of_resold_models() {
        assert_eq!(vendor("openai/gpt-4o"), Some(("openai", "gpt-4o")));
        assert_eq!(
            vendor("google/gemini-2.5-pro"),
            Some(("google", "gemini-2.5-pro"))
        );
        assert_eq!(
            vendor("publishers/anthropic/claude-x"),
            Some(("anthropic", "claude-x"))
        );
        assert_eq!(
            vendor("anthropic/claude-sonnet-4.5"),
            Some(("anthropic", "claude-sonnet-4.5"))
        );
        assert_eq!(
            vendor("us.anthropic.claude-x-v1:0"),
            Some(("anthropic", "claude-x-v1:0"))
        );
        assert_eq!(
            vendor("arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-x"),
            Some(("anthropic", "claude-x"))
        );
    }

    #[test]
    fn tuned_models_keep_their_base() {
        assert_eq!(
            without_tuning("ft:gpt-4o-2024-08-06:acme::abc"),
            "ft:gpt-4o-2024-08-06"
        );
        assert_eq!(without_tuning("ft:gpt-4o"), "ft:gpt-4o");
        assert_eq!(without_tuning("gpt-4o:x"), "gpt-4o:x");
    }
}
