//! What a daemon that is older than this program does not know of a request.
//!
//! Protocol buffers leave out what their receiver does not know. For a lab that would be a lab without
//! something that its file says, and nobody would be told; so the daemon is asked first.

use std::collections::BTreeMap;

use netlab_proto::{FILE_DESCRIPTOR_SET, REVISION, v1::GetHostRequest};
use prost::Message;
use prost_reflect::{
    DescriptorPool, DynamicMessage, Kind, MapKey, MessageDescriptor, Value,
    prost_types::{FileDescriptorProto, FileDescriptorSet},
};
use tonic::{Code, Status};
use tonic_reflection::pb::v1::{
    ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
    server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
};

use super::Client;

/// What a daemon does not know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unknown {
    /// Its version; empty where it does not tell.
    pub(crate) version: String,
    /// Paths of fields, such as `lab.nodes.ns1.sysctls`.
    pub(crate) paths: Vec<String>,
}

impl Client {
    /// What the daemon does not know of a message, `name` in full. Nothing if it is no older than this
    /// program, or does not say: then the request itself will tell.
    pub(crate) async fn unknown<T: Message>(&self, name: &str, message: &T) -> Option<Unknown> {
        let (version, revision) = match self.host().get_host(GetHostRequest {}).await {
            Ok(answer) => {
                let answer = answer.into_inner();
                (answer.daemon_version, answer.api_revision)
            }
            // Revision 1 did not have this call.
            Err(status) if status.code() == Code::Unimplemented => (String::new(), 1),
            Err(_) => return None,
        };
        if revision >= REVISION {
            return None;
        }
        let theirs = self.descriptors(name).await.ok()?.get_message_by_name(name)?;
        let ours = DescriptorPool::decode(FILE_DESCRIPTOR_SET).ok()?.get_message_by_name(name)?;
        let message = DynamicMessage::decode(ours, message.encode_to_vec().as_slice()).ok()?;
        let mut paths = Vec::new();
        walk(&message, &theirs, "", &mut paths);
        (!paths.is_empty()).then_some(Unknown { version, paths })
    }

    /// The daemon's own descriptors of a message and all that it holds, by server reflection.
    async fn descriptors(&self, name: &str) -> Result<DescriptorPool, Status> {
        let mut client = ServerReflectionClient::new(self.channel.clone());
        let mut files = BTreeMap::new();
        let mut wanted = vec![MessageRequest::FileContainingSymbol(name.to_owned())];
        while let Some(request) = wanted.pop() {
            if matches!(&request, MessageRequest::FileByFilename(name) if files.contains_key(name)) {
                continue;
            }
            let request = ServerReflectionRequest { host: String::new(), message_request: Some(request) };
            let mut answers = client.server_reflection_info(tokio_stream::once(request)).await?.into_inner();
            while let Some(answer) = answers.message().await? {
                let Some(MessageResponse::FileDescriptorResponse(answer)) = answer.message_response else {
                    return Err(Status::unimplemented("the daemon does not describe itself"));
                };
                for bytes in answer.file_descriptor_proto {
                    let file = FileDescriptorProto::decode(bytes.as_slice())
                        .map_err(|e| Status::unknown(e.to_string()))?;
                    wanted.extend(file.dependency.iter().cloned().map(MessageRequest::FileByFilename));
                    files.insert(file.name().to_owned(), file);
                }
            }
        }
        let set = FileDescriptorSet { file: files.into_values().collect() };
        DescriptorPool::from_file_descriptor_set(set).map_err(|error| Status::unknown(error.to_string()))
    }
}

/// Gathers the paths of what is set in a message and is not in its descriptor.
fn walk(message: &DynamicMessage, known: &MessageDescriptor, path: &str, out: &mut Vec<String>) {
    for (field, value) in message.fields() {
        let dot = if path.is_empty() { "" } else { "." };
        let here = format!("{path}{dot}{}", field.name());
        let Some(theirs) = known.get_field(field.number()) else {
            out.push(here);
            continue;
        };
        let Kind::Message(inner) = theirs.kind() else { continue };
        match value {
            Value::Message(message) => walk(message, &inner, &here, out),
            Value::List(items) => {
                for (number, item) in items.iter().enumerate() {
                    if let Value::Message(message) = item {
                        walk(message, &inner, &format!("{here}[{number}]"), out);
                    }
                }
            }
            Value::Map(entries) => {
                let Kind::Message(inner) = inner.map_entry_value_field().kind() else { continue };
                for (key, value) in entries {
                    if let (MapKey::String(key), Value::Message(message)) = (key, value) {
                        walk(message, &inner, &format!("{here}{}", place(key)), out);
                    }
                }
            }
            _ => {}
        }
    }
}

/// A map's key in a path, as the daemon writes it.
fn place(key: &str) -> String {
    let plain = key.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    if plain { format!(".{key}") } else { format!("[{key:?}]") }
}

#[cfg(test)]
mod tests {
    use netlab_proto::v1::{ApplyLabRequest, Interface, Lab, Link, Node, Vxlan, interface};

    use super::*;

    /// Our descriptors without some fields.
    fn without(fields: &[(&str, &str)]) -> DescriptorPool {
        let mut set = FileDescriptorSet::decode(FILE_DESCRIPTOR_SET).unwrap();
        for message in set.file.iter_mut().flat_map(|file| &mut file.message_type) {
            let name = message.name().to_owned();
            message.field.retain(|field| !fields.contains(&(name.as_str(), field.name())));
        }
        DescriptorPool::from_file_descriptor_set(set).unwrap()
    }

    #[test]
    fn what_is_not_known_is_found_wherever_it_is() {
        let vxlan = Vxlan { learning: Some(false), ..Vxlan::default() };
        let tunnel = Interface { kind: Some(interface::Kind::Vxlan(vxlan)), ..Interface::default() };
        let node =
            Node { interfaces: [("vx.0".to_owned(), tunnel)].into(), forwarding: true, ..Node::default() };
        let lab = Lab {
            name: "x".to_owned(),
            nodes: [("ns1".to_owned(), node)].into(),
            links: vec![Link::default(), Link { endpoints: vec!["a:b".to_owned()], ..Link::default() }],
            ..Lab::default()
        };
        let request = ApplyLabRequest { lab: Some(lab), dry_run: true, ..ApplyLabRequest::default() };
        let name = "netlab.v1.ApplyLabRequest";
        let ours = DescriptorPool::decode(FILE_DESCRIPTOR_SET).unwrap().get_message_by_name(name).unwrap();
        let message = DynamicMessage::decode(ours, request.encode_to_vec().as_slice()).unwrap();
        let found = |fields: &[(&str, &str)]| {
            let mut paths = Vec::new();
            walk(&message, &without(fields).get_message_by_name(name).unwrap(), "", &mut paths);
            paths
        };
        assert_eq!(found(&[]), [""; 0]);
        assert_eq!(
            found(&[("Nat", "masquerade"), ("Vxlan", "vni")]),
            [""; 0],
            "what is not set is not missed"
        );
        let fields = [
            ("Vxlan", "learning"),
            ("Node", "forwarding"),
            ("Link", "endpoints"),
            ("ApplyLabRequest", "dry_run"),
        ];
        assert_eq!(
            found(&fields),
            [
                r#"lab.nodes.ns1.interfaces["vx.0"].vxlan.learning"#,
                "lab.nodes.ns1.forwarding",
                "lab.links[1].endpoints",
                "dry_run"
            ]
        );
    }
}
