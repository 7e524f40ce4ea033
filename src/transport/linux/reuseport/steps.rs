//! The instructions of the programs, and the steps of their hash.

use libc::sock_filter;

/// Mixes the four bytes at `offset` into the hash.
pub(super) fn mix_in(offset: u32) -> impl Iterator<Item = sock_filter> {
    let load = [
        instruction(LOAD_WORD, offset),
        instruction(TO_X, 0),
        instruction(LOAD, HASH),
        instruction(ALU_XOR_X, 0),
        instruction(ALU_TIMES, EACH),
    ];
    load.into_iter().chain(fold(15)).chain([instruction(STORE, HASH)])
}

/// `a ^= a >> bits`
pub(super) fn fold(bits: u32) -> [sock_filter; 3] {
    [instruction(TO_X, 0), instruction(ALU_SHIFT_RIGHT, bits), instruction(ALU_XOR_X, 0)]
}

pub(super) fn load_byte(offset: u32) -> sock_filter {
    instruction(LOAD_BYTE, offset)
}

pub(super) const fn instruction(code: u32, k: u32) -> sock_filter {
    sock_filter { code: code as u16, jt: 0, jf: 0, k }
}

/// Skips `equal` instructions if the accumulator is `k`, and `other` instructions if not.
pub(super) const fn branch(k: u32, equal: u8, other: u8) -> sock_filter {
    sock_filter { code: IF_EQUAL as u16, jt: equal, jf: other, k }
}

/// The memory cell that holds the hash.
pub(super) const HASH: u32 = 0;

pub(super) const LOAD_WORD: u32 = libc::BPF_LD | libc::BPF_W | libc::BPF_ABS;
pub(super) const LOAD_PAIR: u32 = libc::BPF_LD | libc::BPF_H | libc::BPF_ABS;
pub(super) const LOAD_PAIR_FROM_X: u32 = libc::BPF_LD | libc::BPF_H | libc::BPF_IND;
pub(super) const LOAD_BYTE: u32 = libc::BPF_LD | libc::BPF_B | libc::BPF_ABS;
pub(super) const LOAD_LEN: u32 = libc::BPF_LD | libc::BPF_W | libc::BPF_LEN;
pub(super) const LOAD_NUMBER: u32 = libc::BPF_LD | libc::BPF_IMM;
pub(super) const LOAD: u32 = libc::BPF_LD | libc::BPF_MEM;
pub(super) const STORE: u32 = libc::BPF_ST;
pub(super) const TO_X: u32 = libc::BPF_MISC | libc::BPF_TAX;
pub(super) const ALU_AND: u32 = libc::BPF_ALU | libc::BPF_AND;
pub(super) const ALU_SHIFT_LEFT: u32 = libc::BPF_ALU | libc::BPF_LSH;
pub(super) const ALU_SHIFT_RIGHT: u32 = libc::BPF_ALU | libc::BPF_RSH;
pub(super) const ALU_TIMES: u32 = libc::BPF_ALU | libc::BPF_MUL;
pub(super) const ALU_MODULO: u32 = libc::BPF_ALU | libc::BPF_MOD;
pub(super) const ALU_XOR_X: u32 = libc::BPF_ALU | libc::BPF_XOR | libc::BPF_X;
pub(super) const ALWAYS: u32 = libc::BPF_JMP | libc::BPF_JA;
pub(super) const IF_EQUAL: u32 = libc::BPF_JMP | libc::BPF_JEQ;
pub(super) const IF_AT_LEAST: u32 = libc::BPF_JMP | libc::BPF_JGE;
pub(super) const RETURN: u32 = libc::BPF_RET | libc::BPF_A;

/// The factor for each word: about 2^32 divided by the golden ratio, and odd.
pub(super) const EACH: u32 = 0x9e37_79b1;
