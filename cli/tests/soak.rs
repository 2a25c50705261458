//! The soak: an engine of its own plays all kinds of requests, each answer and event is compared with
//! what the oracle says, hosts come and go, and at no time may the engine grow.
//!
//! ```text
//!   crew ──▶ requests, 64 under way ──▶ ironhoard serve ──▶ replies, events ──▶ equal to the oracle's?
//!   passers-by: attach, ask, detach, again and again ──▶ codes that are documented
//!   /proc: anonymous memory after the warm-up; file descriptors and mappings at the end
//! ```
//!
//! Some seconds, or as long as `IRONHOARD_SOAK` says (`10m`).

mod common;
#[path = "../../hunt/tests/common/crew.rs"]
mod crew;
#[path = "../../hunt/tests/common/duration.rs"]
mod duration;

use std::collections::VecDeque;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::{text, until, Folder};
use crew::{Asked, Crew};
use ironhoard::attach::Wishes;
use ironhoard::host::{EventAnswer, EventReceiver, Host, HostOptions, Lane};
use ironhoard::region::PageMode;
use ironhoard_hunt::event::{Event, EVENT_BYTES};
use ironhoard_hunt::game::{GameOptions, DEFAULT_MAX_SPEED_CM_S};
use ironhoard_hunt::map::StreetMap;
use ironhoard_hunt::oracle::{HuntOracle, Told};
use ironhoard_hunt::record::Code;
use ironhoard_hunt::request::{
    AreaReply, BoardReply, KIND_AREA, KIND_BOARD, KIND_STATISTICS, LARGEST_REPLY_BYTES,
};
use ironhoard_hunt::statistics::{Statistics, STATISTICS_BYTES};
use ironhoard_hunt::tag::WorldSecret;
use ironhoard_hunt::world::HuntOptions;
use rand::SeedableRng;
use rand_pcg::Pcg64;
use rustix::process::Signal;

/// Requests under way at a time.
const WINDOW: usize = 64;
/// No answer takes as long; who waits longer has lost it.
const LOST: Duration = Duration::from_secs(60);
/// The growth that is no growth: two pages of 2 MiB, the most that the kernel gives in one step for
/// memory which the engine has had all along. A leak of 16 bytes a request is four times that after a
/// million requests.
const FLAT_BYTES: u64 = 4 << 20;
/// Mappings that an engine without hosts has of memory files: those of its event ring.
const EVENT_RINGS: usize = 1;
/// The world; `--players` and so on below say the same.
const WORLD: &str =
    "--players 14 --sessions 11 --idle-seconds 480000 --treasures 14 --scattered 12 \
                     --boards 3 --board-entries 12 --seed 9 --pages small --wait park";

fn options() -> HuntOptions {
    let game = GameOptions {
        players: 14,
        max_speed_cm_s: DEFAULT_MAX_SPEED_CM_S,
        secret: WorldSecret::from_seed(9),
    };
    HuntOptions {
        sessions: 11,
        idle_seconds: 480_000,
        treasures: 14,
        scattered: 12,
        boards: 3,
        board_entries: 12,
        seed: 9,
        ..HuntOptions::new(game)
    }
}

fn attach(socket: &Path) -> Host {
    let options = HostOptions {
        wishes: Wishes {
            request_capacity: 1 << 16,
            reply_capacity: 1 << 18,
            event_rings: 1,
            pages: PageMode::Small,
            ..Wishes::default()
        },
        attach_deadline: LOST,
        patience: None,
        ..HostOptions::default()
    };
    Host::attach_with(socket, options).expect("attached")
}

/// The crew at the engine, and the oracle that knows each answer before it comes.
struct Play {
    crew: Crew,
    oracle: HuntOracle,
    random: Pcg64,
    lane: Lane,
    events: EventReceiver,
    under_way: VecDeque<(Asked, Told)>,
    told: VecDeque<Event>,
    answered: u64,
    heard: u64,
}

impl Play {
    /// Sends requests until the window is full.
    fn send(&mut self) {
        while self.under_way.len() < WINDOW {
            let asked = self.crew.ask(&mut self.random);
            let told = self
                .oracle
                .answer(0, asked.0, &asked.1, LARGEST_REPLY_BYTES);
            self.crew.hear(&asked, told.code, &told.reply);
            let mut claim = self.lane.claim_wait(asked.1.len(), LOST).expect("room");
            claim.write(&asked.1);
            claim.commit(asked.0);
            self.under_way.push_back((asked, told));
        }
    }

    /// Takes what is there, and waits for it where nothing is.
    fn take(&mut self) {
        assert!(self.lane.wait(LOST).expect("the engine lives"), "lost");
        let mut replies = self.lane.poll(WINDOW).expect("the engine lives");
        while let Some(reply) = replies.next().expect("sound replies") {
            let (asked, told) = self.under_way.pop_front().expect("one for each request");
            let mut bytes = vec![0; reply.payload().len()];
            reply.payload().copy_to(&mut bytes);
            let code = Code::from_number(reply.kind());
            assert_eq!(code, Some(told.code), "{asked:?}");
            let right = of_the_crew(asked.0, told.reply);
            assert_eq!(of_the_crew(asked.0, bytes), right, "{asked:?}");
            self.told.extend(told.events);
            self.answered += 1;
        }
        drop(replies);
        self.listen();
    }

    /// An event is there before its request's reply is, so none may be missing now; those of requests
    /// whose replies are not taken yet come with them.
    fn listen(&mut self) {
        while let Some(right) = self.told.pop_front() {
            let mut payload = [0; EVENT_BYTES];
            let answer = self.events.poll(&mut payload).expect("sound events");
            assert!(
                matches!(answer, EventAnswer::Event(_)),
                "{answer:?}, not {right:?}"
            );
            assert_eq!(payload, right.encode(), "{right:?}");
            self.heard += 1;
        }
    }
}

/// A reply without what others have a part in: times, and how many requests there were.
fn of_the_crew(kind: u16, reply: Vec<u8>) -> Vec<u8> {
    let reply = HuntOracle::without_times(kind, reply);
    match Statistics::decode(&reply).filter(|_| kind == KIND_STATISTICS) {
        None => reply,
        Some(statistics) => {
            let mut bytes = [0; STATISTICS_BYTES];
            let crew = Statistics {
                requests: 0,
                codes: [0; Code::ALL.len()],
                ..statistics
            };
            crew.encode_into(&mut bytes);
            bytes.to_vec()
        }
    }
}

/// A host that comes, asks what anybody may ask, and goes; says how many requests that were.
fn pass_by(socket: &Path, question: u8) -> u64 {
    let host = attach(socket);
    let mut lane = host.lane().expect("a lane");
    let mut ask = |kind: u16, payload: &[u8]| {
        let mut answer = [0; LARGEST_REPLY_BYTES];
        let reply = lane.call(kind, payload, &mut answer, LOST).expect("lost");
        assert_eq!(reply.copied, reply.len);
        let code = Code::from_number(reply.status).expect("a code that is documented");
        (code, answer[..reply.copied].to_vec())
    };
    let mut board = [0; 24];
    (board[2], board[16]) = (question % 6, 20);
    let (code, rows) = ask(KIND_BOARD, &board);
    assert!(matches!(code, Code::Accepted | Code::NotRanked), "{code:?}");
    assert!(BoardReply::decode(&rows).is_some());
    let (code, named) = ask(
        KIND_AREA,
        &[1, 0, 0, 0, question, 9, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0],
    );
    assert_eq!(code, Code::Accepted);
    assert!(AreaReply::decode(&named).is_some());
    assert_eq!(
        ask(question.into(), &[question; 7]),
        (Code::Malformed, Vec::new())
    );
    3
}

/// Anonymous memory of a process, in bytes.
fn memory(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("it lives");
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:"));
    let figure = line.and_then(|figure| figure.trim().strip_suffix(" kB"));
    1_024
        * figure
            .expect("RssAnon in kB")
            .parse::<u64>()
            .expect("a number")
}

/// How many file descriptors a process has, and how many mappings of memory files.
fn held(process: u32) -> (usize, usize) {
    let descriptors = std::fs::read_dir(format!("/proc/{process}/fd")).expect("it lives");
    let maps = std::fs::read_to_string(format!("/proc/{process}/maps")).expect("it lives");
    let of_memory = |line: &&str| line.contains("/memfd:");
    (descriptors.count(), maps.lines().filter(of_memory).count())
}

/// The engine's own counts at the end: those of the oracle, and what passers-by asked.
fn settle(play: &mut Play, passed_by: u64) {
    let mut answer = [0; LARGEST_REPLY_BYTES];
    let reply = play.lane.call(KIND_STATISTICS, &[], &mut answer, LOST);
    let counted = &answer[..reply.expect("statistics").copied];
    let told = play
        .oracle
        .answer(0, KIND_STATISTICS, &[], LARGEST_REPLY_BYTES);
    let right = of_the_crew(KIND_STATISTICS, told.reply);
    assert_eq!(of_the_crew(KIND_STATISTICS, counted.to_vec()), right);
    let counted = Statistics::decode(counted).expect("statistics");
    let codes: u64 = counted.codes.iter().sum();
    assert_eq!(counted.requests, play.answered + passed_by + 1);
    // Its own code is counted after it was answered.
    assert_eq!(counted.requests, codes + 1);
    assert_eq!((counted.events, counted.events_dropped), (play.heard, 0));
    assert!(counted.claims > 0 && counted.sessions > 0, "{counted:?}");
}

#[test]
fn an_engine_that_plays_for_long_stays_right_and_does_not_grow() {
    let folder = Folder::new("soak");
    let made = folder.run("map generate --nodes 25 --output city.ihmap");
    assert!(made.status.success(), "{}", text(&made.stderr));
    let socket = folder.path("hunt.sock");
    let engine = folder.start_unheard(&format!(
        "serve --map city.ihmap --socket hunt.sock {WORLD}"
    ));
    drop(until(|| Host::attach(&socket).ok()));
    // Its host is gone once only the event ring is left.
    until(|| (held(engine.id()).1 == EVENT_RINGS).then_some(()));
    let empty = held(engine.id());
    let map = Arc::new(StreetMap::load(&folder.path("city.ihmap")).expect("the map"));

    let host = attach(&socket);
    let mut play = Play {
        crew: Crew::new(map.clone(), &options(), 0),
        oracle: HuntOracle::new(map, &options()),
        random: Pcg64::seed_from_u64(9),
        lane: host.lane().expect("a lane"),
        events: host.events(0).expect("the event ring"),
        under_way: VecDeque::new(),
        told: VecDeque::new(),
        answered: 0,
        heard: 0,
    };
    let soak = duration::from_environment("IRONHOARD_SOAK", Duration::from_secs(4));
    let is_over = AtomicBool::new(false);
    let (start, mut warm, mut most) = (Instant::now(), 0, 0);
    let passed_by = std::thread::scope(|scope| {
        let passers_by = scope.spawn(|| {
            let mut asked = 0;
            while !is_over.load(Ordering::Relaxed) {
                asked += pass_by(&socket, (asked / 3 % 250) as u8);
            }
            asked
        });
        while start.elapsed() < soak {
            for _ in 0..200 {
                play.send();
                play.take();
            }
            let now = memory(engine.id());
            match start.elapsed() < soak / 4 {
                true => warm = warm.max(now),
                false => most = most.max(now),
            }
        }
        is_over.store(true, Ordering::Relaxed);
        passers_by.join().expect("answers for who passes by")
    });
    while !play.under_way.is_empty() {
        play.take();
    }
    println!(
        "{} requests, {} events, {passed_by} of passers-by; {warm} bytes after the warm-up, {most} later",
        play.answered, play.heard
    );
    settle(&mut play, passed_by);
    assert!(play.heard > 1_000, "{} events", play.heard);
    assert!(most <= warm + FLAT_BYTES, "from {warm} to {most} bytes");
    drop((play, host));
    until(|| {
        let (descriptors, mappings) = held(engine.id());
        (descriptors <= empty.0 && mappings <= empty.1).then_some(())
    });
    engine.signal(Signal::TERM);
    let output = engine.end();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(folder.left(), ["hunt.sock.lock"]);
}
