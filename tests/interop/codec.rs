//! A codec as a program, to compare it with a codec in another language: `codec PROTOCOL` reads lines, and
//! answers each with one line.
//!
//! The answer to `decode HEX` is the packet as JSON, or `refused`. The answer to `encode JSON` is the datagram
//! in hexadecimal, or `refused`.

mod typed;

use std::{env, error::Error, io};

use datagrammar::{
    Base64, Bzip2, Cbor, DatagramProtocol, Fixed, FixedText, Json, Msgpack, Protobuf, Sha256Digest,
    Signed, SigningKey, TextLine, Zlib,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

fn main() -> Result<(), Box<dyn Error>> {
    let json = Json::<Value>::new().ascii();
    let key = SigningKey::from(std::array::from_fn(|byte| byte as u8)); // 00 01 … 1f
    match env::args().nth(1).unwrap_or_default().as_str() {
        "json" => answer(Json::<Value>::new()),
        "json ascii" => answer(json),
        "cbor" => answer(Cbor::<Value>::new()),
        "msgpack" => answer(Msgpack::<Value>::new()),
        "protobuf" => answer(Protobuf::<Reading>::new()),
        "text lines" => answer(TextLine::new()),
        "text lines in UTF-8, CR and LF kept" => {
            answer(TextLine::new().crlf().utf8().keep_terminator())
        }
        "fixed layout" => answer(Fixed::<(i32, u16, u64, bool, FixedText<10>, f64)>::new()),
        "fixed layout, little-endian" => {
            answer(Fixed::<(i32, u16, u64, bool, FixedText<10>, f64)>::new().little_endian())
        }
        "fixed layout of a person" => answer(Fixed::<Person>::new()),
        "base64" => answer(json.layer(Base64::new())),
        "base64, standard" => answer(json.layer(Base64::new().standard())),
        "base64 of digest" => answer(json.layer(Sha256Digest).layer(Base64::new())),
        "base64 of signed" => answer(json.layer(Signed::new(&key)).layer(Base64::new())),
        "zlib" => answer(json.layer(Zlib::with_limit(100_000))),
        "bz2" => answer(json.layer(Bzip2::with_limit(100_000))),
        other => typed::answer_as(other),
    }
}

#[derive(Deserialize, Serialize)]
struct Person {
    name: FixedText<10>,
    age: u32,
}

#[derive(Deserialize, PartialEq, Serialize, prost::Message)]
struct Reading {
    #[prost(int32, tag = "1")]
    sensor: i32,
    #[prost(string, tag = "2")]
    name: String,
    #[prost(double, repeated, tag = "3")]
    values: Vec<f64>,
    #[prost(message, optional, boxed, tag = "4")]
    before: Option<Box<Self>>,
}

fn answer<T: DeserializeOwned + Serialize>(
    protocol: impl DatagramProtocol<Incoming = T, Outgoing = T>,
) -> Result<(), Box<dyn Error>> {
    for line in io::stdin().lines() {
        let line = line?;
        let answer = match line.split_once(' ') {
            Some(("decode", digits)) => match protocol.decode(&bytes(digits)?) {
                Ok(packet) => serde_json::to_string(&packet)?,
                Err(_) => "refused".to_owned(),
            },
            Some(("encode", json)) => {
                let mut datagram = Vec::new();
                match protocol.encode(&serde_json::from_str(json)?, &mut datagram) {
                    Ok(()) => datagram.iter().map(|byte| format!("{byte:02x}")).collect(),
                    Err(_) => "refused".to_owned(),
                }
            }
            _ => return Err("a line is neither `decode HEX` nor `encode JSON`".into()),
        };
        println!("{answer}");
    }
    Ok(())
}

fn bytes(digits: &str) -> Result<Vec<u8>, Box<dyn Error>> {
    let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return Err("odd number of hex digits".into());
    }
    pairs.iter().map(|pair| Ok(u8::from_str_radix(str::from_utf8(pair)?, 16)?)).collect()
}
