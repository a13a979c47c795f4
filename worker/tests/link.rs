//! A link between a client and a server that loses requests.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// Forwards requests to a server, except those that it loses.
#[derive(Clone)]
pub(crate) struct Link {
    address: String,
    server: Arc<Mutex<String>>,
    /// The beginnings of requests that are still to be lost.
    to_lose: Arc<Mutex<Vec<String>>>,
}

impl Link {
    /// A link to the server at this address.
    pub(crate) fn to(server: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let link = Self { address, server: Arc::new(Mutex::new(server.to_owned())), to_lose: Arc::default() };
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
        server.write_all(&start)?;
        let (mut from, mut to) = (client.try_clone()?, server.try_clone()?);
        std::thread::spawn(move || {
            let _ = std::io::copy(&mut from, &mut to);
            let _ = to.shutdown(Shutdown::Both);
        });
        std::io::copy(&mut server, &mut client)?;
        client.shutdown(Shutdown::Both)
    }

    fn loses(&self, request: &[u8]) -> bool {
        let mut to_lose = self.to_lose.lock().unwrap();
        let found = to_lose.iter().position(|beginning| request.starts_with(beginning.as_bytes()));
        found.map(|found| to_lose.swap_remove(found)).is_some()
    }
}
