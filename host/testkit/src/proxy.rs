//! A TCP proxy in front of a real mail server: it passes the dialogue on line by line, and does the
//! harm that a test asks for, once the client has come to the line that the test names.
//!
//! ```ignore
//! let proxy = Proxy::start(Front::starttls(servers.ports.submission), &servers.ca_file).await?;
//! proxy.harm(At::Line("."), Harm::Lose);      // Postfix takes the mail, nobody hears of it
//! ```

use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
};

mod tls;

pub use tls::{Certificate, HOST, ca_bundle};

/// Where a dialogue is harmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// Before the server's greeting, and before TLS where that comes first.
    Greeting,
    /// At the client's line with this as its first or second word, whatever its case: `MAIL`,
    /// `STARTTLS`, `.` at the end of a body, or `Subject:` in the middle of one.
    Line(&'static str),
}

/// What is done there. Lines of the client before it reach the server; from it on the line itself
/// only where it is said here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Harm {
    /// Nobody says anything any more; the connection stays open.
    Hang,
    /// The connection ends.
    Close,
    /// The client gets this for an answer, and the dialogue goes on. `{tag}` stands for the first
    /// word of its line.
    Answer(&'static str),
    /// The client gets this for an answer, and then nobody says anything any more.
    FallSilent(&'static str),
    /// The client gets this for an answer, and the connection ends.
    LastWords(&'static str),
    /// The server gets the line; the client gets its answer with this behind it, at once.
    Inject(&'static str),
    /// The server gets the line and answers; the client hears nothing of it, and the connection
    /// ends.
    Lose,
}

/// A server, and how clients come to it.
#[derive(Clone, Copy, Debug)]
pub struct Front {
    port: u16,
    implicit: bool,
    certificate: Certificate,
}

impl Front {
    /// A server at `port` of loopback that speaks TLS from the start, as does the proxy.
    pub fn implicit(port: u16) -> Self {
        Self {
            port,
            implicit: true,
            certificate: Certificate::Good,
        }
    }

    /// A server at `port` of loopback with STARTTLS, as has the proxy.
    pub fn starttls(port: u16) -> Self {
        Self {
            implicit: false,
            ..Self::implicit(port)
        }
    }

    /// Whether TLS is spoken from the start.
    pub fn is_implicit(&self) -> bool {
        self.implicit
    }

    /// The proxy shows this certificate.
    pub fn with(self, certificate: Certificate) -> Self {
        Self {
            certificate,
            ..self
        }
    }
}

#[derive(Debug)]
struct State {
    harm: Option<(At, Harm)>,
    struck: usize,
    connections: usize,
    running: JoinSet<()>,
    /// For connections that come.
    tls: tls::Ends,
}

/// A running proxy. It ends, and its connections with it, when dropped.
#[derive(Debug)]
pub struct Proxy {
    /// Where it listens on 127.0.0.1, as [`HOST`].
    pub port: u16,
    ca_file: PathBuf,
    state: Arc<Mutex<State>>,
    task: JoinHandle<()>,
}

impl Proxy {
    /// Starts a proxy that does no harm yet. `ca_file` vouches for the server.
    ///
    /// # Errors
    /// When no port can be bound, or the CA can't be read.
    pub async fn start(front: Front, ca_file: &Path) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let state = Arc::new(Mutex::new(State {
            harm: None,
            struck: 0,
            connections: 0,
            running: JoinSet::new(),
            tls: tls::Ends::new(front.certificate, ca_file)?,
        }));
        let task = tokio::spawn(serve(listener, front, Arc::clone(&state)));
        let ca_file = ca_file.to_owned();
        Ok(Self {
            port,
            ca_file,
            state,
            task,
        })
    }

    /// Shows this certificate from now on, to connections that come.
    ///
    /// # Errors
    /// When the CA of the server can't be read any more.
    pub fn show(&self, certificate: Certificate) -> io::Result<()> {
        lock(&self.state).tls = tls::Ends::new(certificate, &self.ca_file)?;
        Ok(())
    }

    /// Does this harm from now on, to all connections.
    pub fn harm(&self, at: At, harm: Harm) {
        lock(&self.state).harm = Some((at, harm));
    }

    /// Does no harm from now on.
    pub fn heal(&self) {
        lock(&self.state).harm = None;
    }

    /// Ends all connections that there are.
    pub fn cut(&self) {
        lock(&self.state).running.abort_all();
    }

    /// How often harm was done.
    pub fn struck(&self) -> usize {
        lock(&self.state).struck
    }

    /// How many connections came.
    pub fn connections(&self) -> usize {
        lock(&self.state).connections
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
        self.cut();
    }
}

fn lock(state: &Mutex<State>) -> std::sync::MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(listener: TcpListener, front: Front, state: Arc<Mutex<State>>) {
    while let Ok((client, _)) = listener.accept().await {
        let shared = Arc::clone(&state);
        let mut state = lock(&state);
        let tls = state.tls.clone();
        state.connections += 1;
        while state.running.try_join_next().is_some() {}
        // How a connection ends is the client's to judge.
        let task = async move { drop(connection(client, front, tls, &shared).await) };
        state.running.spawn(task);
    }
}

async fn connection(
    client: TcpStream,
    front: Front,
    tls: tls::Ends,
    state: &Mutex<State>,
) -> io::Result<()> {
    let server = TcpStream::connect(("127.0.0.1", front.port)).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let mut dialogue = Dialogue {
        client: End::new(Box::new(client)),
        server: End::new(Box::new(server)),
        tls,
    };
    if let Some(harm) = harm_at(state, |at| at == At::Greeting)
        && !dialogue.strike(harm, "").await?
    {
        return Ok(());
    }
    if front.implicit {
        dialogue.secure().await?;
    }
    dialogue.run(state).await
}

fn harm_at(state: &Mutex<State>, here: impl Fn(At) -> bool) -> Option<Harm> {
    let mut state = lock(state);
    let (_, harm) = state.harm.filter(|(at, _)| here(*at))?;
    state.struck += 1;
    Some(harm)
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// One of the two connections, with what was read from it and not yet passed on.
struct End {
    stream: Box<dyn Stream>,
    read: Vec<u8>,
}

impl End {
    fn new(stream: Box<dyn Stream>) -> Self {
        Self {
            stream,
            read: Vec::new(),
        }
    }

    /// Reads more; cancel-safe. Closed is an error.
    async fn fill(&mut self) -> io::Result<()> {
        match self.stream.read_buf(&mut self.read).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }

    /// The next whole line with its end, if it was read.
    fn line(&mut self) -> Option<Vec<u8>> {
        let end = self.read.iter().position(|&byte| byte == b'\n')?;
        Some(self.read.drain(..=end).collect())
    }

    async fn next_line(&mut self) -> io::Result<Vec<u8>> {
        loop {
            if let Some(line) = self.line() {
                return Ok(line);
            }
            self.fill().await?;
        }
    }

    async fn say(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await?;
        self.stream.flush().await
    }
}

/// A client, its server, and who stands between.
struct Dialogue {
    client: End,
    server: End,
    tls: tls::Ends,
}

impl Dialogue {
    async fn run(&mut self, state: &Mutex<State>) -> io::Result<()> {
        loop {
            while let Some(line) = self.client.line() {
                let text = String::from_utf8_lossy(&line).trim_end().to_owned();
                let mut words = text.split(' ').take(2).map(str::to_ascii_lowercase);
                let is = |word: &str| words.clone().any(|own| own == word.to_ascii_lowercase());
                let here = |at| matches!(at, At::Line(word) if is(word));
                match harm_at(state, here) {
                    Some(harm) if !self.strike(harm, &text).await? => return Ok(()),
                    Some(_) => {}
                    None => {
                        self.server.say(&line).await?;
                        if words.any(|word| word == "starttls") {
                            self.upgrade().await?;
                        }
                    }
                }
            }
            tokio::select! {
                filled = self.client.fill() => filled?,
                filled = self.server.fill() => {
                    filled?;
                    let bytes = std::mem::take(&mut self.server.read);
                    self.client.say(&bytes).await?;
                }
            }
        }
    }

    /// The client's STARTTLS went to the server: after its yes both connections are secured.
    async fn upgrade(&mut self) -> io::Result<()> {
        let answer = self.server.next_line().await?;
        self.client.say(&answer).await?;
        let text = String::from_utf8_lossy(&answer);
        if text.starts_with("220") || text.split(' ').nth(1) == Some("OK") {
            self.secure().await?;
        }
        Ok(())
    }

    async fn secure(&mut self) -> io::Result<()> {
        let nobody = || End::new(Box::new(tokio::io::empty()));
        let client = std::mem::replace(&mut self.client, nobody()).stream;
        let server = std::mem::replace(&mut self.server, nobody()).stream;
        self.client = End::new(Box::new(self.tls.accept(client).await?));
        self.server = End::new(Box::new(self.tls.connect(server).await?));
        Ok(())
    }

    /// Whether the dialogue goes on.
    async fn strike(&mut self, harm: Harm, line: &str) -> io::Result<bool> {
        let tag = line.split(' ').next().unwrap_or_default();
        match harm {
            Harm::Hang => self.hang().await?,
            Harm::Close => return Ok(false),
            Harm::Answer(text) => self.answer(text, tag).await?,
            Harm::FallSilent(text) => {
                self.answer(text, tag).await?;
                self.hang().await?;
            }
            Harm::LastWords(text) => {
                self.answer(text, tag).await?;
                self.client.stream.shutdown().await?;
                return Ok(false);
            }
            Harm::Inject(text) => {
                self.server.say(format!("{line}\r\n").as_bytes()).await?;
                let mut answer = self.server.next_line().await?;
                answer.extend_from_slice(text.as_bytes());
                self.client.say(&answer).await?;
            }
            Harm::Lose => {
                self.server.say(format!("{line}\r\n").as_bytes()).await?;
                self.server.next_line().await?;
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn answer(&mut self, text: &str, tag: &str) -> io::Result<()> {
        self.client.say(text.replace("{tag}", tag).as_bytes()).await
    }

    /// Until the client hangs up.
    async fn hang(&mut self) -> io::Result<()> {
        loop {
            self.client.fill().await?;
            self.client.read.clear();
        }
    }
}
