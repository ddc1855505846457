//! What a lab file has beside the API's messages: netlabctl writes it out.

use serde_json::{Map, Value, json};

/// A parameter in braces, or what ranges are.
const WORD: &str = "\\{[^{}]+\\}";

/// Adds to the definitions of the messages what else a file may say.
pub(super) fn add(definitions: &mut Map<String, Value>) {
    // Words in braces may stand in every value, so before there are more definitions.
    definitions.values_mut().for_each(words);
    let lab = &mut definitions["Lab"];
    lab["patternProperties"] = json!({ "^x-": {} });
    properties(lab, lab_keys());
    let names = lab["properties"]["nodes"]["propertyNames"].take();
    lab["properties"]["nodes"]["propertyNames"] = json!({ "anyOf": [names, { "pattern": "[\\[{]" }] });
    properties(
        &mut definitions["Node"],
        json!({ "use": {
        "type": ["string", "array", "null"],
        "items": { "type": "string" },
        "description": "Templates under the node, merged in this order; the node's own keys win.",
    } }),
    );
    let link = &mut definitions["Link"];
    properties(link, link_keys());
    let more =
        ["endpoints", "mesh", "chain", "ring", "pairs", "star"].map(|key| json!({ "required": [key] }));
    link["oneOf"] = json!(more);
    if let Some(link) = link.as_object_mut() {
        link.remove("required");
    }
    or_pattern(&mut link["properties"]["endpoints"]["items"], "[\\[*]");
    or_pattern(&mut definitions["Interface"]["properties"]["addresses"]["items"], "^pool:.+$");
    definitions.insert("Pool".to_owned(), pool());
    definitions.insert("Network".to_owned(), network());
    definitions.insert("Parameter".to_owned(), parameter());
}

fn properties(message: &mut Value, more: Value) {
    if let (Some(properties), Value::Object(more)) = (message["properties"].as_object_mut(), more) {
        properties.extend(more);
    }
}

/// Lets a value be a parameter.
fn words(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            if object.get("type") == Some(&json!("integer")) || object.get("type") == Some(&json!("boolean"))
            {
                object.insert("type".to_owned(), json!([object["type"], "string"]));
                object.insert("pattern".to_owned(), json!(format!("^{WORD}$")));
            } else if let Some(values) = object.remove("enum") {
                object.insert(
                    "anyOf".to_owned(),
                    json!([{ "enum": values }, { "type": "string", "pattern": WORD }]),
                );
                return;
            } else if object.get("pattern").is_some_and(Value::is_string) {
                or_pattern(schema, WORD);
                return;
            }
            object.values_mut().for_each(words);
        }
        Value::Array(items) => items.iter_mut().for_each(words),
        _ => {}
    }
}

fn or_pattern(schema: &mut Value, other: &str) {
    let pattern = schema["pattern"].as_str().unwrap_or_default();
    schema["pattern"] = json!(format!("{pattern}|{other}"));
}

fn lab_keys() -> Value {
    let map = |of: &str, description: &str| {
        json!({
            "type": ["object", "null"],
            "additionalProperties": { "$ref": format!("#/$defs/{of}") },
            "description": description,
        })
    };
    json!({
        "parameters": map("Parameter", "Values by name that stand for {NAME} anywhere in the file; --set changes them."),
        "include": {
            "type": ["string", "array", "null"],
            "items": { "type": "string" },
            "description": "Other files whose parts belong to the lab, relative to this one.",
        },
        "templates": map("Node", "What several nodes have in common, by name; a node names them with `use`."),
        "pools": map("Pool", "Ranges by name out of which addresses are numbered."),
        "networks": map("Network", "LANs by name: a bridge in a node of its own, and a link to each member."),
        "static_routes": {
            "enum": ["shortest_paths"],
            "description": "Gives each node a route along the fewest hops to each subnet for which it has none.",
        },
    })
}

fn link_keys() -> Value {
    let nodes = |description: &str| json!({ "type": "array", "items": { "type": "string" }, "description": description });
    json!({
        "mesh": nodes("A link from each node to each one that is in another group, or of one group to each other."),
        "chain": nodes("A link from each node to the next."),
        "ring": nodes("A link from each node to the next, and from the last to the first."),
        "pairs": nodes("Two groups of as many nodes: a link between the first ones, the second ones and so on."),
        "star": nodes("A link from the first node to each other."),
        "pool": from_pool("The pool, or one of each family, out of which both ends get addresses."),
    })
}

fn from_pool(description: &str) -> Value {
    json!({ "type": ["string", "array"], "items": { "type": "string" }, "description": description })
}

fn pool() -> Value {
    json!({
        "type": "object",
        "description": "A range out of which addresses are numbered, in the order of the file.",
        "additionalProperties": false,
        "required": ["range", "prefix"],
        "properties": {
            "range": { "type": "string", "description": "All of its addresses, for example 10.0.0.0/16." },
            "prefix": {
                "type": ["integer", "string"],
                "minimum": 0,
                "maximum": 128,
                "description": "The prefix length of the subnets that are taken out of it.",
            },
        },
    })
}

fn network() -> Value {
    json!({
        "type": "object",
        "description": "A LAN as one thing: a bridge in a node of its own, and a link to each member.",
        "additionalProperties": false,
        "required": ["members"],
        "properties": {
            "members": {
                "type": "array",
                "items": { "type": "string" },
                "description": "Its nodes; ranges and stars stand for several.",
            },
            "gateway": { "type": "string", "description": "The node that is the members' default route." },
            "pool": from_pool("The pool, or one of each family, out of which the network gets a subnet."),
            "bridge": { "$ref": "#/$defs/Bridge", "description": "What the bridge is like." },
            "impair": { "$ref": "#/$defs/Impair", "description": "What becomes of what is sent over each link." },
        },
    })
}

fn parameter() -> Value {
    let scalar =
        |description: &str| json!({ "type": ["string", "number", "boolean"], "description": description });
    let number = |description: &str| json!({ "type": "integer", "description": description });
    json!({
        "type": "object",
        "description": "A value that the command line may change.",
        "additionalProperties": false,
        "required": ["default"],
        "properties": {
            "type": { "enum": ["number", "text", "boolean"], "description": "What it is. Default: text." },
            "default": scalar("Its value unless --set gives another."),
            "min": number("Of a number, the least. Default: 0."),
            "max": number("Of a number, the most. Default: 4,294,967,295."),
            "values": {
                "type": "array",
                "items": { "type": ["string", "number", "boolean"] },
                "description": "All that it can be. Default: anything of its type.",
            },
        },
    })
}
