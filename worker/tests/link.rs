//! A link between a client and a server that loses requests, or holds them back.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};

/// Forwards requests to a server, except those that it loses or holds back.
#[derive(Clone)]
pub(crate) struct Link {
    address: String,
    server: Arc<Mutex<String>>,
    /// The beginnings of requests that are still to be lost.
    to_lose: Arc<Mutex<Vec<String>>>,
    held: Arc<RequestGate>,
}

/// The requests that are held back.
#[derive(Default)]
struct RequestGate {
    state: Mutex<HeldRequests>,
    changed: Condvar,
}

#[derive(Default)]
struct HeldRequests {
    is_holding: bool,
    waiting: usize,
}

impl RequestGate {
    fn wait(&self) {
        let mut state = self.state.lock().unwrap();
        state.waiting += 1;
        let mut state = self.changed.wait_while(state, |state| state.is_holding).unwrap();
        state.waiting -= 1;
    }
}

impl Link {
    /// A link to the server at this address.
    pub(crate) fn to(server: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let server = Arc::new(Mutex::new(server.to_owned()));
        let link = Self { address, server, to_lose: Arc::default(), held: Arc::default() };
        let accepting = link.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let link = accepting.clone();
                // A side that breaks off ends the exchange.
                std::thread::spawn(move || drop(link.exchange(client)));
            }
        });
        link
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Loses the next request that begins so.
    pub(crate) fn lose(&self, beginning: &str) {
        self.to_lose.lock().unwrap().push(beginning.to_owned());
    }

    /// Whether every request that was to be lost is.
    pub(crate) fn has_lost_all(&self) -> bool {
        self.to_lose.lock().unwrap().is_empty()
    }

    /// Holds back every request from now on.
    #[cfg(feature = "sqs")]
    pub(crate) fn hold(&self) {
        self.held.state.lock().unwrap().is_holding = true;
    }

    /// Whether a request is held back.
    #[cfg(feature = "sqs")]
    pub(crate) fn is_holding_one(&self) -> bool {
        self.held.state.lock().unwrap().waiting > 0
    }

    /// Forwards the requests that are held back, and those to come.
    #[cfg(feature = "sqs")]
    pub(crate) fn release(&self) {
        self.held.state.lock().unwrap().is_holding = false;
        self.held.changed.notify_all();
    }

    /// Forwards to another server from now on.
    pub(crate) fn lead_to(&self, server: &str) {
        server.clone_into(&mut self.server.lock().unwrap());
    }

    fn exchange(&self, mut client: TcpStream) -> std::io::Result<()> {
        let mut start = vec![0; 4096];
        let read = client.read(&mut start)?;
        start.truncate(read);
        if self.loses(&start) {
            return client.shutdown(Shutdown::Both);
        }
        let mut server = TcpStream::connect(&*self.server.lock().unwrap())?;
        let (from, to, link) = (client.try_clone()?, server.try_clone()?, self.clone());
        std::thread::spawn(move || {
            // A side that breaks off ends the exchange.
            let _ = link.forward(start, &from, &to);
            let _ = to.shutdown(Shutdown::Both);
        });
        std::io::copy(&mut server, &mut client)?;
        client.shutdown(Shutdown::Both)
    }

    /// Forwards requests, of which these bytes are the first, and waits while they are held back.
    fn forward(&self, mut bytes: Vec<u8>, mut from: &TcpStream, mut to: &TcpStream) -> std::io::Result<()> {
        while !bytes.is_empty() {
            self.held.wait();
            to.write_all(&bytes)?;
            bytes.resize(4096, 0);
            let read = from.read(&mut bytes)?;
            bytes.truncate(read);
        }
        Ok(())
    }

    fn loses(&self, request: &[u8]) -> bool {
        let mut to_lose = self.to_lose.lock().unwrap();
        let found = to_lose.iter().position(|beginning| request.starts_with(beginning.as_bytes()));
        found.map(|found| to_lose.swap_remove(found)).is_some()
    }
}
