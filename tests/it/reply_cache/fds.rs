//! Replies with descriptors and credentials.

use std::os::fd::AsFd;

use datagrammar::{Client, Credentials, Unix};

use super::*;
use crate::{
    support::{BindNow, temporary_path, within_deadline},
    unix::fds::{gid, uid},
};

// a reply that has more than bytes cannot be repeated, and it is the first one all the same
#[tokio::test]
async fn a_reply_with_descriptors_or_credentials_is_not_repeated() {
    for batch_io in [true, false] {
        let path = temporary_path();
        let unix = || Unix::new(&path).fd_passing(true).batch_io(batch_io);
        let handler = conversing!(|peer| {
            let (text, fds) = peer.recv_with_fds().await?;
            let file = std::fs::File::open("/dev/null")?;
            let reply = format!("{} first", &text[..1]);
            match &text[2..] {
                "descriptor" => {
                    assert_eq!(fds.len(), 1);
                    peer.send_with_fds(reply, &[file.as_fd()]).await?;
                }
                "none" => peer.send_with_fds(reply, &[]).await?,
                _ => {
                    let this = Credentials::new(uid(), gid());
                    peer.send_with_credentials(reply, this).await?;
                }
            }
            Ok(peer.send(format!("{} second", &text[..1])).await?)
        });
        let server = Running::start(numbered(handler).bind_now(unix()).unwrap()).await;
        let client = Client::connect(unix(), Text).await.unwrap();
        let file = std::fs::File::open("/dev/null").unwrap();
        let mut dropped = 0;
        for (request, fds) in
            [("1 descriptor", &[file.as_fd()][..]), ("2 credentials", &[]), ("3 none", &[])]
        {
            client.send_with_fds(request.to_owned(), fds).await.unwrap();
            for reply in ["first", "second"] {
                let heard = within_deadline(client.recv()).await.unwrap();
                assert_eq!(heard, format!("{} {reply}", &request[..1]));
            }

            client.send_with_fds(request.to_owned(), fds).await.unwrap();
            dropped += 1;
            duplicates(&server, dropped).await;
        }

        assert_eq!(within_deadline(client.recv()).await.unwrap(), "3 first");
        end(server, 1).await;
    }
}
