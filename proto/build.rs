//! Compiles the `.proto` files without `protoc`: protox parses them, the tonic, pbjson and
//! descriptor outputs all come from that one result.

use std::{env, error::Error, fmt::Write as _, fs, path::PathBuf};

use prost_reflect::{DescriptorPool, DynamicMessage, FieldDescriptor, Value};

const FILES: [&str; 6] = [
    "netlab/v1/options.proto",
    "netlab/v1/lab.proto",
    "netlab/v1/status.proto",
    "netlab/v1/lab_service.proto",
    "netlab/v1/node_service.proto",
    "netlab/v1/host_service.proto",
];

/// What a field says beyond its type, see `options.proto`.
const OPTION: &str = "netlab.v1.field_rules";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=netlab");
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let mut compiler = protox::Compiler::new(["."])?;
    compiler.include_source_info(true).include_imports(true).open_files(FILES)?;
    let files = compiler.file_descriptor_set();
    // With the options of fields, which the messages of prost-types have no place for.
    let bytes = compiler.encode_file_descriptor_set();
    fs::write(out.join("netlab.bin"), &bytes)?;
    fs::write(out.join("ranges.rs"), ranges(&DescriptorPool::decode(bytes.as_slice())?)?)?;
    let mut config = tonic_prost_build::Config::new();
    // Whoever has a message can look up its descriptor.
    config.enable_type_names();
    tonic_prost_build::configure()
        .compile_well_known_types(true)
        .extern_path(".google.protobuf", "::pbjson_types")
        .btree_map(".")
        .compile_fds_with_config(files, config)?;
    pbjson_build::Builder::new()
        .register_descriptors(&bytes)?
        .preserve_proto_field_names()
        .btree_map([".netlab.v1"])
        .build(&[".netlab.v1"])?;
    let json = out.join("netlab.v1.serde.rs");
    fs::write(&json, numbers(&fs::read_to_string(&json)?)?)?;
    Ok(())
}

/// The ranges of numbers as constants, `MESSAGE_FIELD`.
fn ranges(pool: &DescriptorPool) -> Result<String, Box<dyn Error>> {
    let option = pool.get_extension_by_name(OPTION).ok_or("the option of fields is missing")?;
    let range = |field: &FieldDescriptor| -> Option<DynamicMessage> {
        let options = field.options();
        let rules = options.get_extension(&option).as_message()?.clone();
        rules.has_field_by_name("range").then(|| rules.get_field_by_name("range")?.as_message().cloned())?
    };
    let number =
        |range: &DynamicMessage, name| range.get_field_by_name(name).as_deref().and_then(Value::as_u32);
    let mut code = String::new();
    for field in pool.all_messages().flat_map(|message| message.fields().collect::<Vec<_>>()) {
        let Some(range) = range(&field) else { continue };
        let (min, max) = (number(&range, "min").unwrap_or(0), number(&range, "max").unwrap_or(0));
        let (message, name) = (field.parent_message().name().to_owned(), field.name());
        let constant = format!("{}_{name}", snake(&message)).to_uppercase();
        writeln!(
            code,
            "/// `{message}.{name}`.\npub const {constant}: RangeInclusive<u32> = {min}..={max};"
        )?;
    }
    Ok(code)
}

/// `PortForward` as `Port_Forward`.
fn snake(name: &str) -> String {
    let word = |(at, c): (usize, char)| if c.is_uppercase() && at > 0 { vec!['_', c] } else { vec![c] };
    name.char_indices().flat_map(word).collect()
}

/// Has enumerators that are not known written as numbers, as the JSON form of protocol buffers asks, where
/// pbjson fails: an answer of a newer daemon must not be lost for one of them.
fn numbers(code: &str) -> Result<String, Box<dyn Error>> {
    const BEGIN: &str = r#".map_err(|_| serde::ser::Error::custom(format!("Invalid variant {}", "#;
    const END: &str = ")))?;";
    let mut parts = code.split(BEGIN);
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (value, rest) = part.split_once(END).ok_or("pbjson writes enumerations otherwise than it did")?;
        out +=
            &format!(".map_or_else(|_| crate::EnumValue::Unknown({value}), crate::EnumValue::Known);{rest}");
    }
    // In lists and maps it writes them otherwise; there are none yet.
    if out == code || out.contains("Invalid variant") {
        return Err("pbjson writes some enumerations otherwise than expected".into());
    }
    Ok(out)
}
