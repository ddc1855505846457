//! User and network namespaces of labs on the real kernel, inside a test host.

mod sandbox_common;

use std::{
    fs,
    os::fd::{AsFd, AsRawFd},
    path::Path,
    time::{Duration, Instant},
};

use netlabd::sandbox::{
    Error, IdRange, UserNamespace, end_preparations, is_pin_of, mount_folder, open_pin, pin,
    prepare_directory, unmount_folder, unpin,
};
use sandbox_common::{IDS, inside, run, scratch, user_namespace};

#[test]
fn a_user_namespace_maps_its_ids_and_forbids_more() {
    if !inside("a_user_namespace_maps_its_ids_and_forbids_more") {
        return;
    }
    let user = user_namespace();
    let enter = format!("nsenter --user=/proc/{}/fd/{}", std::process::id(), user.as_fd().as_raw_fd());
    let map: Vec<String> = run(&format!("{enter} cat /proc/self/uid_map /proc/self/gid_map"))
        .split_whitespace()
        .map(String::from)
        .collect();
    let ids = ["0".to_owned(), IDS.base.to_string(), IDS.count.to_string()];
    assert_eq!(map, [ids.clone(), ids].concat());
    assert_eq!(run(&format!("{enter} cat /proc/sys/user/max_user_namespaces")), "0\n");
    let nested = run(&format!("{enter} unshare --user true 2>&1 || true"));
    assert!(nested.contains("No space left"), "{nested}");
}

#[test]
fn network_namespaces_belong_to_the_lab_and_work_with_iproute2() {
    if !inside("network_namespaces_belong_to_the_lab_and_work_with_iproute2") {
        return;
    }
    let (user, other) = (user_namespace(), user_namespace());
    let made = user.create_network_namespaces(3).unwrap();
    assert_eq!(made.len(), 3);
    assert!(made.iter().all(|net| user.owns(net.as_fd()).unwrap()));
    assert!(!other.owns(made[0].as_fd()).unwrap());
    let ours = fs::File::open("/proc/self/ns/net").unwrap();
    assert!(!user.owns(ours.as_fd()).unwrap());

    let directory = Path::new("/run/netns");
    prepare_directory(directory).unwrap();
    pin(made[0].as_fd(), &directory.join("lab.ns1")).unwrap();
    let links = run("ip netns exec lab.ns1 ip -o link");
    assert_eq!(links.lines().count(), 1, "{links}");
    // Host root builds across: what the reconciler relies on.
    run("ip link add v0 type veth peer name v1 netns lab.ns1 && ip -n lab.ns1 link set v1 up");
    assert!(run("ip netns list").contains("lab.ns1"));
    unpin(&directory.join("lab.ns1")).unwrap();
}

#[test]
fn pins_tolerate_what_a_crash_leaves() {
    if !inside("pins_tolerate_what_a_crash_leaves") {
        return;
    }
    let user = user_namespace();
    let nets = user.create_network_namespaces(2).unwrap();
    let (a, b) = (nets[0].as_fd(), nets[1].as_fd());
    let path = &scratch().join("pin");

    assert!(open_pin(path).unwrap().is_none(), "nothing there");
    unpin(path).unwrap();
    fs::write(path, "").unwrap();
    assert!(open_pin(path).unwrap().is_none(), "a plain file is no pin");
    unpin(path).unwrap();
    assert!(!path.exists());

    fs::write(path, "").unwrap();
    pin(a, path).unwrap();
    pin(a, path).unwrap();
    assert!(is_pin_of(path, a).unwrap() && !is_pin_of(path, b).unwrap());
    assert!(matches!(pin(b, path), Err(Error::PinTaken(_))));
    run(&format!("mount --bind /proc/self/ns/net {}", path.display()));
    unpin(path).unwrap();
    assert!(!path.exists(), "two mounts one upon the other");

    pin(user.as_fd(), path).unwrap();
    let again = UserNamespace::open(path).unwrap().unwrap();
    drop(user);
    assert!(again.owns(a).unwrap(), "the pin keeps the namespace and its ownership");
}

#[test]
fn a_folder_of_pins_goes_at_once() {
    if !inside("a_folder_of_pins_goes_at_once") {
        return;
    }
    let nets = user_namespace().create_network_namespaces(3).unwrap();
    let folder = &scratch().join("lab").join("net");
    // Half made, made, and one upon the other.
    fs::create_dir_all(folder).unwrap();
    mount_folder(folder).unwrap();
    for (net, name) in nets.iter().zip(["a", "b", "c"]) {
        mount_folder(folder).unwrap();
        pin(net.as_fd(), &folder.join(name)).unwrap();
    }
    run(&format!("mount -t tmpfs above {}", folder.display()));
    let inside = format!(" {}", folder.display());
    let mounts = || fs::read_to_string("/proc/self/mountinfo").unwrap().matches(&inside).count();
    assert_eq!(mounts(), 5);
    unmount_folder(folder).unwrap();
    assert_eq!(mounts(), 0);
    assert!(!folder.exists() && folder.parent().unwrap().exists());
    unmount_folder(folder).unwrap();
    fs::create_dir(folder).unwrap();
    unmount_folder(folder).unwrap();
    assert!(!folder.exists(), "half taken away");
}

#[test]
fn the_directory_of_pins_is_a_shared_mount_made_once() {
    if !inside("the_directory_of_pins_is_a_shared_mount_made_once") {
        return;
    }
    let directory = &scratch().join("netns");
    for _ in 0..2 {
        prepare_directory(directory).unwrap();
    }
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let target = format!(" {} ", directory.display());
    let found: Vec<&str> = mounts.lines().filter(|line| line.contains(&target)).collect();
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("shared:"), "{found:?}");
}

#[test]
fn limits_and_bad_ranges_are_errors_that_say_what_to_do() {
    if !inside("limits_and_bad_ranges_are_errors_that_say_what_to_do") {
        return;
    }
    let user = user_namespace();
    let fd = user.as_fd().as_raw_fd();
    // The lab's own limit, so that nobody else on this machine notices.
    run(&format!(
        "nsenter --user=/proc/{}/fd/{fd} sh -c 'echo 2 > /proc/sys/user/max_net_namespaces'",
        std::process::id()
    ));
    let error = user.create_network_namespaces(5).unwrap_err().to_string();
    assert!(error.contains("No space left") && error.contains("user.max_net_namespaces"), "{error}");

    let error = UserNamespace::create(IdRange { base: u32::MAX - 1, count: 65_536 }).unwrap_err();
    assert!(error.to_string().contains("map user and group ids"), "{error}");
    end_preparations();
    // Those that were forked end by themselves, once nobody speaks to them any more.
    let start = Instant::now();
    loop {
        let children = rustix::process::wait(rustix::process::WaitOptions::NOHANG);
        if matches!(children, Err(rustix::io::Errno::CHILD)) {
            break;
        }
        assert!(start.elapsed() < Duration::from_secs(10), "a helper is left behind: {children:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn two_thousand_namespaces_in_reasonable_time() {
    if !inside("two_thousand_namespaces_in_reasonable_time") {
        return;
    }
    let start = Instant::now();
    let user = user_namespace();
    println!("user namespace: {:?}", start.elapsed());
    let limit = fs::read_to_string("/proc/sys/user/max_net_namespaces").unwrap();
    let limit: usize = limit.trim().parse().unwrap();
    // The kernel frees the ones before in the background: a small machine has no room for all.
    for n in [1, 200, 1000, 2000].into_iter().filter(|n| n * 4 <= limit) {
        let start = Instant::now();
        let made = user.create_network_namespaces(n).unwrap();
        let took = start.elapsed();
        println!("{n} network namespaces: {took:?}, {:?} each", took / u32::try_from(n).unwrap());
        assert_eq!(made.len(), n);
        assert!(made.iter().all(|net| user.owns(net.as_fd()).unwrap()));
        // A bound that an overloaded machine keeps, and quadratic behaviour does not.
        assert!(took.as_secs() < 40, "{took:?}");
    }
}
