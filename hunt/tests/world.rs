//! The whole hunt, request by request: what is answered, what changes, and what does not.

use std::sync::Arc;

use ironhoard_hunt::event::{Audience, EventKind};
use ironhoard_hunt::game::{GameOptions, DEFAULT_MAX_SPEED_CM_S};
use ironhoard_hunt::map::{generate, GenerateOptions, StreetMap};
use ironhoard_hunt::record::{Code, Move, KIND_MOVE, NO_TREASURE};
use ironhoard_hunt::request::{
    AreaQuery, AreaReply, BoardQuery, BoardReply, BoardView, Operate, OperateReply, OperateVerb,
    PlayReply, PlayVerb, KIND_AREA, KIND_BOARD, KIND_OPERATE, KIND_PLAY, KIND_STATISTICS,
    MARK_ROWS_AFTER, MARK_ROWS_BEFORE,
};
use ironhoard_hunt::statistics::Statistics;
use ironhoard_hunt::tag::{PlayerKey, WorldSecret};
use ironhoard_hunt::world::{Hunt, HuntOptions};
use proptest::prelude::*;

const PLAYERS: u32 = 40;

fn options() -> HuntOptions {
    let game = GameOptions {
        players: PLAYERS,
        max_speed_cm_s: DEFAULT_MAX_SPEED_CM_S,
        secret: WorldSecret::from_seed(5),
    };
    HuntOptions {
        sessions: 30,
        treasures: 20,
        scattered: 0,
        boards: 3,
        idle_seconds: 160,
        ..HuntOptions::new(game)
    }
}

/// A hunt, and clients that keep their own books.
struct Table {
    hunt: Hunt,
    map: Arc<StreetMap>,
    secret: WorldSecret,
    sequences: Vec<u32>,
    keys: Vec<PlayerKey>,
    sessions: Vec<u64>,
    operator_sequence: u32,
    now_ns: u64,
}

impl Table {
    fn new(options: &HuntOptions) -> Table {
        let map = Arc::new(generate(&GenerateOptions::city(300, 2), &mut |_, _| {}).unwrap());
        let secret = options.game.secret.clone();
        Table {
            hunt: Hunt::new(map.clone(), options).unwrap(),
            map,
            sequences: vec![0; PLAYERS as usize],
            keys: (0..PLAYERS)
                .map(|player| secret.player_key(player.into()))
                .collect(),
            sessions: vec![0; PLAYERS as usize],
            secret,
            operator_sequence: 0,
            now_ns: 1,
        }
    }

    fn ask(&mut self, kind: u16, payload: &[u8]) -> (Code, Vec<u8>) {
        let (code, answer) = self.hunt.answer(self.now_ns, kind, payload, 1024);
        let mut out = vec![0xee; answer.bytes()];
        answer.encode_into(&mut out);
        (code, out)
    }

    fn play_bytes(
        &mut self,
        player: u32,
        verb: PlayVerb,
        at: (u32, u32, u16),
        treasure: u32,
    ) -> [u8; 48] {
        let index = player as usize;
        self.sequences[index] += 1;
        let step = Move {
            player: player.into(),
            sequence: self.sequences[index],
            time_ms: self.sequences[index] * 100_000,
            from: at.0,
            to: at.1,
            offset_dm: at.2,
            kind: verb as u8,
            flags: 0,
            treasure,
            tag: [0; 16],
        };
        let mut bytes = step.encode();
        match verb {
            PlayVerb::Join => self.secret.player_key(player.into()).sign(&mut bytes),
            _ => self.keys[index].sign(&mut bytes),
        }
        bytes
    }

    fn play(&mut self, bytes: &[u8; 48]) -> (Code, PlayReply) {
        let (code, out) = self.ask(KIND_PLAY, bytes);
        (code, PlayReply::decode(&out).unwrap())
    }

    fn attend(&mut self, player: u32, verb: PlayVerb) -> (Code, PlayReply) {
        let session = self.sessions[player as usize];
        let bytes = self.play_bytes(player, verb, (session as u32, (session >> 32) as u32, 0), 0);
        let (code, reply) = self.play(&bytes);
        if let (PlayVerb::Join, Code::Accepted, Some(note)) = (verb, code, reply.session) {
            self.sessions[player as usize] = note.session;
            self.keys[player as usize] = self
                .secret
                .player_key(player.into())
                .session_key(note.session);
        }
        (code, reply)
    }

    fn walk(&mut self, player: u32, verb: PlayVerb, node: u32, treasure: u32) -> (Code, PlayReply) {
        let to = self.map.arcs_from(node)[0].to;
        let bytes = self.play_bytes(player, verb, (node, to, 0), treasure);
        self.play(&bytes)
    }

    fn operate(
        &mut self,
        verb: OperateVerb,
        board: u16,
        subject: u64,
        value: i64,
    ) -> (Code, OperateReply) {
        self.operator_sequence += 1;
        let request = Operate {
            operator: 3,
            verb,
            board,
            sequence: self.operator_sequence,
            treasure: 0,
            subject,
            value,
        };
        self.send(&request)
    }

    fn send(&mut self, request: &Operate) -> (Code, OperateReply) {
        let mut bytes = request.encode();
        self.secret.operator_key(request.operator).sign(&mut bytes);
        let (code, out) = self.ask(KIND_OPERATE, &bytes);
        (code, OperateReply::decode(&out).unwrap())
    }

    fn view(&mut self, view: BoardView, start: u32, player: u64, count: u16) -> (Code, BoardReply) {
        let query = BoardQuery {
            board: 2,
            view,
            start,
            player,
            count,
        };
        let (code, out) = self.ask(KIND_BOARD, &query.encode());
        (code, BoardReply::decode(&out).unwrap())
    }

    fn statistics(&mut self) -> Statistics {
        Statistics::decode(&self.ask(KIND_STATISTICS, &[]).1).unwrap()
    }
}

#[test]
fn a_session_is_joined_resumed_and_left() {
    let mut table = Table::new(&options());
    assert_eq!(
        table.walk(1, PlayVerb::Step, 5, NO_TREASURE).0,
        Code::NoSession
    );
    let (code, reply) = table.attend(1, PlayVerb::Join);
    assert_eq!(
        (code, reply.session.unwrap().highest_sequence),
        (Code::Accepted, 2)
    );
    let (code, reply) = table.walk(1, PlayVerb::Step, 5, NO_TREASURE);
    assert_eq!(
        (code, reply.moved.place),
        (Code::Accepted, table.map.point(5))
    );
    assert_eq!(
        reply
            .standing
            .map(|standing| (standing.score, standing.rank)),
        Some((0, 1))
    );

    let (code, reply) = table.attend(1, PlayVerb::Resume);
    assert_eq!(
        (code, reply.moved.place),
        (Code::Accepted, table.map.point(5))
    );
    assert_eq!(reply.session.unwrap().session, table.sessions[1]);
    // A second device takes over; the first one's key is worth nothing any more.
    let old = (table.sessions[1], table.keys[1]);
    assert_eq!(table.attend(1, PlayVerb::Join).0, Code::Accepted);
    let new = (table.sessions[1], table.keys[1]);
    assert_ne!(old.0, new.0);
    table.keys[1] = old.1;
    assert_eq!(
        table.walk(1, PlayVerb::Step, 5, NO_TREASURE).0,
        Code::BadTag
    );
    (table.keys[1], table.sessions[1]) = (new.1, old.0);
    assert_eq!(table.attend(1, PlayVerb::Resume).0, Code::NoSession);
    table.sessions[1] = new.0;
    assert_eq!(table.attend(1, PlayVerb::Leave).0, Code::Accepted);
    table.keys[1] = table.secret.player_key(1);
    assert_eq!(
        table.walk(1, PlayVerb::Step, 5, NO_TREASURE).0,
        Code::NoSession
    );
    assert_eq!(table.statistics().sessions, 0);
}

#[test]
fn full_sessions_are_an_answer_until_somebody_sleeps() {
    let mut table = Table::new(&options());
    for player in 0..30 {
        assert_eq!(table.attend(player, PlayVerb::Join).0, Code::Accepted);
    }
    let before = table.hunt.state_hash();
    assert_eq!(table.attend(30, PlayVerb::Join).0, Code::SessionsFull);
    assert_eq!(table.hunt.state_hash(), before);
    // All but player 7 are heard of again, much later.
    table.now_ns = 400_000_000_000;
    for player in (0..30).filter(|&player| player != 7) {
        assert_eq!(
            table.walk(player, PlayVerb::Step, player, NO_TREASURE).0,
            Code::Accepted
        );
    }
    assert_eq!(table.attend(30, PlayVerb::Join).0, Code::Accepted);
    assert_eq!(table.attend(31, PlayVerb::Join).0, Code::SessionsFull);
    assert_eq!(
        table.walk(7, PlayVerb::Step, 1, NO_TREASURE).0,
        Code::BadTag
    );
    let statistics = table.statistics();
    assert_eq!((statistics.sessions, statistics.sessions_evicted), (30, 1));
}

#[test]
fn a_treasure_is_seen_claimed_once_and_pays() {
    let mut table = Table::new(&options());
    let (code, laid) = table.operate(OperateVerb::LayTreasure, 0, 9, 500);
    assert_eq!(code, Code::Accepted);
    let drop = table.hunt.events().all()[0];
    assert_eq!(
        (drop.kind, drop.audience, drop.value),
        (EventKind::ClueDrop, Audience::Area(9), 500)
    );
    let treasure = laid.request.treasure;
    for player in [1, 2] {
        table.attend(player, PlayVerb::Join);
    }
    let (code, reply) = table.walk(1, PlayVerb::Step, 9, NO_TREASURE);
    assert_eq!(
        (
            code,
            reply.treasures.entries()[0].id,
            reply.treasures.entries()[0].distance_dm
        ),
        (Code::Accepted, treasure, 0)
    );
    assert_eq!(
        table
            .hunt
            .events()
            .all()
            .iter()
            .map(|event| event.kind)
            .collect::<Vec<_>>(),
        [EventKind::RankChange, EventKind::Near]
    );
    let (code, reply) = table.walk(2, PlayVerb::Step, 9, NO_TREASURE);
    assert_eq!((code, reply.players.entries()[0].id), (Code::Accepted, 1));

    assert_eq!(
        table.walk(2, PlayVerb::Claim, 200, treasure).0,
        Code::TooFar
    );
    let claim = table.play_bytes(
        1,
        PlayVerb::Claim,
        (9, table.map.arcs_from(9)[0].to, 0),
        treasure,
    );
    let (code, reply) = table.play(&claim);
    assert_eq!(
        (code, reply.standing.unwrap().score, reply.moved.strikes),
        (Code::Accepted, 500, 0)
    );
    assert!(table
        .hunt
        .events()
        .all()
        .iter()
        .any(|event| event.kind == EventKind::Claimed && event.cause == 1));
    // Again: the same answer, and nothing is paid twice. Somebody else is too late.
    let (code, reply) = table.play(&claim);
    assert_eq!(
        (
            code,
            reply.moved.is_duplicate,
            reply.standing.unwrap().score
        ),
        (Code::Accepted, true, 500)
    );
    let (code, reply) = table.walk(2, PlayVerb::Claim, 9, treasure);
    assert_eq!((code, reply.moved.strikes), (Code::NoTreasure, 1));
    let statistics = table.statistics();
    assert_eq!((statistics.claims, statistics.treasures), (1, 1));
    assert_eq!(statistics.codes[Code::TooFar as usize], 1);
}

#[test]
fn boards_are_shown_by_top_page_before_and_around() {
    let mut table = Table::new(&options());
    for player in 0..25_u64 {
        assert_eq!(
            table
                .operate(OperateVerb::SetScore, 2, player, 100 - player as i64)
                .0,
            Code::Accepted
        );
    }
    let players = |reply: &BoardReply| reply.rows.iter().map(|row| row.player).collect::<Vec<_>>();
    let marks = |reply: &BoardReply| reply.head.marks;
    let (_, top) = table.view(BoardView::Top, 0, 0, 3);
    assert_eq!(
        (players(&top), marks(&top), top.head.entries),
        (vec![0, 1, 2], MARK_ROWS_AFTER, 25)
    );
    let (_, page) = table.view(BoardView::Page, 24, 0, 10);
    assert_eq!(
        (players(&page), marks(&page)),
        (vec![23, 24], MARK_ROWS_BEFORE)
    );
    // Paging backwards from there gives the rows just before, in the same order; and ends at the top.
    let (_, before) = table.view(BoardView::Before, 24, 0, 3);
    assert_eq!(
        (players(&before), marks(&before)),
        (vec![20, 21, 22], MARK_ROWS_BEFORE | MARK_ROWS_AFTER)
    );
    let (_, before) = table.view(BoardView::Before, 3, 0, 10);
    assert_eq!(
        (players(&before), marks(&before)),
        (vec![0, 1], MARK_ROWS_AFTER)
    );
    assert_eq!(table.view(BoardView::Before, 1, 0, 10).1.rows, []);
    assert_eq!(table.view(BoardView::Page, 26, 0, 10).1.rows, []);
    // Around the second: one before, and as many after as asked for.
    let (code, around) = table.view(BoardView::Around, 0, 1, 2);
    assert_eq!(
        (code, players(&around), around.head.standing.unwrap().rank),
        (Code::Accepted, vec![0, 1, 2, 3], 2)
    );
    let (_, around) = table.view(BoardView::Around, 0, 24, 2);
    assert_eq!(players(&around), [22, 23, 24]);
    let (code, nobody) = table.view(BoardView::Around, 0, 30, 2);
    assert_eq!(
        (code, nobody.rows.len(), nobody.head.standing),
        (Code::NotRanked, 0, None)
    );
    assert_eq!(
        table
            .view(BoardView::Rank, 0, 4, 9)
            .1
            .head
            .standing
            .unwrap()
            .score,
        96
    );
    // What does not fit is left out and said.
    for player in 25..40 {
        table.operate(OperateVerb::SetScore, 2, player, 0);
    }
    assert_eq!(
        table
            .hunt
            .answer(
                1,
                KIND_BOARD,
                &BoardQuery {
                    board: 2,
                    view: BoardView::Top,
                    start: 0,
                    player: 0,
                    count: 40
                }
                .encode(),
                128
            )
            .1
            .bytes(),
        32 + 4 * 24
    );
    assert_eq!(
        table.operate(OperateVerb::ResetBoard, 2, 0, 0).0,
        Code::Accepted
    );
    let (_, top) = table.view(BoardView::Top, 0, 0, 3);
    assert_eq!((top.rows.len(), top.head.season), (0, 1));
}

#[test]
fn what_is_not_there_has_a_code_and_changes_nothing() {
    let mut table = Table::new(&HuntOptions {
        board_entries: 2,
        treasures: 1,
        ..options()
    });
    table.operate(OperateVerb::LayTreasure, 0, 9, 1);
    for player in 0..2 {
        table.operate(OperateVerb::SetScore, 1, player, i64::MAX);
    }
    let before = table.hunt.state_hash();
    for (verb, board, subject, value, right) in [
        (OperateVerb::SetScore, 3, 1, 0, Code::UnknownBoard),
        (OperateVerb::SetScore, 1, 40, 0, Code::UnknownPlayer),
        (OperateVerb::SetScore, 1, u64::MAX, 0, Code::UnknownPlayer),
        (OperateVerb::SetScore, 1, 2, 0, Code::BoardFull),
        (OperateVerb::IncrementScore, 1, 1, 1, Code::ScoreRange),
        (OperateVerb::RemoveScore, 1, 5, 0, Code::NotRanked),
        (OperateVerb::ResetBoard, 9, 0, 0, Code::UnknownBoard),
        (OperateVerb::LayTreasure, 0, 300, 1, Code::UnknownNode),
        (OperateVerb::LayTreasure, 0, 1 << 32, 1, Code::UnknownNode),
        (OperateVerb::LayTreasure, 0, 8, 1, Code::TreasuresFull),
        (OperateVerb::LiftTreasure, 0, 0, 0, Code::NoTreasure),
    ] {
        assert_eq!(
            table.operate(verb, board, subject, value).0,
            right,
            "{verb:?}"
        );
    }
    for (kind, payload, right) in [
        (
            KIND_BOARD,
            BoardQuery {
                board: 9,
                view: BoardView::Info,
                start: 0,
                player: 0,
                count: 0,
            }
            .encode()
            .to_vec(),
            Code::UnknownBoard,
        ),
        (
            KIND_BOARD,
            BoardQuery {
                board: 0,
                view: BoardView::Rank,
                start: 0,
                player: 99,
                count: 0,
            }
            .encode()
            .to_vec(),
            Code::UnknownPlayer,
        ),
        (KIND_BOARD, vec![0; 23], Code::Malformed),
        (
            KIND_AREA,
            AreaQuery {
                node: 300,
                reach_dm: 1,
                count: 1,
            }
            .encode()
            .to_vec(),
            Code::UnknownNode,
        ),
        (KIND_AREA, vec![0; 17], Code::Malformed),
        (KIND_STATISTICS, vec![0], Code::Malformed),
        (KIND_OPERATE, vec![0; 48], Code::BadTag),
        (KIND_OPERATE, vec![16; 48], Code::Malformed),
        (KIND_PLAY, vec![0; 48], Code::BadTag),
        (KIND_PLAY, vec![0; 47], Code::Malformed),
        (0, vec![], Code::Malformed),
    ] {
        assert_eq!(table.ask(kind, &payload).0, right, "{kind} {payload:?}");
    }
    assert_eq!(table.hunt.state_hash(), before);
    // A clock that goes back stands still.
    table.now_ns = 0;
    table.view(BoardView::Info, 0, 0, 0);
    assert_eq!(
        (table.hunt.state_hash(), table.statistics().clock_went_back),
        (before, 2)
    );
}

#[test]
fn an_operator_acts_once_for_each_sequence() {
    let mut table = Table::new(&options());
    let add = Operate {
        operator: 3,
        verb: OperateVerb::IncrementScore,
        board: 2,
        sequence: 5,
        treasure: 0,
        subject: 1,
        value: 7,
    };
    assert_eq!(table.send(&add).1.standing.score, 7);
    let (code, again) = table.send(&add);
    assert_eq!(
        (code, again.is_duplicate, again.standing.score),
        (Code::Accepted, true, 7)
    );
    let other = Operate { operator: 4, ..add };
    assert_eq!(table.send(&other).1.standing.score, 14);
    assert_eq!(
        table
            .send(&Operate {
                sequence: 100,
                ..add
            })
            .0,
        Code::Accepted
    );
    assert_eq!(
        table
            .send(&Operate {
                sequence: 36,
                ..add
            })
            .0,
        Code::TooOld
    );
    let mut forged = add.encode();
    table.secret.operator_key(4).sign(&mut forged);
    assert_eq!(table.ask(KIND_OPERATE, &forged).0, Code::BadTag);
    let mut nobody = Operate {
        operator: 16,
        ..add
    }
    .encode();
    table.secret.operator_key(16).sign(&mut nobody);
    assert_eq!(table.ask(KIND_OPERATE, &nobody).0, Code::UnknownOperator);
}

#[test]
fn areas_are_answered_by_search() {
    let mut table = Table::new(&options());
    for node in 0..20 {
        table.operate(OperateVerb::LayTreasure, 0, node, 1);
    }
    let ask = |table: &mut Table, reach_dm, count| {
        let (code, out) = table.ask(
            KIND_AREA,
            &AreaQuery {
                node: 3,
                reach_dm,
                count,
            }
            .encode(),
        );
        (code, AreaReply::decode(&out))
    };
    let (_, all) = ask(&mut table, 1_000_000, 100);
    let all = all.unwrap();
    assert_eq!(
        (
            all.all,
            all.entries.len(),
            all.is_cut,
            all.entries[0].distance_dm
        ),
        (20, 20, false, 0)
    );
    assert!(all.entries.is_sorted());
    let (_, some) = ask(&mut table, 1_000_000, 5);
    assert_eq!(
        some.map(|some| (some.all, some.is_cut, some.entries)),
        Some((20, true, all.entries[..5].to_vec()))
    );
}

#[test]
fn bare_moves_are_the_same_players() {
    let mut table = Table::new(&options());
    table.attend(1, PlayVerb::Join);
    let step = table.play_bytes(
        1,
        PlayVerb::Step,
        (9, table.map.arcs_from(9)[0].to, 0),
        NO_TREASURE,
    );
    assert_eq!(table.ask(KIND_MOVE, &step).0, Code::Accepted);
    table.attend(2, PlayVerb::Join);
    let (_, reply) = table.walk(2, PlayVerb::Step, 9, NO_TREASURE);
    assert_eq!(
        reply
            .players
            .entries()
            .iter()
            .map(|found| found.id)
            .collect::<Vec<_>>(),
        [1]
    );
    assert!(table.play(&step).1.moved.is_duplicate);
}

/// Before any memory is asked for.
#[test]
fn options_that_are_not_possible_are_refused_by_name() {
    let map = Arc::new(generate(&GenerateOptions::city(300, 4), &mut |_, _| {}).unwrap());
    let good = options();
    let players = |players| HuntOptions {
        game: GameOptions {
            players,
            ..options().game
        },
        ..options()
    };
    for (options, says) in [
        (
            players(1 << 31),
            "2147483648 players are not possible: choose 1 to 2147483647",
        ),
        (players(0), "0 players are not possible"),
        (
            HuntOptions {
                sessions: 0,
                ..good.clone()
            },
            "0 sessions",
        ),
        (
            HuntOptions {
                treasures: 5,
                scattered: 6,
                ..good.clone()
            },
            "6 scattered treasures",
        ),
        (
            HuntOptions {
                boards: 0,
                ..good.clone()
            },
            "0 boards",
        ),
        (
            HuntOptions {
                arm_dm: good.reach_dm + 1,
                ..good.clone()
            },
            "decimetres of arm",
        ),
        (
            HuntOptions {
                sight_cm: 4_097,
                ..good.clone()
            },
            "choose 0 to 4096",
        ),
    ] {
        let refused = Hunt::new(map.clone(), &options)
            .err()
            .expect(says)
            .to_string();
        assert!(refused.contains(says), "{refused}");
    }
}

/// A byte, rather a small one: numbers that there are.
fn byte() -> impl Strategy<Value = u8> {
    prop_oneof![3 => 0..4_u8, 1 => any::<u8>()]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Requests of any kind and size, with right tags over wrong bytes: an answer, never a panic; and
    /// whoever cannot sign changes nothing.
    #[test]
    fn any_bytes_have_an_answer(
        requests in prop::collection::vec(
            (0..8_u16, prop::collection::vec(byte(), 0..60), any::<bool>(), any::<u64>()),
            1..40,
        ),
    ) {
        let mut table = Table::new(&HuntOptions { scattered: 10, ..options() });
        for player in 0..4 {
            table.attend(player, PlayVerb::Join);
        }
        for (kind, mut payload, is_signed, now_ns) in requests {
            table.now_ns = now_ns;
            let key = match kind {
                KIND_OPERATE => table.secret.operator_key(u16::from(payload.first().copied().unwrap_or(0))),
                _ => table.keys[usize::from(payload.first().copied().unwrap_or(0)) % 40],
            };
            if kind == KIND_PLAY && payload.len() > 7 {
                payload[1..8].fill(0);
            }
            if let (true, Ok(bytes)) = (is_signed, (&mut payload[..]).try_into()) {
                key.sign(bytes);
            }
            let (code, answer) = table.hunt.answer(now_ns, kind, &payload, 512);
            let mut out = vec![0; answer.bytes()];
            answer.encode_into(&mut out);
            prop_assert!(out.len() <= 512, "{code:?} {}", out.len());
        }
    }
}
