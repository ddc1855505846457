//! How the C library's allocator is to use memory.

/// Arenas that all threads share. By default there are up to eight for each processor, and threads come and
/// go: each arena keeps the room of the largest request that it has ever served.
#[cfg(target_env = "gnu")]
const ARENAS: libc::c_int = 2;

/// Bounds how many arenas there are. To be called before there are threads.
pub(super) fn bound() {
    // SAFETY: the call takes plain numbers and affects nothing but where memory comes from later.
    #[cfg(target_env = "gnu")]
    #[expect(unsafe_code, reason = "mallopt(3) has no safe wrapper")]
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, ARENAS);
    }
}
