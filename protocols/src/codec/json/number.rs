//! Numbers: JSON has one kind, types have many.

use super::reader::Reader;
use crate::serde_format::mismatch::Mismatch;

pub(super) enum Number<'de> {
    Unsigned(u64),
    Negative(i64),
    /// `-0`: written as an integer, but only a float has its sign.
    MinusZero,
    /// An integer beyond 64 bits.
    Long(Decimal<'de>),
    Float(Decimal<'de>),
}

/// A number that is not an integer of 64 bits.
pub(super) struct Decimal<'de> {
    pub(super) text: &'de str,
    /// Its digits and the power of ten that multiplies them, unless there are too many digits.
    parts: Option<(u64, i32)>,
}

impl<'de> Reader<'de> {
    /// Takes a number, from its sign or first digit on.
    pub(super) fn number(&mut self) -> Result<Number<'de>, Mismatch> {
        let start = self.at;
        let is_negative = self.byte() == Some(b'-');
        let first = start + usize::from(is_negative);
        self.at = first;
        let digits = self.digits(0);
        let len = self.at - first;
        if len == 0 || (len > 1 && self.text.as_bytes()[first] == b'0') {
            return Err(self.fault("number has a leading zero or no digits"));
        }

        if let Some(b'.' | b'e' | b'E') = self.byte() {
            return self.decimal(start, digits, len).map(Number::Float);
        }
        let text = &self.text[start..self.at];
        let long = Number::Long(Decimal { text, parts: None });
        if len > FIT {
            return Ok(text.parse().map_or(long, Number::Unsigned));
        }
        Ok(match (is_negative, digits) {
            (false, _) => Number::Unsigned(digits),
            (true, 0) => Number::MinusZero,
            (true, _) => match 0_i64.checked_sub_unsigned(digits) {
                Some(number) => Number::Negative(number),
                None => long,
            },
        })
    }

    /// Takes the next digits and appends them to `digits`. With more than 19 in total, the result
    /// may wrap.
    #[inline]
    fn digits(&mut self, mut digits: u64) -> u64 {
        let bytes = &self.text.as_bytes()[self.at..];
        let mut len = 0;
        while let Some(digit @ b'0'..=b'9') = bytes.get(len) {
            digits = digits.wrapping_mul(10).wrapping_add(u64::from(digit - b'0'));
            len += 1;
        }
        self.at += len;
        digits
    }

    /// Takes the fraction and the exponent of a number that began at `start`.
    #[inline]
    fn decimal(
        &mut self,
        start: usize,
        mut digits: u64,
        mut len: usize,
    ) -> Result<Decimal<'de>, Mismatch> {
        let mut power = 0;
        if self.byte() == Some(b'.') {
            self.at += 1;
            let first = self.at;
            digits = self.digits(digits);
            let fraction = self.at - first;
            if fraction == 0 {
                return Err(self.fault("missing digit"));
            }
            len += fraction;
            power = -(fraction.min(OUT_OF_REACH) as i32);
        }
        if let Some(b'e' | b'E') = self.byte() {
            self.at += 1;
            let sign = self.byte();
            self.at += usize::from(matches!(sign, Some(b'+' | b'-')));
            let first = self.at;
            let exponent = self.digits(0);
            if self.at == first {
                return Err(self.fault("missing digit"));
            }
            let within = if self.at - first > FIT { OUT_OF_REACH as u64 } else { exponent };
            let exponent = within.min(OUT_OF_REACH as u64) as i32;
            power += if sign == Some(b'-') { -exponent } else { exponent };
        }
        let parts = (len <= FIT).then_some((digits, power));
        Ok(Decimal { text: &self.text[start..self.at], parts })
    }
}

macro_rules! nearest {
    ($name:ident: $type:ident, $powers:ident) => {
        /// Returns the float that is nearest to the number, unless the number is out of the range
        /// of the type.
        #[inline]
        pub(super) fn $name(self) -> Result<$type, Mismatch> {
            // If digits and power are exact as floats, the result is rounded once, and so to the
            // nearest one.
            if let Some((digits, power)) = self.parts
                && digits < 1 << $type::MANTISSA_DIGITS
                && let Some(ten) = $powers.get(power.unsigned_abs() as usize)
                && ROUNDS_ONCE
            {
                let digits = digits as $type;
                let float = if power < 0 { digits / ten } else { digits * ten };
                return Ok(if self.text.starts_with('-') { -float } else { float });
            }
            let float = self.text.parse().ok();
            float.filter(|float: &$type| float.is_finite()).ok_or(OUT_OF_RANGE)
        }
    };
}

impl Decimal<'_> {
    nearest!(double: f64, DOUBLE_TENS);
    nearest!(single: f32, SINGLE_TENS);
}

const DOUBLE_TENS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
];
const SINGLE_TENS: [f32; 11] = [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10];

/// Old 32-bit processors round to another precision first.
const ROUNDS_ONCE: bool = !cfg!(all(target_arch = "x86", not(target_feature = "sse2")));

/// The number of digits that always fit into 64 bits.
const FIT: usize = 19;

/// A power of ten that no float reaches, even with the longest fraction that a datagram can hold.
const OUT_OF_REACH: usize = 1 << 20;

const OUT_OF_RANGE: Mismatch = Mismatch::new("number out of range of its type");
