//! What a ring is made of: words somebody hands it.
//!
//! The ring's algorithm never sees a file, a page or a process. It is given *words* (the record
//! memory, 8 bytes each) and one *position word* that the consumer writes and the producer reads.
//! The same code therefore runs on a mapping shared by two processes, on a plain buffer shared by
//! two threads, and on loom's instrumented atomics.
//!
//! [`MemoryWords`] is the implementation for real memory. It masks every index, so no value from a
//! peer and no mistake of a caller can make it touch a byte outside the memory it was handed.

use std::any::Any;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;

use super::error::GeometryError;
use super::producer::Cursor;
use crate::layout::LINE;

/// Whatever keeps the memory of a ring alive: a mapping, a buffer.
pub type Owner = Arc<dyn Any + Send + Sync>;

/// The record memory of a ring, as 64-bit words. Indexes count words from the ring's start.
pub trait Words {
    /// How many words there are; a power of two.
    fn count(&self) -> usize;

    /// Reads a header word. ACQUIRE: everything its producer wrote before [`Words::publish`] is
    /// visible afterwards (label `commit`).
    fn observe(&self, word: usize) -> u64;

    /// Writes a header word. RELEASE: pairs with [`Words::observe`] (label `commit`).
    fn publish(&self, word: usize, value: u64);

    /// Reads a word whose visibility an earlier [`Words::observe`] has settled.
    fn load(&self, word: usize) -> u64;

    /// As [`Words::load`] of one word after the other from `word` on, as many bytes as `bytes` takes.
    #[inline(always)]
    fn read(&self, word: usize, bytes: &mut [u8]) {
        read_words(word, bytes, |word| self.load(word));
    }

    /// Says that the line of `word` will be read soon. A hint; does nothing where there is none.
    #[inline(always)]
    fn expect(&self, _word: usize) {}

    /// Says that the line of `word` will be written soon, so that it may be taken from whoever has it. A
    /// hint; does nothing where there is none.
    #[inline(always)]
    fn claim_line(&self, _word: usize) {}

    /// Writes a word that a later [`Words::publish`] makes visible.
    fn store(&self, word: usize, value: u64);
}

/// Fills `bytes` with what `load` says of the words from `word` on.
#[inline(always)]
fn read_words(word: usize, bytes: &mut [u8], load: impl Fn(usize) -> u64) {
    let mut chunks = bytes.chunks_exact_mut(8);
    let mut word = word;
    for chunk in &mut chunks {
        chunk.copy_from_slice(&load(word).to_ne_bytes());
        word += 1;
    }
    let rest = chunks.into_remainder();
    if !rest.is_empty() {
        rest.copy_from_slice(&load(word).to_ne_bytes()[..rest.len()]);
    }
}

/// Bytes that are copied in one go.
#[cfg(target_arch = "x86_64")]
const BLOCK: usize = 32;

/// Copies a block of memory that the peer may be writing. In assembly, because the language has no such
/// loads of more than eight bytes: whatever is there is read, once.
///
/// # Safety
/// `from` points to [`BLOCK`] bytes that can be read.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
unsafe fn read_block(from: *const u8, to: &mut [u8; BLOCK]) {
    // SAFETY: the caller's promise; `to` is as long. SSE2 is part of x86-64.
    unsafe {
        std::arch::asm!(
            "movdqu {low}, [{from}]",
            "movdqu {high}, [{from} + 16]",
            "movdqu [{to}], {low}",
            "movdqu [{to} + 16], {high}",
            from = in(reg) from,
            to = in(reg) to.as_mut_ptr(),
            low = out(xmm_reg) _,
            high = out(xmm_reg) _,
            options(nostack, preserves_flags),
        );
    }
}

/// Words that are ordinary bytes, so that a claim can lend them as a slice.
pub trait ByteWords: Words {
    /// `bytes` bytes from word `word` on.
    ///
    /// # Safety
    /// The range lies inside the memory, the caller is this memory's only writer, and for the
    /// lifetime `'a` nobody else in this process reads or writes the range.
    unsafe fn bytes_mut<'a>(&self, word: usize, bytes: usize) -> &'a mut [u8];
}

/// The word in which a consumer publishes its position.
pub trait PositionWord {
    /// Producer's side. ACQUIRE: the consumer's reads of what it released are over (label
    /// `release`).
    fn observe(&self) -> u64;

    /// Consumer's side, with the position and number of the record it expects next; the position is
    /// what goes into the word. RELEASE: pairs with [`PositionWord::observe`] (label `release`).
    fn publish(&self, next: Cursor);
}

/// Words in real memory: a mapping or a buffer.
///
/// ```
/// use ironhoard::ring::{MemoryWords, Words};
/// use std::sync::{atomic::AtomicU64, Arc};
/// #[repr(align(64))]
/// struct Memory([AtomicU64; 32]);
/// let memory = Arc::new(Memory([const { AtomicU64::new(0) }; 32]));
/// let base = memory.0[0].as_ptr().cast();
/// // SAFETY: 256 aligned bytes that `memory` keeps alive; all access to them is atomic.
/// let words = unsafe { MemoryWords::new(base, 256, memory.clone())? };
/// words.publish(0, 7);
/// assert_eq!((words.count(), words.observe(0), words.observe(32)), (32, 7, 7)); // masked
/// # Ok::<(), ironhoard::ring::GeometryError>(())
/// ```
#[derive(Clone)]
pub struct MemoryWords {
    base: NonNull<AtomicU64>,
    mask: usize,
    _owner: Owner,
}

// SAFETY: the pointer is to memory the owner keeps alive and every access is atomic, except through
// `bytes_mut`, whose contract asks the caller for exclusivity. The owner itself is Send + Sync.
unsafe impl Send for MemoryWords {}
// SAFETY: as above; shared references only do atomic accesses.
unsafe impl Sync for MemoryWords {}

impl MemoryWords {
    /// Words over `bytes` bytes at `base`.
    ///
    /// # Errors
    /// [`GeometryError::Capacity`] where `bytes` is no power of two of at least four lines,
    /// [`GeometryError::Alignment`] where `base` does not start a cache line.
    ///
    /// # Safety
    /// `base` points to `bytes` bytes that stay mapped (at least readable) while `owner` lives.
    /// They hold plain integers, and nobody in this process holds a Rust reference into them other
    /// than through this ring. At most one [`Producer`](super::Producer) is made of these words and
    /// their clones, and only where the memory is writable: it lends payloads as `&mut [u8]`.
    pub unsafe fn new(base: *mut u8, bytes: u64, owner: Owner) -> Result<Self, GeometryError> {
        if !bytes.is_power_of_two() || bytes < 4 * LINE as u64 {
            return Err(GeometryError::Capacity { capacity: bytes });
        }
        match NonNull::new(base.cast::<AtomicU64>()) {
            Some(base) if base.as_ptr() as usize % LINE == 0 => Ok(Self {
                base,
                mask: (bytes / 8) as usize - 1,
                _owner: owner,
            }),
            _ => Err(GeometryError::Alignment),
        }
    }

    /// The first byte of `word`.
    #[inline(always)]
    pub(super) fn byte_pointer(&self, word: usize) -> *const u8 {
        self.word(word).as_ptr().cast_const().cast()
    }

    #[inline(always)]
    fn word(&self, word: usize) -> &AtomicU64 {
        // SAFETY: the mask keeps the index below the count that `new` was promised; the owner, which
        // lives as long as `self`, keeps those words mapped; u64 has no invalid value.
        unsafe { &*self.base.as_ptr().add(word & self.mask) }
    }
}

impl Words for MemoryWords {
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    fn expect(&self, word: usize) {
        use std::arch::x86_64::{_mm_prefetch, _MM_HINT_T0};
        let line = std::ptr::from_ref(self.word(word)).cast::<i8>();
        // SAFETY: a prefetch has no effect but on caches, and SSE is part of x86-64.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(line) };
    }

    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    fn claim_line(&self, word: usize) {
        // SAFETY: a prefetch changes nothing that a program could see and cannot fault; processors that do
        // not know this one do nothing. In assembly, because the language's own becomes another where the
        // target may be such a processor.
        unsafe {
            std::arch::asm!("prefetchw [{0}]", in(reg) self.byte_pointer(word),
                options(nostack, preserves_flags, readonly));
        }
    }

    #[cfg(target_arch = "aarch64")]
    #[inline(always)]
    fn claim_line(&self, word: usize) {
        // SAFETY: a prefetch changes nothing that a program could see and cannot fault.
        unsafe {
            std::arch::asm!("prfm pstl1keep, [{0}]", in(reg) self.byte_pointer(word),
                options(nostack, preserves_flags, readonly));
        }
    }

    #[inline(always)]
    fn count(&self) -> usize {
        self.mask + 1
    }

    #[inline(always)]
    fn observe(&self, word: usize) -> u64 {
        self.word(word).load(Ordering::Acquire) // `commit`, with publish below
    }

    #[inline(always)]
    fn publish(&self, word: usize, value: u64) {
        self.word(word).store(value, Ordering::Release) // `commit`, with observe above
    }

    #[inline(always)]
    fn load(&self, word: usize) -> u64 {
        self.word(word).load(Ordering::Relaxed) // settled by `commit`
    }

    /// Thirty-two bytes at a time: the lines were written by another core, so no store of this one has to
    /// be waited for, however wide the load.
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    fn read(&self, word: usize, bytes: &mut [u8]) {
        let first = word & self.mask;
        if bytes.len() > (self.count() - first) * 8 {
            return read_words(word, bytes, |word| self.load(word)); // nonsense, but inside the memory
        }
        let mut blocks = bytes.chunks_exact_mut(BLOCK);
        let mut next = first;
        for block in &mut blocks {
            let block: &mut [u8; BLOCK] = block.try_into().expect("a whole block");
            // SAFETY: `next` is a word of the memory with at least a block behind it: there are as many
            // bytes from `first` on as in `bytes`, and this block is as far into those.
            unsafe { read_block(self.byte_pointer(next), block) };
            next += BLOCK / 8;
        }
        read_words(next, blocks.into_remainder(), |word| self.load(word));
    }

    #[inline(always)]
    fn store(&self, word: usize, value: u64) {
        self.word(word).store(value, Ordering::Relaxed) // published by `commit`
    }
}

impl ByteWords for MemoryWords {
    #[inline(always)]
    unsafe fn bytes_mut<'a>(&self, word: usize, bytes: usize) -> &'a mut [u8] {
        debug_assert!(word * 8 + bytes <= self.count() * 8);
        // SAFETY: in bounds and exclusive, by this function's contract; alive through the owner,
        // which the claim that lends the slice borrows.
        unsafe { std::slice::from_raw_parts_mut(self.base.as_ptr().add(word).cast::<u8>(), bytes) }
    }
}

/// A position word in real memory.
#[derive(Clone)]
pub struct MemoryPosition {
    word: NonNull<AtomicU64>,
    _owner: Owner,
}

// SAFETY: every access is atomic, and the owner keeps the word mapped.
unsafe impl Send for MemoryPosition {}
// SAFETY: as above.
unsafe impl Sync for MemoryPosition {}

impl MemoryPosition {
    /// The position word at `word`.
    ///
    /// # Errors
    /// [`GeometryError::Alignment`] where `word` is null or not a multiple of 8.
    ///
    /// # Safety
    /// `word` points to 8 bytes that stay mapped while `owner` lives: writable where
    /// [`PositionWord::publish`] is called, readable where only [`PositionWord::observe`] is.
    pub unsafe fn new(word: *mut u8, owner: Owner) -> Result<Self, GeometryError> {
        match NonNull::new(word.cast::<AtomicU64>()) {
            Some(word) if word.as_ptr() as usize % 8 == 0 => Ok(Self {
                word,
                _owner: owner,
            }),
            _ => Err(GeometryError::Alignment),
        }
    }
}

impl PositionWord for MemoryPosition {
    #[inline(always)]
    fn observe(&self) -> u64 {
        // SAFETY: mapped and aligned by `new`'s contract, kept alive by the owner.
        unsafe { self.word.as_ref() }.load(Ordering::Acquire) // `release`, with publish below
    }

    #[inline(always)]
    fn publish(&self, next: Cursor) {
        // SAFETY: as above, and writable by `new`'s contract.
        unsafe { self.word.as_ref() }.store(next.position, Ordering::Release) // `release`, with observe
    }
}

/// A cache-line aligned buffer of this process: record memory for rings between threads.
pub(super) struct Buffer {
    lines: Box<[std::cell::UnsafeCell<BufferLine>]>,
    position: AtomicU64,
}

#[repr(align(64))]
struct BufferLine(#[allow(dead_code)] [u64; 8]);

// SAFETY: the lines are reached only through `MemoryWords`, whose rules make access atomic or
// exclusive.
unsafe impl Sync for Buffer {}
// SAFETY: plain integers.
unsafe impl Send for Buffer {}

impl Buffer {
    /// A zeroed buffer of `bytes` bytes and one position word.
    pub(super) fn new(bytes: u64) -> Arc<Self> {
        let lines = (0..bytes as usize / LINE)
            .map(|_| std::cell::UnsafeCell::new(BufferLine([0; 8])))
            .collect();
        Arc::new(Self {
            lines,
            position: AtomicU64::new(0),
        })
    }

    /// The words and the position word of this buffer.
    pub(super) fn words(self: &Arc<Self>) -> Result<(MemoryWords, MemoryPosition), GeometryError> {
        let bytes = (self.lines.len() * LINE) as u64;
        let base = self.lines.as_ptr() as *mut u8;
        let owner: Owner = self.clone();
        // SAFETY: the box holds `bytes` bytes in UnsafeCells, aligned to a line, alive with `owner`.
        let words = unsafe { MemoryWords::new(base, bytes, owner.clone())? };
        let position = self.position.as_ptr().cast::<u8>();
        // SAFETY: the word is a field of the buffer, which `owner` keeps alive.
        let position = unsafe { MemoryPosition::new(position, owner)? };
        Ok((words, position))
    }
}
