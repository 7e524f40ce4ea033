//! The typed request and response, and what is done between them.

use serde::{Deserialize, Serialize};

use crate::options::Options;

#[derive(Deserialize)]
pub struct Request {
    id: u64,
    name: String,
    values: [f64; 8],
}

#[derive(Serialize)]
pub struct Response {
    id: u64,
    ok: bool,
    name: String,
    sum: f64,
    max: f64,
}

impl From<Request> for Response {
    fn from(request: Request) -> Self {
        let sum = request.values.iter().sum();
        let max = request.values.iter().copied().fold(f64::MIN, f64::max);
        Self { id: request.id, ok: true, name: request.name, sum, max }
    }
}

/// Which crate reads and writes JSON.
#[derive(Clone, Copy)]
pub enum Codec {
    SerdeJson,
    Sonic,
}

impl Codec {
    /// `codec=sonic` takes sonic-rs; serde_json is the default.
    pub fn new(options: &Options) -> Self {
        if options.is("codec", "sonic") { Self::Sonic } else { Self::SerdeJson }
    }

    /// Writes the response to `request`, and returns whether there is one.
    pub fn answer(self, request: &[u8], response: &mut Vec<u8>) -> bool {
        response.clear();
        match self {
            Self::SerdeJson => serde_json::from_slice::<Request>(request).is_ok_and(|request| {
                serde_json::to_writer(response, &Response::from(request)).is_ok()
            }),
            Self::Sonic => sonic_rs::from_slice::<Request>(request).is_ok_and(|request| {
                sonic_rs::to_writer(response, &Response::from(request)).is_ok()
            }),
        }
    }

    /// The response to each request of a batch, beside the address that it goes to.
    pub fn responses<'a, A>(
        self,
        requests: impl Iterator<Item = (A, &'a [u8])>,
        buffers: &'a mut [Vec<u8>],
    ) -> impl Iterator<Item = (A, &'a [u8])> {
        requests.zip(buffers).filter_map(move |((from, request), buffer)| {
            self.answer(request, buffer).then_some((from, buffer.as_slice()))
        })
    }
}

/// Room for the responses of a batch.
pub fn buffers(batch: usize) -> Vec<Vec<u8>> {
    (0..batch).map(|_| Vec::with_capacity(512)).collect()
}
