//! This thread's thread-local memory, object by object.
//!
//! Must not know: what is looked for in it.

use std::{
    ffi::{c_int, c_void},
    mem,
};

/// This thread's thread-local memory of one loaded object: mapped, initialised, and the thread's own for as long as
/// the thread lives.
#[derive(Clone, Copy)]
struct Block {
    start: *mut u8,
    /// In bytes.
    len: usize,
}

/// Every two neighbouring words of this thread's memory, aligned: where the first of them is. Both may be read as long
/// as the thread lives.
pub(super) fn neighbours<W>() -> impl Iterator<Item = *mut W> {
    blocks().into_iter().flat_map(|block| {
        let skip = block.start.align_offset(mem::align_of::<W>());
        let words = block.start.wrapping_add(skip).cast::<W>();
        let count = block.len.saturating_sub(skip) / mem::size_of::<W>();
        (1..count).map(move |i| words.wrapping_add(i - 1))
    })
}

/// All blocks of this thread that it has used.
fn blocks() -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    // SAFETY: `collect` expects the list that it is given here, which outlives the call.
    unsafe { libc::dl_iterate_phdr(Some(collect), (&raw mut blocks).cast()) };
    blocks
}

/// Notes this thread's block of one loaded object; called by `dl_iterate_phdr`.
///
/// # Safety
///
/// `info` must describe a loaded object, and `blocks` must point to a list of them.
unsafe extern "C" fn collect(
    info: *mut libc::dl_phdr_info,
    size: libc::size_t,
    blocks: *mut c_void,
) -> c_int {
    if size < mem::size_of::<libc::dl_phdr_info>() {
        return 0; // A C library that does not tell where the block is.
    }
    // SAFETY: by contract; the size says that all fields are there, and the program headers of a
    // loaded object stay in memory.
    let (blocks, start, headers) = unsafe {
        let headers = match (*info).dlpi_phdr {
            first if first.is_null() => &[],
            first => std::slice::from_raw_parts(first, (*info).dlpi_phnum.into()),
        };
        (&mut *blocks.cast::<Vec<Block>>(), (*info).dlpi_tls_data.cast::<u8>(), headers)
    };
    // Null: the object has no thread-local memory, or this thread has not used it yet.
    if !start.is_null() {
        blocks.extend(
            headers
                .iter()
                .filter(|h| h.p_type == libc::PT_TLS)
                .map(|header| Block { start, len: usize::try_from(header.p_memsz).unwrap_or(0) }),
        );
    }
    0
}
