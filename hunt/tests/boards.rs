//! Boards against a sorted vector, and the known mistakes of other leaderboards.

use ironhoard_hunt::board::{Board, BoardError, Change};
use ironhoard_hunt::oracle::PaperBoard;
use ironhoard_hunt::request::Standing;
use proptest::prelude::*;

/// One thing done to a board.
#[derive(Clone, Copy, Debug)]
enum Deed {
    Change(u32, Change),
    Remove(u32),
    Reset,
}

const PLAYERS: u32 = 400;

fn deed() -> impl Strategy<Value = Deed> {
    let score = || {
        prop_oneof![
            12 => -20..20_i64, 4 => any::<i64>(), 1 => Just(i64::MAX), 1 => Just(i64::MIN), 2 => Just(0),
        ]
    };
    let change = prop_oneof![
        score().prop_map(Change::Set),
        score().prop_map(Change::Best),
        score().prop_map(Change::Increment),
        score().prop_map(Change::Decrement),
    ];
    prop_oneof![
        300 => (0..PLAYERS, change).prop_map(|(player, change)| Deed::Change(player, change)),
        30 => (0..PLAYERS).prop_map(Deed::Remove),
        1 => Just(Deed::Reset),
    ]
}

fn compare(board: &Board, paper: &PaperBoard) {
    assert_eq!(board.len() as usize, paper.len());
    for player in 0..PLAYERS {
        assert_eq!(board.standing(player), paper.standing(player));
    }
    for rank in [0, 1, 2, 60, 390, u32::MAX] {
        let skipped = (rank.max(1) - 1) as usize;
        let right: Vec<_> = paper.players().skip(skipped).collect();
        let rows: Vec<_> = board.rows(rank).collect();
        assert!(rows.iter().map(|row| row.0).eq(right));
        for (player, standing) in rows {
            assert_eq!(Some(standing), paper.standing(player));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn a_board_equals_the_one_on_paper(
        deeds in prop::collection::vec(deed(), 1..1_200),
        entries in prop_oneof![Just(1), Just(90), Just(PLAYERS)],
    ) {
        let mut board = Board::new(entries, PLAYERS).unwrap();
        let mut paper = PaperBoard::of(entries as usize);
        for deed in deeds {
            match deed {
                Deed::Change(player, change) => {
                    assert_eq!(board.change(player, change), paper.change(player, change), "{deed:?}");
                }
                Deed::Remove(player) => {
                    assert_eq!(board.remove(player), Ok(paper.remove(player)));
                }
                Deed::Reset => {
                    paper.reset();
                    board.reset();
                }
            }
        }
        compare(&board, &paper);
    }
}

fn board(scores: &[(u32, i64)]) -> Board {
    let mut board = Board::new(100, 100).unwrap();
    for &(player, score) in scores {
        board.change(player, Change::Set(score)).unwrap();
    }
    board
}

fn order(board: &Board, rank: u32) -> Vec<u32> {
    board.rows(rank).map(|row| row.0).collect()
}

#[test]
fn adding_zero_keeps_the_place_among_equals() {
    let mut board = board(&[(1, 5), (2, 5), (3, 5)]);
    for change in [
        Change::Increment(0),
        Change::Decrement(0),
        Change::Set(5),
        Change::Best(5),
        Change::Best(4),
    ] {
        assert_eq!(
            board.change(1, change).unwrap().standing.rank,
            1,
            "{change:?}"
        );
    }
    assert_eq!(order(&board, 1), [1, 2, 3]);
    // Away and back is a new arrival.
    board.change(1, Change::Increment(1)).unwrap();
    board.change(1, Change::Decrement(1)).unwrap();
    assert_eq!(order(&board, 1), [2, 3, 1]);
}

#[test]
fn adding_zero_to_nobody_makes_an_entry_with_score_zero() {
    let mut board = board(&[]);
    let changed = board.change(4, Change::Increment(0)).unwrap();
    assert_eq!(
        (
            changed.standing.score,
            changed.standing.rank,
            changed.rank_before
        ),
        (0, 1, None)
    );
    assert_eq!(
        board.change(5, Change::Best(-3)).unwrap().standing.score,
        -3
    );
}

#[test]
fn who_leaves_and_comes_back_begins_anew() {
    let mut board = board(&[(1, 5), (2, 5)]);
    assert_eq!(board.remove(1), Ok(Some(1)));
    assert_eq!((board.standing(1), board.remove(1)), (None, Ok(None)));
    let changed = board.change(1, Change::Increment(5)).unwrap();
    assert_eq!(
        (
            changed.standing.rank,
            changed.standing.shared_rank,
            changed.rank_before
        ),
        (2, 1, None)
    );
}

#[test]
fn a_reset_forgets_scores_ranks_and_ties() {
    let mut board = board(&[(1, 9), (2, 5), (3, 5)]);
    board.reset();
    assert_eq!(
        (board.len(), board.season(), board.standing(1)),
        (0, 1, None)
    );
    assert_eq!(board.rows(1).count(), 0);
    // Increments start from 0 again, best scores from nothing, and order from who comes first now.
    assert_eq!(
        board.change(3, Change::Increment(5)).unwrap().standing.rank,
        1
    );
    assert_eq!(
        board.change(2, Change::Best(5)).unwrap().standing,
        Standing {
            score: 5,
            rank: 2,
            shared_rank: 1
        }
    );
    assert_eq!(
        board
            .change(1, Change::Decrement(1))
            .unwrap()
            .standing
            .score,
        -1
    );
    assert_eq!(order(&board, 1), [3, 2, 1]);
}

#[test]
fn a_refusal_changes_nothing() {
    let mut board = Board::new(2, 10).unwrap();
    board.change(1, Change::Set(i64::MAX)).unwrap();
    board.change(2, Change::Set(i64::MIN)).unwrap();
    assert_eq!(
        board.change(1, Change::Increment(1)),
        Err(BoardError::ScoreRange)
    );
    assert_eq!(
        board.change(2, Change::Decrement(1)),
        Err(BoardError::ScoreRange)
    );
    assert_eq!(
        board
            .change(2, Change::Decrement(i64::MIN))
            .unwrap()
            .standing
            .score,
        0
    );
    assert_eq!(
        board.change(3, Change::Set(1)),
        Err(BoardError::Full { entries: 2 })
    );
    let unknown = BoardError::UnknownPlayer {
        player: 10,
        players: 10,
    };
    assert_eq!(board.change(10, Change::Set(1)), Err(unknown));
    assert_eq!(
        board.remove(u32::MAX).unwrap_err().to_string(),
        "there is no player 4294967295; a board for 10 knows those below"
    );
    assert_eq!(order(&board, 1), [1, 2]);
    assert!(board.remove(1).is_ok());
    assert!(board.change(3, Change::Set(1)).is_ok());
}
