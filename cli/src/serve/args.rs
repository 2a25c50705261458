//! What can be typed behind `ironhoard serve`.

use std::path::PathBuf;

use clap::Args;
use ironhoard::region::PageMode;
use ironhoard::wait::WaitStrategy;

/// Examples below `serve --help`.
pub const EXAMPLES: &str = "\
Examples:
  ironhoard serve                                       a free core, the real city if it was fetched
  ironhoard serve --core 3 --wait busy                  the fastest answers, for a whole core
  ironhoard serve --socket /run/hunt.sock --socket-mode 660 --allow-uid 1000
  ironhoard serve --pages require-huge                  2 MiB pages or nothing
  ironhoard serve --json 2>log                          the counters, as JSON, when it ends

SIGTERM or SIGINT (Ctrl-C): answers what is committed, tells the hosts, prints its counters, leaves.
A second one: leaves at once.

Exit codes: 0 left cleanly, 2 usage, 3 environment (core, path, map, memory), 4 the engine was lost.";

/// Options of `serve`.
#[derive(Debug, Args)]
pub struct ServeArguments {
    /// Where hosts attach [default: ironhoard.sock in $XDG_RUNTIME_DIR, else /run, else /tmp].
    #[arg(long, value_name = "PATH")]
    pub socket: Option<PathBuf>,

    /// Prepared map, GeoJSON or .osm.pbf [default: the fetched city, else a generated one].
    #[arg(long, value_name = "FILE")]
    pub map: Option<PathBuf>,

    /// How many players there can be; their numbers are those below.
    #[arg(long, value_name = "COUNT", default_value_t = 100_000,
          value_parser = clap::value_parser!(u32).range(1..=100_000_000))]
    pub players: u32,

    /// The most sessions at one time [default: --players].
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=100_000_000))]
    pub sessions: Option<u32>,

    /// Seconds after which a silent player's session may end for another's.
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    pub idle_seconds: u32,

    /// The most treasures at one time.
    #[arg(long, value_name = "COUNT", default_value_t = 20_000)]
    pub treasures: u32,

    /// Treasures that lie about from the beginning; each that is taken appears again elsewhere.
    #[arg(long, value_name = "COUNT", default_value_t = 10_000)]
    pub scattered: u32,

    /// From how many metres away treasures are seen, along the streets.
    #[arg(long, value_name = "METRES", default_value_t = 100,
          value_parser = clap::value_parser!(u32).range(25..=5_000))]
    pub reach: u32,

    /// Boards: 0 counts ways walked and treasures, 1 treasures alone, the others are the operators'.
    #[arg(long, value_name = "COUNT", default_value_t = 2,
          value_parser = clap::value_parser!(u16).range(1..=1_024))]
    pub boards: u16,

    /// The most players on one board [default: --players].
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=100_000_000))]
    pub board_entries: Option<u32>,

    /// Record all requests to this file, for `ironhoard replay`.
    #[arg(long, value_name = "FILE")]
    pub record: Option<PathBuf>,

    /// Core that the engine is pinned to [default: wherever the scheduler puts it].
    #[arg(long, value_name = "CORE")]
    pub core: Option<usize>,

    /// What the engine does while nobody asks: busy, spin, yield or park.
    #[arg(long, value_name = "STRATEGY", default_value = "spin")]
    pub wait: WaitStrategy,

    /// Pages of the regions: auto, require-huge or small.
    #[arg(long, value_name = "MODE", default_value = "auto")]
    pub pages: PageMode,

    /// Bytes of the event ring that every host may read: a power of two from 4096; 0 for none.
    #[arg(long, value_name = "BYTES", default_value_t = 1 << 20)]
    pub events: u64,

    /// Requests taken from one lane before the next has its turn.
    #[arg(long, value_name = "COUNT", default_value_t = 32,
          value_parser = clap::value_parser!(u32).range(1..))]
    pub budget: u32,

    /// Permission bits of the socket, octal: who may attach at all.
    #[arg(long, value_name = "MODE", default_value = "600", value_parser = octal)]
    pub socket_mode: u32,

    /// A uid that may attach; may be given many times [default: whoever the socket lets in].
    #[arg(long = "allow-uid", value_name = "UID")]
    pub allowed_uids: Vec<u32>,

    /// The most hosts at one time.
    #[arg(long, value_name = "COUNT", default_value_t = 64)]
    pub max_hosts: u32,

    /// The most hosts of one uid at one time [default: --max-hosts].
    #[arg(long, value_name = "COUNT")]
    pub max_hosts_per_uid: Option<u32>,

    /// The most memory that one uid's regions may take, in MiB.
    #[arg(long, value_name = "MIB", default_value_t = 1024,
          value_parser = clap::value_parser!(u64).range(1..=1 << 20))]
    pub max_memory_per_uid: u64,

    /// Milliseconds for which a leaving engine still answers what hosts commit.
    #[arg(long, value_name = "MS", default_value_t = 1000)]
    pub drain_for: u64,

    /// File with the world's secret, 64 hexadecimal digits, from which all players' keys come.
    #[arg(long, value_name = "FILE", conflicts_with = "seed")]
    pub secret_file: Option<PathBuf>,

    /// Seed of a secret that everybody knows; for trying out.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

fn octal(text: &str) -> Result<u32, String> {
    match u32::from_str_radix(text, 8) {
        Ok(mode @ 0..=0o777) => Ok(mode),
        _ => Err("permission bits are octal digits from 000 to 777, such as 660".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permission_bits_are_octal() {
        assert_eq!(octal("660"), Ok(0o660));
        for text in ["", "8", "1000", "rw", "-1"] {
            assert!(octal(text).is_err(), "{text}");
        }
    }
}
