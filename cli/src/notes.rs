//! Notes: what a user should know and did not ask for, such as a fallback. Said aloud when it
//! happens, and kept for the report.

/// The notes of one command, in the order in which they were made.
#[derive(Debug, Default)]
pub struct Notes {
    said: Vec<String>,
}

impl Notes {
    /// Says a note on standard error and keeps it.
    pub fn say(&mut self, note: String) {
        eprintln!("ironhoard: NOTE: {note}");
        self.said.push(note);
    }

    /// All notes so far.
    pub fn into_vec(self) -> Vec<String> {
        self.said
    }
}
