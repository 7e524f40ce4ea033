use serde::ser::{
    Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant,
};

use super::{
    head::{self, major},
    serializer::Serializer,
};
use crate::mismatch::Mismatch;

/// An array, a map, or a tag and its value, while it is written.
pub(super) struct Elements<'s, 'd> {
    serializer: &'s mut Serializer<'d>,
    major: u8,
    start: usize,
    declared: Option<usize>,
    written: usize,
}

impl<'s, 'd> Elements<'s, 'd> {
    pub(super) const fn new(
        serializer: &'s mut Serializer<'d>,
        major: u8,
        start: usize,
        declared: Option<usize>,
    ) -> Self {
        Self { serializer, major, start, declared, written: 0 }
    }

    #[inline]
    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Mismatch> {
        self.written += 1;
        value.serialize(&mut *self.serializer)
    }

    #[inline]
    fn finish(self) -> Result<(), Mismatch> {
        match self.declared {
            Some(declared) if declared == self.written => Ok(()),
            Some(_) => Err(Mismatch::expected("as many elements as were declared were expected")),
            None => {
                self.put_head();
                Ok(())
            }
        }
    }

    /// Puts the length, which is known only now, before the elements.
    #[cold]
    fn put_head(self) {
        let mut head = Vec::with_capacity(9);
        head::write(&mut head, self.major, self.written as u64);
        self.serializer.datagram.splice(self.start..self.start, head);
    }
}

/// Lists of which serde knows more or less; to CBOR all are arrays.
macro_rules! arrays {
    ($($trait:ident: $method:ident,)*) => {$(
        impl $trait for Elements<'_, '_> {
            type Ok = ();
            type Error = Mismatch;

            #[inline]
            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Mismatch> {
                self.element(value)
            }

            #[inline]
            fn end(self) -> Result<(), Mismatch> {
                self.finish()
            }
        }
    )*};
}

arrays! {
    SerializeSeq: serialize_element,
    SerializeTuple: serialize_element,
    SerializeTupleStruct: serialize_field,
}

impl SerializeTupleVariant for Elements<'_, '_> {
    type Ok = ();
    type Error = Mismatch;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Mismatch> {
        self.element(value)?;
        if (self.major, self.written) == (major::TAG, 1) {
            // The number of a tag is written as that of an integer, but for the major type.
            match &mut self.serializer.datagram[self.start] {
                initial if *initial < major::NEGATIVE => *initial |= major::TAG,
                _ => return Err(Mismatch::expected("the number of a tag was expected")),
            }
        }
        Ok(())
    }

    fn end(self) -> Result<(), Mismatch> {
        self.finish()
    }
}

impl SerializeMap for Elements<'_, '_> {
    type Ok = ();
    type Error = Mismatch;

    #[inline]
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Mismatch> {
        self.element(key)
    }

    #[inline]
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Mismatch> {
        value.serialize(&mut *self.serializer)
    }

    #[inline]
    fn end(self) -> Result<(), Mismatch> {
        self.finish()
    }
}

macro_rules! maps_of_names {
    ($($trait:ident,)*) => {$(
        impl $trait for Elements<'_, '_> {
            type Ok = ();
            type Error = Mismatch;

            #[inline]
            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<(), Mismatch> {
                self.serializer.octets(major::TEXT, name.as_bytes());
                self.element(value)
            }

            #[inline]
            fn end(self) -> Result<(), Mismatch> {
                self.finish()
            }
        }
    )*};
}

maps_of_names! {
    SerializeStruct,
    SerializeStructVariant,
}
