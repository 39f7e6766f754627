//! A connection that will be encrypted by STARTTLS: it is read line by line, so that nothing which came in the clear is
//! left over and taken for an encrypted reply (command injection, CVE-2011-0411).

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use lettre::transport::smtp::client::AsyncTokioStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// More than a reply's line (RFC 5321, 4.5.3.1.5).
const AT_ONCE: usize = 1024;

/// Gives a line at most at a time: lettre reads ahead, and keeps what it has read when TLS begins.
#[derive(Debug)]
pub(super) struct LineByLine(pub TcpStream);

impl AsyncRead for LineByLine {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut bytes = [0; AT_ONCE];
        let room = buffer.remaining().min(AT_ONCE);
        let there = ready!(self.0.poll_peek(context, &mut ReadBuf::new(&mut bytes[..room])))?;
        let line = bytes[..there].iter().position(|byte| *byte == b'\n').map_or(there, |end| end + 1);
        let mut read = ReadBuf::new(&mut bytes[..line]);
        ready!(Pin::new(&mut self.0).poll_read(context, &mut read))?;
        buffer.put_slice(read.filled());
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for LineByLine {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

impl AsyncTokioStream for LineByLine {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.0.peer_addr()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn a_line_at_a_time_comes_and_the_rest_stays_in_the_socket() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let mut client = TcpStream::connect(listener.local_addr().expect("bound")).await.expect("connected");
        let (server, _) = listener.accept().await.expect("connected");
        let long = "x".repeat(AT_ONCE + 10);
        client.write_all(format!("220 go on\r\n250 injected\r\n{long}").as_bytes()).await.expect("written");
        client.shutdown().await.expect("written");
        let (mut stream, mut buffer) = (LineByLine(server), [0; 4096]);
        for expected in ["220 go on\r\n", "250 injected\r\n"] {
            let length = stream.read(&mut buffer).await.expect("read");
            assert_eq!(String::from_utf8_lossy(&buffer[..length]), expected);
        }
        let mut rest = String::new();
        stream.0.read_to_string(&mut rest).await.expect("read");
        assert_eq!(rest, long);
        assert_eq!(stream.read(&mut buffer).await.expect("the end"), 0);
    }
}
