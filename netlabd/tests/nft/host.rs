//! Labs that share the host's table, and strangers beside them.

use std::{
    io::ErrorKind,
    time::{Duration, Instant},
};

use netlabd::{
    kernel::nft::{ChainScope, event_socket, list_labs_on_host},
    model::Protocol,
};

use super::{
    names::{forward, is, lab, masquerade, remove, replace},
    support::{isolated, sh},
};

const STRANGER: &str = "nft add table inet filter; \
    nft add chain inet filter input '{ type filter hook input priority 0; policy accept; }'; \
    nft add rule inet filter input tcp dport 22 counter accept; \
    nft add table ip nat; nft add chain ip nat postrouting '{ type nat hook postrouting priority 100; }'; \
    nft add rule ip nat postrouting oifname eth9 masquerade; \
    nft add table ip netlab; nft add chain ip netlab prerouting";

#[test]
fn labs_do_not_touch_each_other_or_strangers() {
    isolated(|| {
        sh(STRANGER);
        let before = sh("nft -a list ruleset");
        let (one, two) = (lab("one"), lab("one-prerouting"));
        let rules_one = [masquerade("192.0.2.0/24", "")];
        let rules_two =
            [forward(Protocol::Tcp, 80, "192.0.2.1:80", ""), masquerade("198.51.100.0/24", "eth0")];
        replace(ChainScope::Host(&one), &rules_one).unwrap();
        replace(ChainScope::Host(&two), &rules_two).unwrap();
        assert_eq!(list_labs_on_host().unwrap(), ["one", "one-prerouting"]);
        assert!(is(ChainScope::Host(&one), &rules_one));
        assert!(is(ChainScope::Host(&two), &rules_two));
        replace(ChainScope::Host(&one), &[]).unwrap();
        assert!(is(ChainScope::Host(&one), &[]));
        assert!(is(ChainScope::Host(&two), &rules_two));
        assert_eq!(list_labs_on_host().unwrap(), ["one-prerouting"]);
        remove(ChainScope::Host(&two)).unwrap();
        assert_eq!(list_labs_on_host().unwrap(), [""; 0]);
        assert_eq!(sh("nft -a list ruleset"), before);
    });
}

#[test]
fn a_stranger_in_our_table_keeps_it() {
    isolated(|| {
        for keep in ["chain inet netlab mine", "set inet netlab mine '{ type ipv4_addr; }'"] {
            sh("nft add table inet netlab");
            sh(&format!("nft add {keep}"));
            let before = sh("nft list ruleset");
            let one = lab("one");
            replace(ChainScope::Host(&one), &[masquerade("", "")]).unwrap();
            remove(ChainScope::Host(&one)).unwrap();
            assert_eq!(sh("nft list ruleset"), before);
            sh("nft delete table inet netlab");
        }
    });
}

#[test]
fn an_empty_table_left_by_an_interrupted_removal_goes() {
    isolated(|| {
        sh("nft add table inet netlab");
        remove(ChainScope::Node).unwrap();
        assert_eq!(sh("nft list ruleset"), "");
    });
}

#[test]
fn labs_may_come_and_go_at_the_same_time() {
    isolated(|| {
        std::thread::scope(|scope| {
            for number in 0..4 {
                scope.spawn(move || {
                    let name = lab(&format!("lab{number}"));
                    let rules = [masquerade("", "eth0")];
                    for _ in 0..50 {
                        replace(ChainScope::Host(&name), &rules).unwrap();
                        assert!(is(ChainScope::Host(&name), &rules));
                        remove(ChainScope::Host(&name)).unwrap();
                    }
                });
            }
        });
        assert_eq!(sh("nft list ruleset"), "");
    });
}

#[test]
fn changes_are_heard() {
    isolated(|| {
        let events = event_socket().unwrap();
        let mut buffer = Vec::with_capacity(65536);
        assert_eq!(events.recv(&mut buffer, 0).unwrap_err().kind(), ErrorKind::WouldBlock);
        sh("nft add table ip other");
        let start = Instant::now();
        while events.recv(&mut buffer, 0).is_err() {
            assert!(start.elapsed() < Duration::from_secs(60), "no event");
            std::thread::sleep(Duration::from_millis(5));
        }
        assert!(!buffer.is_empty());
    });
}
