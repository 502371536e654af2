//! What models on Bedrock take, by their ids.

use crate::codec::claude::Claude;

/// A model on Bedrock.
#[derive(Clone, Copy, Debug)]
pub(super) struct Model<'a> {
    id: &'a str,
    /// Which Claude it is.
    pub(super) claude: Option<Claude>,
}

/// Vendors whose models enforce no schema of an answer.
const WITHOUT_SCHEMAS: [&str; 6] = ["amazon.", "meta.", "cohere.", "ai21.", "writer.", "luma."];

impl<'a> Model<'a> {
    pub(super) fn of(id: &'a str) -> Self {
        Self {
            id,
            claude: Claude::of(id),
        }
    }

    /// Whether it takes marks of the prompt cache.
    pub(super) fn caches(self) -> bool {
        self.claude
            .map_or(self.id.contains("amazon.nova"), |claude| claude.since(3, 5))
    }

    /// Whether such marks may say for how long.
    pub(super) fn caches_longer(self) -> bool {
        self.claude.is_some_and(|claude| claude.since(4, 5))
    }

    /// Whether it enforces a schema of its answer.
    pub(super) fn enforces_schemas(self) -> bool {
        match self.claude {
            Some(claude) => claude.enforces_schemas(),
            None => !WITHOUT_SCHEMAS.iter().any(|vendor| self.id.contains(vendor)),
        }
    }
}
