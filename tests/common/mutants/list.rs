//! The seeded mutants: each one breaks one thought of the ring.

/// One textual substitution in one file of `src/ring`.
pub struct Mutant {
    pub name: &'static str,
    pub file: &'static str,
    pub original: &'static str,
    pub broken: &'static str,
}

const fn mutant(
    name: &'static str,
    file: &'static str,
    original: &'static str,
    broken: &'static str,
) -> Mutant {
    Mutant {
        name,
        file,
        original,
        broken,
    }
}

pub const MUTANTS: &[Mutant] = &[
    mutant(
        "no_erase_at_the_new_end",
        "producer.rs",
        "            self.erase(end);\n",
        "",
    ),
    mutant(
        "header_before_erase",
        "producer.rs",
        "        if self.soiled.take(end) {
            self.erase(end);
        }
        self.words.publish(self.word_at(start), header);
",
        "        self.words.publish(self.word_at(start), header);
        if self.soiled.take(end) {
            self.erase(end);
        }
",
    ),
    mutant(
        "claim_does_not_soil",
        "producer.rs",
        "        self.soiled
            .soil(start.wrapping_add(LINE as u64), start.wrapping_add(bytes));
",
        "",
    ),
    mutant(
        "padding_does_not_soil",
        "producer.rs",
        "            self.soiled.soil(end.wrapping_add(LINE as u64), start);\n",
        "",
    ),
    mutant(
        "line_behind_padding_forgotten",
        "producer.rs",
        "self.publish_header(self.end.position, header, room.start);",
        "self.words.publish(self.word_at(self.end.position), header);",
    ),
    mutant(
        "padding_counts_nothing",
        "producer.rs",
        "self.ensure_free(end, padding + bytes)?;",
        "self.ensure_free(end, bytes)?;",
    ),
    mutant(
        "dropped_batch_not_soiled",
        "batch.rs",
        "            self.producer.soiled.soil(from, self.end.position);\n",
        "            let _ = from;\n",
    ),
    mutant(
        "forgotten_batch_not_buried",
        "producer.rs",
        "            self.soiled.soil(from, self.limit);\n",
        "            let _ = from;\n",
    ),
    mutant(
        "later_header_keeps_its_bit",
        "batch.rs",
        "            self.producer.soiled.take(room.start);\n",
        "",
    ),
    mutant(
        "padding_before_the_batch",
        "batch.rs",
        "            self.publish_so_far();
            self.producer.publish_padding(room);
",
        "            self.producer.publish_padding(room);
",
    ),
    mutant(
        "full_batch_stays_hidden",
        "batch.rs",
        "                if error == ClaimError::Full {
                    self.publish_so_far();
                }
",
        "",
    ),
    mutant(
        "refused_payload_publishes_the_batch",
        "batch.rs",
        "                if error == ClaimError::Full {
                    self.publish_so_far();
                }
",
        "                self.publish_so_far();
",
    ),
    mutant(
        "own_past_the_free_space",
        "producer.rs",
        ".max(OWN_AT_LEAST * LINE as u64).min(free);",
        ".max(OWN_AT_LEAST * LINE as u64).max(free.min(1));",
    ),
    mutant(
        "position_not_bounded",
        "producer.rs",
        "advance > backlog || advance % LINE as u64 != 0",
        "backlog > u64::MAX - 1 || advance % LINE as u64 != 0",
    ),
    mutant(
        "position_off_a_line",
        "producer.rs",
        "advance > backlog || advance % LINE as u64 != 0",
        "advance > backlog",
    ),
    mutant(
        "length_not_bounded",
        "header.rs",
        "if payload <= payload_limit {",
        "if payload <= payload_limit.max(i32::MAX as u32 - 16) {",
    ),
    mutant(
        "record_past_the_end",
        "header.rs",
        "return if record_bytes(payload) <= to_end {",
        "return if record_bytes(payload) <= to_end.max(capacity) {",
    ),
    mutant(
        "zero_is_a_header",
        "header.rs",
        "(word >> 32) as u32 != number as u32 || length == 0",
        "(word >> 32) as u32 != number as u32",
    ),
    mutant(
        "padding_at_the_beginning",
        "header.rs",
        "bytes == to_end && to_end != capacity",
        "bytes == to_end && capacity != 0",
    ),
    mutant(
        "padding_of_any_length",
        "header.rs",
        "bytes == to_end && to_end != capacity",
        "to_end != capacity",
    ),
    mutant(
        "high_half_unchecked",
        "consumer.rs",
        "second >> 32 != self.next.number >> 32 || self.fault.is_some()",
        "self.fault.is_some()",
    ),
    mutant(
        "corrupt_heals",
        "consumer.rs",
        "second >> 32 != self.next.number >> 32 || self.fault.is_some()",
        "second >> 32 != self.next.number >> 32",
    ),
    mutant(
        "release_is_late_when_empty",
        "consumer.rs",
        "(self.found_empty || taken >= self.consumer.capacity / 8)",
        "taken >= self.consumer.capacity / 8",
    ),
];
