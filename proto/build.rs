//! Compiles the `.proto` files without `protoc`: protox parses them, the tonic, pbjson and
//! descriptor outputs all come from that one result.

use std::{env, error::Error, fs, path::PathBuf};

use prost::Message as _;

const FILES: [&str; 5] = [
    "netlab/v1/lab.proto",
    "netlab/v1/status.proto",
    "netlab/v1/lab_service.proto",
    "netlab/v1/node_service.proto",
    "netlab/v1/host_service.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=netlab");
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let files = protox::Compiler::new(["."])?
        .include_source_info(true)
        .include_imports(true)
        .open_files(FILES)?
        .file_descriptor_set();
    let bytes = files.encode_to_vec();
    fs::write(out.join("netlab.bin"), &bytes)?;
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
