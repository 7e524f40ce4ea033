//! Pages over HTTP, without another crate, and with bounds. Prometheus and curl need no more.

use std::{io, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::{sleep, timeout},
};

const REQUEST_LIMIT: u64 = 8_192; // bytes
const TIME_LIMIT: Duration = Duration::from_secs(5);
const CONNECTION_LIMIT: usize = 16;

/// Answers GET requests with what `pages` returns for their path, or 404.
pub(crate) async fn serve(
    listener: TcpListener,
    content_type: &'static str,
    pages: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
) {
    let (pages, connections) = (Arc::new(pages), Arc::new(Semaphore::new(CONNECTION_LIMIT)));
    while let Ok(permit) = connections.clone().acquire_owned().await {
        match listener.accept().await {
            Ok((stream, _)) => {
                let pages = pages.clone();
                tokio::spawn(async move {
                    // Whoever asks slowly or leaves gets nothing.
                    let _ = timeout(TIME_LIMIT, answer(stream, content_type, &*pages)).await;
                    drop(permit);
                });
            }
            // Without descriptors, it fails at once each time.
            Err(_) => sleep(Duration::from_millis(100)).await,
        }
    }
}

/// Answers one request, and closes the connection.
async fn answer(
    mut stream: TcpStream,
    content_type: &str,
    pages: &(impl Fn(&str) -> Option<String> + Sync),
) -> io::Result<()> {
    let mut request = Vec::new();
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        let mut rest = (&mut stream).take(REQUEST_LIMIT - request.len() as u64);
        if rest.read_buf(&mut request).await? == 0 {
            return Ok(());
        }
    }
    let page = path(&request).and_then(pages);
    let status = if page.is_some() { "200 OK" } else { "404 Not Found" };
    let body = page.unwrap_or_else(|| "not found\n".to_owned());
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await?;
    stream.shutdown().await
}

/// The path of a GET request, without a query.
fn path(request: &[u8]) -> Option<&str> {
    let line = str::from_utf8(request).ok()?.lines().next()?;
    let target = line.strip_prefix("GET ")?.split(' ').next()?;
    target.split('?').next()
}
