//! Open WebUI: the environment of its container.

use super::{Access, Tool};

pub(super) const TOOL: Tool = Tool {
    name: "open-webui",
    title: "Open WebUI",
    file: "open-webui.env",
    place: "docker run --env-file open-webui.env …",
    render,
};

/// Env files of containers take values to the end of the line, without quotes.
fn render(access: &Access) -> String {
    let mut file = format!(
        "ENABLE_OPENAI_API=true\nENABLE_OLLAMA_API=false\nOPENAI_API_BASE_URL={base}\nOPENAI_API_KEY={key}\nDEFAULT_MODELS={model}\n",
        base = access.v1(),
        key = access.key,
        model = access.model,
    );
    if let Some(model) = &access.embedding_model {
        file.push_str(&format!(
            "RAG_EMBEDDING_ENGINE=openai\nRAG_EMBEDDING_MODEL={model}\nRAG_OPENAI_API_BASE_URL={base}\nRAG_OPENAI_API_KEY={key}\n",
            base = access.v1(),
            key = access.key,
        ));
    }
    file
}
