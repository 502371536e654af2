//! The standard paths of LLM APIs.

/// Ends of the paths on which LLM clients call, whatever prefix a gateway puts before them.
const ENDS: [&str; 27] = [
    "/chat/completions",
    "/v1/completions",
    "/v1/responses",
    "/v1/embeddings",
    "/v1/moderations",
    "/v1/models",
    "/v1/images/generations",
    "/v1/images/edits",
    "/v1/images/variations",
    "/v1/audio/speech",
    "/v1/audio/transcriptions",
    "/v1/audio/translations",
    "/v1/files",
    "/v1/batches",
    "/v1/messages",
    "/v1/messages/count_tokens",
    "/v1/rerank",
    "/v2/chat",
    "/v2/embed",
    "/v2/rerank",
    "/api/chat",
    "/api/embed",
    "/api/embeddings",
    "/api/generate",
    "/api/tags",
    "/converse",
    "/converse-stream",
];

/// Whole paths of clients whose base URL lacks `/v1`.
const BARE: [&str; 4] = ["/completions", "/responses", "/embeddings", "/models"];

/// Whether a path is a standard LLM endpoint: there, callers may put their key where their dialect puts it.
#[must_use]
pub fn is_llm_path(path: &str) -> bool {
    ENDS.iter().any(|end| path.ends_with(end))
        || BARE.contains(&path)
        || path.starts_with("/v1beta/")
        || ["/v1/models/", "/v1/files/", "/v1/batches/", "/v1/responses/"]
            .iter()
            .any(|root| path.starts_with(root))
}
