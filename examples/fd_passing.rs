//! A client passes an open file to a server, which reads it, and passes a file back that the client may write to:
//!
//! ```sh
//! cargo run --example fd_passing
//! ```

#[cfg(unix)]
use {
    datagrammar::{BoxError, Client, Handler, Peer, Server, Text, Unix},
    std::{env, fs, fs::File, io::Read, io::Write, os::fd::AsFd, process},
};

/// Counts the words of files, which this process need not be allowed to open itself.
#[cfg(unix)]
struct Words {
    comments: File,
}

#[cfg(unix)]
impl Handler<String, String> for Words {
    async fn handle(&self, peer: &mut Peer<String, String>) -> Result<(), BoxError> {
        let (name, mut fds) = peer.recv_with_fds().await?;
        let mut file = File::from(fds.pop().ok_or("no descriptor came")?);
        // A pipe would block this thread until its other end is closed.
        if !file.metadata()?.is_file() {
            return Err("the descriptor is not a file".into());
        }
        let mut text = String::new();
        file.read_to_string(&mut text)?;
        let answer = format!("{name} has {} words", text.split_whitespace().count());
        Ok(peer.send_with_fds(answer, &[self.comments.as_fd()]).await?)
    }
}

#[cfg(unix)]
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let folder = env::temp_dir().join(format!("fd-passing-{}", process::id()));
    fs::create_dir(&folder)?;
    let unix = || Unix::new(folder.join("words")).fd_passing(true);
    let comments = File::create(folder.join("comments"))?;
    Server::bind(unix(), Text, Words { comments }).await?.spawn();

    fs::write(folder.join("poem"), "The rose is red,\nthe violet's blue.\n")?;
    let poem = File::open(folder.join("poem"))?;
    let client = Client::connect(unix().local_addr(folder.join("client")), Text).await?;
    client.send_with_fds("the poem".to_owned(), &[poem.as_fd()]).await?;
    let (answer, fds) = client.recv_with_fds().await?;
    File::from(fds.into_iter().next().ok_or("no descriptor came back")?)
        .write_all(b"Thank you.")?;
    println!("answer: {answer}");
    println!("comments: {}", fs::read_to_string(folder.join("comments"))?);
    Ok(fs::remove_dir_all(folder)?)
}

#[cfg(not(unix))]
fn main() {
    eprintln!("this system has no Unix datagram sockets");
}
