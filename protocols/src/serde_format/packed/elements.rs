//! Writes lists, maps and structs, element by element.

use serde::ser::{
    Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant,
};

use super::{
    form::Form,
    unsized_types::{self, allow},
    writer::Writer,
};
use crate::serde_format::mismatch::Mismatch;

/// The elements of a list or the entries of a map, exactly as many as were declared.
pub(super) struct Elements<'s, 'd, F> {
    writer: &'s mut Writer<'d, F>,
    left: usize,
}

impl<'s, 'd, F: Form> Elements<'s, 'd, F> {
    #[inline]
    pub(super) fn new(writer: &'s mut Writer<'d, F>, len: Option<usize>) -> Result<Self, Mismatch> {
        let Some(len) = len else {
            return Err(Mismatch::new("the length is not known in advance"));
        };
        F::put::<8>(len as u64, writer.datagram);
        Ok(Self { writer, left: len })
    }

    #[inline]
    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Mismatch> {
        self.left = self.left.checked_sub(1).ok_or(OTHER_LENGTH)?;
        value.serialize(&mut *self.writer)
    }

    #[inline]
    fn finish(self) -> Result<(), Mismatch> {
        if self.left > 0 {
            return Err(OTHER_LENGTH);
        }
        Ok(())
    }
}

impl<F: Form> SerializeSeq for Elements<'_, '_, F> {
    type Ok = ();
    type Error = Mismatch;

    #[inline]
    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Mismatch> {
        self.element(value)
    }

    #[inline]
    fn end(self) -> Result<(), Mismatch> {
        self.finish()
    }
}

impl<F: Form> SerializeMap for Elements<'_, '_, F> {
    type Ok = ();
    type Error = Mismatch;

    #[inline]
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Mismatch> {
        self.element(key)
    }

    #[inline]
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Mismatch> {
        value.serialize(&mut *self.writer)
    }

    #[inline]
    fn end(self) -> Result<(), Mismatch> {
        self.finish()
    }
}

/// Types that are their fields and nothing else.
macro_rules! fields {
    ($($trait:ident: $method:ident($($name:ident)?),)*) => {$(
        impl<F: Form> $trait for &mut Writer<'_, F> {
            type Ok = ();
            type Error = Mismatch;

            #[inline]
            fn $method<T: Serialize + ?Sized>(
                &mut self,
                $($name: &'static str,)?
                value: &T,
            ) -> Result<(), Mismatch> {
                value.serialize(&mut **self)
            }

            $(
                // `skip_serializing_if` would move the fields after it to another position.
                #[inline]
                fn skip_field(&mut self, $name: &'static str) -> Result<(), Mismatch> {
                    allow::<F>(unsized_types::MISSING_FIELD)
                }
            )?

            #[inline]
            fn end(self) -> Result<(), Mismatch> {
                Ok(())
            }
        }
    )*};
}

fields! {
    SerializeTuple: serialize_element(),
    SerializeTupleStruct: serialize_field(),
    SerializeTupleVariant: serialize_field(),
    SerializeStruct: serialize_field(_name),
    SerializeStructVariant: serialize_field(_name),
}

const OTHER_LENGTH: Mismatch = Mismatch::new("number of elements differs from the declared length");
