//! What the host's sysctls were before labs changed them.

use std::collections::BTreeMap;

use prost::Message;
use redb::{Durability, ReadableDatabase, ReadableTable};

use super::{HOST, Result, Store, record::HostValue, reserve::Need};

impl Store {
    /// What the host's sysctls were before labs changed them.
    pub fn host_values(&self) -> Result<BTreeMap<String, HostValue>> {
        self.run(&|database| {
            let mut values = BTreeMap::new();
            for entry in database.begin_read()?.open_table(HOST)?.iter()? {
                let (key, bytes) = entry?;
                values.insert(key.value().to_owned(), HostValue::decode(bytes.value()).unwrap_or_default());
            }
            Ok(values)
        })
    }

    /// Keeps, or with `None` forgets, what a sysctl of the host was.
    pub fn set_host_value(&self, key: &str, value: Option<&HostValue>) -> Result<()> {
        let need = if value.is_some() { Need::Free } else { Need::Reserve };
        self.write(need, Durability::Immediate, |write| {
            let mut host = write.open_table(HOST)?;
            match value {
                Some(value) => host.insert(key, value.encode_to_vec().as_slice())?,
                None => host.remove(key)?,
            };
            Ok(())
        })
    }
}
