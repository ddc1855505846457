//! The secret from which keys of labs are derived that no lab file says.

use std::{fs::File, io::Read};

use redb::{Durability, ReadableDatabase, TableHandle};

use super::{Result, SECRETS, Store, reserve::Need};
use crate::model::{KEY_LENGTH, KeySeed};

/// Its name in the table.
const KEYS: &str = "keys";

impl Store {
    /// The secret; made, and on the disk, when it is first asked for. It stays for as long as the store.
    pub fn key_seed(&self) -> Result<KeySeed> {
        if let Some(kept) = self.kept_seed()? {
            return Ok(kept);
        }
        let mut bytes = [0; KEY_LENGTH];
        let chance = File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut bytes));
        chance.map_err(|error| self.failed(&redb::Error::Io(error)))?;
        self.write(Need::Reserve, Durability::Immediate, |write| {
            write.open_table(SECRETS)?.insert(KEYS, bytes.as_slice())?;
            Ok(())
        })?;
        Ok(KeySeed::new(bytes))
    }

    fn kept_seed(&self) -> Result<Option<KeySeed>> {
        self.run(&|database| {
            let read = database.begin_read()?;
            if !read.list_tables()?.any(|table| table.name() == SECRETS.name()) {
                return Ok(None);
            }
            let kept = read.open_table(SECRETS)?.get(KEYS)?;
            Ok(kept.and_then(|bytes| bytes.value().try_into().ok()).map(KeySeed::new))
        })
    }
}
