//! Built-in routes: a router of its own, behind the stored routes (DESIGN §1).

use std::sync::Arc;

use serde_json::Value;
use sluice_record::Text;
use sluice_resource::{Key, Kind};

use super::{Compiler, Item};
use crate::context::Profile;
use crate::route::Route;
use crate::router::Router;

/// A route that exists without anybody having stored it.
#[derive(Clone, Debug)]
pub struct BuiltinRoute {
    /// Its name, in place of an id.
    pub name: &'static str,
    /// The resource that it stands for.
    pub value: Value,
}

impl Compiler {
    /// Sets the built-in routes. They are of the native profile.
    ///
    /// # Errors
    /// When one of them does not compile: a defect of the gateway.
    pub fn set_builtin(&mut self, routes: Vec<BuiltinRoute>) -> Result<(), String> {
        self.builtin = self.compile_builtin(&routes)?;
        self.builtin_routes = routes;
        Ok(())
    }

    /// Compiles the built-in routes again if one of them carries a plugin that `is_meant`.
    pub(super) fn compile_builtin_again(&mut self, is_meant: impl Fn(&str) -> bool) {
        let carries = |route: &BuiltinRoute| self.carries(&key_of(route), &route.value, &is_meant);
        if !self.builtin_routes.iter().any(carries) {
            return;
        }
        match self.compile_builtin(&self.builtin_routes) {
            Ok(router) => self.builtin = router,
            Err(problem) => tracing::error!(problem, "built-in routes stay as they were"),
        }
    }

    fn compile_builtin(&self, routes: &[BuiltinRoute]) -> Result<Arc<Router<Arc<Route>>>, String> {
        let mut entries = Vec::with_capacity(routes.len());
        for (order, builtin) in routes.iter().enumerate() {
            let (key, owner) = (key_of(builtin), Text::from(format!("builtin:{}", builtin.name)));
            let item = Item {
                key: &key,
                owner: &owner,
                value: &builtin.value,
                created: order as u64,
            };
            let own = self.compile_own_route(&item)?;
            let route = Route {
                id: owner,
                profile: Profile::Native,
                llm_endpoint: true,
                ..self.join(&own)
            };
            entries.push(self.entry_of(&own, Arc::new(route)));
        }
        Ok(Arc::new(Router::build(self.options.router, entries)))
    }
}

fn key_of(route: &BuiltinRoute) -> Key {
    Key::new(Kind::Route, route.name)
}
