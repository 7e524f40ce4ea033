//! Errors of protocols: kinds, texts and sources.

use std::{error::Error, io};

use datagrammar_protocols::{DecodeError, EncodeError, ErrorKind};

// P-7
#[test]
fn an_error_has_the_kind_it_was_made_with() {
    let decode = [DecodeError::codec("x"), DecodeError::layer("x"), DecodeError::converter("x")];
    let encode = [EncodeError::codec("x"), EncodeError::layer("x"), EncodeError::converter("x")];

    let kinds = [ErrorKind::Codec, ErrorKind::Layer, ErrorKind::Converter];

    assert_eq!(decode.map(|error| error.kind()), kinds);
    assert_eq!(encode.map(|error| error.kind()), kinds);
}

// P-7, H-13
#[test]
fn display_says_what_is_wrong_and_leaves_the_cause_to_the_source() {
    let cause = io::Error::other("bytes 53 45 43 52 45 54");

    let error = DecodeError::codec("header is shorter than 12 bytes").with_source(cause);

    assert_eq!(error.to_string(), "header is shorter than 12 bytes");
    assert!(error.source().unwrap().is::<io::Error>());
}

#[test]
fn without_a_cause_there_is_no_source() {
    assert!(DecodeError::codec("x").source().is_none());
    assert!(EncodeError::codec("x").source().is_none());
}

#[test]
fn text_can_be_a_source() {
    let error = EncodeError::layer("there is no key").with_source("the key has expired");

    assert_eq!(error.source().unwrap().to_string(), "the key has expired");
}

#[test]
fn errors_can_cross_threads_and_be_boxed() {
    fn is_error<E: Error + Send + Sync + 'static>() {}

    is_error::<DecodeError>();
    is_error::<EncodeError>();
}
