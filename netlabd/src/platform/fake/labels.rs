//! Label routes, as the kernel would have them.

use super::{
    ops::Lab,
    world::{NamespaceId, World},
};
use crate::{
    model::{LabelRoute, Place, Route, observed::LabelRouteState},
    plan::Verb,
};

impl Lab<'_> {
    pub(super) fn label_route(&mut self, verb: Verb, place: &Place, route: &LabelRoute) -> Result<(), i32> {
        let namespace = self.namespace(place)?;
        // What is gone already, with its room or its interface, is done.
        if verb != Verb::Delete {
            if route.label.get() >= self.world.room(namespace) {
                return Err(libc::EINVAL);
            }
            if route.dev.as_str() != "lo" && self.world.find(namespace, route.dev.as_str()).is_none() {
                return Err(libc::ENODEV);
            }
        }
        let routes = &mut self.world.namespace(namespace).label_routes;
        routes.retain(|state| state.route.label != route.label);
        if verb != Verb::Delete {
            routes.push(LabelRouteState { route: route.clone(), plain: true, protocol: Route::PROTOCOL });
        }
        Ok(())
    }
}

impl World {
    /// How many labels there is room for.
    fn room(&self, namespace: NamespaceId) -> u32 {
        let room = LabelRoute::room().and_then(|key| self.sysctl(namespace, &key));
        room.and_then(|room| room.parse().ok()).unwrap_or_default()
    }

    /// Drops the routes of labels for which there is no room any more.
    pub(super) fn trim_labels(&mut self, namespace: NamespaceId) {
        let room = self.room(namespace);
        self.namespace(namespace).label_routes.retain(|state| state.route.label.get() < room);
    }
}
