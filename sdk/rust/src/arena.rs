//! The allocator of a guest: it moves a mark upward and never searches.
//!
//! An instance serves one call, so memory that is given back is taken up again only where it costs
//! nothing: at the top of the heap. `overture plugin pack` leaves room above what pre-initialisation
//! used, because growing memory is a system call under a lock that all guests share.

use core::{
    alloc::{GlobalAlloc, Layout},
    arch::wasm32::{memory_grow, memory_size},
    cell::Cell,
    ptr,
};

#[global_allocator]
static ARENA: Arena = Arena {
    top: Cell::new(0),
    end: Cell::new(0),
};

const PAGE: usize = 65_536;

/// Pages by which memory grows at least, once the room is used up.
const STEP: usize = 16;

unsafe extern "C" {
    /// The linker's symbol: the heap begins at its address.
    static __heap_base: u8;
}

struct Arena {
    /// The first free address; 0 before the first use.
    top: Cell<usize>,
    /// The end of memory as far as it was looked at.
    end: Cell<usize>,
}

// SAFETY: a guest has one thread.
unsafe impl Sync for Arena {}

impl Arena {
    /// Makes memory reach up to `wanted`, or says no.
    #[cold]
    fn reach(&self, wanted: usize) -> bool {
        let have = memory_size(0) * PAGE;
        if have < wanted {
            let pages = (wanted - have).div_ceil(PAGE);
            if memory_grow(0, pages.max(STEP)) == usize::MAX && memory_grow(0, pages) == usize::MAX
            {
                return false;
            }
        }
        self.end.set(memory_size(0) * PAGE);
        true
    }
}

// SAFETY: blocks lie between `top`'s values before and after, so they never overlap; `top` goes
// back only over the block that was last.
unsafe impl GlobalAlloc for Arena {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let mut top = self.top.get();
        if top == 0 {
            top = &raw const __heap_base as usize;
        }
        let start = (top + layout.align() - 1) & !(layout.align() - 1);
        let Some(end) = start.checked_add(layout.size()) else {
            return ptr::null_mut();
        };
        if end > self.end.get() && !self.reach(end) {
            return ptr::null_mut();
        }
        self.top.set(end);
        start as *mut u8
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if block as usize + layout.size() == self.top.get() {
            self.top.set(block as usize);
        }
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if block as usize + layout.size() == self.top.get() {
            let Some(end) = (block as usize).checked_add(size) else {
                return ptr::null_mut();
            };
            if end > self.end.get() && !self.reach(end) {
                return ptr::null_mut();
            }
            self.top.set(end);
            return block;
        }
        if size <= layout.size() {
            return block;
        }
        // SAFETY: the layout is valid for the old size, and the caller promises it for the new one.
        unsafe {
            let moved = self.alloc(Layout::from_size_align_unchecked(size, layout.align()));
            if !moved.is_null() {
                ptr::copy_nonoverlapping(block, moved, layout.size());
            }
            moved
        }
    }
}
