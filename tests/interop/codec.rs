//! A codec as a program, so that one in another language can be compared with it: `codec PROTOCOL`
//! reads lines, and answers each with one line.
//!
//! `decode HEX` is answered with the packet as JSON, or `refused`; `encode JSON` with the datagram in
//! hexadecimal, or `refused`.

use std::{env, error::Error, io};

use datagrammar::{DatagramProtocol, Json};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

fn main() -> Result<(), Box<dyn Error>> {
    match env::args().nth(1).unwrap_or_default().as_str() {
        "json" => answer(Json::<Value>::new()),
        "json ascii" => answer(Json::<Value>::new().ascii()),
        other => Err(format!("there is no protocol {other:?}").into()),
    }
}

fn answer<T: DeserializeOwned + Serialize>(
    protocol: impl DatagramProtocol<Incoming = T, Outgoing = T>,
) -> Result<(), Box<dyn Error>> {
    for line in io::stdin().lines() {
        let line = line?;
        let answer = match line.split_once(' ') {
            Some(("decode", digits)) => match protocol.decode(&octets(digits)?) {
                Ok(packet) => serde_json::to_string(&packet)?,
                Err(_) => "refused".to_owned(),
            },
            Some(("encode", json)) => {
                let mut datagram = Vec::new();
                match protocol.encode(&serde_json::from_str(json)?, &mut datagram) {
                    Ok(()) => datagram.iter().map(|octet| format!("{octet:02x}")).collect(),
                    Err(_) => "refused".to_owned(),
                }
            }
            _ => return Err("`decode HEX` or `encode JSON` was expected".into()),
        };
        println!("{answer}");
    }
    Ok(())
}

fn octets(digits: &str) -> Result<Vec<u8>, Box<dyn Error>> {
    let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return Err("two digits per octet were expected".into());
    }
    pairs.iter().map(|pair| Ok(u8::from_str_radix(str::from_utf8(pair)?, 16)?)).collect()
}
