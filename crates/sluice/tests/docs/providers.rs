//! docs/providers.md against the providers and the built-in routes.

use sluice_llm::{Carriage, Protocol, Provider, ProviderConf};

use crate::markdown::{self, Page};

/// The columns of the table of providers, after name and host.
const COLUMNS: [Protocol; 5] = [
    Protocol::OpenAiChat,
    Protocol::OpenAiResponses,
    Protocol::OpenAiEmbeddings,
    Protocol::AnthropicMessages,
    Protocol::BedrockConverse,
];

fn section(heading: &str) -> Page {
    Page::read("docs/providers.md").section(heading).unwrap()
}

#[test]
fn the_table_of_providers_is_theirs() {
    let rows = section("Providers").rows();
    let place = ProviderConf {
        project_id: Some("project".to_owned()),
        region: Some("region".to_owned()),
    };
    for provider in Provider::all() {
        let speaks = |protocol| !matches!(provider.carriage(protocol), Err(_) | Ok(Carriage::Passthrough));
        if !COLUMNS.iter().any(|protocol| speaks(*protocol)) {
            continue;
        }
        let name = format!("`{}`", provider.name());
        let row = rows
            .iter()
            .find(|row| row[0] == name)
            .unwrap_or_else(|| panic!("{name} is not documented"));
        if let Some(host) = provider.host(&place) {
            let address = match provider.local_port() {
                Some(port) => format!("{host}:{port}"),
                None => host.into_owned(),
            };
            assert_eq!(
                markdown::code(&row[1].replace("<region>", "region")),
                Some(&*address),
                "{name}"
            );
        }
        for (protocol, cell) in COLUMNS.into_iter().zip(&row[2..]) {
            let expected = match provider.carriage(protocol) {
                Err(_) => "-".to_owned(),
                Ok(Carriage::AnthropicToChat(_) | Carriage::EmbeddingsToPredict(_)) => "converted".to_owned(),
                Ok(_) if provider.is_built_in() => "yes".to_owned(),
                Ok(carriage) => {
                    let path = carriage
                        .endpoint()
                        .and_then(|endpoint| endpoint.path(&place, Some("model"), false));
                    format!("`{}`", path.unwrap())
                }
            };
            let cell = cell
                .replace("<project>", "project")
                .replace("<region>", "region")
                .replace("<model>", "model");
            assert!(
                cell.starts_with(&expected),
                "{name} and {protocol}: {cell}, not {expected}"
            );
        }
    }
    let invented = rows
        .iter()
        .find(|row| Provider::find(markdown::code(&row[0]).unwrap()).is_err());
    assert_eq!(invented, None);
}

#[test]
fn every_protocol_is_documented() {
    let names: Vec<_> = section("Protocols")
        .rows()
        .into_iter()
        .map(|row| row[0].clone())
        .collect();
    for protocol in Protocol::ALL {
        assert!(
            names.contains(&format!("`{protocol}`")),
            "{protocol} is not documented"
        );
    }
    assert_eq!(names.len(), Protocol::ALL.len());
}

/// A name that no route has makes the configuration say which there are.
#[test]
fn the_table_of_built_in_routes_is_theirs() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.yaml");
    std::fs::write(&file, "builtin_routes: {disabled: [nothing]}\n").unwrap();
    let refused = sluice::validate_file(&file).unwrap_err().to_string();
    let (_, known) = refused
        .split_once("is none of ")
        .unwrap_or_else(|| panic!("{refused}"));
    let rows = section("Built-in routes").rows();
    let documented: Vec<_> = rows.iter().filter_map(|row| markdown::code(&row[0])).collect();
    let (mut known, mut documented) = (known.split(", ").collect::<Vec<_>>(), documented);
    known.sort_unstable();
    documented.sort_unstable();
    assert_eq!(documented, known);
}
