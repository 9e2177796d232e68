//! The UDP and TCP sockets of the nameserver (RFC 1035 section 4.2).

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::time::sleep;

use crate::serve::clock::Shared;
use crate::serve::message;
use crate::serve::ports::DnsSockets;

/// Pause after a failed `recv_from` or `accept`, before the next attempt.
const RETRY_DELAY: Duration = Duration::from_millis(20);

/// Answers DNS questions over UDP and TCP until the runtime ends.
pub(super) fn serve(sockets: DnsSockets, shared: &Arc<Shared>) -> io::Result<()> {
    tokio::spawn(over_udp(UdpSocket::from_std(sockets.udp)?, Arc::clone(shared)));
    tokio::spawn(over_tcp(TcpListener::from_std(sockets.tcp)?, Arc::clone(shared)));
    Ok(())
}

async fn over_udp(socket: UdpSocket, shared: Arc<Shared>) {
    let mut buffer = vec![0; usize::from(u16::MAX)];
    loop {
        // The error may concern an earlier client that has closed its socket, so the loop goes on
        // to receive the questions of other clients.
        let Ok((size, from)) = socket.recv_from(&mut buffer).await else {
            sleep(RETRY_DELAY).await;
            continue;
        };
        let question = buffer.get(..size).unwrap_or_default();
        if let Some(datagram) = datagram(question, &shared) {
            let _ = socket.send_to(&datagram, from).await;
        }
    }
}

fn datagram(question: &[u8], shared: &Shared) -> Option<Vec<u8>> {
    let answer = message::answer(question, shared)?;
    let bytes = answer.to_vec().ok();
    match bytes.filter(|bytes| bytes.len() <= message::largest_datagram(question)) {
        Some(bytes) => Some(bytes),
        None => message::truncated(&answer).to_vec().ok(),
    }
}

async fn over_tcp(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio::spawn(serve_connection(stream, Arc::clone(&shared)));
            }
            Err(_) => sleep(RETRY_DELAY).await,
        }
    }
}

/// Answers the questions of one TCP connection in turn, until the client closes the connection.
async fn serve_connection(mut stream: TcpStream, shared: Arc<Shared>) -> io::Result<()> {
    loop {
        let mut question = vec![0; stream.read_u16().await?.into()];
        stream.read_exact(&mut question).await?;
        let Some(answer) = message::answer(&question, &shared) else { continue };
        let answer = answer.to_vec().map_err(io::Error::other)?;
        let length = u16::try_from(answer.len()).map_err(io::Error::other)?;
        let mut framed = length.to_be_bytes().to_vec();
        framed.extend_from_slice(&answer);
        stream.write_all(&framed).await?;
    }
}
