//! Commands that run on without a client (`exec --detach`): each is a file in its lab's folder of the runtime
//! directory, so that a netlabd that starts anew knows them too. They go with the folder, or at a reboot.

use std::{fs, io, path::Path};

use netlab_proto::v1::DetachedCommand;
use prost::Message;

/// Keeps a command whose helper is the process `monitor`, which lives as long as the command does.
pub(super) fn note(dir: &Path, monitor: u32, command: &DetachedCommand) -> io::Result<()> {
    // One that has ended already is not worth a note.
    let Some(start) = start_time(monitor) else { return Ok(()) };
    fs::create_dir_all(dir)?;
    fs::write(dir.join(format!("{monitor}-{start}")), command.encode_to_vec())
}

/// The commands that run, oldest first. Notes of those that have ended are dropped.
pub(super) fn running(dir: &Path) -> Vec<DetachedCommand> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let mut commands: Vec<_> = entries.filter_map(|entry| read(&entry.path())).collect();
    commands.sort_by_key(|command| (command.start_time.map(|time| (time.seconds, time.nanos)), command.pid));
    commands
}

fn read(note: &Path) -> Option<DetachedCommand> {
    let (monitor, start) = note.file_name()?.to_str()?.split_once('-')?;
    if start_time(monitor.parse().ok()?) == start.parse().ok() {
        return DetachedCommand::decode(fs::read(note).ok()?.as_slice()).ok();
    }
    // Somebody else may have dropped it.
    let _ = fs::remove_file(note);
    None
}

/// When a process was started, in ticks since boot (`starttime` of `proc_pid_stat(5)`): with its id it names a
/// process for good. `None` for one that is gone or not yet reaped.
fn start_time(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?;
    fields.nth(18)?.parse().ok().filter(|_| state != "Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_counts_as_long_as_its_process_lives() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().join("commands");
        assert_eq!(running(&dir), []);
        let command = DetachedCommand { pid: 7, args: vec!["sleep".into()], ..DetachedCommand::default() };
        let mut process = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        note(&dir, process.id(), &command).unwrap();
        assert_eq!(running(&dir), [command]);
        process.kill().unwrap();
        process.wait().unwrap();
        assert_eq!(running(&dir), []);
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 0, "the note is dropped");
    }
}
