//! Lists of models, in each dialect (llm-protocols §5–§7, §11).

mod read;
mod write;

pub use self::read::read_models;
pub use self::write::{write_model, write_models};

/// A model in a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListedModel {
    /// Its name, as requests take it.
    pub id: String,
    /// Name for people.
    pub display_name: Option<String>,
    /// Who made it.
    pub owned_by: Option<String>,
    /// When it was made, in Unix seconds.
    pub created: Option<i64>,
    /// Most tokens of input.
    pub context_window: Option<u64>,
    /// Most tokens of output.
    pub max_output_tokens: Option<u64>,
    /// Whether it makes embeddings and no conversation.
    pub embeds: bool,
}

/// What a path asks of the list of models.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AskedModels<'p> {
    /// All of it.
    All,
    /// The model of that name.
    One(&'p str),
}

impl<'p> AskedModels<'p> {
    /// By the path: `…/models`, `…/models/<name>`, Ollama's `/api/tags`; `None` for any other.
    ///
    /// ```
    /// use sluice_llm::AskedModels;
    ///
    /// assert_eq!(AskedModels::of("/v1beta/models/m"), Some(AskedModels::One("m")));
    /// assert_eq!(AskedModels::of("/api/tags"), Some(AskedModels::All));
    /// assert_eq!(AskedModels::of("/v1/chat/completions"), None);
    /// ```
    #[must_use]
    pub fn of(path: &'p str) -> Option<Self> {
        if path.ends_with("/api/tags") {
            return Some(Self::All);
        }
        let (_, after) = path.split_once("/models")?;
        match after.strip_prefix('/') {
            None if after.is_empty() => Some(Self::All),
            Some("") => Some(Self::All),
            Some(name) => Some(Self::One(name)),
            None => None,
        }
    }
}
