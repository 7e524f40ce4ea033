//! Makes a program of a shape, for the kernel to run on each datagram of a UDP socket.
//!
//! It is a classic Berkeley packet filter. The kernel runs it with the header of UDP in front, and keeps as many
//! bytes as it returns, so 0 drops the datagram.

use std::ops::RangeInclusive;

use crate::{Pattern, Shape};

/// One instruction, as in `struct sock_filter`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Instruction {
    pub(super) code: u16,
    /// How many instructions to skip if the condition holds, and if it does not.
    pub(super) jt: u8,
    pub(super) jf: u8,
    pub(super) k: u32,
}

/// Makes a program that keeps datagrams of this shape. It may keep others too. It is empty if the shape is any.
pub(super) fn program(shape: &Shape) -> Vec<Instruction> {
    if shape.is_any() {
        return Vec::new();
    }
    let mut program: Vec<_> = shape.patterns().iter().flat_map(keep_if).collect();
    program.push(instruction(RETURN, DROP));
    program
}

/// Keeps datagrams of one form, and goes to the next instruction for others.
fn keep_if(pattern: &Pattern) -> Vec<Instruction> {
    // What has more positions than fit is recognized by its first ones.
    let mut positions = pattern.positions();
    loop {
        let steps = steps(pattern, positions);
        if steps.len() <= MOST_STEPS || positions == 0 {
            return resolved(&steps);
        }
        positions -= 1;
    }
}

/// An instruction whose targets are not numbers yet.
#[derive(Clone, Copy)]
enum Step {
    Plain(Instruction),
    /// If the condition holds, and if it does not.
    Branch(u32, u32, Then, Then),
}

/// Where a branch leads.
#[derive(Clone, Copy)]
enum Then {
    /// To the next step.
    Next,
    /// Over this many steps.
    Over(usize),
    /// To the end of this form: the datagram does not have it.
    Fails,
}

fn steps(pattern: &Pattern, positions: usize) -> Vec<Step> {
    let mut steps = Vec::new();
    let (min, max) = pattern.lengths().into_inner();
    // A read behind the end of a datagram would end the program, so a datagram that is too short must not get
    // that far.
    steps.push(Step::Plain(instruction(LOAD_LEN, 0)));
    steps.push(Step::Branch(IF_AT_LEAST, behind_header(min), Then::Next, Then::Fails));
    if let Ok(max) = u32::try_from(max)
        && max < LONGEST
    {
        steps.push(Step::Branch(IF_ABOVE, max + HEADER, Then::Fails, Then::Next));
    }

    let mut at = 0;
    while at < positions {
        let word: Option<Vec<u8>> = (at..at + 4).map(|at| only(pattern, at, positions)).collect();
        if let Some(&[a, b, c, d]) = word.as_deref() {
            steps.push(Step::Plain(instruction(LOAD_WORD, behind_header(at))));
            let word = u32::from_be_bytes([a, b, c, d]);
            steps.push(Step::Branch(IF_EQUAL, word, Then::Next, Then::Fails));
            at += 4;
            continue;
        }
        let ranges: Vec<_> = pattern.bytes(at).collect();
        if ranges != [0..=u8::MAX] {
            steps.push(Step::Plain(instruction(LOAD_BYTE, behind_header(at))));
            is_in(&few(ranges), &mut steps);
        }
        at += 1;
    }
    steps.push(Step::Plain(instruction(RETURN, KEEP)));
    steps
}

/// The byte that must be at a position, if it is the only one.
fn only(pattern: &Pattern, at: usize, positions: usize) -> Option<u8> {
    let mut ranges = pattern.bytes(at);
    match (ranges.next()?, ranges.next()) {
        (range, None) if at < positions && range.start() == range.end() => Some(*range.start()),
        _ => None,
    }
}

/// At most `MOST_RANGES` ranges that include these.
fn few(mut ranges: Vec<RangeInclusive<u8>>) -> Vec<RangeInclusive<u8>> {
    if let Some(last) = ranges.last().map(|range| *range.end())
        && ranges.len() > MOST_RANGES
    {
        ranges.truncate(MOST_RANGES);
        let first = ranges.pop().map_or(0, |range| *range.start());
        ranges.push(first..=last);
    }
    ranges
}

/// Goes on if the byte is in one of these ascending ranges, and fails if not.
fn is_in(ranges: &[RangeInclusive<u8>], steps: &mut Vec<Step>) {
    let after = steps.len() + 2 * ranges.len();
    for (n, range) in ranges.iter().enumerate() {
        let is_last = n + 1 == ranges.len();
        // A byte below this range is above the one before.
        let start = u32::from(*range.start());
        steps.push(Step::Branch(IF_AT_LEAST, start, Then::Next, Then::Fails));
        let inside = Then::Over(after - steps.len() - 1);
        let above = if is_last { Then::Fails } else { Then::Next };
        steps.push(Step::Branch(IF_ABOVE, (*range.end()).into(), above, inside));
    }
}

fn resolved(steps: &[Step]) -> Vec<Instruction> {
    let resolve = |(at, step): (usize, &Step)| match *step {
        Step::Plain(instruction) => instruction,
        Step::Branch(code, k, yes, no) => {
            // There are no more than `MOST_STEPS` steps.
            let skipped = |then| match then {
                Then::Next => 0,
                Then::Over(steps) => steps as u8,
                Then::Fails => (steps.len() - at - 1) as u8,
            };
            Instruction { jt: skipped(yes), jf: skipped(no), ..instruction(code, k) }
        }
    };
    steps.iter().enumerate().map(resolve).collect()
}

fn instruction(code: u32, k: u32) -> Instruction {
    Instruction { code: code as u16, jt: 0, jf: 0, k }
}

/// A length or a position, with the header of UDP in front.
fn behind_header(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX).saturating_add(HEADER)
}

/// The length of the header of UDP.
const HEADER: u32 = 8;
/// No UDP datagram is that long, so a limit above it needs no check.
const LONGEST: u32 = 65_536;

/// The most steps of one form. The kernel limits the memory for a filter (`net.core.optmem_max`, 20 KiB or more),
/// and a branch skips at most 255 instructions.
const MOST_STEPS: usize = 64;
/// The most ranges of bytes at one position.
const MOST_RANGES: usize = 16;

/// How many bytes are kept: all of them, or none.
const KEEP: u32 = u32::MAX;
const DROP: u32 = 0;

// libc has these numbers (linux/bpf_common.h) for Linux, and not for Android.
const LOAD_LEN: u32 = 0x80;
const LOAD_WORD: u32 = 0x20;
const LOAD_BYTE: u32 = 0x30;
const IF_EQUAL: u32 = 0x15;
const IF_ABOVE: u32 = 0x25;
const IF_AT_LEAST: u32 = 0x35;
const RETURN: u32 = 0x06;

#[cfg(test)]
mod tests {
    use fastrand::Rng;

    use super::*;

    /// Runs `program` on a datagram behind a header, as the kernel does: a read beyond the end drops it.
    fn keeps(program: &[Instruction], datagram: &[u8]) -> bool {
        let packet = [&[0xff; HEADER as usize], datagram].concat();
        let bytes = |offset: u32, len: usize| {
            let bytes = packet.get(offset as usize..)?.get(..len)?;
            Some(bytes.iter().fold(0, |number, byte| number << 8 | u32::from(*byte)))
        };
        let (mut a, mut at) = (0_u32, 0);
        loop {
            let Instruction { code, jt, jf, k } = program[at];
            at += 1;
            let is_true = match u32::from(code) {
                RETURN => return k != DROP,
                LOAD_LEN => {
                    a = packet.len() as u32;
                    continue;
                }
                load @ (LOAD_WORD | LOAD_BYTE) => {
                    let Some(loaded) = bytes(k, if load == LOAD_WORD { 4 } else { 1 }) else {
                        return false;
                    };
                    a = loaded;
                    continue;
                }
                IF_EQUAL => a == k,
                IF_ABOVE => a > k,
                IF_AT_LEAST => a >= k,
                other => panic!("{other:#x} is no instruction of ours"),
            };
            at += usize::from(if is_true { jt } else { jf });
        }
    }

    /// A shape that is made of others at random.
    fn random_shape(random: &mut Rng, levels: usize) -> Shape {
        if levels == 0 {
            let (byte, len) = (random.u8(..), random.usize(..12));
            let more = random.u8(..8);
            return match random.u8(..4) {
                0 => Shape::first_byte(byte..=byte.saturating_add(more)),
                1 => Shape::prefix(vec![byte & 3; len]),
                2 => Shape::lengths(len..),
                _ => Shape::lengths(..=len),
            };
        }
        let (one, other) = (random_shape(random, levels - 1), random_shape(random, levels - 1));
        match random.u8(..4) {
            0 => one.with_header(random.usize(..4)),
            1 => one.and(other),
            _ => one.or(other),
        }
    }

    //
    #[test]
    fn the_program_keeps_what_has_the_shape_and_nothing_else() {
        let mut random = Rng::with_seed(21);
        let (mut kept, mut dropped) = (0, 0);
        let rounds = if cfg!(miri) { 20 } else { 3_000 };

        for _ in 0..rounds {
            let levels = random.usize(..6);
            let shape = random_shape(&mut random, levels);
            let program = program(&shape);
            assert!(program.len() <= 8 * MOST_STEPS + 1);
            if shape.is_any() {
                assert_eq!(program, []);
                continue;
            }
            for _ in 0..60 {
                let len = random.usize(..16);
                let all: u8 = if random.bool() { 3 } else { 0xff };
                let datagram: Vec<u8> = (0..len).map(|_| random.u8(..) & all).collect();
                let is_kept = keeps(&program, &datagram);
                assert_eq!(is_kept, shape.matches(&datagram), "{shape:?}, {datagram:?}");
                *if is_kept { &mut kept } else { &mut dropped } += 1;
            }
        }

        assert!(kept > 10 * rounds && dropped > 10 * rounds, "{kept}, {dropped}");
    }

    //
    #[test]
    fn a_form_with_too_many_ranges_is_recognized_by_its_first_bytes() {
        let odd = (1..=u8::MAX).step_by(2).map(|byte| Shape::prefix([byte]));
        let odd = odd.reduce(Shape::or).unwrap();
        let many = (0..20).map(|at| odd.with_header(at)).reduce(Shape::and).unwrap();
        let program = program(&many);

        assert!(program.len() <= MOST_STEPS + 1);
        assert!(keeps(&program, &[0xff; 20]) && keeps(&program, &[1; 20]));
        assert!(
            !keeps(&program, &[1; 19]) && !keeps(&program, &[0; 20]) && !keeps(&program, &[2; 20])
        );
        for datagram in (0..=u8::MAX).map(|byte| [byte; 20]) {
            assert!(keeps(&program, &datagram) || !many.matches(&datagram));
        }
    }

    //
    #[test]
    fn lengths_at_the_ends_of_the_range_are_right() {
        let keeps = |shape: Shape, len: usize| keeps(&program(&shape), &vec![0; len]);

        assert!(keeps(Shape::lengths(..=65_527), 65_527));
        assert!(!keeps(Shape::lengths(..=65_526), 65_527));
        assert!(keeps(Shape::lengths(65_527..), 65_527) && !keeps(Shape::lengths(65_527..), 0));
        assert!(!keeps(Shape::lengths(usize::MAX..), 65_527));
        assert!(keeps(Shape::lengths(..1), 0) && !keeps(Shape::lengths(1..), 0));
        assert!(!keeps(Shape::lengths(5..5), 0));
    }

    #[test]
    fn four_bytes_that_are_known_are_compared_at_once() {
        let program = program(&Shape::prefix(b"\x01datagram"));

        assert_eq!(program.len(), 2 + 2 + 2 + 3 + 1 + 1);
        assert!(keeps(&program, b"\x01datagrams") && !keeps(&program, b"\x01datagrad"));
    }
}
