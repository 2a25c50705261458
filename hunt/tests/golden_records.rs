//! Golden records: moves, tags, replies and codes, byte for byte, for hosts in other languages.
//!
//! `testdata/hunt/records.txt` holds one record a line, as `key=value` words: what it says, and the
//! bytes it lies in. This test holds the Rust code against the file; every other binding does the
//! same. `BLESS=1 cargo test -p ironhoard-hunt --test golden_records` writes the file anew after a
//! deliberate change.

use std::fmt::Write;
use std::path::Path;

use ironhoard_hunt::map::Point;
use ironhoard_hunt::record::{
    Code, Move, Reply, KIND_MOVE, MOVE_BYTES, MOVE_KIND_STEP, NO_TREASURE,
};
use ironhoard_hunt::tag::WorldSecret;

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../testdata/hunt/records.txt");

/// A plain step, one whose fields are all at their upper end, and one whose bytes count.
fn moves() -> [Move; 3] {
    let step = Move {
        player: 7,
        sequence: 1,
        time_ms: 1000,
        from: 3,
        to: 4,
        offset_dm: 12,
        kind: MOVE_KIND_STEP,
        flags: 0,
        treasure: NO_TREASURE,
        tag: [0; 16],
    };
    let largest = Move {
        player: u64::MAX,
        sequence: u32::MAX,
        time_ms: u32::MAX,
        from: u32::MAX,
        to: u32::MAX,
        offset_dm: u16::MAX,
        kind: u8::MAX,
        flags: u8::MAX,
        treasure: u32::MAX,
        tag: [0xff; 16],
    };
    let counting = std::array::from_fn(|index| 1 + index as u8);
    [step, largest, Move::decode(&counting)]
}

fn replies() -> [Reply; 3] {
    let nobody = Reply {
        player: 9,
        sequence: 2,
        ..Reply::default()
    };
    let placed = Reply {
        player: 0x0807_0605_0403_0201,
        sequence: 0x0c0b_0a09,
        time_ms: 0x100f_0e0d,
        place: Some(Point {
            x: 337_000_123,
            y: -71_000_456,
            z: i32::MIN,
        }),
        strikes: u16::MAX,
        is_duplicate: false,
    };
    let duplicate = Reply {
        is_duplicate: true,
        strikes: 3,
        ..placed
    };
    [nobody, placed, duplicate]
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes everything");
        text
    })
}

fn move_line(step: &Move) -> String {
    format!(
        "move player={} sequence={} time_ms={} from={} to={} offset_dm={} kind={} flags={} treasure={} \
         tag={} bytes={}",
        step.player,
        step.sequence,
        step.time_ms,
        step.from,
        step.to,
        step.offset_dm,
        step.kind,
        step.flags,
        step.treasure,
        hex(&step.tag),
        hex(&step.encode())
    )
}

fn tag_line(secret: [u8; 32], player: u64, step: &Move) -> String {
    let bytes: [u8; MOVE_BYTES] = step.encode();
    let tag = WorldSecret::new(secret).player_key(player).tag(&bytes);
    format!(
        "tag secret={} player={player} move={} tag={}",
        hex(&secret),
        hex(&bytes),
        hex(&tag)
    )
}

fn reply_line(reply: &Reply) -> String {
    let place = reply.place.unwrap_or(Point { x: 0, y: 0, z: 0 });
    format!(
        "reply player={} sequence={} time_ms={} placed={} x={} y={} z={} strikes={} duplicate={} bytes={}",
        reply.player,
        reply.sequence,
        reply.time_ms,
        reply.place.is_some(),
        place.x,
        place.y,
        place.z,
        reply.strikes,
        reply.is_duplicate,
        hex(&reply.encode())
    )
}

/// The file as this program would write it.
fn golden() -> String {
    let mut lines = vec![
        "# Records of the treasure hunt: written by hunt/tests/golden_records.rs, read by every binding."
            .to_owned(),
        format!("request kind={KIND_MOVE} name=move"),
    ];
    lines.extend(
        Code::ALL
            .iter()
            .map(|code| format!("code number={} name={}", code.number(), code.name())),
    );
    lines.extend(moves().iter().map(move_line));
    let counting: [u8; 32] = std::array::from_fn(|index| index as u8);
    for step in &moves() {
        lines.push(tag_line([0; 32], step.player, step));
        lines.push(tag_line(counting, 0x0102_0304_0506_0708, step));
    }
    lines.extend(replies().iter().map(reply_line));
    for seed in [0, 1, u64::MAX] {
        let bytes = moves()[0].encode();
        let tag = WorldSecret::from_seed(seed).player_key(7).tag(&bytes);
        lines.push(format!(
            "seeded seed={seed} player=7 move={} tag={}",
            hex(&bytes),
            hex(&tag)
        ));
    }
    lines.join("\n") + "\n"
}

#[test]
fn records_lie_in_the_golden_bytes() {
    let path = Path::new(PATH);
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(path, golden()).expect("testdata can be written");
    }
    let found = std::fs::read_to_string(path).expect("testdata/hunt/records.txt is there");
    for (number, (found, made)) in found.lines().zip(golden().lines()).enumerate() {
        assert_eq!(found, made, "records.txt:{}", number + 1);
    }
    assert_eq!(found.lines().count(), golden().lines().count());
}

/// What was written can be read back by the same program.
#[test]
fn golden_records_come_back() {
    for step in moves() {
        assert_eq!(Move::decode(&step.encode()), step);
    }
    for reply in replies() {
        assert_eq!(Reply::decode(&reply.encode()), Some(reply));
    }
}
