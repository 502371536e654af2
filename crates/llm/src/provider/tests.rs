use super::*;

fn conf(project_id: Option<&str>, region: Option<&str>) -> ProviderConf {
    ProviderConf {
        project_id: project_id.map(str::to_owned),
        region: region.map(str::to_owned),
    }
}

fn provider(name: &str) -> &'static Provider {
    Provider::find(name).unwrap()
}

fn path(name: &str, protocol: Protocol) -> Option<String> {
    provider(name)
        .endpoint(protocol)?
        .path(&conf(None, None), None, false)
        .map(Cow::into_owned)
}

#[test]
fn names_are_unique_and_unknown_ones_are_refused() {
    for row in Provider::all() {
        assert!(std::ptr::eq(provider(row.name()), row));
        assert!(!row.endpoints.is_empty());
    }
    assert_eq!(
        Provider::find("nosuch").unwrap_err().to_string(),
        "ai provider: nosuch is not supported."
    );
}

#[test]
fn every_template_variable_is_known() {
    let full = conf(Some("p"), Some("r"));
    for row in Provider::all() {
        for endpoint in row.endpoints.iter().chain(row.native) {
            assert!(endpoint.path(&full, Some("m"), true).is_some(), "{row}");
        }
        assert_eq!(
            row.host(&full).is_some(),
            matches!(
                row.location,
                Location::Host(_) | Location::Vertex | Location::Local(_)
            ),
            "{row}"
        );
    }
}

#[test]
fn hosts_and_paths() {
    assert_eq!(
        provider("openai").host(&conf(None, None)).unwrap(),
        "api.openai.com"
    );
    assert_eq!(provider("openai-compatible").host(&conf(None, None)), None);
    assert_eq!(
        path("gemini", Protocol::OpenAiChat).unwrap(),
        "/v1beta/openai/chat/completions"
    );
    assert_eq!(
        path("anthropic", Protocol::AnthropicMessages).unwrap(),
        "/v1/messages"
    );
    assert_eq!(path("deepseek", Protocol::OpenAiEmbeddings), None);

    let vertex = provider("vertex-ai");
    let place = conf(Some("proj"), Some("us-central1"));
    assert_eq!(
        vertex.host(&place).unwrap(),
        "us-central1-aiplatform.googleapis.com"
    );
    assert_eq!(
        vertex
            .endpoint(Protocol::OpenAiChat)
            .unwrap()
            .path(&place, None, false)
            .unwrap(),
        "/v1beta1/projects/proj/locations/us-central1/endpoints/openapi/chat/completions"
    );
    assert_eq!(path("vertex-ai", Protocol::OpenAiChat), None);
    let predict = vertex.endpoint(Protocol::VertexPredict).unwrap();
    assert_eq!(
        predict.path(&place, Some("text-embedding-005"), false).unwrap(),
        "/v1/projects/proj/locations/us-central1/publishers/google/models/text-embedding-005:predict"
    );
    let host = |region| vertex.host(&conf(None, Some(region))).unwrap();
    assert_eq!(host("global"), "aiplatform.googleapis.com");
    assert_eq!(host("eu"), "aiplatform.eu.rep.googleapis.com");
}

#[test]
fn bedrock_names_the_model_in_the_path() {
    let endpoint = provider("bedrock").endpoint(Protocol::BedrockConverse).unwrap();
    let conf = conf(None, Some("eu-west-1"));
    let model = Some("arn:aws:bedrock/claude-3");
    assert_eq!(
        endpoint.path(&conf, model, false).unwrap(),
        "/model/arn%3Aaws%3Abedrock%2Fclaude-3/converse"
    );
    assert_eq!(
        endpoint.path(&conf, Some("m"), true).unwrap(),
        "/model/m/converse-stream"
    );
    for nowhere in [None, Some(""), Some("."), Some("..")] {
        assert_eq!(endpoint.path(&conf, nowhere, false), None, "{nowhere:?}");
    }
}

#[test]
fn what_the_configuration_must_contain() {
    let check = |name: &str, project, region, endpoint, aws| {
        provider(name)
            .check(&conf(project, region), endpoint, aws)
            .map_err(|error| error.to_string())
    };
    let vertex =
        "vertex-ai requires either provider_conf (project_id + region) or override.endpoint".to_owned();
    assert_eq!(check("vertex-ai", Some("p"), None, false, false), Err(vertex));
    assert_eq!(check("vertex-ai", None, None, true, false), Ok(()));
    assert_eq!(check("vertex-ai", Some("p"), Some("r"), false, false), Ok(()));
    assert_eq!(
        check("bedrock", None, None, true, true),
        Err("bedrock requires provider_conf.region".to_owned())
    );
    assert_eq!(
        check("bedrock", None, Some("r"), true, false),
        Err("bedrock requires auth.aws".to_owned())
    );
    assert_eq!(check("bedrock", None, Some("r"), false, true), Ok(()));
    assert_eq!(check("openai", None, None, false, false), Ok(()));
}

#[test]
fn carriage_of_client_protocols() {
    let carriage = |name: &str, protocol| provider(name).carriage(protocol);
    assert_eq!(
        carriage("openai", Protocol::OpenAiResponses).unwrap().target(),
        Protocol::OpenAiResponses
    );
    assert!(matches!(
        carriage("openai", Protocol::AnthropicMessages),
        Ok(Carriage::AnthropicToChat(_))
    ));
    assert!(matches!(
        carriage("anthropic", Protocol::AnthropicMessages),
        Ok(Carriage::Same(_))
    ));
    assert_eq!(
        carriage("bedrock", Protocol::Passthrough),
        Ok(Carriage::Passthrough)
    );
    assert_eq!(
        carriage("azure-openai", Protocol::OpenAiEmbeddings)
            .unwrap_err()
            .to_string(),
        "provider azure-openai does not support openai-embeddings protocol (supported: openai-chat)"
    );
    assert_eq!(
        carriage("openai", Protocol::BedrockConverse)
            .unwrap_err()
            .to_string(),
        "provider openai does not support bedrock-converse protocol \
         (supported: openai-chat, openai-embeddings, openai-responses)"
    );
    assert!(carriage("bedrock", Protocol::AnthropicMessages).is_err());
    let predict = carriage("vertex-ai", Protocol::OpenAiEmbeddings).unwrap();
    assert!(matches!(predict, Carriage::EmbeddingsToPredict(_)));
    assert_eq!(predict.target(), Protocol::VertexPredict);
    assert_eq!(
        carriage("vertex-ai", Protocol::OpenAiResponses)
            .unwrap_err()
            .to_string(),
        "provider vertex-ai does not support openai-responses protocol (supported: openai-chat, vertex-predict)"
    );
}

#[test]
fn headers_of_the_native_profile() {
    let anthropic = provider("anthropic");
    assert_eq!(anthropic.key_header(), KeyHeader::Named("x-api-key"));
    assert_eq!(anthropic.fixed_headers(), [("anthropic-version", "2023-06-01")]);
    assert!(anthropic.takes_header("anthropic-beta") && !anthropic.takes_header("openai-beta"));
    assert!(anthropic.returns_header("anthropic-ratelimit-tokens-reset"));
    assert!(anthropic.returns_header("retry-after"));
    assert!(!anthropic.returns_header("anthropic-organization-id"));
    assert!(!provider("openai").takes_header("anthropic-beta"));
    assert_eq!(provider("openai").key_header(), KeyHeader::Bearer);
}
