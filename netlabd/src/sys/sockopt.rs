//! Socket options that no safe wrapper knows.

use std::{
    io,
    os::fd::{AsFd, AsRawFd},
    ptr,
};

/// Level and name of an option, as `setsockopt(2)` takes them.
pub(crate) type SocketOption = (i32, i32);

/// Sets an option. What the value points to must live through the call.
pub(crate) fn set<T: Copy>(socket: impl AsFd, (level, name): SocketOption, value: &T) -> io::Result<()> {
    let length = libc::socklen_t::try_from(size_of::<T>()).map_err(io::Error::other)?;
    // SAFETY: the kernel reads `length` bytes of `value`, which has that many. The descriptor is open: it is borrowed.
    #[expect(unsafe_code, reason = "no safe wrapper exists")]
    let result = unsafe {
        libc::setsockopt(socket.as_fd().as_raw_fd(), level, name, ptr::from_ref(value).cast(), length)
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Reads an option that is made of 32-bit numbers, and answers how many there were.
pub(crate) fn get(socket: impl AsFd, (level, name): SocketOption, numbers: &mut [u32]) -> io::Result<usize> {
    let mut length = libc::socklen_t::try_from(size_of_val(numbers)).map_err(io::Error::other)?;
    // SAFETY: the kernel writes at most `length` bytes to `numbers`, which has that many, and to `length` how many it
    // wrote; any bit pattern is a number. The descriptor is open: it is borrowed.
    #[expect(unsafe_code, reason = "no safe wrapper exists")]
    let result = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            level,
            name,
            numbers.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(usize::try_from(length).unwrap_or(0) / size_of::<u32>())
}
