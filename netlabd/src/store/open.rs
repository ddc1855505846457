//! Opening the store: checked, migrated, and moved aside where it is damaged.

use std::{
    fs, io,
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
};

use redb::{Database, DatabaseError, ReadableDatabase, ReadableTable};

use super::{
    Error, LABS, Record, Store, UNREADABLE,
    migrate::{FORMAT, Found, migrate},
    reserve::{RESERVE_FILE, Room, is_full},
};

/// The database's file.
const FILE: &str = "labs.redb";

/// A store just opened.
#[derive(Debug)]
pub struct Opened {
    /// The store.
    pub store: Store,
    /// Where a damaged store was moved just now; the new one is empty.
    pub damaged: Option<PathBuf>,
    /// All damaged stores in the folder, that one among them. While there is one, what runs may be a lab
    /// of it and must be left alone.
    pub aside: Vec<PathBuf>,
}

/// Why a file cannot be opened.
pub(super) enum Failed {
    /// It is not what netlabd has written.
    Damaged(String),
    /// Any other reason: the file may be as good as ever.
    Other(Error),
}

impl Store {
    /// Opens the store in a folder, or makes it. All of it is read and checked. A damaged one is moved
    /// aside, never emptied; a record that cannot be read is kept apart, see [`Store::unreadable`].
    pub fn open(dir: &Path) -> Result<Opened, Error> {
        let path = dir.join(FILE);
        private(dir);
        let mut damaged = None;
        let opened = if path.exists() { database(&path) } else { new(&path) };
        let opened = match opened {
            // To open it is to write: the reserve is for that too.
            Err(Failed::Other(Error::Full { .. })) if Room::new(dir).release() => database(&path),
            opened => opened,
        };
        let database = match opened {
            Ok(database) => database,
            Err(Failed::Other(error)) => return Err(error),
            Err(Failed::Damaged(reason)) => {
                let to = dir.join(format!("{FILE}.damaged-{}", crate::clock::now_us()));
                tracing::error!(reason, moved_to = %to.display(), "the store is damaged");
                move_aside(&path, &to).map_err(|error| Error::Database {
                    path: path.clone(),
                    reason: format!("{reason}; moving it aside: {error}"),
                })?;
                damaged = Some(to);
                new(&path).map_err(|failed| failed.into_error(&path))?
            }
        };
        let store = Self::new(path, database, Room::new(dir));
        Ok(Opened { store, damaged, aside: damaged_in(dir) })
    }
}

/// Takes the files of an older netlabd from others' eyes: it made them as its umask had it.
fn private(dir: &Path) {
    let kept = |name: &str| [FILE, RESERVE_FILE, "lock"].contains(&name) || name.starts_with(FILE);
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        if entry.file_name().to_str().is_some_and(kept) && entry.file_type().is_ok_and(|kind| kind.is_file())
        {
            // Best effort: on a file system without modes there is nothing to take away.
            let _ = fs::set_permissions(entry.path(), fs::Permissions::from_mode(0o600));
        }
    }
}

/// Moves a file within its folder; on the disk when this returns.
fn move_aside(path: &Path, to: &Path) -> io::Result<()> {
    fs::rename(path, to)?;
    let dir = path.parent().unwrap_or(Path::new("/"));
    fs::File::open(dir)?.sync_all()
}

/// Makes an empty database. It gets its name when it is whole: a file that bears the name and is empty
/// is damaged, not new.
fn new(path: &Path) -> Result<Database, Failed> {
    let draft = path.with_extension("new");
    let failed = |error: io::Error| Failed::of(path, error.into());
    let file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft);
    let made = file.map_err(failed).and_then(|_| database(&draft)).map(drop);
    made.and_then(|()| move_aside(&draft, path).map_err(failed))?;
    database(path)
}

fn damaged_in(dir: &Path) -> Vec<PathBuf> {
    let prefix = format!("{FILE}.damaged-");
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let mut found: Vec<_> = entries
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(&prefix))
        .map(|entry| entry.path())
        .collect();
    found.sort();
    found
}

/// Opens a file, with the checksums of all its pages verified and of this netlabd's format.
pub(super) fn database(path: &Path) -> Result<Database, Failed> {
    // The check finds damage without a crash; should it miss some, that must not keep netlabd down.
    let opened = catch_unwind(AssertUnwindSafe(|| checked(path)));
    opened.unwrap_or_else(|_| Err(Failed::Damaged("opening it crashed".to_owned())))
}

fn checked(path: &Path) -> Result<Database, Failed> {
    let draft = path.extension().is_some_and(|extension| extension == "new");
    let mut builder = Database::builder();
    builder.set_check_integrity_on_open(true);
    let opened = if draft { builder.create(path) } else { builder.open(path) };
    let database = opened.map_err(|error| match error {
        DatabaseError::DatabaseAlreadyOpen => Failed::Other(Error::InUse(path.to_owned())),
        DatabaseError::Storage(error) => Failed::of(path, redb::Error::from(error)),
        damaged => Failed::Damaged(damaged.to_string()),
    })?;
    let found = migrate(&database).map_err(|error| Failed::of(path, error))?;
    match found {
        Found::Ours => {}
        Found::Newer(found) => {
            return Err(Failed::Other(Error::TooNew { path: path.to_owned(), found, known: FORMAT }));
        }
        Found::Strange(reason) => return Err(Failed::Damaged(reason.to_owned())),
    }
    keep_apart(&database).map_err(|error| Failed::of(path, error))?;
    Ok(database)
}

/// Moves records that cannot be read to a table of their own.
fn keep_apart(database: &Database) -> Result<(), redb::Error> {
    let mut unreadable = Vec::new();
    for entry in database.begin_read()?.open_table(LABS)?.iter()? {
        let (name, bytes) = entry?;
        if let Err(error) = Record::read(bytes.value()) {
            tracing::error!(lab = name.value(), %error, "the lab's record cannot be read; it is set aside");
            unreadable.push((name.value().to_owned(), bytes.value().to_owned()));
        }
    }
    if unreadable.is_empty() {
        return Ok(());
    }
    let write = database.begin_write()?;
    for (name, bytes) in unreadable {
        write.open_table(LABS)?.remove(name.as_str())?;
        write.open_table(UNREADABLE)?.insert(name.as_str(), bytes.as_slice())?;
    }
    Ok(write.commit()?)
}

impl Failed {
    fn of(path: &Path, error: redb::Error) -> Self {
        use io::ErrorKind::{InvalidData, UnexpectedEof};
        match error {
            redb::Error::Io(error) if matches!(error.kind(), InvalidData | UnexpectedEof) => {
                Self::Damaged(error.to_string())
            }
            redb::Error::Io(error) if is_full(&error) => Self::Other(Error::Full { path: path.to_owned() }),
            redb::Error::Io(_) | redb::Error::PreviousIo => {
                Self::Other(Error::Database { path: path.to_owned(), reason: error.to_string() })
            }
            damaged => Self::Damaged(damaged.to_string()),
        }
    }

    /// The error of who cannot move the file aside.
    pub(super) fn into_error(self, path: &Path) -> Error {
        match self {
            Self::Damaged(reason) => Error::Database { path: path.to_owned(), reason },
            Self::Other(error) => error,
        }
    }
}
