//! Writes serde types, type by type.

use serde::ser::{self, Serialize};

use super::{
    elements::Elements,
    form::{Form, TEXT_FIELD},
    unsized_types::{self, allow},
    writer::Writer,
};
use crate::serde_format::mismatch::Mismatch;

macro_rules! unsigned {
    ($($method:ident: $type:ty,)*) => {$(
        #[inline]
        fn $method(self, number: $type) -> Result<(), Mismatch> {
            F::put::<{ size_of::<$type>() }>(number.into(), self.datagram);
            Ok(())
        }
    )*};
}

macro_rules! signed {
    ($($method:ident: $type:ty,)*) => {$(
        #[inline]
        fn $method(self, number: $type) -> Result<(), Mismatch> {
            let number = i64::from(number);
            let number = if F::ZIGZAG { number << 1 ^ number >> 63 } else { number };
            F::put::<{ size_of::<$type>() }>(number as u64, self.datagram);
            Ok(())
        }
    )*};
}

macro_rules! as_they_are {
    ($($method:ident: $type:ty,)*) => {$(
        #[inline]
        fn $method(self, number: $type) -> Result<(), Mismatch> {
            F::put_plain(number.to_le_bytes(), self.datagram);
            Ok(())
        }
    )*};
}

impl<'s, 'd, F: Form> ser::Serializer for &'s mut Writer<'d, F> {
    type Ok = ();
    type Error = Mismatch;
    type SerializeSeq = Elements<'s, 'd, F>;
    type SerializeTuple = Self;
    type SerializeTupleStruct = Self;
    type SerializeTupleVariant = Self;
    type SerializeMap = Elements<'s, 'd, F>;
    type SerializeStruct = Self;
    type SerializeStructVariant = Self;

    unsigned! {
        serialize_u16: u16,
        serialize_u32: u32,
        serialize_u64: u64,
    }

    signed! {
        serialize_i16: i16,
        serialize_i32: i32,
        serialize_i64: i64,
    }

    as_they_are! {
        serialize_u8: u8,
        serialize_i8: i8,
        serialize_f32: f32,
        serialize_f64: f64,
    }

    fn serialize_u128(self, number: u128) -> Result<(), Mismatch> {
        F::put_wide(number, self.datagram);
        Ok(())
    }

    fn serialize_i128(self, number: i128) -> Result<(), Mismatch> {
        let number = if F::ZIGZAG { number << 1 ^ number >> 127 } else { number };
        F::put_wide(number as u128, self.datagram);
        Ok(())
    }

    #[inline]
    fn serialize_bool(self, value: bool) -> Result<(), Mismatch> {
        self.datagram.push(value.into());
        Ok(())
    }

    fn serialize_char(self, value: char) -> Result<(), Mismatch> {
        allow::<F>(unsized_types::TEXT)?;
        let mut bytes = [0; 4];
        let text = value.encode_utf8(&mut bytes);
        if F::CHARS_ARE_TEXT {
            return self.serialize_str(text);
        }
        self.datagram.extend_from_slice(text.as_bytes());
        Ok(())
    }

    #[inline]
    fn serialize_str(self, text: &str) -> Result<(), Mismatch> {
        allow::<F>(unsized_types::TEXT)?;
        self.serialize_bytes(text.as_bytes())
    }

    #[inline]
    fn serialize_bytes(self, bytes: &[u8]) -> Result<(), Mismatch> {
        if !self.in_text_field {
            allow::<F>(unsized_types::SEQUENCE)?;
            F::put::<8>(bytes.len() as u64, self.datagram);
        }
        self.datagram.extend_from_slice(bytes);
        Ok(())
    }

    #[inline]
    fn serialize_none(self) -> Result<(), Mismatch> {
        allow::<F>(unsized_types::OPTION)?;
        self.serialize_bool(false)
    }

    #[inline]
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Mismatch> {
        allow::<F>(unsized_types::OPTION)?;
        self.datagram.push(1);
        value.serialize(self)
    }

    #[inline]
    fn serialize_unit(self) -> Result<(), Mismatch> {
        Ok(())
    }

    #[inline]
    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Mismatch> {
        Ok(())
    }

    #[inline]
    fn serialize_unit_variant(
        self,
        _: &'static str,
        number: u32,
        _: &'static str,
    ) -> Result<(), Mismatch> {
        self.variant(number)
    }

    #[inline]
    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<(), Mismatch> {
        if F::SIZED && name == TEXT_FIELD {
            self.in_text_field = true;
            let written = value.serialize(&mut *self);
            self.in_text_field = false;
            return written;
        }
        value.serialize(self)
    }

    #[inline]
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        number: u32,
        _: &'static str,
        value: &T,
    ) -> Result<(), Mismatch> {
        self.variant(number)?;
        value.serialize(self)
    }

    #[inline]
    fn serialize_seq(self, len: Option<usize>) -> Result<Elements<'s, 'd, F>, Mismatch> {
        allow::<F>(unsized_types::SEQUENCE)?;
        Elements::new(self, len)
    }

    #[inline]
    fn serialize_map(self, len: Option<usize>) -> Result<Elements<'s, 'd, F>, Mismatch> {
        allow::<F>(unsized_types::MAP)?;
        Elements::new(self, len)
    }

    #[inline]
    fn serialize_tuple(self, _: usize) -> Result<Self, Mismatch> {
        Ok(self)
    }

    #[inline]
    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Self, Mismatch> {
        Ok(self)
    }

    #[inline]
    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self, Mismatch> {
        Ok(self)
    }

    #[inline]
    fn serialize_tuple_variant(
        self,
        _: &'static str,
        number: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self, Mismatch> {
        self.variant(number)?;
        Ok(self)
    }

    #[inline]
    fn serialize_struct_variant(
        self,
        _: &'static str,
        number: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self, Mismatch> {
        self.variant(number)?;
        Ok(self)
    }

    // By this, a text field knows that it may write its bytes at once.
    #[inline]
    fn is_human_readable(&self) -> bool {
        self.in_text_field
    }
}
