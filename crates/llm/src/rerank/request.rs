//! What is to be ranked.

use std::borrow::Cow;

use crate::chat::{Drops, Fields, Json, Object, Unsayable};

/// A request for a ranking. Both forms have the same names for what both can say.
#[derive(Clone, Default)]
pub(super) struct RerankRequest {
    pub(super) model: Option<String>,
    query: String,
    documents: Vec<Json>,
    top_n: Option<u64>,
    /// Cohere: tokens of a document that count.
    max_tokens_per_doc: Option<u64>,
    /// Jina: whether the answer repeats the documents; it does unless told not to.
    pub(super) return_documents: bool,
    /// Members by name that nobody has a word for.
    pub(super) unknown: Vec<String>,
}

impl RerankRequest {
    pub(super) fn decode(body: &[u8]) -> Result<Self, Unsayable> {
        let mut fields = Fields::from_slice(body)?;
        let documents = fields
            .items("documents")?
            .ok_or_else(|| Unsayable::at("documents", "`documents` is required"))?;
        let mut request = Self {
            model: fields.take("model")?,
            query: fields.need("query")?,
            documents: documents.into_iter().map(Json::from).collect(),
            top_n: fields.take("top_n")?,
            max_tokens_per_doc: fields.take("max_tokens_per_doc")?,
            return_documents: fields.take("return_documents")?.unwrap_or(true),
            unknown: Vec::new(),
        };
        request.unknown.extend(fields.names().map(str::to_owned));
        Ok(request)
    }

    pub(super) fn to_cohere(&self, model: &str) -> Result<Json, Unsayable> {
        let texts = (0..self.documents.len()).map(|index| {
            self.text(index).ok_or_else(|| {
                Unsayable::at(
                    format!("documents[{index}]"),
                    "the provider ranks texts only: a text, or an object with `text`",
                )
            })
        });
        let texts: Vec<String> = texts.collect::<Result<_, _>>()?;
        Ok(Object::new()
            .set("model", model)
            .set("query", &self.query)
            .set("documents", &texts)
            .set_some("top_n", self.top_n)
            .set_some("max_tokens_per_doc", self.max_tokens_per_doc)
            .finish())
    }

    /// Documents are not asked for back: the client's own are shown to it.
    pub(super) fn to_jina(&self, model: &str, drops: &mut Drops) -> Json {
        drops.note_if(self.max_tokens_per_doc.is_some(), "max_tokens_per_doc");
        Object::new()
            .set("model", model)
            .set("query", &self.query)
            .set("documents", &self.documents)
            .set_some("top_n", self.top_n)
            .set("return_documents", &false)
            .finish()
    }

    /// The text of a document, which is one or an object with one.
    fn text(&self, index: usize) -> Option<String> {
        let document = self.documents.get(index)?;
        if let Some(text) = document.read::<Cow<'_, str>>() {
            return Some(text.into_owned());
        }
        document.fields()?.take("text").ok()?
    }

    /// A document as Jina's answers show it.
    pub(super) fn shown(&self, index: usize) -> Option<Json> {
        let document = self.documents.get(index)?;
        match document.is_object() {
            true => Some(document.clone()),
            false => Some(Object::new().set("text", document).finish()),
        }
    }
}
