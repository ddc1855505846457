//! All labs off this host, while what is wanted stays kept.
//!
//! The labs of a copy of the store are deleted, by the same actors as ever; the store itself keeps
//! them, and the next start makes them again, as after a reboot.

use std::{fs, path::Path, sync::Arc, time::Duration};

use super::Error;
use crate::{platform::Kernel, reconcile::Manager, sandbox, store::Store};

/// How long it may take.
const LIMIT: Duration = Duration::from_secs(60);
/// Between looks whether labs are left.
const LOOK: Duration = Duration::from_millis(50);

/// Takes all labs down. `state_dir` holds the store, `runtime_dir` takes the copy and has what labs hold
/// in `labs`, which goes too; no other netlabd may use either.
pub(super) async fn run(kernel: Arc<dyn Kernel>, state_dir: &Path, runtime_dir: &Path) -> Result<(), Error> {
    let copy = runtime_dir.join("take-down");
    fs::create_dir_all(&copy)?;
    let done = delete_all(kernel, state_dir, &copy).await;
    let cleared = fs::remove_dir_all(&copy);
    done?;
    cleared?;
    // Empty, and a mount of its own, which would keep the folder above from being removed.
    Ok(sandbox::remove_directory(&runtime_dir.join("labs"))?)
}

async fn delete_all(kernel: Arc<dyn Kernel>, state_dir: &Path, copy: &Path) -> Result<(), Error> {
    let kept = state_dir.join("labs.redb");
    if kept.exists() {
        fs::copy(&kept, copy.join("labs.redb"))?;
    }
    let store = Store::open(copy)?.store;
    for (name, mut record) in store.labs()? {
        record.deleting = true;
        store.put(&name.parse()?, &record)?;
    }
    let (manager, _) = Manager::start(kernel, store)?;
    let emptied = tokio::time::timeout(LIMIT, async {
        while !manager.names().is_empty() {
            tokio::time::sleep(LOOK).await;
        }
    });
    if emptied.await.is_err() {
        let left: Vec<_> = manager.names().iter().map(ToString::to_string).collect();
        return Err(format!("labs are left: {}; the log says why", left.join(", ")).into());
    }
    tokio::task::spawn_blocking(move || manager.purge_strays()).await??;
    forget_host_values(state_dir)
}

/// The host is as it was before any lab: what is noted about that means nothing to the next start.
fn forget_host_values(state_dir: &Path) -> Result<(), Error> {
    if !state_dir.join("labs.redb").exists() {
        return Ok(());
    }
    let store = Store::open(state_dir)?.store;
    for key in store.host_values()?.into_keys() {
        store.set_host_value(&key, None)?;
    }
    Ok(())
}
