//! get-lab: what is wrong, what changed, what is inside.

use std::{thread::sleep, time::Duration};

use crate::run::{Ground, broken, lab};

#[test]
fn get_lab_shows_what_is_wrong() {
    let ground = Ground::new();
    let text = broken(&ground, "fails");
    let failure = "ns1:eth0: add address 192.0.2.77/24 to ns1:eth0: Operation not supported; ";
    let ran = ground.run_with(&["create-lab", "-"], &text);
    assert!(
        ran.code == 1 && ran.err.starts_with(&format!("netlabctl: lab fails failed: {failure}")),
        "{ran:?}"
    );
    let ran = ground.run(&["get-lab", "fails"]);
    for line in
        ["Name:        fails\n", "Phase:       Failed\n", "Nodes:       ns1 router\n", "Repaired:    0\n"]
    {
        assert!(ran.out.contains(line), "{line:?} is not in\n{}", ran.out);
    }
    assert!(ran.out.contains(&format!("Last error:  {failure}")), "{}", ran.out);
    assert!(ran.out.contains("Ready        False   KernelRefused"), "{}", ran.out);
    let list = ground.run(&["list-labs"]).out;
    assert!(list.contains("fails  Failed  root   2      1  "), "{list}");
    ground.create("vxlan");
    ground.run(&["get-lab", "vxlam"]).failed(4, "netlabctl: there is no lab vxlam; did you mean \"vxlan\"?");
    ground.run(&["get-lab", "nope"]).failed(4, "netlabctl: there is no lab nope");
}

#[test]
fn get_lab_shows_what_changed() {
    let ground = Ground::new();
    ground.create("vxlan");
    for mtu in 1401..=1406 {
        let text = lab("vxlan").replace(
            "    interfaces:\n      eth0:\n",
            &format!("    interfaces:\n      eth0:\n        mtu: {mtu}\n"),
        );
        let ran = ground.run_with(&["apply-lab", "-"], &text);
        assert_eq!(ran.code, 0, "{ran:?}");
    }
    let ran = ground.run(&["get-lab", "vxlan"]);
    let newest = "generation 7: applied by ada\n    nodes.ns1.interfaces.eth0.mtu: 1405 -> 1406\n";
    assert!(ran.out.contains(newest), "{}", ran.out);
    assert!(!ran.out.contains("generation 2:"), "the newest five only:\n{}", ran.out);
    let first = ground.run(&["get-lab", "vxlan", "--revision", "1"]).out;
    assert!(first.starts_with("name: vxlan\nnodes:\n") && !first.contains("mtu"), "{first}");
    ground
        .run(&["get-lab", "vxlan", "--revision", "9"])
        .failed(4, "netlabctl: generation 9 of lab vxlan is not kept; see get-lab vxlan");
    let yaml = ground.run(&["get-lab", "vxlan", "-o", "yaml"]).out;
    assert!(yaml.starts_with("name: vxlan\nuid: ") && yaml.contains("\ngeneration: \"7\"\n"), "{yaml}");
}

#[test]
fn get_lab_shows_what_is_inside() {
    let ground = Ground::new();
    ground.create("vxlan");
    ground.daemon().damage("vxlan", "address ns1:eth0 192.0.2.99/24");
    ground.daemon().damage("vxlan", "down ns1:eth0");
    let mut shown = String::new();
    // Each look is a command: it takes a while on a busy machine.
    for _ in 0..200 {
        shown = ground.run(&["get-lab", "vxlan"]).out;
        if shown.contains("Extras") && shown.contains("Repaired:    1\n") {
            break;
        }
        sleep(Duration::from_millis(50));
    }
    for text in [
        "NODE    INTERFACE  KIND  PEER         ADDRESSES                   STATE\n\
         ns1     eth0       veth  router:eth0  192.0.2.1/24 192.0.2.99/24  up\n\
         router  eth0       veth  ns1:eth0     192.0.2.2/24                up\n",
        "    - ns1:eth0: it is not up\n    + set ns1:eth0 up\n",
        "  ns1: address 192.0.2.99/24 on eth0\n",
    ] {
        assert!(shown.contains(text), "{text} is not in\n{shown}");
    }
    let wide = ground.run(&["get-lab", "vxlan", "-o", "wide"]).out;
    for text in ["1500", "192.0.2.1/24 192.0.2.99/24\n", "RX-PACKETS"] {
        assert!(wide.contains(text), "{text} is not in\n{wide}");
    }
    let json = ground.run(&["get-lab", "vxlan", "-o", "json"]).json();
    assert_eq!(json["status"]["nodes"][1]["interfaces"][1]["peer"], "ns1:eth0", "{json}");
    ground.run_as_alice(&["get-lab", "vxlan"]).wrote(
        "Name:        vxlan\nPhase:       Ready\nOwner:       root (uid 0)\n\
         It is another user's: no more of it is shown.\n",
    );
}
