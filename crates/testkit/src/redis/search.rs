//! The vector search of Redis Stack in front of a server that has none.

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use super::RedisServer;

/// Speaks `FT.CREATE` and `FT.SEARCH`, as far as a vector field and a tag field go, and passes everything else to the
/// server behind it, whose hashes it searches one by one.
///
/// That Redis Stack would say the same is not shown by it: its answers and errors are those of the documentation.
#[derive(Debug)]
pub struct RedisSearch {
    shared: Arc<Shared>,
    addr: SocketAddr,
}

#[derive(Debug)]
struct Shared {
    server: SocketAddr,
    indexes: Mutex<HashMap<String, Index>>,
    commands: Mutex<Vec<Vec<String>>>,
    stopped: AtomicBool,
}

#[derive(Clone, Debug)]
struct Index {
    prefix: String,
    components: usize,
}

/// A reply of a server, as far as searches need it.
enum Reply {
    Nothing,
    Bytes(Vec<u8>),
    List(Vec<Reply>),
}

impl RedisSearch {
    /// Starts on a free port of 127.0.0.1, in front of `server`.
    ///
    /// # Panics
    /// When there is no port.
    #[must_use]
    pub fn start(server: &RedisServer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let addr = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared {
            server: ([127, 0, 0, 1], server.port()).into(),
            indexes: Mutex::default(),
            commands: Mutex::default(),
            stopped: AtomicBool::new(false),
        });
        let accepting = shared.clone();
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if accepting.stopped.load(Ordering::Relaxed) {
                    return;
                }
                let shared = accepting.clone();
                // An error is a connection that one of both sides has closed.
                thread::spawn(move || drop(shared.serve(client)));
            }
        });
        Self { shared, addr }
    }

    /// Its port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.addr.port()
    }

    /// The search commands so far, with bytes that are no text replaced.
    #[must_use]
    pub fn commands(&self) -> Vec<Vec<String>> {
        lock(&self.shared.commands).clone()
    }
}

impl Drop for RedisSearch {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::Relaxed);
        // Wakes the thread that accepts.
        drop(TcpStream::connect(self.addr));
    }
}

impl Shared {
    fn serve(&self, client: TcpStream) -> io::Result<()> {
        let mut server = Connection::open(self.server)?;
        let mut out = client.try_clone()?;
        let mut input = BufReader::new(client);
        loop {
            let mut raw = Vec::new();
            let command = match read_reply(&mut input, &mut raw)? {
                Reply::List(words) => words.into_iter().filter_map(Reply::bytes).collect::<Vec<_>>(),
                _ => return Err(io::ErrorKind::InvalidData.into()),
            };
            let name = String::from_utf8_lossy(command.first().map_or(&[], Vec::as_slice)).to_uppercase();
            if !name.starts_with("FT.") {
                out.write_all(&server.pass(&raw)?.1)?;
                continue;
            }
            let words = command
                .iter()
                .map(|word| String::from_utf8_lossy(word).into_owned());
            let words: Vec<_> = words.collect();
            lock(&self.commands).push(words.clone());
            let answer = match name.as_str() {
                "FT.CREATE" => self.create(&words),
                "FT.SEARCH" => self.search(&words, &command),
                _ => Err(format!("ERR unknown command '{name}'")),
            };
            match answer {
                Ok(bytes) => out.write_all(&bytes)?,
                Err(error) => write!(out, "-{error}\r\n")?,
            }
        }
    }

    /// `FT.CREATE <index> ON HASH PREFIX 1 <prefix> SCHEMA …`
    fn create(&self, words: &[String]) -> Result<Vec<u8>, String> {
        let words: Vec<_> = words.iter().map(String::as_str).collect();
        let [
            _,
            index,
            "ON",
            "HASH",
            "PREFIX",
            "1",
            prefix,
            "SCHEMA",
            "partition",
            "TAG",
            "embedding",
            "VECTOR",
            "HNSW",
            "6",
            "TYPE",
            "FLOAT32",
            "DIM",
            components,
            "DISTANCE_METRIC",
            "COSINE",
        ] = words[..]
        else {
            return Err(format!("ERR cannot create {words:?}"));
        };
        let mut indexes = lock(&self.indexes);
        if indexes.contains_key(index) {
            return Err("Index already exists".to_owned());
        }
        let components = components
            .parse()
            .map_err(|_| "ERR Bad arguments for DIM".to_owned())?;
        let prefix = prefix.to_owned();
        indexes.insert(index.to_owned(), Index { prefix, components });
        Ok(b"+OK\r\n".to_vec())
    }

    /// `FT.SEARCH <index> (@partition:{<tag>})=>[KNN <k> @embedding $<name> AS <alias>] …`
    fn search(&self, words: &[String], raw: &[Vec<u8>]) -> Result<Vec<u8>, String> {
        let after = |name: &str| words.iter().position(|word| word == name).map(|at| at + 1);
        let name = words.get(1).map_or("", String::as_str);
        let index = lock(&self.indexes).get(name).cloned();
        let index = index.ok_or_else(|| format!("{name}: no such index"))?;
        if after("DIALECT").and_then(|at| words.get(at)).map(String::as_str) != Some("2") {
            return Err("Syntax error: vector queries need dialect 2".to_owned());
        }
        let query = words.get(2).map_or("", String::as_str);
        let query = KnnQuery::parse(query).ok_or_else(|| format!("Syntax error at {query}"))?;
        let params = after("PARAMS").ok_or("No such parameter")?;
        if words.get(params + 1).map(String::as_str) != Some(query.parameter) {
            return Err(format!("No such parameter `{}`", query.parameter));
        }
        let asked = floats(raw.get(params + 2).map_or(&[], Vec::as_slice));
        if asked.len() != index.components {
            return Err(
                "Error parsing vector similarity query: query vector blob size does not match".to_owned(),
            );
        }
        let returned = after("RETURN").ok_or("ERR the fake needs RETURN")?;
        let count: usize = words[returned].parse().map_err(|_| "Bad arguments for RETURN")?;
        let fields = &words[returned + 1..=returned + count];
        let mut found = self
            .neighbours(&index, &query, &asked)
            .map_err(|error| error.to_string())?;
        found.sort_by(|a, b| a.0.total_cmp(&b.0));
        found.truncate(query.k);
        let mut out = format!("*{}\r\n:{}\r\n", 1 + 2 * found.len(), found.len()).into_bytes();
        for (distance, key, hash) in found {
            bulk(&mut out, key.as_bytes());
            out.extend_from_slice(format!("*{}\r\n", 2 * fields.len()).as_bytes());
            for field in fields {
                bulk(&mut out, field.as_bytes());
                match *field == query.alias {
                    true => bulk(&mut out, distance.to_string().as_bytes()),
                    false => bulk(&mut out, hash.get(field).map_or(&[], Vec::as_slice)),
                }
            }
        }
        Ok(out)
    }

    /// The hashes of a partition with their distances.
    fn neighbours(&self, index: &Index, query: &KnnQuery<'_>, asked: &[f32]) -> io::Result<Vec<Found>> {
        let mut server = Connection::open(self.server)?;
        let mut found = Vec::new();
        for key in server.ask(&["KEYS", &format!("{}*", index.prefix)])?.list() {
            let key = String::from_utf8_lossy(&key.bytes().unwrap_or_default()).into_owned();
            let mut members = server.ask(&["HGETALL", &key])?.list().into_iter();
            let mut hash = HashMap::new();
            while let (Some(name), Some(value)) = (members.next(), members.next()) {
                let name = String::from_utf8_lossy(&name.bytes().unwrap_or_default()).into_owned();
                hash.insert(name, value.bytes().unwrap_or_default());
            }
            let vector = floats(hash.get("embedding").map_or(&[], Vec::as_slice));
            let same = hash.get("partition").map(Vec::as_slice) == Some(query.partition.as_bytes());
            if same && vector.len() == index.components {
                found.push((distance(asked, &vector), key, hash));
            }
        }
        Ok(found)
    }
}

type Found = (f32, String, HashMap<String, Vec<u8>>);

struct KnnQuery<'a> {
    partition: &'a str,
    k: usize,
    parameter: &'a str,
    alias: &'a str,
}

impl<'a> KnnQuery<'a> {
    fn parse(query: &'a str) -> Option<Self> {
        let (partition, rest) = query.strip_prefix("(@partition:{")?.split_once("})=>[KNN ")?;
        let mut words = rest.strip_suffix(']')?.split(' ');
        let k = words.next()?.parse().ok()?;
        let ("@embedding", parameter) = (words.next()?, words.next()?.strip_prefix('$')?) else {
            return None;
        };
        let ("AS", alias, None) = (words.next()?, words.next()?, words.next()) else {
            return None;
        };
        Some(Self {
            partition,
            k,
            parameter,
            alias,
        })
    }
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    let (words, _) = bytes.as_chunks::<4>();
    words.iter().map(|word| f32::from_le_bytes(*word)).collect()
}

/// One minus the cosine.
fn distance(a: &[f32], b: &[f32]) -> f32 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
    1.0 - dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

fn bulk(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(format!("${}\r\n", bytes.len()).as_bytes());
    out.extend_from_slice(bytes);
    out.extend_from_slice(b"\r\n");
}

/// A connection to the server behind.
struct Connection {
    input: BufReader<TcpStream>,
    out: TcpStream,
}

impl Connection {
    fn open(addr: SocketAddr) -> io::Result<Self> {
        let out = TcpStream::connect(addr)?;
        let input = BufReader::new(out.try_clone()?);
        Ok(Self { input, out })
    }

    /// Passes a command as it stands; returns the reply, also as it stands.
    fn pass(&mut self, command: &[u8]) -> io::Result<(Reply, Vec<u8>)> {
        self.out.write_all(command)?;
        let mut raw = Vec::new();
        let reply = read_reply(&mut self.input, &mut raw)?;
        Ok((reply, raw))
    }

    fn ask(&mut self, words: &[&str]) -> io::Result<Reply> {
        let mut command = format!("*{}\r\n", words.len()).into_bytes();
        words.iter().for_each(|word| bulk(&mut command, word.as_bytes()));
        Ok(self.pass(&command)?.0)
    }
}

impl Reply {
    fn bytes(self) -> Option<Vec<u8>> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    fn list(self) -> Vec<Self> {
        match self {
            Self::List(items) => items,
            _ => Vec::new(),
        }
    }
}

/// Reads one value of RESP 2; what was read is appended to `raw`.
fn read_reply(input: &mut impl BufRead, raw: &mut Vec<u8>) -> io::Result<Reply> {
    let start = raw.len();
    if input.read_until(b'\n', raw)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let line = String::from_utf8_lossy(&raw[start..]).trim_end().to_owned();
    let (kind, rest) = line.split_at_checked(1).ok_or(io::ErrorKind::InvalidData)?;
    let length = || {
        rest.parse::<i64>()
            .map_err(|_| io::Error::from(io::ErrorKind::InvalidData))
    };
    match kind {
        "+" | "-" | ":" => Ok(Reply::Bytes(rest.as_bytes().to_vec())),
        "$" => {
            let Ok(length) = usize::try_from(length()?) else {
                return Ok(Reply::Nothing);
            };
            let mut bytes = vec![0; length + 2];
            input.read_exact(&mut bytes)?;
            raw.extend_from_slice(&bytes);
            bytes.truncate(length);
            Ok(Reply::Bytes(bytes))
        }
        "*" => {
            let items = (0..length()?).map(|_| read_reply(input, raw));
            items.collect::<io::Result<_>>().map(Reply::List)
        }
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
