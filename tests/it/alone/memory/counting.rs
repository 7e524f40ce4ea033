//! An allocator that counts.

#![allow(unsafe_code, reason = "this is what an allocator is made of")]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    sync::atomic::{AtomicIsize, Ordering::Relaxed},
};

pub(crate) const KIB: isize = 1 << 10;
pub(crate) const MIB: isize = 1 << 20;

/// What was allocated at a moment.
pub struct Memory(isize);

impl Memory {
    pub fn now() -> Self {
        let live = LIVE.load(Relaxed);
        MOST.store(live, Relaxed);
        Self(live)
    }

    /// How much more is allocated now.
    pub fn growth(&self) -> isize {
        LIVE.load(Relaxed) - self.0
    }

    /// How much more was allocated at most since that moment.
    pub fn most_growth(&self) -> isize {
        MOST.load(Relaxed) - self.0
    }
}

/// How often this thread has allocated.
pub(crate) fn allocations() -> u64 {
    ALLOCATIONS.get()
}

static LIVE: AtomicIsize = AtomicIsize::new(0);
static MOST: AtomicIsize = AtomicIsize::new(0);

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// The system's allocator, counted.
struct Counting;

impl Counting {
    fn count(bytes: isize) {
        let live = LIVE.fetch_add(bytes, Relaxed) + bytes;
        if bytes > 0 {
            MOST.fetch_max(live, Relaxed);
        }
    }
}

// SAFETY: each method hands its arguments on to the system's allocator, and returns what that returns.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        Self::count(layout.size() as isize);
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: as this method was called.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        Self::count(layout.size() as isize);
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: as this method was called.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, bytes: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        Self::count(new_size as isize - layout.size() as isize);
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: as this method was called.
        unsafe { System.realloc(bytes, layout, new_size) }
    }

    unsafe fn dealloc(&self, bytes: *mut u8, layout: Layout) {
        Self::count(-(layout.size() as isize));
        // SAFETY: as this method was called.
        unsafe { System.dealloc(bytes, layout) }
    }
}
