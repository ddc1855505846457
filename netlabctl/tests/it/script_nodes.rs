//! Nodes without a kernel: what a command does is told by its first word.

use netlab_proto::v1::{
    exec_request::Message as In, exec_response::Message as Out, host_service_server::HostService,
    node_service_server::NodeService, ping_response::Event, *,
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Request, Response, Status, Streaming};

use crate::script::{Answer, Events, known, refuse};

pub(crate) struct Nodes;
pub(crate) struct Host;

type Sender = mpsc::Sender<Result<ExecResponse, Status>>;

fn node(name: &str) -> Result<(), Status> {
    match name {
        "ns1" | "router" | "host" => Ok(()),
        _ => Err(refuse(Code::NotFound, "NODE_NOT_FOUND", &format!("there is no node {name}"))),
    }
}

async fn say(sender: &Sender, message: Out) {
    // The client may have gone.
    let _ = sender.send(Ok(ExecResponse { message: Some(message) })).await;
}

async fn exit(sender: &Sender, code: u32, message: &str) {
    say(sender, Out::Exited(ExecExited { code, message: message.to_owned() })).await;
}

/// Plays a command.
async fn play(start: ExecStart, mut input: Streaming<ExecRequest>, sender: Sender) {
    say(&sender, Out::Started(ExecStarted { pid: 42, stdin_allowed: 64 << 10 })).await;
    let mut next = async || input.message().await.ok().flatten().and_then(|request| request.message);
    let word = start.args.first().map_or("shell", String::as_str);
    match word {
        "exit" => exit(&sender, start.args[1].parse().unwrap(), "").await,
        "missing" => exit(&sender, 127, "missing: No such file or directory").await,
        "both" => {
            say(&sender, Out::Stdout(b"out\n".to_vec())).await;
            say(&sender, Out::Stderr(b"err\n".to_vec())).await;
            exit(&sender, 0, "").await;
        }
        "signal" => {
            say(&sender, Out::Stdout(b"waiting\n".to_vec())).await;
            loop {
                match next().await {
                    Some(In::Signal(signal)) => {
                        break exit(&sender, 128 + u32::try_from(signal).unwrap(), "").await;
                    }
                    Some(_) => {}
                    None => break,
                }
            }
        }
        "environment" => {
            let text = format!("{:?} {:?}\n", start.environment, start.working_directory);
            say(&sender, Out::Stdout(text.into_bytes())).await;
            exit(&sender, 0, "").await;
        }
        "flood" => {
            while !sender.is_closed() {
                say(&sender, Out::Stdout(vec![b'x'; 4096])).await;
            }
        }
        "breaks" => {}
        // cat, or a shell: what comes in goes out, after the terminal's size.
        _ => {
            if let Some(WindowSize { rows, columns }) = start.terminal {
                say(&sender, Out::Stdout(format!("{rows}x{columns} {:?}\r\n", start.environment).into()))
                    .await;
            }
            let mut taken = 0;
            loop {
                match next().await {
                    Some(In::Stdin(bytes)) if bytes.contains(&4) => break,
                    Some(In::Stdin(bytes)) => {
                        taken += bytes.len() as u64;
                        say(&sender, Out::StdinAllowed(taken + (64 << 10))).await;
                        say(&sender, Out::Stdout(bytes)).await;
                    }
                    Some(In::WindowSize(WindowSize { rows, columns })) => {
                        say(&sender, Out::Stdout(format!("now {rows}x{columns}\r\n").into())).await;
                    }
                    Some(In::StdinClosed(true)) | None => break,
                    Some(_) => {}
                }
            }
            exit(&sender, 0, "").await;
        }
    }
}

#[tonic::async_trait]
impl NodeService for Nodes {
    type PingStream = Events<PingResponse>;

    async fn ping(&self, request: Request<PingRequest>) -> Answer<Self::PingStream> {
        let request = request.into_inner();
        known(&request.lab)?;
        node(&request.from)?;
        let size = request.size.unwrap_or_default();
        let start = PingStarted {
            address: "192.0.2.2".to_owned(),
            size,
            interface: if request.to == "router" { "router:eth1".to_owned() } else { String::new() },
            source: request.source.clone(),
        };
        let reply =
            PingReply { sequence: 1, from: "192.0.2.2".to_owned(), ttl: 63, rtt_us: 1042, bytes: size + 8 };
        let error = PingError {
            sequence: 2,
            from: "192.0.2.254".to_owned(),
            message: "Destination Host Unreachable".to_owned(),
        };
        let answered = request.to != "silent";
        let (received, rtt) = if answered { (1, 1042) } else { (0, 0) };
        let summary =
            PingSummary { sent: request.count, received, rtt_min_us: rtt, rtt_avg_us: rtt, rtt_max_us: rtt };
        let mut events = vec![Event::Started(start)];
        if answered {
            events.push(Event::Reply(reply));
        }
        if request.to == "endless" {
            let events =
                tokio_stream::iter(events.into_iter().map(|event| Ok(PingResponse { event: Some(event) })));
            return Ok(Response::new(Box::pin(tokio_stream::StreamExt::chain(
                events,
                tokio_stream::pending(),
            ))));
        }
        events.extend([Event::Error(error), Event::Summary(summary)]);
        let events = events.into_iter().map(|event| Ok(PingResponse { event: Some(event) }));
        Ok(Response::new(Box::pin(tokio_stream::iter(events.collect::<Vec<_>>()))))
    }

    type ExecStream = Events<ExecResponse>;

    async fn exec(&self, request: Request<Streaming<ExecRequest>>) -> Answer<Self::ExecStream> {
        let mut input = request.into_inner();
        let Some(In::Start(start)) = input.message().await?.and_then(|request| request.message) else {
            return Err(Status::invalid_argument("begin with `start`"));
        };
        known(&start.lab)?;
        node(&start.node)?;
        let (sender, receiver) = mpsc::channel(1);
        tokio::spawn(play(start, input, sender));
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }

    type CaptureStream = Events<CaptureResponse>;

    async fn capture(&self, request: Request<CaptureRequest>) -> Answer<Self::CaptureStream> {
        let request = request.into_inner();
        known(&request.lab)?;
        if request.filter == "nonsense" {
            return Err(refuse(Code::InvalidArgument, "BAD_FILTER", "filter nonsense: syntax error"));
        }
        let promiscuous = if request.promiscuous { " promiscuous" } else { "" };
        let text = format!("{:?} {:?} {}{promiscuous}\n", request.interfaces, request.filter, request.count);
        let message = CaptureResponse { pcapng: text.into(), captured: 2, dropped: 1 };
        if request.lab == "endless" {
            return Ok(Response::new(Box::pin(tokio_stream::iter(std::iter::repeat_with(move || {
                Ok(message.clone())
            })))));
        }
        Ok(Response::new(Box::pin(tokio_stream::iter([Ok(message)]))))
    }
}

#[tonic::async_trait]
impl HostService for Host {
    async fn get_host(&self, _: Request<GetHostRequest>) -> Answer<GetHostResponse> {
        Ok(Response::new(GetHostResponse {
            daemon_version: "0.1.0".to_owned(),
            api_revision: netlab_proto::REVISION,
            kernel_release: "6.18".to_owned(),
        }))
    }

    async fn diagnose_host(&self, _: Request<DiagnoseHostRequest>) -> Answer<DiagnoseHostResponse> {
        let finding = |severity: finding::Severity, name: &str, message: &str| Finding {
            area: "feature".to_owned(),
            name: name.to_owned(),
            severity: severity.into(),
            message: message.to_owned(),
        };
        let findings = vec![
            finding(finding::Severity::Ok, "CONFIG_VETH", "works"),
            finding(finding::Severity::Error, "CONFIG_USER_NS", "missing; boot another kernel"),
        ];
        let (daemon_version, kernel_release) = ("9.9.9".to_owned(), "6.1.0".to_owned());
        Ok(Response::new(DiagnoseHostResponse {
            findings,
            daemon_version,
            kernel_release,
            api_revision: netlab_proto::REVISION,
        }))
    }
}
