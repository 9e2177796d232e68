//! A scripted nameserver, over UDP and TCP on one loopback port.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use hickory_proto::op::{Message, OpCode, ResponseCode};
use hickory_proto::rr::rdata::{CNAME, TXT};
use hickory_proto::rr::{Name, RData, Record};

/// A nameserver on a loopback port. It stops when the value is dropped.
pub struct Nameserver {
    /// The UDP and TCP address of the nameserver.
    pub address: SocketAddr,
    questions: Arc<Mutex<Vec<(Via, Message)>>>,
    stopped: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

/// The transport protocol of a query.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "the nameserver has no other transport protocol")]
pub enum Via {
    /// UDP.
    Udp,
    /// TCP.
    Tcp,
}

impl Nameserver {
    /// Starts a nameserver. For each query, `answer` receives its protocol, its number (from 1) and
    /// the query, and returns the messages to send.
    pub fn start(
        answer: impl Fn(Via, usize, &Message) -> Vec<Message> + Send + Sync + 'static,
    ) -> Self {
        let (udp, tcp) = sockets();
        let address = udp.local_addr().unwrap();
        let questions = Arc::new(Mutex::new(Vec::new()));
        let stopped = Arc::new(AtomicBool::new(false));
        let log = Arc::clone(&questions);
        let answer = Arc::new(move |via, bytes: &[u8]| {
            let question = Message::from_vec(bytes).unwrap();
            let mut log = log.lock().unwrap();
            log.push((via, question.clone()));
            answer(via, log.len(), &question)
        });
        let over_udp = {
            let (answer, stopped) = (Arc::clone(&answer), Arc::clone(&stopped));
            thread::spawn(move || {
                let mut buffer = [0; 512];
                while !stopped.load(Ordering::SeqCst) {
                    let Ok((size, from)) = udp.recv_from(&mut buffer) else { continue };
                    for message in answer(Via::Udp, &buffer[..size]) {
                        udp.send_to(&message.to_vec().unwrap(), from).unwrap();
                    }
                }
            })
        };
        let over_tcp = {
            let stopped = Arc::clone(&stopped);
            thread::spawn(move || {
                while !stopped.load(Ordering::SeqCst) {
                    let Ok((mut stream, _)) = tcp.accept() else {
                        thread::sleep(TICK);
                        continue;
                    };
                    stream.set_nonblocking(false).unwrap();
                    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
                    let mut length = [0; 2];
                    stream.read_exact(&mut length).unwrap();
                    let mut bytes = vec![0; u16::from_be_bytes(length).into()];
                    stream.read_exact(&mut bytes).unwrap();
                    let messages = answer(Via::Tcp, &bytes);
                    if messages.is_empty() {
                        thread::sleep(Duration::from_secs(1));
                    }
                    for message in messages {
                        let bytes = message.to_vec().unwrap();
                        // Send length and message separately, because a network may deliver them
                        // so.
                        stream
                            .write_all(&u16::try_from(bytes.len()).unwrap().to_be_bytes())
                            .unwrap();
                        thread::sleep(TICK);
                        stream.write_all(&bytes).unwrap();
                    }
                }
            })
        };
        Self { address, questions, stopped, threads: vec![over_udp, over_tcp] }
    }

    /// Returns all queries received so far.
    pub fn questions(&self) -> Vec<(Via, Message)> {
        self.questions.lock().unwrap().clone()
    }
}

impl Drop for Nameserver {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

/// An answer with code `NOERROR` and without records.
pub fn answer(question: &Message) -> Message {
    let mut message = Message::response(question.metadata.id, OpCode::Query);
    message.add_query(question.queries[0].clone());
    message
}

/// An answer with response code `code` and without records.
pub fn failing(question: &Message, code: ResponseCode) -> Message {
    let mut message = answer(question);
    message.metadata.response_code = code;
    message
}

/// A TXT record of `owner`, made of these character strings.
pub fn txt(owner: &str, strings: &[&str]) -> Record {
    let strings = strings.iter().map(|text| (*text).to_owned()).collect();
    Record::from_rdata(name(owner), 60, RData::TXT(TXT::new(strings)))
}

/// A CNAME record: `owner` is an alias of `target`.
pub fn cname(owner: &str, target: &str) -> Record {
    Record::from_rdata(name(owner), 60, RData::CNAME(CNAME(name(target))))
}

fn name(text: &str) -> Name {
    Name::from_ascii(text).unwrap()
}

/// Binds a UDP and a TCP socket to the same port. It tries up to 50 ports, because another process
/// may hold the TCP port.
fn sockets() -> (UdpSocket, TcpListener) {
    for _ in 0..50 {
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        if let Ok(tcp) = TcpListener::bind(udp.local_addr().unwrap()) {
            udp.set_read_timeout(Some(TICK)).unwrap();
            tcp.set_nonblocking(true).unwrap();
            return (udp, tcp);
        }
    }
    panic!("no port is free for both UDP and TCP");
}

const TICK: Duration = Duration::from_millis(10);
