//! Tags: proof that a move comes from the player it names.
//!
//! ```text
//!  key  = first 16 bytes of SHA-256("ironhoard player key" ‖ secret, 32 bytes ‖ player, u64)   60 bytes
//!  tag  = first 16 bytes of SHA-256(key ‖ bytes 0..32 of the move)                             48 bytes
//!
//!  session key  = first 16 bytes of SHA-256("ironhoard session key" ‖ player key ‖ session, u64)      45 bytes
//!  operator key = first 16 bytes of SHA-256("ironhoard operator key" ‖ secret, 32 bytes ‖ operator, u16)  56 bytes
//! ```
//!
//! Sessions: who holds the player's key computes the session's key out of the number in the reply to
//! joining, so no key ever travels; and who holds a session's key can speak for that session and learns
//! nothing of the player's key or of other sessions. Inputs of different uses differ in length (45, 48,
//! 56 and 60 bytes), so none can be taken for another.
//!
//! Why not HMAC: it costs four blocks instead of one, and what it defends against cannot happen here.
//!
//! * *Length extension* needs messages of several lengths, and the whole hash as the state to go on
//!   from. Every message here has exactly 32 bytes, and half of the hash stays secret.
//! * With a fixed length, `key ‖ message` is one block of SHA-256, whose compression function is keyed
//!   by secret bytes of that block. That it behaves like a pseudorandom function then, keyed through its
//!   data input, is the assumption that HMAC's own proof makes of its inner key block.
//! * *Confusion* of the two uses cannot happen: their inputs differ in length, and the secret is never
//!   hashed in a 48-byte input.
//! * 128 bits of key and 128 of tag: a forger has nothing better than guessing, online, against an
//!   engine that answers each guess with a refusal. Tags are compared in constant time.
//!
//! The key is 16 bytes and not 32 because 55 is the most that fits one block: 69 ns against 98.
//! A tag says who speaks. It does not hide the move, and repeats are the sequence window's business.

use bytemuck::Zeroable;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::record::{MOVE_BYTES, MOVE_SIGNED, MOVE_TAG};

/// Separates player keys from everything else that might be hashed with the secret one day.
const KEY_LABEL: &[u8; 20] = b"ironhoard player key";
/// Separates session keys from tags.
const SESSION_LABEL: &[u8; 21] = b"ironhoard session key";
/// Separates operator keys from player keys.
const OPERATOR_LABEL: &[u8; 22] = b"ironhoard operator key";

/// The secret of one game world, from which all players' keys come. Shown to nobody, not even by `Debug`.
#[derive(Clone)]
pub struct WorldSecret([u8; 32]);

/// What one player signs its moves with. Not shown by `Debug`.
#[derive(Clone, Copy, Zeroable)]
pub struct PlayerKey([u8; 16]);

impl WorldSecret {
    /// Takes 32 bytes, which should come from the system's random generator.
    pub fn new(bytes: [u8; 32]) -> WorldSecret {
        WorldSecret(bytes)
    }

    /// A secret out of a seed, for demos and tests: whoever knows the seed knows all keys.
    pub fn from_seed(seed: u64) -> WorldSecret {
        let seeded = Sha256::new()
            .chain_update(b"ironhoard demo secret")
            .chain_update(seed.to_le_bytes());
        WorldSecret(seeded.finalize().into())
    }

    /// The bytes, for the oracle's own construction of keys.
    pub(crate) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The key of one player.
    pub fn player_key(&self, player: u64) -> PlayerKey {
        let hash = Sha256::new()
            .chain_update(KEY_LABEL)
            .chain_update(self.0)
            .chain_update(player.to_le_bytes())
            .finalize();
        PlayerKey(first_half(&hash.into()))
    }

    /// The key of one operator: [`crate::request::Operate`].
    pub fn operator_key(&self, operator: u16) -> PlayerKey {
        let hash = Sha256::new()
            .chain_update(OPERATOR_LABEL)
            .chain_update(self.0)
            .chain_update(operator.to_le_bytes())
            .finalize();
        PlayerKey(first_half(&hash.into()))
    }
}

impl PlayerKey {
    /// The key of one of the player's sessions.
    ///
    /// ```
    /// use ironhoard_hunt::tag::WorldSecret;
    /// let key = WorldSecret::from_seed(1).player_key(7);
    /// let mut step = [0; 48];
    /// key.session_key(1).sign(&mut step);
    /// assert!(key.session_key(1).has_signed(&step));
    /// assert!(!key.session_key(2).has_signed(&step) && !key.has_signed(&step));
    /// ```
    pub fn session_key(&self, session: u64) -> PlayerKey {
        let hash = Sha256::new()
            .chain_update(SESSION_LABEL)
            .chain_update(self.0)
            .chain_update(session.to_le_bytes())
            .finalize();
        PlayerKey(first_half(&hash.into()))
    }

    /// The tag of a move; its tag field is not looked at.
    ///
    /// Never inlined: SHA instructions among a caller's vector code were measured fifty times slower.
    #[inline(never)]
    pub fn tag(&self, bytes: &[u8; MOVE_BYTES]) -> [u8; 16] {
        let mut block = [0; 48];
        block[..16].copy_from_slice(&self.0);
        block[16..].copy_from_slice(&bytes[MOVE_SIGNED]);
        first_half(&Sha256::digest(block).into())
    }

    /// Writes the right tag into a move.
    ///
    /// ```
    /// use ironhoard_hunt::tag::WorldSecret;
    /// let key = WorldSecret::from_seed(1).player_key(7);
    /// let mut step = [0; 48];
    /// key.sign(&mut step);
    /// assert!(key.has_signed(&step));
    /// step[3] ^= 1;
    /// assert!(!key.has_signed(&step));
    /// ```
    pub fn sign(&self, bytes: &mut [u8; MOVE_BYTES]) {
        let tag = self.tag(bytes);
        bytes[MOVE_TAG].copy_from_slice(&tag);
    }

    /// Whether the move carries the right tag, found out in constant time.
    pub fn has_signed(&self, bytes: &[u8; MOVE_BYTES]) -> bool {
        self.tag(bytes).ct_eq(&bytes[MOVE_TAG]).into()
    }
}

impl std::fmt::Debug for WorldSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str("WorldSecret(…)")
    }
}

impl std::fmt::Debug for PlayerKey {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str("PlayerKey(…)")
    }
}

fn first_half(hash: &[u8; 32]) -> [u8; 16] {
    std::array::from_fn(|index| hash[index])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Vectors computed with another implementation (Python's hashlib), from the text at the top.
    #[test]
    fn keys_and_tags_are_those_of_the_construction() {
        let secret = WorldSecret::new(std::array::from_fn(|index| index as u8));
        let key = secret.player_key(0x0102_0304_0506_0708);
        assert_eq!(key.0, KEY_VECTOR);
        let step: [u8; 48] = std::array::from_fn(|index| 255 - index as u8);
        assert_eq!(key.tag(&step), TAG_VECTOR);
    }

    #[test]
    fn every_signed_byte_and_every_tag_byte_counts() {
        let key = WorldSecret::from_seed(3).player_key(4);
        let mut step = [7; MOVE_BYTES];
        key.sign(&mut step);
        assert!(key.has_signed(&step));
        for at in 0..MOVE_BYTES {
            let mut changed = step;
            changed[at] ^= 0x80;
            assert!(!key.has_signed(&changed), "byte {at}");
        }
        assert!(!WorldSecret::from_seed(3).player_key(5).has_signed(&step));
        assert!(!WorldSecret::from_seed(4).player_key(4).has_signed(&step));
    }

    #[test]
    fn secrets_are_not_shown() {
        let secret = WorldSecret::new([0xab; 32]);
        assert_eq!(
            format!("{secret:?} {:?}", secret.player_key(0)),
            "WorldSecret(…) PlayerKey(…)"
        );
    }

    const KEY_VECTOR: [u8; 16] = [
        0x0f, 0x09, 0xf4, 0x6b, 0x90, 0x28, 0x93, 0x09, 0xe4, 0x07, 0xa5, 0xb0, 0xcd, 0x8b, 0xa6,
        0x29,
    ];
    const TAG_VECTOR: [u8; 16] = [
        0xfb, 0x32, 0xe2, 0x00, 0x57, 0x5a, 0xe7, 0x64, 0x34, 0xd7, 0xfd, 0x24, 0x5d, 0x43, 0x05,
        0xe3,
    ];
}
