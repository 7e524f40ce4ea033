//! The chapters of the documentation: cookbook, troubleshooting, codecs, layers, keys and more. The same files are
//! in the repository.
//!
//! - [`cookbook`]: programs for common tasks.
//! - [`requests`]: how requests survive loss, and what RFC 8085 asks for.
//! - [`restarts`]: how to restart a server without losing a datagram.
//! - [`internet`]: what protects a server on the internet, and what to check before you open its port.
//! - [`production`]: what operators need: probes, metrics, restarts, limits, units, and what to check.
//! - [`proxy_protocol`]: clients behind a load balancer.
//! - [`replicas`]: several servers that serve as one: what they share, and what stands in front of them.
//! - [`troubleshooting`]: what to check when a server does not answer.
//! - [`coming_from`]: for users of EasyNetwork, `UdpFramed`, `recv_from` loops and tower.
//! - [`codecs`], [`layers`], [`keys`]: which to choose, and what each costs.
//! - [`codecs_of_your_own`]: how to write and test a protocol.
//! - [`metrics`]: what servers and clients count, for Prometheus.
//! - [`performance`]: measurements, beside other servers.
//! - [`robustness`]: what a server on the internet must bear, and the results of the tests.
//! - [`contract`]: the behaviour that you can rely on, rule by rule.
//! - [`design`]: the structure of the code, and the reasons for its decisions.
//! - [`changelog`]: what has changed.

/// Where the links of a chapter lead to in these pages. In Markdown the first definition of a link counts, so
/// these precede those at the end of each file, which are for readers of the repository.
macro_rules! links {
    () => {
        "[changelog]: crate::_documentation::changelog
[codecs]: crate::_documentation::codecs
[codecs-of-your-own]: crate::_documentation::codecs_of_your_own
[coming-from]: crate::_documentation::coming_from
[contract]: crate::_documentation::contract
[cookbook]: crate::_documentation::cookbook
[cookbook-exchange]: crate::_documentation::cookbook#exchange
[design]: crate::_documentation::design
[internet]: crate::_documentation::internet
[keys]: crate::_documentation::keys
[layers]: crate::_documentation::layers
[metrics]: crate::_documentation::metrics
[performance]: crate::_documentation::performance
[production]: crate::_documentation::production
[proxy-protocol]: crate::_documentation::proxy_protocol
[replicas]: crate::_documentation::replicas
[requests]: crate::_documentation::requests
[restarts]: crate::_documentation::restarts
[robustness]: crate::_documentation::robustness
[stores]: https://docs.rs/datagrammar-stores
[troubleshooting]: crate::_documentation::troubleshooting
[plot]: #plot
[`Addr`]: crate::Addr
[`AddressTokens`]: crate::AddressTokens
[`Admin::drain`]: crate::admin::Admin::drain
[`BincodeDerive`]: crate::BincodeDerive
[`Client`]: crate::Client
[`Correlated`]: crate::Correlated
[`DatagramProtocol`]: crate::DatagramProtocol
[`DropReason`]: crate::DropReason
[`Guard`]: crate::Guard
[`Handler`]: crate::Handler
[`Inherited`]: crate::Inherited
[`Json`]: crate::Json
[`Layer`]: crate::Layer
[`Limits`]: crate::Limits
[`Peer`]: crate::Peer
[`PeerSender`]: crate::PeerSender
[`Prefix`]: crate::Prefix
[`RateLimit`]: crate::RateLimit
[`PrometheusPage`]: crate::PrometheusPage
[`Publisher`]: crate::metrics::Publisher
[`ReplayWindow`]: crate::ReplayWindow
[`ReplyCache`]: crate::ReplyCache
[`ReplyStore`]: crate::ReplyStore
[`RequestClient`]: crate::RequestClient
[`Sealed`]: crate::Sealed
[`Server`]: crate::Server
[`ServerBuilder`]: crate::ServerBuilder
[`ServerContext`]: crate::ServerContext
[`ServerHandle`]: crate::ServerHandle
[`ServerStats`]: crate::ServerStats
[`Signed`]: crate::Signed
[`Split`]: crate::Split
[`StreamCodec`]: crate::StreamCodec
[`Tagged`]: crate::Tagged
[`Termination`]: crate::Termination
[`Udp`]: crate::Udp
[`Unix`]: crate::Unix
[`UnnamedPeers`]: crate::UnnamedPeers
[`concurrent`]: crate::concurrent
[`with_state`]: crate::with_state

"
    };
}

macro_rules! chapters {
    ($($chapter:ident: $file:literal $(, with $plot:literal)?;)*) => {$(
        #[doc = concat!(links!(), include_str!($file))]
        $(#[doc = concat!(
            "\n\n<div id=\"plot\">\n<img alt=\"The plot\" src='data:image/svg+xml;utf8,",
            include_str!($plot),
            "'/>\n</div>"
        )])?
        pub mod $chapter {}
    )*};
}

chapters! {
    changelog: "../CHANGELOG.md";
    codecs: "../docs/codecs.md", with "../docs/codecs.svg";
    codecs_of_your_own: "../docs/codecs-of-your-own.md";
    coming_from: "../docs/coming-from.md";
    contract: "../docs/contract.md";
    cookbook: "../docs/cookbook.md";
    design: "../DESIGN.md";
    internet: "../docs/internet.md";
    keys: "../docs/keys.md";
    layers: "../docs/layers.md";
    metrics: "../docs/metrics.md", with "../docs/metrics.svg";
    performance: "../docs/performance.md", with "../docs/performance.svg";
    production: "../docs/production.md";
    proxy_protocol: "../docs/proxy-protocol.md";
    replicas: "../docs/replicas.md";
    requests: "../docs/requests.md";
    restarts: "../docs/restarts.md";
    robustness: "../docs/robustness.md";
    troubleshooting: "../docs/troubleshooting.md";
}
