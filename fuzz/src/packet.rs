//! The packet type of the fuzz targets.

use std::collections::BTreeMap;

use arbitrary::{Arbitrary, Result, Unstructured};
use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

/// A packet with every shape that serde has. A datagram may nest it without end. Drawn packets are nested
/// only a few levels deep, because formats have limits.
#[derive(Debug, Decode, Deserialize, Encode, PartialEq, Serialize)]
#[non_exhaustive]
pub enum Packet {
    /// A variant without content.
    Unit,
    /// Integers of all widths and signs.
    Integers(i8, u16, i32, u64, i128),
    /// Named fields. Floats are finite, because some formats have no others.
    Struct {
        /// Single precision.
        single: f32,
        /// Double precision.
        double: f64,
        /// Text.
        text: String,
    },
    /// An optional value.
    Optional(Option<Box<Self>>),
    /// A list.
    Many(Vec<Self>),
    /// A map with text keys.
    Named(BTreeMap<String, Self>),
    /// Bytes, as numbers.
    Bytes(Vec<u8>),
    /// Short values of fixed size.
    Fixed([u8; 2], (), bool, char),
}

impl Packet {
    fn drawn(choices: &mut Unstructured<'_>, levels: u8) -> Result<Self> {
        let variants = if levels > 0 { 8 } else { 5 };
        Ok(match choices.choose_index(variants)? {
            0 => Self::Unit,
            1 => Self::Integers(
                choices.arbitrary()?,
                choices.arbitrary()?,
                choices.arbitrary()?,
                choices.arbitrary()?,
                choices.arbitrary()?,
            ),
            2 => Self::Struct {
                single: finite(choices.arbitrary()?, f32::is_finite),
                double: finite(choices.arbitrary()?, f64::is_finite),
                text: choices.arbitrary()?,
            },
            3 => Self::Bytes(choices.arbitrary()?),
            4 => Self::Fixed(choices.arbitrary()?, (), choices.arbitrary()?, choices.arbitrary()?),
            5 => Self::Optional(match choices.arbitrary()? {
                true => Some(Box::new(Self::drawn(choices, levels - 1)?)),
                false => None,
            }),
            6 => {
                let number = choices.int_in_range(0..=4)?;
                Self::Many(
                    (0..number).map(|_| Self::drawn(choices, levels - 1)).collect::<Result<_>>()?,
                )
            }
            _ => {
                let number = choices.int_in_range(0..=4)?;
                let named = (0..number)
                    .map(|_| Ok((choices.arbitrary()?, Self::drawn(choices, levels - 1)?)))
                    .collect::<Result<_>>()?;
                Self::Named(named)
            }
        })
    }
}

impl<'a> Arbitrary<'a> for Packet {
    fn arbitrary(choices: &mut Unstructured<'a>) -> Result<Self> {
        Self::drawn(choices, 6)
    }
}

fn finite<F: Copy + Default>(float: F, is_finite: fn(F) -> bool) -> F {
    if is_finite(float) { float } else { F::default() }
}
