//! A DNS server for `.test` names, on loopback over UDP: what `dns.servers` points at in tests.

use std::{
    collections::HashMap,
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use hickory_resolver::proto::{
    op::{Message, ResponseCode},
    rr::{Name, RData, Record, RecordType, rdata::MX},
};
use tokio::net::UdpSocket;

/// What a name is answered with.
#[derive(Clone, Debug)]
pub enum Answer {
    /// These addresses; a query of the other family is answered with none.
    Addresses(Vec<IpAddr>),
    /// One list after the other, a step at each query for IPv4 addresses, the last one for ever:
    /// what a rebinding attack does. The time to live is 0.
    InTurn(Vec<Vec<IpAddr>>),
    /// These mail servers, in their order, and no address; `.` for a null MX (RFC 7505).
    MailServers(Vec<String>),
    /// There is no such name.
    NoSuchName,
    /// The server has a fault (SERVFAIL).
    Failure,
    /// Nothing at all.
    Silence,
}

/// A running server. Names under `.test` are 127.0.0.1 unless [`set`](Self::set) says otherwise,
/// all others don't exist. It ends when dropped.
#[derive(Debug)]
pub struct DnsServer {
    address: SocketAddr,
    zone: Arc<Mutex<Zone>>,
    task: tokio::task::JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Zone {
    answers: HashMap<String, Answer>,
    /// How often records of a type were asked for.
    asked: HashMap<(String, RecordType), usize>,
}

impl DnsServer {
    /// Starts a server on a free port.
    ///
    /// # Errors
    /// When no UDP port can be bound.
    pub async fn start() -> io::Result<Self> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = socket.local_addr()?;
        let zone = Arc::<Mutex<Zone>>::default();
        let task = tokio::spawn(serve(socket, Arc::clone(&zone)));
        Ok(Self {
            address,
            zone,
            task,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Decides what a name is answered with from now on.
    pub fn set(&self, name: &str, answer: Answer) {
        lock(&self.zone).answers.insert(name.to_owned(), answer);
    }

    /// How often the IPv4 addresses of the name were asked for.
    pub fn asked(&self, name: &str) -> usize {
        self.asked_for(name, RecordType::A)
    }

    /// How often the mail servers of the name were asked for.
    pub fn asked_for_mail(&self, name: &str) -> usize {
        self.asked_for(name, RecordType::MX)
    }

    fn asked_for(&self, name: &str, kind: RecordType) -> usize {
        let asked = &lock(&self.zone).asked;
        asked.get(&(name.to_owned(), kind)).copied().unwrap_or(0)
    }
}

impl Drop for DnsServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn lock(zone: &Mutex<Zone>) -> MutexGuard<'_, Zone> {
    zone.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(socket: UdpSocket, zone: Arc<Mutex<Zone>>) {
    let mut buffer = [0; 4096];
    loop {
        let Ok((length, from)) = socket.recv_from(&mut buffer).await else {
            return;
        };
        let reply = Message::from_vec(&buffer[..length])
            .ok()
            .and_then(|query| reply(&query, &mut lock(&zone)))
            .and_then(|reply| reply.to_vec().ok());
        if let Some(reply) = reply {
            // A client that is gone needs no reply.
            let _ = socket.send_to(&reply, from).await;
        }
    }
}

fn reply(query: &Message, zone: &mut Zone) -> Option<Message> {
    let question = query.queries.first()?;
    let name = question.name().to_ascii().to_lowercase();
    let name = name.trim_end_matches('.');
    let kind = question.query_type();
    let mut reply = Message::response(query.metadata.id, query.metadata.op_code);
    reply.metadata.recursion_desired = query.metadata.recursion_desired;
    reply.metadata.recursion_available = true;
    reply.add_query(question.clone());

    *zone.asked.entry((name.to_owned(), kind)).or_default() += 1;
    let of_addresses = zone.asked.get(&(name.to_owned(), RecordType::A));
    let turn = of_addresses.map_or(0, |asked| asked - 1);
    let (addresses, ttl) = match zone.answers.get(name) {
        Some(Answer::Addresses(addresses)) => (addresses.clone(), 60),
        Some(Answer::InTurn(turns)) => {
            let addresses = turns.get(turn).or(turns.last());
            (addresses.cloned().unwrap_or_default(), 0)
        }
        Some(Answer::MailServers(servers)) => {
            for (nth, server) in servers.iter().enumerate() {
                let exchange = Name::from_ascii(server).ok()?;
                let preference = u16::try_from(nth).unwrap_or(u16::MAX);
                let data = RData::MX(MX::new(preference, exchange));
                if kind == RecordType::MX {
                    reply.add_answer(Record::from_rdata(question.name().clone(), 60, data));
                }
            }
            return Some(reply);
        }
        Some(Answer::Silence) => return None,
        Some(Answer::Failure) => {
            reply.metadata.response_code = ResponseCode::ServFail;
            return Some(reply);
        }
        None if name.ends_with(".test") => (vec![Ipv4Addr::LOCALHOST.into()], 60),
        Some(Answer::NoSuchName) | None => {
            reply.metadata.response_code = ResponseCode::NXDomain;
            return Some(reply);
        }
    };
    for address in addresses {
        let data = match (address, kind) {
            (IpAddr::V4(address), RecordType::A) => RData::A(address.into()),
            (IpAddr::V6(address), RecordType::AAAA) => RData::AAAA(address.into()),
            _ => continue,
        };
        reply.add_answer(Record::from_rdata(question.name().clone(), ttl, data));
    }
    Some(reply)
}
