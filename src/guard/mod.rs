//! Decides who may be answered, and how much: rates of sources, and budgets of peers that have not proven their address.

mod budget;
mod options;
mod rate_limit;
mod rates;
mod reply_rates;
mod rules;
mod table;

pub(crate) use budget::Budget;
pub use options::Guard;
pub use rate_limit::RateLimit;
pub(crate) use rates::Rates;
pub(crate) use rules::{Rules, Watch};
