use serde::ser::{
    Impossible, Serialize, SerializeStruct, SerializeTuple, SerializeTupleStruct, Serializer,
};

use super::{Error, Order};

/// Appends fields to a datagram.
pub(super) struct Writer<'d> {
    datagram: &'d mut Vec<u8>,
    order: Order,
}

impl<'d> Writer<'d> {
    pub(super) const fn new(datagram: &'d mut Vec<u8>, order: Order) -> Self {
        Self { datagram, order }
    }

    fn put<const N: usize>(&mut self, mut big_endian: [u8; N]) {
        if let Order::LittleEndian = self.order {
            big_endian.reverse();
        }
        self.datagram.extend_from_slice(&big_endian);
    }
}

macro_rules! put {
    ($($method:ident: $type:ty,)*) => {$(
        fn $method(self, value: $type) -> Result<(), Error> {
            self.put(value.to_be_bytes());
            Ok(())
        }
    )*};
}

macro_rules! refuse {
    ($kind:literal: $($method:ident($($type:ty),*) -> $result:ty,)*) => {$(
        fn $method(self, $(_: $type),*) -> Result<$result, Error> {
            Err(Error::Unsized($kind))
        }
    )*};
}

impl Serializer for &mut Writer<'_> {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = Impossible<(), Error>;
    type SerializeTuple = Self;
    type SerializeTupleStruct = Self;
    type SerializeTupleVariant = Impossible<(), Error>;
    type SerializeMap = Impossible<(), Error>;
    type SerializeStruct = Self;
    type SerializeStructVariant = Impossible<(), Error>;

    put! {
        serialize_i8: i8,
        serialize_i16: i16,
        serialize_i32: i32,
        serialize_i64: i64,
        serialize_i128: i128,
        serialize_u8: u8,
        serialize_u16: u16,
        serialize_u32: u32,
        serialize_u64: u64,
        serialize_u128: u128,
        serialize_f32: f32,
        serialize_f64: f64,
    }

    fn serialize_bool(self, value: bool) -> Result<(), Error> {
        self.serialize_u8(value.into())
    }

    fn serialize_unit(self) -> Result<(), Error> {
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Error> {
        Ok(())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_tuple(self, _: usize) -> Result<Self, Error> {
        Ok(self)
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Self, Error> {
        Ok(self)
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self, Error> {
        Ok(self)
    }

    refuse! {
        "text":
        serialize_char(char) -> (),
        serialize_str(&str) -> (),
    }

    refuse! {
        "a sequence":
        serialize_bytes(&[u8]) -> (),
        serialize_seq(Option<usize>) -> Self::SerializeSeq,
    }

    refuse! {
        "a map":
        serialize_map(Option<usize>) -> Self::SerializeMap,
    }

    refuse! {
        "an enum":
        serialize_unit_variant(&'static str, u32, &'static str) -> (),
        serialize_tuple_variant(&'static str, u32, &'static str, usize) -> Self::SerializeTupleVariant,
        serialize_struct_variant(&'static str, u32, &'static str, usize) -> Self::SerializeStructVariant,
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<(), Error> {
        Err(Error::Unsized("an enum"))
    }

    refuse! {
        "an option":
        serialize_none() -> (),
    }

    fn serialize_some<T: Serialize + ?Sized>(self, _: &T) -> Result<(), Error> {
        Err(Error::Unsized("an option"))
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}

impl SerializeTuple for &mut Writer<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        value.serialize(&mut **self)
    }

    fn end(self) -> Result<(), Error> {
        Ok(())
    }
}

impl SerializeTupleStruct for &mut Writer<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        value.serialize(&mut **self)
    }

    fn end(self) -> Result<(), Error> {
        Ok(())
    }
}

impl SerializeStruct for &mut Writer<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        _: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        value.serialize(&mut **self)
    }

    // Called for `skip_serializing_if`, after which the fields behind it would be elsewhere.
    fn skip_field(&mut self, _: &'static str) -> Result<(), Error> {
        Err(Error::Unsized("a field that may be missing"))
    }

    fn end(self) -> Result<(), Error> {
        Ok(())
    }
}
