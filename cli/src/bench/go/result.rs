//! The result of `bench go`, as JSON and as a table.

use serde::Serialize;

use crate::cores::CorePair;
use crate::report::{self, nanoseconds};

use super::super::clock::Clock;
use super::super::slices::Reading;
use super::super::turns::TurnsSummary;
use super::crowd::CrowdFigures;
use super::host::Counted;
use super::open::OpenFigures;
use super::streams::StreamFigures;
use super::turns::Figures;

/// What both hosts measured.
pub struct Hosts {
    pub round_trips: Figures,
    pub counted: Counted,
    pub streams: StreamFigures,
    pub crowd: CrowdFigures,
    pub open: OpenFigures,
    pub page_size: u64,
    pub clock: Clock,
}

/// What the rivals measured.
#[derive(Debug, Default)]
pub struct Rivals {
    pub socket: Option<Reading>,
    pub grpc: Option<Reading>,
    /// Why one is missing.
    pub note: Option<String>,
}

/// The result, in the words of its JSON keys.
#[derive(Debug, Serialize)]
pub struct GoResult {
    bench: &'static str,
    go_version: String,
    call_p50_ns: Option<f64>,
    call_p99_ns: Option<f64>,
    lane_p50_ns: Option<f64>,
    lane_p99_ns: Option<f64>,
    rust_p50_ns: Option<f64>,
    rust_p99_ns: Option<f64>,
    floor_p50_ns: Option<f64>,
    grpc_p50_ns: Option<f64>,
    grpc_p99_ns: Option<f64>,
    socket_p50_ns: Option<f64>,
    socket_p99_ns: Option<f64>,
    /// Each headline is that of the worst class of floor that counts, from 100 ns on.
    ratio_call: Option<f64>,
    ratio_lane: Option<f64>,
    ratio_stream: Option<f64>,
    ratio_stream_single: Option<f64>,
    ratio_window: Option<f64>,
    /// Groups of requests that were claimed and appended one by one.
    ratio_stream_appended: Option<f64>,
    /// How many times longer unary gRPC takes than a call.
    ratio_grpc: Option<f64>,
    calls_per_second_1000: Option<f64>,
    /// From the beginning of the call.
    call_1000_p50_ns: Option<f64>,
    call_1000_p99_ns: Option<f64>,
    /// From the moment of the burst.
    call_1000_intended_p50_ns: Option<f64>,
    call_1000_intended_p99_ns: Option<f64>,
    call_1000_rate: Option<f64>,
    call_1000_floor_ns: Option<f64>,
    stream_ns_per_message: Option<f64>,
    stream_single_ns_per_message: Option<f64>,
    window_ns_per_message: Option<f64>,
    stream_appended_ns_per_message: Option<f64>,
    stream_floor_ns: Option<f64>,
    allocs_per_call: f64,
    /// Open loop from the intended send time, without and with garbage.
    open_p99_ns: Option<f64>,
    garbage_p99_ns: Option<f64>,
    ratio_garbage: Option<f64>,
    garbage_bytes_per_second: Option<f64>,
    open_processors: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    garbage_note: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rivals_note: Option<String>,
    page_size: u64,
    engine_core: usize,
    host_core: usize,
    clock: &'static str,
    #[serde(flatten)]
    summary: TurnsSummary,
    streams: TurnsSummary,
}

impl GoResult {
    /// Puts everything together.
    pub fn new(hosts: Hosts, rivals: Rivals, cores: CorePair, go_version: String) -> GoResult {
        let Hosts {
            round_trips,
            counted,
            streams,
            crowd,
            open,
            ..
        } = hosts;
        let p50 = |reading: Option<Reading>| reading.map(|reading| reading.p50_ns);
        let p99 = |reading: Option<Reading>| reading.and_then(|reading| reading.p99_ns);
        let beside_grpc = p50(rivals.grpc).zip(round_trips.call[0]);
        GoResult {
            bench: "go",
            go_version,
            call_p50_ns: round_trips.call[0],
            call_p99_ns: round_trips.call[1],
            lane_p50_ns: round_trips.lane[0],
            lane_p99_ns: round_trips.lane[1],
            rust_p50_ns: round_trips.rust[0],
            rust_p99_ns: round_trips.rust[1],
            floor_p50_ns: round_trips.floor_p50_ns,
            grpc_p50_ns: p50(rivals.grpc),
            grpc_p99_ns: p99(rivals.grpc),
            socket_p50_ns: p50(rivals.socket),
            socket_p99_ns: p99(rivals.socket),
            ratio_call: round_trips.ratio_call,
            ratio_lane: round_trips.ratio_lane,
            ratio_stream: streams.ratios[0],
            ratio_stream_single: streams.ratios[1],
            ratio_window: streams.ratios[2],
            ratio_stream_appended: streams.ratios[3],
            ratio_grpc: beside_grpc.map(|(grpc, call)| grpc / call),
            calls_per_second_1000: crowd.calls_per_second,
            call_1000_p50_ns: crowd.call_ns[0],
            call_1000_p99_ns: crowd.call_ns[1],
            call_1000_intended_p50_ns: crowd.intended_ns[0],
            call_1000_intended_p99_ns: crowd.intended_ns[1],
            call_1000_rate: crowd.burst_rate,
            call_1000_floor_ns: crowd.floor_ns,
            stream_ns_per_message: streams.ns[0],
            stream_single_ns_per_message: streams.ns[1],
            window_ns_per_message: streams.ns[2],
            stream_appended_ns_per_message: streams.ns[3],
            stream_floor_ns: streams.floor_ns,
            allocs_per_call: counted.allocations as f64 / counted.calls.max(1) as f64,
            open_p99_ns: open.quiet_ns[1],
            garbage_p99_ns: open.garbage_ns[1],
            ratio_garbage: open.ratio,
            garbage_bytes_per_second: open.garbage_rate,
            open_processors: open.processors,
            garbage_note: open.note,
            rivals_note: rivals.note,
            page_size: hosts.page_size,
            engine_core: cores.engine,
            host_core: cores.host,
            clock: hosts.clock.name(),
            summary: round_trips.summary,
            streams: streams.summary,
        }
    }

    /// Whether a headline is missing for want of slices.
    pub fn is_too_busy(&self) -> bool {
        self.summary.too_busy || self.streams.too_busy
    }
}

/// The result for people.
pub fn as_table(result: &GoResult) -> String {
    let summary = &result.summary;
    format!(
        "{}\n\n{}\n\n{}\n\n{}; {} bytes of payload; engine on core {}, hosts on core {}, pages of {}, clock {}; \
         {} slices kept, {} dropped; {:.3} allocations a call{}{}{}{}",
        round_trips(result),
        messages(result),
        crowds(result),
        result.go_version,
        super::command::PAYLOAD,
        result.engine_core,
        result.host_core,
        report::page_size(result.page_size),
        result.clock,
        summary.slices,
        summary.slices_dropped,
        result.allocs_per_call,
        report::note(summary.note.as_deref()),
        report::note(result.streams.note.as_deref()),
        report::note(result.garbage_note.as_deref()),
        report::note(result.rivals_note.as_deref()),
    )
}

fn round_trips(result: &GoResult) -> String {
    let mut table = report::table(&["round trip", "p50", "p99", "ratio"]);
    let mut row = |name: &str, p50, p99, ratio: Option<f64>| {
        table.add_row([
            name.to_owned(),
            nanoseconds(p50),
            nanoseconds(p99),
            report::ratio(ratio),
        ]);
    };
    row("walking floor", result.floor_p50_ns, None, None);
    row(
        "Rust, Lane::call",
        result.rust_p50_ns,
        result.rust_p99_ns,
        Some(1.0),
    );
    row(
        "Go, Client.Call",
        result.call_p50_ns,
        result.call_p99_ns,
        result.ratio_call,
    );
    row(
        "Go, Producer",
        result.lane_p50_ns,
        result.lane_p99_ns,
        result.ratio_lane,
    );
    row(
        "Go, Unix socket",
        result.socket_p50_ns,
        result.socket_p99_ns,
        None,
    );
    row(
        "Go, unary gRPC",
        result.grpc_p50_ns,
        result.grpc_p99_ns,
        None,
    );
    table.to_string()
}

fn messages(result: &GoResult) -> String {
    let mut table = report::table(&["each message", "", "ratio"]);
    let mut row = |name: &str, ns, ratio: Option<f64>| {
        table.add_row([name.to_owned(), nanoseconds(ns), report::ratio(ratio)]);
    };
    row("whole-line stream floor", result.stream_floor_ns, None);
    row(
        "one way, groups of 16",
        result.stream_ns_per_message,
        result.ratio_stream,
    );
    row(
        "one way, groups of 16, appended",
        result.stream_appended_ns_per_message,
        result.ratio_stream_appended,
    );
    row(
        "one way, one by one",
        result.stream_single_ns_per_message,
        result.ratio_stream_single,
    );
    row(
        "Producer, full window",
        result.window_ns_per_message,
        result.ratio_window,
    );
    table.to_string()
}

fn crowds(result: &GoResult) -> String {
    let per_second = |rate: Option<f64>| {
        rate.map_or_else(|| "-".to_owned(), |rate| format!("{:.2} M/s", rate / 1e6))
    };
    let mut table = report::table(&["many goroutines", "rate", "p50", "p99"]);
    let mut row = |name: &str, rate, p50, p99| {
        table.add_row([
            name.to_owned(),
            per_second(rate),
            nanoseconds(p50),
            nanoseconds(p99),
        ]);
    };
    row(
        "1000, closed loop",
        result.calls_per_second_1000,
        None,
        None,
    );
    row(
        "1000 in bursts, the call",
        result.call_1000_rate,
        result.call_1000_p50_ns,
        result.call_1000_p99_ns,
    );
    row(
        "… from the burst's moment",
        None,
        result.call_1000_intended_p50_ns,
        result.call_1000_intended_p99_ns,
    );
    row(
        "one, at a steady rate",
        Some(super::open::RATE as f64),
        None,
        result.open_p99_ns,
    );
    row(
        "… with 1 GB/s of garbage",
        None,
        None,
        result.garbage_p99_ns,
    );
    table.to_string()
}

#[cfg(test)]
mod tests {
    use super::super::super::turns::Turns;
    use super::super::turns::RoundTrips;
    use super::*;

    /// The keys that scripts rely on.
    const KEYS: [&str; 17] = [
        "call_p50_ns",
        "lane_p50_ns",
        "rust_p50_ns",
        "floor_p50_ns",
        "grpc_p50_ns",
        "socket_p50_ns",
        "ratio_call",
        "ratio_lane",
        "ratio_stream",
        "calls_per_second_1000",
        "call_1000_p50_ns",
        "stream_ns_per_message",
        "allocs_per_call",
        "slices",
        "slices_dropped",
        "floors",
        "too_busy",
    ];

    fn nothing_measured(rivals: Rivals) -> GoResult {
        let kinds = ["stream", "single", "window", "appended"];
        let (ratios, summary) = Turns::from_slices(kinds, kinds.map(|_| Vec::new())).summarise();
        let hosts = Hosts {
            round_trips: RoundTrips::default().figures(),
            counted: Counted {
                calls: 8,
                allocations: 2,
            },
            streams: StreamFigures {
                floor_ns: None,
                ns: [Some(12.0), None, None, None],
                ratios,
                summary,
            },
            crowd: CrowdFigures::default(),
            open: OpenFigures::default(),
            page_size: 4096,
            clock: Clock::monotonic(),
        };
        let cores = CorePair { engine: 1, host: 0 };
        GoResult::new(hosts, rivals, cores, "go1.24".to_owned())
    }

    #[test]
    fn every_key_is_there_even_where_nothing_was_measured() {
        let result = nothing_measured(Rivals::default());
        let json = serde_json::to_value(&result).unwrap();
        for key in KEYS {
            assert!(json.get(key).is_some(), "{key} is missing in {json}");
        }
        assert_eq!(json["ratio_call"], serde_json::Value::Null);
        assert_eq!(json["allocs_per_call"], 0.25);
        assert_eq!(json["stream_ns_per_message"], 12.0);
        assert!(result.is_too_busy() && as_table(&result).contains("Client.Call"));
    }

    #[test]
    fn a_missing_rival_is_said_aloud() {
        let rivals = Rivals {
            note: Some("no gRPC: no network".to_owned()),
            ..Rivals::default()
        };
        assert!(as_table(&nothing_measured(rivals)).contains("no gRPC: no network"));
    }
}
