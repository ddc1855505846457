//! Many clients of one netlabd at once, each with a connection of its own, for the benchmarks.
//!
//! ```text
//! netlab-load SOCKET get LAB CLIENTS CALLS   each client asks CALLS times, one after the other
//! netlab-load SOCKET watch LAB CLIENTS       all watch until each has heard of a repair
//! ```
//!
//! `watch` prints `watching` when all have had their first event. Both print one line of JSON at the end,
//! with times in microseconds.

use std::{
    io,
    time::{Duration, Instant},
};

use hyper_util::rt::TokioIo;
use netlab_proto::v1::{
    GetLabRequest, LabEvent, WatchLabRequest, lab_event::Body, lab_service_client::LabServiceClient,
};
use serde_json::json;
use tokio::{net::UnixStream, sync::mpsc};
use tonic::transport::{Channel, Endpoint, Uri};

type Error = Box<dyn std::error::Error + Send + Sync>;

/// Largest answer that is read in bytes.
const LARGEST_ANSWER: usize = 64 << 20;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let line = match *words.as_slice() {
        [socket, "get", lab, clients, calls] => get(socket, lab, clients.parse()?, calls.parse()?).await?,
        [socket, "watch", lab, clients] => watch(socket, lab, clients.parse()?).await?,
        _ => return Err("usage: netlab-load SOCKET get LAB CLIENTS CALLS | SOCKET watch LAB CLIENTS".into()),
    };
    println!("{line}");
    Ok(())
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

async fn connect(socket: &str) -> Result<LabServiceClient<Channel>, Error> {
    let path = socket.to_owned();
    let connector = tower::service_fn(move |_: Uri| {
        let path = path.clone();
        async move { Ok::<_, io::Error>(TokioIo::new(UnixStream::connect(path).await?)) }
    });
    let channel = Endpoint::from_static("http://localhost").connect_with_connector(connector).await?;
    Ok(LabServiceClient::new(channel).max_decoding_message_size(LARGEST_ANSWER))
}

/// How long each call took, as the clients saw it.
async fn get(socket: &str, lab: &str, clients: u32, calls: u32) -> Result<serde_json::Value, Error> {
    let mut connected = Vec::new();
    for _ in 0..clients {
        connected.push(connect(socket).await?);
    }
    let started = Instant::now();
    let tasks: Vec<_> = connected
        .into_iter()
        .map(|mut client| {
            let request = GetLabRequest { name: lab.to_owned(), ..GetLabRequest::default() };
            tokio::spawn(async move {
                let mut times = Vec::new();
                for _ in 0..calls {
                    let asked = Instant::now();
                    client.get_lab(request.clone()).await?;
                    times.push(micros(asked.elapsed()));
                }
                Ok::<_, Error>(times)
            })
        })
        .collect();
    let mut times = Vec::new();
    for task in tasks {
        times.extend(task.await??);
    }
    let elapsed = started.elapsed().as_secs_f64();
    times.sort_unstable();
    let at = |part: usize| times.get((times.len() * part / 100).min(times.len().saturating_sub(1))).copied();
    Ok(json!({
        "calls": times.len(),
        "calls_per_second": f64::from(clients * calls) / elapsed,
        "median_us": at(50),
        "p99_us": at(99),
    }))
}

/// How long after the first watcher the last one hears of a repair.
async fn watch(socket: &str, lab: &str, clients: u32) -> Result<serde_json::Value, Error> {
    let (begun, mut beginnings) = mpsc::unbounded_channel();
    let mut tasks = Vec::new();
    for _ in 0..clients {
        let (mut client, begun) = (connect(socket).await?, begun.clone());
        let request = WatchLabRequest { name: lab.to_owned(), ..WatchLabRequest::default() };
        tasks.push(tokio::spawn(async move {
            let mut events = client.watch_lab(request).await?.into_inner();
            let mut first = true;
            while let Some(answer) = events.message().await? {
                // Nobody may be waiting any more.
                let _ = first.then(|| begun.send(()));
                first = false;
                if let Some(LabEvent { body: Some(Body::DriftRepaired(_)), .. }) = answer.event {
                    return Ok(Instant::now());
                }
            }
            Err::<_, Error>("the watch ended".into())
        }));
    }
    for _ in 0..clients {
        beginnings.recv().await;
    }
    println!("watching");
    let mut heard = Vec::new();
    for task in tasks {
        heard.push(task.await??);
    }
    let spread = heard.iter().max().zip(heard.iter().min()).map(|(last, first)| micros(*last - *first));
    Ok(json!({ "watchers": clients, "spread_us": spread }))
}
