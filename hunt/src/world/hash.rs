//! The hash of the whole state: two hunts with the same hash have played the same game.
//!
//! What is hashed is what answers depend on (players, sessions, places, treasures, boards, operators,
//! the clock, the random numbers to come), field by field and in a fixed order; not where it lies in
//! memory, and nothing that is measured. So it does not say which sixteen of a larger crowd are looked at.

use sha2::{Digest, Sha256};

use super::Hunt;

impl Hunt {
    /// The SHA-256 of the state. Takes milliseconds to seconds, as the state is large.
    pub fn state_hash(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        let mut word = |word: u64| hash.update(word.to_le_bytes());
        for (index, player) in self.game.players().iter().enumerate() {
            let window = player.window.words();
            let session = self.sessions.of(index as u32).unwrap_or(0);
            let spot = self.crowd.spot(index as u32);
            if window == [0; 4] && session == 0 && spot.is_none() && player.strikes == 0 {
                continue;
            }
            word(index as u64);
            window.into_iter().for_each(&mut word);
            word(session);
            word(u64::from(player.time_ms) << 32 | u64::from(player.strikes));
            if let Some(place) = player.place() {
                [place.x, place.y, place.z]
                    .into_iter()
                    .for_each(|part| word(part as u64));
            }
            if let Some(spot) = spot {
                word(u64::from(spot.from) << 32 | u64::from(spot.to));
                word(u64::from(spot.offset_dm) << 16 | u64::from(self.crowd.seen(index as u32)));
            }
        }
        for (number, node, value) in self.treasures.all() {
            word(u64::from(number) << 32 | u64::from(node));
            word(value as u64);
        }
        for board in &self.boards {
            word(u64::from(board.season()) << 32 | u64::from(board.len()));
            for (player, standing) in board.rows(1) {
                word(player.into());
                word(standing.score as u64);
            }
        }
        for operator in &self.operators {
            operator.window.words().into_iter().for_each(&mut word);
        }
        word(self.now_ns);
        word(self.random);
        hash.finalize().into()
    }
}
