//! Writes serde types, type by type.

use serde::ser::{self, Serialize};

use super::{elements::Elements, extension, notation::Notation, tag, writer::Writer};
use crate::serde_format::mismatch::Mismatch;

macro_rules! put {
    ($($method:ident($type:ty) => $put:ident,)*) => {$(
        #[inline]
        fn $method(self, value: $type) -> Result<(), Mismatch> {
            N::$put(value.into(), self.datagram);
            Ok(())
        }
    )*};
}

impl<'s, 'd, N: Notation> ser::Serializer for &'s mut Writer<'d, N> {
    type Ok = ();
    type Error = Mismatch;
    type SerializeSeq = Elements<'s, 'd, N>;
    type SerializeTuple = Elements<'s, 'd, N>;
    type SerializeTupleStruct = Elements<'s, 'd, N>;
    type SerializeTupleVariant = Elements<'s, 'd, N>;
    type SerializeMap = Elements<'s, 'd, N>;
    type SerializeStruct = Elements<'s, 'd, N>;
    type SerializeStructVariant = Elements<'s, 'd, N>;

    put! {
        serialize_u8(u8) => put_unsigned,
        serialize_u16(u16) => put_unsigned,
        serialize_u32(u32) => put_unsigned,
        serialize_u64(u64) => put_unsigned,
        serialize_u128(u128) => put_unsigned_128,
        serialize_i8(i8) => put_signed,
        serialize_i16(i16) => put_signed,
        serialize_i32(i32) => put_signed,
        serialize_i64(i64) => put_signed,
        serialize_i128(i128) => put_signed_128,
        serialize_f32(f32) => put_single,
        serialize_f64(f64) => put_double,
        serialize_bool(bool) => put_bool,
    }

    fn serialize_char(self, value: char) -> Result<(), Mismatch> {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    #[inline]
    fn serialize_str(self, text: &str) -> Result<(), Mismatch> {
        N::put_text(text, self.datagram)
    }

    fn serialize_bytes(self, bytes: &[u8]) -> Result<(), Mismatch> {
        N::put_bytes(bytes, self.datagram)
    }

    fn serialize_unit(self) -> Result<(), Mismatch> {
        N::put_null(self.datagram);
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Mismatch> {
        N::put_unit_struct(self.datagram);
        Ok(())
    }

    fn serialize_none(self) -> Result<(), Mismatch> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Mismatch> {
        value.serialize(self)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<(), Mismatch> {
        if N::EXTENSIONS && name == extension::STRUCT {
            let start = self.datagram.len();
            value.serialize(&mut *self)?;
            return extension::write::<N>(start, self.datagram);
        }
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
        if !N::TAGS || (name, variant) != (tag::ENUM, tag::UNTAGGED) {
            self.variant(variant)?;
        }
        value.serialize(self)
    }

    #[inline]
    fn serialize_seq(self, len: Option<usize>) -> Result<Elements<'s, 'd, N>, Mismatch> {
        Elements::new(self, N::put_array, len)
    }

    #[inline]
    fn serialize_tuple(self, len: usize) -> Result<Elements<'s, 'd, N>, Mismatch> {
        Elements::new(self, N::put_array, Some(len))
    }

    #[inline]
    fn serialize_tuple_struct(
        self,
        _: &'static str,
        len: usize,
    ) -> Result<Elements<'s, 'd, N>, Mismatch> {
        Elements::new(self, N::put_array, Some(len))
    }

    fn serialize_tuple_variant(
        self,
        name: &'static str,
        _: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Elements<'s, 'd, N>, Mismatch> {
        if N::TAGS && (name, variant, len) == (tag::ENUM, tag::TAGGED, 2) {
            return Ok(Elements::of_tag(self));
        }
        self.variant(variant)?;
        Elements::new(self, N::put_array, Some(len))
    }

    #[inline]
    fn serialize_map(self, len: Option<usize>) -> Result<Elements<'s, 'd, N>, Mismatch> {
        Elements::new(self, N::put_map, len)
    }

    #[inline]
    fn serialize_struct(
        self,
        _: &'static str,
        len: usize,
    ) -> Result<Elements<'s, 'd, N>, Mismatch> {
        Elements::new(self, N::put_map, Some(len))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Elements<'s, 'd, N>, Mismatch> {
        self.variant(variant)?;
        Elements::new(self, N::put_map, Some(len))
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}
