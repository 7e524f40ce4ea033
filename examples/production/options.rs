//! The arguments of the program.

use std::{net::SocketAddr, time::Duration};

use datagrammar::{AnyTransport, BoxError, Inherited};

const USAGE: &str = "usage: production [--operators ADDR:PORT] [--lame-duck SECONDS] [ADDR:PORT]
without ADDR:PORT, it serves the socket that systemd passes";

#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) transport: AnyTransport,
    /// Where the admin endpoint listens.
    pub(crate) operators: SocketAddr,
    /// How long the service still serves everybody after it has said that it is not ready.
    pub(crate) lame_duck: Duration,
}

impl Options {
    pub(crate) fn parse(mut args: impl Iterator<Item = String>) -> Result<Self, BoxError> {
        let mut operators = SocketAddr::from(([127, 0, 0, 1], 9001));
        let (mut lame_duck, mut addr) = (Duration::ZERO, None);
        while let Some(arg) = args.next() {
            match &*arg {
                "--operators" => operators = args.next().ok_or(USAGE)?.parse()?,
                "--lame-duck" => {
                    lame_duck = Duration::from_secs(args.next().ok_or(USAGE)?.parse()?);
                }
                _ if arg.starts_with('-') || addr.is_some() => return Err(USAGE.into()),
                _ => addr = Some(arg),
            }
        }
        let transport = match addr {
            Some(addr) => AnyTransport::new(addr),
            None => AnyTransport::new(Inherited::named("readings")),
        };
        Ok(Self { transport, operators, lame_duck })
    }
}
