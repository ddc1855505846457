//! Bytes as what the kernel, the network, a helper and the administrator send: the first says which.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((kind, bytes)) = bytes.split_first() else { return };
    let readers = netlabd::fuzzing::ALL;
    let (_, read) = readers[usize::from(*kind) % readers.len()];
    read(bytes);
});
