//! How the C library's allocator is to use memory.
#![allow(unsafe_code)] // mallopt(3) has no safe wrapper

/// Arenas that all threads share. By default there are up to eight for each processor, and threads come and
/// go: each arena keeps the room of the largest request that it has ever served.
#[cfg(target_env = "gnu")]
const ARENAS: libc::c_int = 2;

/// Bounds how many arenas there are. To be called before there are threads.
pub fn bound() {
    // SAFETY: the call takes plain numbers and affects nothing but where memory comes from later.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, ARENAS);
    }
}
