use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use crate::{Error, Result};

/// Asks `done` every 20 ms until it says yes or `limit` is over; `false` when it never did.
#[expect(
    clippy::disallowed_methods,
    reason = "waits for other processes, which live on real time"
)]
pub fn wait_until(limit: Duration, mut done: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    loop {
        if done() {
            return true;
        }
        if start.elapsed() > limit {
            return false;
        }
        thread::sleep(Duration::from_millis(20));
    }
}

/// Whether something listens on a port of 127.0.0.1.
pub(crate) fn listens(port: u16) -> bool {
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    TcpStream::connect_timeout(&address, Duration::from_millis(500)).is_ok()
}

/// Ports that are free now. Somebody may take one before the server does, so starting is retried.
pub(crate) fn free_ports<const N: usize>() -> Result<[u16; N]> {
    let mut ports = [0; N];
    let mut held = Vec::with_capacity(N);
    for port in &mut ports {
        let listener = TcpListener::bind("127.0.0.1:0").map_err(Error::io("127.0.0.1"))?;
        *port = listener
            .local_addr()
            .map_err(Error::io("127.0.0.1"))?
            .port();
        held.push(listener);
    }
    Ok(ports)
}
