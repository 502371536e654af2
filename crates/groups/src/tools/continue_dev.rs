//! Continue: YAML with a list of models.

use super::{Access, Tool, quoted};

pub(super) const TOOL: Tool = Tool {
    name: "continue",
    title: "Continue",
    file: ".continue/config.yaml",
    place: "your home folder",
    render,
};

fn render(access: &Access) -> String {
    let (base, key) = (quoted(&access.v1()), quoted(&access.key));
    let mut file = format!(
        "name: AI Gateway\nversion: 1.0.0\nschema: v1\nmodels:\n  - name: {label}\n    provider: openai\n    model: {model}\n    \
         apiBase: {base}\n    apiKey: {key}\n    roles: [chat, edit, apply]\n    defaultCompletionOptions:\n      \
         contextLength: {context}\n      maxTokens: {output}\n",
        label = quoted(access.label()),
        model = quoted(&access.model),
        context = access.context,
        output = access.output,
    );
    if let Some(model) = &access.embedding_model {
        let model = quoted(model);
        file.push_str(&format!(
            "  - name: embeddings\n    provider: openai\n    model: {model}\n    apiBase: {base}\n    apiKey: {key}\n    \
             roles: [embed]\n"
        ));
    }
    file
}
