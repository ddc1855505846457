//! Daemons of other versions: what they do not have, and what they have more.

use std::{collections::HashSet, thread};

use netlab_proto::{FILE_DESCRIPTOR_SET, REVISION};
use prost::Message as _;
use prost_reflect::prost_types::FileDescriptorSet;
use tokio::net::UnixListener;
use tokio_stream::wrappers::UnixListenerStream;
use tonic::transport::Server;

use crate::{
    run::{Ground, lab},
    script,
};

/// Serves the labs only, as a daemon before there were nodes and hosts to ask; with reflection of an API
/// that lacks some fields.
fn old(ground: &Ground, lacks: &'static [(&str, &str)]) -> String {
    let socket = ground.path("old.sock");
    let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    listener.set_nonblocking(true).unwrap();
    thread::spawn(move || {
        let mut set = FileDescriptorSet::decode(FILE_DESCRIPTOR_SET).unwrap();
        let lacks: HashSet<_> = lacks.iter().collect();
        for message in set.file.iter_mut().flat_map(|file| &mut file.message_type) {
            let name = message.name().to_owned();
            message.field.retain(|field| !lacks.contains(&(name.as_str(), field.name())));
        }
        let reflection = tonic_reflection::server::Builder::configure()
            .register_file_descriptor_set(set)
            .build_v1()
            .unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let listener = UnixListener::from_std(listener).unwrap();
            Server::builder()
                .add_service(script::labs())
                .add_service(reflection)
                .serve_with_incoming(UnixListenerStream::new(listener))
                .await
                .unwrap();
        });
    });
    format!("unix://{}", socket.display())
}

#[test]
fn what_an_older_daemon_does_not_have_is_said() {
    let ground = Ground::scripted();
    let host = old(&ground, &[]);
    let expected = format!(
        "netlabctl: netlabd, of a version that does not tell which it is, does not have what netlabctl {} \
         (API revision {REVISION}) asks it for; upgrade netlabd on its host, or use the netlabctl that came with it",
        env!("CARGO_PKG_VERSION")
    );
    ground.run(&["--host", &host, "doctor"]).failed(1, &expected);
    ground.run(&["--host", &host, "ping", "vxlan", "ns1", "ns2"]).failed(1, &expected);
    ground.run(&["--host", &host, "capture", "vxlan", "ns1:eth0", "-w", "/dev/null"]).failed(1, &expected);
    ground.run(&["--host", &host, "exec", "vxlan", "ns1", "--", "true"]).failed(125, &expected);
    // What it has works.
    let ran = ground.run(&["--host", &host, "get-lab", "vxlan"]);
    assert!(ran.code == 0 && ran.out.contains("Phase:       Ready\n"), "{ran:?}");
    let ran = ground.run_with(&["--host", &host, "create-lab", "-"], &lab("ready"));
    assert_eq!((ran.code, ran.out.as_str()), (0, "lab ready ready (generation 2)\n"), "{ran:?}");
}

#[test]
fn a_daemon_that_tells_its_version_is_named() {
    let ground = Ground::scripted();
    // The script refuses it as a daemon of version 0.0.9 would that lacks the method.
    let ran = ground.run(&["pause-lab", "ancient"]);
    let expected = format!(
        "netlabctl: netlabd 0.0.9 (API revision 1) does not have what netlabctl {} (API revision {REVISION}) asks it \
         for; upgrade netlabd on its host, or use the netlabctl that came with it",
        env!("CARGO_PKG_VERSION")
    );
    ran.failed(1, &expected);
}

#[test]
fn what_an_older_daemon_would_leave_out_is_not_sent() {
    let ground = Ground::scripted();
    let host = old(&ground, &[("Interface", "addresses"), ("ApplyLabRequest", "rollback_after")]);
    let file = ground.file("lab.yaml", &lab("ready"));
    let unknown = format!(
        "netlabd (an older version) does not know this, netlabctl {} does: upgrade netlabd on its host, or leave it \
         out",
        env!("CARGO_PKG_VERSION")
    );
    let expected = format!("{file}:6:9: {unknown}\n{file}:10:9: {unknown}");
    for verb in ["create-lab", "apply-lab", "show-commands"] {
        ground.run(&["--host", &host, verb, &file]).failed(1, &expected);
    }
    let bare = ground.file("bare.yaml", "name: ready\nnodes: { ns1: {} }\n");
    ground.run(&["--host", &host, "apply-lab", &bare]).wrote("lab ready ready (generation 2)\n");
    let ran = ground.run(&["--host", &host, "apply-lab", &bare, "--rollback-after", "60s"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(
        ran.err.starts_with("netlabctl: rollback_after: netlabd (an older version) does not know this"),
        "{ran:?}"
    );
}

#[test]
fn what_a_newer_daemon_has_more_breaks_nothing() {
    let ground = Ground::scripted();
    let ran = ground.run(&["get-lab", "future"]);
    assert!(ran.code == 0 && ran.out.contains("Phase:       Unknown\n"), "{ran:?}");
    let json = ground.run(&["get-lab", "future", "-o", "json"]).json();
    assert_eq!(json["status"]["phase"], 99, "what has no name here is a number");
    let ran = ground.run(&["get-lab", "future", "-o", "yaml"]);
    assert!(ran.code == 0 && ran.out.contains("phase: 99\n"), "{ran:?}");
    let ran = ground.run_with(&["apply-lab", "-", "--dry-run"], &lab("future"));
    assert!(ran.code == 8 && ran.out.starts_with("? make ns1\n"), "{ran:?}");
    let ran = ground.run_with(&["apply-lab", "-", "--dry-run", "-o", "json"], &lab("future"));
    assert_eq!(ran.json()["changes"][0]["action"], 99);
    // An event of a kind that is not known, then a phase, then the end.
    let ran = ground.run(&["watch-lab", "future"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.out.contains("an event that this netlabctl does not know\n"), "{ran:?}");
    assert!(ran.out.contains(" Unknown\n") && ran.out.ends_with(" deleted\n"), "{ran:?}");
    ground.run(&["delete-lab", "future"]).wrote("lab future deleted\n");
}
