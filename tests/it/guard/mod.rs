//! Section A of the contract: what protects a server from its peers, and others from the server.

mod filter;
mod rates;
