//! Datagrams in envelopes, as a client has sent them last.

use super::{
    envelope::Envelope,
    jar::{Sent, TokenJar},
};

/// A datagram in its envelope, as it was sent last.
#[derive(Debug, Default)]
pub(crate) struct Stamped {
    datagram: Vec<u8>,
    /// `None` before it is sent for the first time.
    sent: Option<Sent>,
    /// Whether it was sent again because of a challenge.
    pub(crate) is_challenged: bool,
}

impl Stamped {
    pub(crate) fn new(payload: &[u8]) -> Self {
        Self { datagram: Envelope::request(None, payload), ..Self::default() }
    }

    /// The envelope with the newest token around each part of a request that is not one datagram. They count as sent.
    pub(crate) fn stamp_parts(&mut self, parts: &[Vec<u8>], jar: &TokenJar) -> Vec<Vec<u8>> {
        self.sent = Some(jar.stamp(&mut self.datagram));
        self.parts(parts)
    }

    /// The envelope with the same token as what was sent last, around each part.
    pub(crate) fn parts(&self, parts: &[Vec<u8>]) -> Vec<Vec<u8>> {
        let token = self.sent.as_ref().and_then(Sent::token);
        parts.iter().map(|part| Envelope::request(token, part)).collect()
    }

    /// The datagram with the newest token, for an attempt.
    pub(crate) fn stamp(&mut self, jar: &TokenJar) -> Vec<u8> {
        self.sent = Some(jar.stamp(&mut self.datagram));
        self.datagram.clone()
    }

    /// Remembers a datagram instead, which was sent in its envelope.
    pub(crate) fn replace(&mut self, datagram: &[u8], sent: Sent) {
        self.datagram.clear();
        self.datagram.extend_from_slice(datagram);
        (self.sent, self.is_challenged) = (Some(sent), false);
    }

    /// The datagram with the newest token, if it was sent with another one and has to be sent again.
    pub(crate) fn stamp_again(&mut self, jar: &TokenJar) -> Option<&[u8]> {
        let again = jar.stamp_again(&mut self.datagram, self.sent.as_mut()?);
        self.is_challenged |= again;
        again.then_some(&self.datagram)
    }
}

#[cfg(test)]
mod tests {
    use super::{super::envelope::Request, *};

    fn tokens(datagrams: &[Vec<u8>]) -> Vec<Option<u8>> {
        let token =
            |datagram: &Vec<u8>| Request::read(datagram).unwrap().token.map(|token| token[0]);
        datagrams.iter().map(token).collect()
    }

    //
    #[test]
    fn parts_have_the_token_that_was_sent_last() {
        let (jar, mut stamped) = (TokenJar::default(), Stamped::new(b"hi"));
        let parts = [b"one".to_vec(), b"two".to_vec()];
        assert_eq!(tokens(&stamped.parts(&parts)), [None, None]);

        jar.put([7; 16]);
        assert_eq!(tokens(&stamped.stamp_parts(&parts, &jar)), [Some(7), Some(7)]);
        jar.put([8; 16]);
        let same = stamped.parts(&parts);
        assert_eq!(tokens(&same), [Some(7), Some(7)]);
        assert_eq!(Request::read(&same[1]).unwrap().payload, b"two");
        assert_eq!(tokens(&[stamped.stamp(&jar)]), [Some(8)]);
    }

    //
    #[test]
    fn it_remembers_whether_there_was_a_challenge() {
        let (jar, mut stamped) = (TokenJar::default(), Stamped::new(b"hi"));
        assert_eq!(stamped.stamp_again(&jar), None, "it was not sent yet");
        stamped.stamp(&jar);
        assert!(stamped.stamp_again(&jar).is_none() && !stamped.is_challenged);

        jar.put([7; 16]);
        let again = stamped.stamp_again(&jar).map(<[u8]>::to_vec);
        assert_eq!(again, Some(Envelope::request(Some([7; 16]), b"hi")));
        assert!(stamped.stamp_again(&jar).is_none() && stamped.is_challenged);

        let other = Envelope::request(Some([9; 16]), b"other");
        stamped.replace(&other, TokenJar::sent(&other));
        assert!(!stamped.is_challenged);
        assert_eq!(stamped.stamp_again(&jar), Some(&*Envelope::request(Some([7; 16]), b"other")));
    }
}
