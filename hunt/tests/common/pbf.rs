//! A writer of small OpenStreetMap PBF files, from the description of the format and nothing else.
//!
//! ```text
//!  file   (u32 big-endian, BlobHeader, Blob) …
//!  Blob   a HeaderBlock or a PrimitiveBlock, raw or deflated
//! ```

use std::io::Write;

use flate2::{write::ZlibEncoder, Compression};

/// A protobuf message under construction.
#[derive(Clone, Default)]
struct Message(Vec<u8>);

impl Message {
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    fn number(&mut self, field: u64, value: u64) {
        self.varint(field << 3);
        self.varint(value);
    }

    fn bytes(&mut self, field: u64, bytes: &[u8]) {
        self.varint(field << 3 | 2);
        self.varint(bytes.len() as u64);
        self.0.extend(bytes);
    }

    fn packed(&mut self, field: u64, values: impl Iterator<Item = u64>) {
        let mut packed = Message::default();
        values.for_each(|value| packed.varint(value));
        self.bytes(field, &packed.0);
    }
}

fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

/// Each value as its difference from the one before.
fn deltas(values: impl Iterator<Item = i64>) -> impl Iterator<Item = u64> {
    let mut last = 0;
    values.map(move |value| zigzag(value - std::mem::replace(&mut last, value)))
}

/// A degree in the default granularity.
fn unit(degrees: f64) -> i64 {
    (degrees * 1e7).round() as i64
}

/// A blob with its kind.
pub struct Blob {
    kind: &'static str,
    content: Vec<u8>,
    deflated: bool,
}

impl Blob {
    /// The same blob, deflated.
    pub fn compressed(self) -> Blob {
        Blob {
            deflated: true,
            ..self
        }
    }

    /// The same blob with another content.
    pub fn changed(self, change: impl FnOnce(&[u8]) -> Vec<u8>) -> Blob {
        Blob {
            content: change(&self.content),
            ..self
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        let mut blob = Message::default();
        if self.deflated {
            let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
            encoder.write_all(&self.content).unwrap();
            blob.number(2, self.content.len() as u64);
            blob.bytes(3, &encoder.finish().unwrap());
        } else {
            blob.bytes(1, &self.content);
        }
        let mut header = Message::default();
        header.bytes(1, self.kind.as_bytes());
        header.number(3, blob.0.len() as u64);
        out.extend((header.0.len() as u32).to_be_bytes());
        out.extend(header.0);
        out.extend(blob.0);
    }
}

/// The header of a file that demands these features.
pub fn header(features: &[&str]) -> Blob {
    let mut message = Message::default();
    for feature in features {
        message.bytes(4, feature.as_bytes());
    }
    Blob {
        kind: "OSMHeader",
        content: message.0,
        deflated: false,
    }
}

/// A block of nodes and ways.
pub struct Block {
    strings: Vec<String>,
    groups: Message,
}

impl Default for Block {
    fn default() -> Block {
        Block {
            strings: vec![String::new()],
            groups: Message::default(),
        }
    }
}

impl Block {
    /// Adds nodes in the dense form: id, longitude, latitude.
    pub fn dense(&mut self, nodes: &[(i64, f64, f64)]) {
        let mut dense = Message::default();
        dense.packed(1, deltas(nodes.iter().map(|node| node.0)));
        dense.packed(8, deltas(nodes.iter().map(|node| unit(node.2))));
        dense.packed(9, deltas(nodes.iter().map(|node| unit(node.1))));
        self.group(2, &dense);
    }

    /// Adds a node in the plain form.
    pub fn node(&mut self, id: i64, lon: f64, lat: f64) {
        let mut node = Message::default();
        node.number(1, zigzag(id));
        node.number(8, zigzag(unit(lat)));
        node.number(9, zigzag(unit(lon)));
        self.group(1, &node);
    }

    /// Adds a way over these nodes.
    pub fn way(&mut self, id: i64, nodes: &[i64], tags: &[(&str, &str)]) {
        let mut way = Message::default();
        way.number(1, id as u64);
        let keys: Vec<u64> = tags.iter().map(|tag| self.string(tag.0)).collect();
        let values: Vec<u64> = tags.iter().map(|tag| self.string(tag.1)).collect();
        way.packed(2, keys.into_iter());
        way.packed(3, values.into_iter());
        way.packed(8, deltas(nodes.iter().copied()));
        self.group(3, &way);
    }

    /// Adds a relation without members.
    pub fn relation(&mut self, id: i64) {
        let mut relation = Message::default();
        relation.number(1, id as u64);
        self.group(4, &relation);
    }

    fn string(&mut self, text: &str) -> u64 {
        let known = self.strings.iter().position(|string| string == text);
        known.unwrap_or_else(|| {
            self.strings.push(text.to_owned());
            self.strings.len() - 1
        }) as u64
    }

    fn group(&mut self, field: u64, element: &Message) {
        let mut group = Message::default();
        group.bytes(field, &element.0);
        self.groups.bytes(2, &group.0);
    }

    /// The block as a blob.
    pub fn blob(&self) -> Blob {
        let mut strings = Message::default();
        for string in &self.strings {
            strings.bytes(1, string.as_bytes());
        }
        let mut block = Message::default();
        block.bytes(1, &strings.0);
        block.0.extend(&self.groups.0);
        Blob {
            kind: "OSMData",
            content: block.0,
            deflated: false,
        }
    }
}

/// A whole file.
pub struct File(Vec<u8>);

impl File {
    /// The file of these blobs.
    pub fn new(blobs: &[Blob]) -> File {
        let mut bytes = Vec::new();
        blobs.iter().for_each(|blob| blob.write(&mut bytes));
        File(bytes)
    }

    /// Its bytes.
    pub fn bytes(&self) -> Vec<u8> {
        self.0.clone()
    }
}
