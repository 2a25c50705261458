//! The seeded mutants of the event ring. Weakened orderings are `event_loom.rs`'s business.

use super::list::{mutant, Mutant, EVENT_EDGES, EVENT_STEPS};

const WRITER: &str = "event/writer.rs";
const READER: &str = "event/reader.rs";

pub const EVENT_MUTANTS: &[Mutant] = &[
    mutant(
        EVENT_STEPS,
        "overwritten_is_not_said",
        WRITER,
        ".publish(ControlWord::Overwritten, oldest.position);\n        self.control.release_fence();",
        ".release_fence();",
    ),
    mutant(
        EVENT_STEPS,
        "room_without_the_record",
        WRITER,
        ".wrapping_add(need)\n            .wrapping_sub",
        ".wrapping_sub",
    ),
    mutant(
        EVENT_STEPS,
        "the_pair_that_counts_is_written",
        WRITER,
        "self.sequence = self.sequence.wrapping_add(1);",
        "self.sequence = self.sequence.wrapping_add(2);",
    ),
    mutant(
        EVENT_STEPS,
        "sequence_before_the_pair",
        WRITER,
        "        self.control\n            .store(ControlWord::Position(self.sequence & 1), at.position);",
        "        self.control.publish(ControlWord::Sequence, self.sequence);\n        self.control\n            \
         .store(ControlWord::Position(self.sequence & 1), at.position);",
    ),
    mutant(
        EVENT_STEPS,
        "place_to_go_on_behind_overwritten",
        WRITER,
        "self.publish_rejoin(self.marks.oldest().unwrap_or(oldest));",
        "let next = self.marks.oldest().unwrap_or(oldest);\n        \
         self.control.publish(ControlWord::Overwritten, oldest.position);\n        self.publish_rejoin(next);",
    ),
    mutant(
        EVENT_STEPS,
        "a_record_is_believed",
        READER,
        "            if is_behind(self.next.position, overwritten) {",
        "            if found == Meaning::Empty && is_behind(self.next.position, overwritten) {",
    ),
    mutant(
        EVENT_STEPS,
        "empty_is_believed",
        READER,
        "            if is_behind(self.next.position, overwritten) {",
        "            if found != Meaning::Empty && is_behind(self.next.position, overwritten) {",
    ),
    mutant(
        EVENT_STEPS,
        "positions_do_not_wrap",
        READER,
        "other.wrapping_sub(position) as i64 > 0",
        "other > position",
    ),
    mutant(
        EVENT_STEPS,
        "a_torn_pair_is_taken",
        READER,
        "if self.control.load(ControlWord::Sequence) == sequence {",
        "if sequence == sequence {",
    ),
    mutant(
        EVENT_STEPS,
        "padding_is_not_passed",
        READER,
        "self.next.position = self.next.position.wrapping_add(bytes);",
        "self.next.position = self.next.position.wrapping_add(bytes * 0);",
    ),
    mutant(
        EVENT_STEPS,
        "padding_takes_no_room",
        "producer.rs",
        "            to_end + bytes\n",
        "            bytes\n",
    ),
    mutant(
        EVENT_STEPS,
        "one_mark_is_skipped_when_giving_up",
        "event/marks.rs",
        "if oldest.position.wrapping_sub(from) as i64 >= 0 {",
        "if oldest.position.wrapping_add(64).wrapping_sub(from) as i64 >= 0 {",
    ),
    mutant(
        EVENT_EDGES,
        "more_numbers_than_lines",
        READER,
        "lost <= advance / LINE as u64",
        "lost <= advance",
    ),
    mutant(
        EVENT_EDGES,
        "a_place_that_is_lost_itself",
        READER,
        "!is_behind(at.position, overwritten)",
        "true",
    ),
    mutant(
        EVENT_EDGES,
        "a_place_off_a_line",
        READER,
        "let possible = at.position % LINE as u64 == 0\n            && !is_behind",
        "let possible = !is_behind",
    ),
    mutant(
        EVENT_EDGES,
        "a_place_before_the_reader",
        READER,
        "&& is_behind(position, at.position)",
        "",
    ),
    mutant(
        EVENT_EDGES,
        "the_high_half_is_not_looked_at",
        READER,
        "if second >> 32 != number >> 32 {",
        "if false {",
    ),
    mutant(
        EVENT_EDGES,
        "retained_is_half_of_the_ring",
        "event/marks.rs",
        "eighth: capacity / 8,",
        "eighth: capacity / 2,",
    ),
    mutant(
        EVENT_EDGES,
        "no_news_behind_a_fault",
        READER,
        "        if !matches!(self.standing, Standing::Placed) {",
        "        if false {",
    ),
    mutant(
        EVENT_STEPS,
        "a_new_reader_without_a_place_stands_at_the_start",
        READER,
        "            return Ok(false);\n        };",
        "            self.standing = Standing::Placed;\n            return Ok(false);\n        };",
    ),
    mutant(
        EVENT_EDGES,
        "a_place_to_begin_off_a_line",
        READER,
        "if at.position % LINE as u64 != 0 || (at.position as i64) < 0 {",
        "if (at.position as i64) < 0 {",
    ),
    mutant(
        EVENT_EDGES,
        "a_place_to_begin_before_all_others",
        READER,
        "if at.position % LINE as u64 != 0 || (at.position as i64) < 0 {",
        "if at.position % LINE as u64 != 0 {",
    ),
];
