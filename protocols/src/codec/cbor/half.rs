//! Floats of half precision (IEEE 754 binary16; RFC 8949, appendix D), exact to the bit.

/// Returns the float of half precision that is exactly `single`, if there is one.
pub(super) fn half_of(single: f32) -> Option<u16> {
    let bits = single.to_bits();
    let sign = (bits >> 16) as u16 & 0x8000;
    let exponent = bits >> 23 & 0xff;
    let fraction = bits & 0x7f_ffff;

    // How many bits of the fraction do not fit, and the bits before those that fit.
    let (lost, leading) = match exponent {
        0 if fraction == 0 => return Some(sign),
        103..=112 => (126 - exponent, 0x80_0000), // subnormal: the leading one is explicit
        113..=142 => (13, (exponent - 112) << 23),
        255 => (13, 0x1f << 23),
        _ => return None,
    };
    let kept = (leading | fraction) >> lost;
    (fraction & ((1 << lost) - 1) == 0).then_some(sign | kept as u16)
}

/// Returns the float of single precision that is exactly `half` (RFC 8949, appendix D).
pub(super) fn single_of_half(half: u16) -> f32 {
    let sign = u32::from(half & 0x8000) << 16;
    let exponent = u32::from(half >> 10 & 0x1f);
    let fraction = u32::from(half & 0x3ff);

    let magnitude = match exponent {
        0 => (fraction as f32 * SMALLEST).to_bits(),
        31 => 0xff << 23 | fraction << 13,
        _ => (exponent + 112) << 23 | fraction << 13,
    };
    f32::from_bits(sign | magnitude)
}

const SMALLEST: f32 = 1.0 / 16_777_216.0; // 2^-24

#[cfg(test)]
mod tests {
    use super::*;

    // RFC 8949, appendix A
    #[test]
    fn halves_have_the_bits_of_the_standard() {
        let pairs = [
            (0x0000, 0.0),
            (0x8000, -0.0),
            (0x3c00, 1.0),
            (0x3e00, 1.5),
            (0x7bff, 65_504.0),
            (0x0001, 5.960_464_5e-8),
            (0x0400, 0.000_061_035_156),
            (0xc400, -4.0),
            (0x7c00, f32::INFINITY),
            (0xfc00, f32::NEG_INFINITY),
            (0x7e00, f32::NAN),
        ];

        for (half, single) in pairs {
            assert_eq!(half_of(single), Some(half), "{single}");
            assert_eq!(single_of_half(half).to_bits(), single.to_bits(), "{half:#x}");
        }
    }

    #[test]
    fn every_half_comes_back() {
        for half in 0..=u16::MAX {
            assert_eq!(half_of(single_of_half(half)), Some(half), "{half:#x}");
        }
    }

    #[test]
    fn floats_between_two_halves_give_none() {
        for half in (0..0x7bff).chain(0x8000..0xfbff) {
            let (one, next) = (single_of_half(half), single_of_half(half + 1));
            let between = f32::midpoint(one, next);

            assert_eq!(half_of(between), None, "{between}");
        }
        for single in [65_520.0, 1e-8, f32::MAX, f32::MIN_POSITIVE, f32::from_bits(1)] {
            assert_eq!(half_of(single), None, "{single}");
        }
        // A NaN whose only set bit does not fit into a half.
        assert_eq!(half_of(f32::from_bits(0x7f80_0001)), None);
    }
}
