//! Requests over loopback: what the gate costs over a client that decides nothing.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use caplet::{Caplet, Granted};
use caplet_testkit::HTTP_PROBE;
use caplet_testkit::lab::http::{Http, pages};
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::http1::SendRequest;
use serde_json::json;
use tokio::runtime::{Builder, Runtime};
use wasmtime_wasi_http::io::TokioIo;

use crate::figures::{Bound, Report, Samples};
use crate::ours;

/// Requests in one call, and in one row of the other client.
const ROW: u32 = 200;

/// How many rows of each.
const ROWS: u32 = 20;

/// How many denied requests a call sends.
const DENIED: u32 = 1_000;

pub(crate) fn requests(report: &mut Report) {
    let server = Http::on("127.0.0.1:0", pages::text(200, "hello")).unwrap();
    let address = server.address();
    let caplet = ours::caplet_without_records();
    let alone = Builder::new_current_thread().enable_all().build().unwrap();
    let shared = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let granted = Arc::new(probe(&caplet, &[format!("fetch:http://{address}/**")]));
    for on in [On::One(&alone), On::Main(&shared), On::Workers(&shared)] {
        let (bare, ours) = compare(on, address, &granted);
        report.time(&format!("GET over loopback {on}, a client of hyper with keep-alive"), &bare);
        report.time(&format!("GET over loopback {on}, from a tool through the gate"), &ours);
        let figure = format!("GET {on}: through the gate over the bare client");
        let ratio = ours.p50() / bare.p50();
        match on {
            On::Main(_) => report.figure(&figure, ratio, Bound::AtMost(1.3)),
            // A client that does nothing but wait measures how fast an idle processor wakes: with one thread each time, with two
            // never, as two tasks that wake each other keep both awake.
            On::One(_) | On::Workers(_) => report.note(&figure, &format!("{ratio:.2}")),
        }
    }
    denied(report, On::Workers(&shared), &caplet, address);
}

/// Where a client runs.
#[derive(Clone, Copy)]
enum On<'a> {
    /// On a thread that does nothing else, as in `caplet run`.
    One(&'a Runtime),
    /// In a program's `main`, as the examples of hyper do, with the threads of the runtime beside it.
    Main(&'a Runtime),
    /// On the threads of the runtime, as in a server that embeds the library.
    Workers(&'a Runtime),
}

impl On<'_> {
    fn run<T: Send + 'static>(self, task: impl Future<Output = T> + Send + 'static) -> T {
        match self {
            Self::One(runtime) | Self::Main(runtime) => runtime.block_on(task),
            Self::Workers(runtime) => runtime.block_on(async { tokio::spawn(task).await.unwrap() }),
        }
    }
}

impl fmt::Display for On<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::One(_) => "on one thread",
            Self::Main(_) => "in a program's main",
            Self::Workers(_) => "on two threads",
        })
    }
}

/// The time of one request, rows of each taken in turn.
fn compare(on: On<'_>, address: SocketAddr, granted: &Arc<Granted>) -> (Samples, Samples) {
    let mut client = on.run(connect(address));
    let (mut bare, mut ours) = (Samples::default(), Samples::default());
    for row in 0..=ROWS {
        let started = Instant::now();
        client = on.run(async move {
            for _ in 0..ROW {
                get(&mut client, address).await;
            }
            client
        });
        let middle = Instant::now();
        send(on, granted, address, ROW, 200);
        let ended = Instant::now();
        // The first row is to warm up.
        if row > 0 {
            bare.add((middle - started) / ROW);
            ours.add((ended - middle) / ROW);
        }
    }
    (bare, ours)
}

fn denied(report: &mut Report, on: On<'_>, caplet: &Caplet, address: SocketAddr) {
    let rules: Vec<String> = (0..100).map(|rule| format!("fetch:https://host{rule}.example.com/v1/**")).collect();
    let granted = Arc::new(probe(caplet, &rules));
    let mut samples = Samples::default();
    for _ in 0..20 {
        let started = Instant::now();
        send(on, &granted, address, DENIED, 0);
        samples.add(started.elapsed());
    }
    report.time("1,000 denied requests in a call, under 100 rules", &samples);
    report.figure("1,000 denied requests in a call, in milliseconds", samples.p50() / 1_000.0, Bound::AtMost(10.0));
}

fn probe(caplet: &Caplet, rules: &[String]) -> Granted {
    let limits = ["http-requests=1000000", "handles=10000", "timeout=60s"];
    ours::granted_openly(caplet, "probe", HTTP_PROBE, rules, &limits)
}

/// Sends the same request so often in one call; the last answer has this status.
fn send(on: On<'_>, granted: &Arc<Granted>, address: SocketAddr, times: u32, status: u64) {
    let arguments = json!({
        "times": times, "method": "GET", "scheme": "http", "authority": address.to_string(), "path": "/",
        "headers": [], "body": "", "timeout": i64::MIN, "ahead": 0, "must": false,
    });
    let granted = Arc::clone(granted);
    let output = on.run(async move { ours::call(&granted, arguments).await });
    assert_eq!(output[0].as_u64(), Some(status), "{output}");
}

type Client = SendRequest<Empty<Bytes>>;

async fn connect(address: SocketAddr) -> Client {
    let stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let (client, driver) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(driver);
    client
}

async fn get(client: &mut Client, address: SocketAddr) {
    client.ready().await.unwrap();
    let request = http::Request::get("/").header("host", address.to_string()).body(Empty::new()).unwrap();
    let response = client.send_request(request).await.unwrap();
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes().len(), 5);
}
