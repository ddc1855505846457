//! Network namespaces of nodes.

use std::borrow::Cow;

use super::{At, Subject};
use crate::{
    model::{NodeName, Place},
    plan::{Verb, command::Hand, item::Missing},
};

/// A node's network namespace, pinned: made, pinned again where the pin is lost, or taken away with all that is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Namespace(pub NodeName);

impl Subject for Namespace {
    fn at(&self) -> At<'_> {
        At::Place(Cow::Owned(Place::Node(self.0.clone())))
    }

    fn describe(&self, verb: Verb) -> String {
        let node = &self.0;
        match verb {
            Verb::Add => format!("make node {node}"),
            Verb::Set => format!("pin node {node} again"),
            Verb::Delete => format!("delete node {node}"),
        }
    }

    fn finding(&self, verb: Verb) -> String {
        let node = &self.0;
        match verb {
            Verb::Add => format!("{node}: the namespace is missing"),
            Verb::Set => format!("{node}: the namespace has lost its pin"),
            Verb::Delete => format!("{node}: the namespace is not wanted"),
        }
    }

    fn command(&self, verb: Verb, hand: Hand<'_>) -> String {
        let (lab, node) = (hand.lab, &self.0);
        match verb {
            Verb::Add => format!("ip netns add {lab}.{node}"),
            Verb::Set => format!("ip netns attach {lab}.{node} PID"),
            Verb::Delete => format!("ip netns delete {lab}.{node}"),
        }
    }

    fn comment(&self) -> String {
        "A network namespace for each node".to_owned()
    }

    fn is_explained(&self, _: &Missing<'_>) -> bool {
        false
    }
}
