//! Where in a resource a fault is: read from the words in which checks tell it (compat §1.9), which nest from the outside
//! to the inside.

/// The dotted path of what a check complains about, and what it says of it. None where that is the resource as a whole.
pub(super) fn located(message: &str) -> Option<(String, String)> {
    let mut path: Vec<String> = Vec::new();
    let mut rest = message;
    while let Some(after) = step(rest, &mut path) {
        rest = after;
    }
    let said = end(rest, &mut path).unwrap_or_else(|| rest.to_owned());
    (!path.is_empty()).then(|| (path.join("."), said))
}

/// Takes one layer of words off.
fn step<'m>(text: &'m str, path: &mut Vec<String>) -> Option<&'m str> {
    for around in ["invalid configuration: ", "invalid plugins configuration: "] {
        if let Some(rest) = text.strip_prefix(around) {
            return Some(rest);
        }
    }
    if let Some(rest) = text.strip_prefix("failed to check the configuration of plugin ") {
        let (plugin, rest) = rest.split_once(" err: ")?;
        path.extend(["plugins".to_owned(), plugin.to_owned()]);
        return Some(rest);
    }
    if let Some(rest) = text.strip_prefix("property \"") {
        let (property, rest) = rest.split_once("\" validation failed: ")?;
        path.push(property.to_owned());
        return Some(rest);
    }
    if let Some(rest) = text.strip_prefix("failed to validate additional property ") {
        let (property, rest) = rest.split_once(": ")?;
        path.push(property.to_owned());
        return Some(rest);
    }
    if let Some(rest) = text.strip_prefix("failed to validate item ") {
        let (number, rest) = rest.split_once(": ")?;
        let index = number.parse::<usize>().ok()?.checked_sub(1)?;
        path.push(index.to_string());
        return Some(rest);
    }
    if let Some(rest) = text.strip_prefix("failed to validate dependent schema for \"") {
        return Some(rest.split_once("\": ")?.1);
    }
    let (property, rest) = text
        .strip_prefix("failed to validate ")?
        .split_once(" (matching ")?;
    path.push(property.to_owned());
    Some(rest.split_once("): ")?.1)
}

/// What is left names a property, or another resource: the words for people that take its place.
fn end(text: &str, path: &mut Vec<String>) -> Option<String> {
    if let Some(rest) = text.strip_prefix("property \"") {
        let (property, rest) = rest.split_once("\" is required")?;
        path.push(property.to_owned());
        return Some(format!("this is wanted{rest}"));
    }
    if let Some(property) = text.strip_prefix("additional properties forbidden, found ") {
        path.push(property.to_owned());
        return Some("this is not known here".to_owned());
    }
    if let Some(rest) = text.strip_prefix("failed to fetch ") {
        let (noun, _) = rest.split_once(" info by ")?;
        let (_, id) = rest.split_once(" id [")?;
        let (id, why) = id.split_once("], ")?;
        path.push(match noun {
            "consumer group" => "group_id".to_owned(),
            "provider" => "targets".to_owned(),
            "ssl" => "upstream.tls.client_cert_id".to_owned(),
            noun => format!("{}_id", noun.replace(' ', "_")),
        });
        return Some(match why {
            "response code: 404" => format!("there is no {noun} `{id}`"),
            why => why.to_owned(),
        });
    }
    if text.starts_with("duplicate model name [") {
        path.push("name".to_owned());
        return None;
    }
    if text.starts_with("ai provider: ") {
        path.push(if path.is_empty() { "type" } else { "provider" }.to_owned());
        return None;
    }
    // Plugins of ours begin with the field.
    let word = text.split(|character: char| !(character.is_ascii_lowercase() || character == '_'));
    let word = word.into_iter().next().filter(|word| word.contains('_'))?;
    let rest = text.strip_prefix(word)?;
    let said = rest.strip_prefix(": ").or_else(|| rest.strip_prefix(' '))?;
    // So do providers, with their address.
    if word != "base_url" {
        path.first().filter(|first| *first == "plugins")?;
    }
    path.push(word.to_owned());
    Some(said.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(message: &str) -> Option<(String, String)> {
        located(message)
    }

    fn is(path: &str, said: &str) -> Option<(String, String)> {
        Some((path.to_owned(), said.to_owned()))
    }

    #[test]
    fn words_nest_from_the_outside() {
        assert_eq!(
            at(
                "invalid configuration: property \"upstream\" validation failed: property \"nodes\" validation failed: \
                failed to validate item 2: property \"port\" validation failed: expected 0 to be at least 1"
            ),
            is("upstream.nodes.1.port", "expected 0 to be at least 1")
        );
        assert_eq!(
            at(
                "invalid plugins configuration: failed to check the configuration of plugin ai-limits err: \
                property \"per_model\" validation failed: failed to validate additional property gpt-*: \
                property \"tokens_per_day\" validation failed: wrong type: expected integer, got string"
            ),
            is(
                "plugins.ai-limits.per_model.gpt-*.tokens_per_day",
                "wrong type: expected integer, got string"
            )
        );
        assert_eq!(
            at("failed to check the configuration of plugin limit-count err: property \"count\" is required"),
            is("plugins.limit-count.count", "this is wanted")
        );
        assert_eq!(
            at("invalid configuration: additional properties forbidden, found x"),
            is("x", "this is not known here")
        );
    }

    #[test]
    fn other_resources_and_words_of_plugins() {
        assert_eq!(
            at("failed to fetch consumer group info by consumer group id [team], response code: 404"),
            is("group_id", "there is no consumer group `team`")
        );
        let limits = "failed to check the configuration of plugin ai-limits err: ";
        assert_eq!(
            at(&format!(
                "{limits}requests_per_minute can never be reached: it is so"
            )),
            is(
                "plugins.ai-limits.requests_per_minute",
                "can never be reached: it is so"
            )
        );
        assert_eq!(
            at(&format!("{limits}time_zone: `x` is no time zone")),
            is("plugins.ai-limits.time_zone", "`x` is no time zone")
        );
        assert_eq!(at(&format!("{limits}no way")), is("plugins.ai-limits", "no way"));
        assert_eq!(
            at("invalid configuration: base_url is no URL"),
            is("base_url", "is no URL")
        );
        let unknown = "ai provider: x is not supported.";
        assert_eq!(at(unknown), is("type", unknown));
        assert_eq!(at("something_else: is wrong"), None);
        assert_eq!(at("property \"x"), None);
        assert_eq!(at(""), None);
    }
}
