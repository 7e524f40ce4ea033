use serde::ser::{self, Serialize};

use super::{
    elements::Elements,
    float,
    head::{self, major},
    tag,
};
use crate::mismatch::Mismatch;

/// Appends one packet.
pub(super) fn write<T: Serialize>(packet: &T, datagram: &mut Vec<u8>) -> Result<(), Mismatch> {
    packet.serialize(&mut Serializer { datagram })
}

/// Appends items to a datagram.
pub(super) struct Serializer<'d> {
    pub(super) datagram: &'d mut Vec<u8>,
}

impl<'d> Serializer<'d> {
    #[inline]
    fn head(&mut self, major: u8, argument: u64) {
        head::write(self.datagram, major, argument);
    }

    /// An integer of `number`, or of -1 minus `number`.
    #[inline]
    fn integer(&mut self, major: u8, bignum: u64, number: u128) {
        match u64::try_from(number) {
            Ok(number) => self.head(major, number),
            Err(_) => {
                let zeros = number.leading_zeros() as usize / 8;
                self.head(major::TAG, bignum);
                self.octets(major::BYTES, &number.to_be_bytes()[zeros..]);
            }
        }
    }

    #[inline]
    pub(super) fn octets(&mut self, major: u8, octets: &[u8]) {
        self.head(major, octets.len() as u64);
        self.datagram.extend_from_slice(octets);
    }

    #[inline]
    fn container(&mut self, major: u8, declared: Option<usize>) -> Elements<'_, 'd> {
        let start = self.datagram.len();
        if let Some(elements) = declared {
            self.head(major, elements as u64);
        }
        Elements::new(self, major, start, declared)
    }

    /// The beginning of a variant with content.
    fn variant(&mut self, name: &str) {
        self.head(major::MAP, 1);
        self.octets(major::TEXT, name.as_bytes());
    }
}

macro_rules! integers {
    ($($method:ident: $type:ty,)*) => {$(
        #[inline]
        fn $method(self, number: $type) -> Result<(), Mismatch> {
            if number < 0 {
                self.head(major::NEGATIVE, !i64::from(number) as u64);
            } else {
                self.head(major::UNSIGNED, i64::from(number) as u64);
            }
            Ok(())
        }
    )*};
}

macro_rules! naturals {
    ($($method:ident: $type:ty,)*) => {$(
        #[inline]
        fn $method(self, number: $type) -> Result<(), Mismatch> {
            self.head(major::UNSIGNED, number.into());
            Ok(())
        }
    )*};
}

impl<'s, 'd> ser::Serializer for &'s mut Serializer<'d> {
    type Ok = ();
    type Error = Mismatch;
    type SerializeSeq = Elements<'s, 'd>;
    type SerializeTuple = Elements<'s, 'd>;
    type SerializeTupleStruct = Elements<'s, 'd>;
    type SerializeTupleVariant = Elements<'s, 'd>;
    type SerializeMap = Elements<'s, 'd>;
    type SerializeStruct = Elements<'s, 'd>;
    type SerializeStructVariant = Elements<'s, 'd>;

    integers! {
        serialize_i8: i8,
        serialize_i16: i16,
        serialize_i32: i32,
        serialize_i64: i64,
    }

    naturals! {
        serialize_u8: u8,
        serialize_u16: u16,
        serialize_u32: u32,
        serialize_u64: u64,
    }

    fn serialize_i128(self, number: i128) -> Result<(), Mismatch> {
        match u128::try_from(number) {
            Ok(number) => self.integer(major::UNSIGNED, head::UNSIGNED_BIGNUM, number),
            Err(_) => self.integer(major::NEGATIVE, head::NEGATIVE_BIGNUM, !number as u128),
        }
        Ok(())
    }

    fn serialize_u128(self, number: u128) -> Result<(), Mismatch> {
        self.integer(major::UNSIGNED, head::UNSIGNED_BIGNUM, number);
        Ok(())
    }

    fn serialize_f32(self, single: f32) -> Result<(), Mismatch> {
        match float::half_of(single) {
            Some(half) => head::with_argument(self.datagram, head::HALF, half.to_be_bytes()),
            None => head::with_argument(self.datagram, head::SINGLE, single.to_be_bytes()),
        }
        Ok(())
    }

    fn serialize_f64(self, double: f64) -> Result<(), Mismatch> {
        match float::single_of(double) {
            Some(single) => self.serialize_f32(single),
            None => {
                head::with_argument(self.datagram, head::DOUBLE, double.to_be_bytes());
                Ok(())
            }
        }
    }

    fn serialize_bool(self, value: bool) -> Result<(), Mismatch> {
        self.datagram.push(if value { head::TRUE } else { head::FALSE });
        Ok(())
    }

    fn serialize_char(self, value: char) -> Result<(), Mismatch> {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    #[inline]
    fn serialize_str(self, text: &str) -> Result<(), Mismatch> {
        self.octets(major::TEXT, text.as_bytes());
        Ok(())
    }

    fn serialize_bytes(self, octets: &[u8]) -> Result<(), Mismatch> {
        self.octets(major::BYTES, octets);
        Ok(())
    }

    fn serialize_unit(self) -> Result<(), Mismatch> {
        self.datagram.push(head::NULL);
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Mismatch> {
        self.serialize_unit()
    }

    fn serialize_none(self) -> Result<(), Mismatch> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Mismatch> {
        value.serialize(self)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), Mismatch> {
        value.serialize(self)
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<(), Mismatch> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Mismatch> {
        if (name, variant) != (tag::ENUM, tag::UNTAGGED) {
            self.variant(variant);
        }
        value.serialize(self)
    }

    #[inline]
    fn serialize_seq(self, len: Option<usize>) -> Result<Elements<'s, 'd>, Mismatch> {
        Ok(self.container(major::ARRAY, len))
    }

    #[inline]
    fn serialize_tuple(self, len: usize) -> Result<Elements<'s, 'd>, Mismatch> {
        Ok(self.container(major::ARRAY, Some(len)))
    }

    #[inline]
    fn serialize_tuple_struct(
        self,
        _: &'static str,
        len: usize,
    ) -> Result<Elements<'s, 'd>, Mismatch> {
        Ok(self.container(major::ARRAY, Some(len)))
    }

    fn serialize_tuple_variant(
        self,
        name: &'static str,
        _: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Elements<'s, 'd>, Mismatch> {
        if (name, variant, len) == (tag::ENUM, tag::TAGGED, 2) {
            let start = self.datagram.len();
            return Ok(Elements::new(self, major::TAG, start, Some(2)));
        }
        self.variant(variant);
        Ok(self.container(major::ARRAY, Some(len)))
    }

    #[inline]
    fn serialize_map(self, len: Option<usize>) -> Result<Elements<'s, 'd>, Mismatch> {
        Ok(self.container(major::MAP, len))
    }

    #[inline]
    fn serialize_struct(self, _: &'static str, len: usize) -> Result<Elements<'s, 'd>, Mismatch> {
        Ok(self.container(major::MAP, Some(len)))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Elements<'s, 'd>, Mismatch> {
        self.variant(variant);
        Ok(self.container(major::MAP, Some(len)))
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}
