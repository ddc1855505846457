//! What a picture says of an interface's kind. Kinds are read as the lab file has them, so that a new one needs no word
//! here.

use netlab_proto::v1::Interface;
use serde_json::Value;

/// A kind with its fields.
pub(super) struct KindView {
    key: String,
    fields: Value,
}

impl KindView {
    /// That of an interface which is no end of a link.
    pub(super) fn of(interface: &Interface) -> Option<Self> {
        let only = Interface { kind: Some(interface.kind.clone()?), ..Interface::default() };
        let Value::Object(fields) = serde_json::to_value(only).ok()? else { return None };
        let (key, fields) = fields.into_iter().find(|(_, value)| value.is_object())?;
        Some(Self { key, fields })
    }

    fn text(&self, field: &str) -> Option<&str> {
        self.fields[field].as_str().filter(|text| !text.is_empty())
    }

    /// The interface that it stands on.
    pub(super) fn parent(&self) -> Option<&str> {
        self.text("parent")
    }

    /// The other ends of a tunnel.
    pub(super) fn remotes(&self) -> impl Iterator<Item = &str> {
        let several = self.fields["remotes"].as_array().into_iter().flatten().filter_map(Value::as_str);
        self.text("remote").into_iter().chain(several)
    }

    /// Its name, with the number that tells it from others of its kind: `VXLAN 100`.
    pub(super) fn name(&self) -> String {
        match ["id", "vni"].iter().find_map(|field| self.fields[*field].as_u64()) {
            Some(number) => format!("{} {number}", self.key.to_uppercase()),
            None => self.key.clone(),
        }
    }

    /// The same with what it stands on: `VLAN 10 on eth0`.
    pub(super) fn label(&self) -> String {
        let vlans = if self.fields["vlan_filtering"] == true { ", VLANs" } else { "" };
        let stp = if self.fields["stp"] == true { ", STP" } else { "" };
        let tags = ["protocol", "vlan_protocol"].into_iter().filter_map(|field| self.text(field));
        let tags: String = tags.filter(|tag| *tag != "802.1Q").flat_map(|tag| [" ", tag]).collect();
        let table = self.fields["table"].as_u64().map(|table| format!(", table {table}")).unwrap_or_default();
        let mode = self.text("mode").map(|mode| format!(", {mode}")).unwrap_or_default();
        // A tunnel's `dev` only carries it.
        let dev = self.text("dev").filter(|_| self.fields["vni"].is_null());
        let parent = self.parent().or(dev).map(|parent| format!(" on {parent}")).unwrap_or_default();
        format!("{}{vlans}{tags}{stp}{table}{mode}{parent}", self.name())
    }
}
