//! What the tags of a street mean: who may pass, which way, how fast.
//!
//! The tags are OpenStreetMap's, as they lie in a PBF file and as converters write them into the
//! properties of a GeoJSON feature. The more special tag wins: `foot` over `access` for people on foot,
//! `motorcar` over `motor_vehicle` over `vehicle` over `access` for vehicles. A street without tags is
//! open both ways at an unknown speed, so plain GeoJSON works too.

use std::borrow::Cow;

use super::build::Direction;
use super::Travel;

/// The tags of one street that mean something here.
#[derive(Debug, Default)]
pub(super) struct Tags<'t> {
    values: [Option<Cow<'t, str>>; KEYS.len()],
}

const KEYS: [&str; 10] = [
    "highway",
    "access",
    "foot",
    "vehicle",
    "motor_vehicle",
    "motorcar",
    "oneway",
    "junction",
    "maxspeed",
    "area",
];

impl<'t> Tags<'t> {
    /// Takes a tag in; one that means nothing here is forgotten.
    pub fn set(&mut self, key: &str, value: impl Into<Cow<'t, str>>) {
        if let Some(at) = KEYS.iter().position(|known| *known == key) {
            self.values[at] = Some(value.into());
        }
    }

    /// The value of one of [`KEYS`].
    fn get(&self, key: &str) -> Option<&str> {
        let at = KEYS.iter().position(|known| *known == key)?;
        self.values[at].as_deref()
    }

    /// Whether this is a way of OpenStreetMap for traffic at all, and no square.
    pub fn is_highway(&self) -> bool {
        self.get("highway").is_some() && self.get("area") != Some("yes")
    }

    /// Whether who travels may pass.
    pub fn is_open_to(&self, travel: Travel) -> bool {
        let highway = self.get("highway");
        if matches!(
            highway,
            Some("construction" | "proposed" | "planned" | "abandoned" | "razed")
        ) {
            return false;
        }
        let (special, closed): (&[&str], bool) = match travel {
            Travel::Foot => (
                &["foot"],
                matches!(highway, Some("motorway" | "motorway_link")),
            ),
            Travel::Vehicle => (
                &["motorcar", "motor_vehicle", "vehicle"],
                matches!(highway, Some(way) if PATHS.contains(&way)),
            ),
        };
        let said = special.iter().find_map(|key| self.get(key));
        match said {
            Some(access) => !CLOSED.contains(&access),
            None => {
                !closed
                    && self
                        .get("access")
                        .is_none_or(|word| !CLOSED.contains(&word))
            }
        }
    }

    /// Which way the street leads. One-way tags bind vehicles, not people on foot.
    pub fn direction(&self, travel: Travel) -> Direction {
        if travel == Travel::Foot {
            return Direction::Both;
        }
        let implied = matches!(self.get("junction"), Some("roundabout" | "circular"))
            || self.get("highway") == Some("motorway");
        match self.get("oneway") {
            Some("yes" | "true" | "1") => Direction::Forward,
            Some("-1" | "reverse") => Direction::Backward,
            Some(_) => Direction::Both,
            None if implied => Direction::Forward,
            None => Direction::Both,
        }
    }

    /// Speed in km/h: the signed one, else what is usual on such a street, else 0 for unknown.
    pub fn speed_kmh(&self) -> u8 {
        self.get("maxspeed").and_then(signed_kmh).map_or_else(
            || usual_kmh(self.get("highway")),
            |speed| speed.round().clamp(1.0, 255.0) as u8,
        )
    }
}

/// Words for *not you*.
const CLOSED: [&str; 7] = [
    "no",
    "private",
    "military",
    "agricultural",
    "forestry",
    "emergency",
    "restricted",
];

/// Ways that no car passes unless a tag says so.
const PATHS: [&str; 9] = [
    "footway",
    "path",
    "steps",
    "pedestrian",
    "cycleway",
    "bridleway",
    "platform",
    "corridor",
    "elevator",
];

/// `50`, `50 km/h` or `30 mph`, of several the first; nothing for words such as `walk` or `none`.
fn signed_kmh(text: &str) -> Option<f64> {
    let text = text.split(';').next().unwrap_or(text).trim();
    let (number, factor) = match text.strip_suffix("mph") {
        Some(miles) => (miles, 1.609_344),
        None => (text.strip_suffix("km/h").unwrap_or(text), 1.0),
    };
    let speed: f64 = number.trim().parse().ok()?;
    (speed.is_finite() && speed > 0.0).then_some(speed * factor)
}

fn usual_kmh(highway: Option<&str>) -> u8 {
    match highway {
        Some("motorway") => 110,
        Some("trunk") => 90,
        Some("primary" | "motorway_link") => 70,
        Some("secondary" | "trunk_link" | "unclassified") => 60,
        Some("tertiary" | "residential" | "primary_link" | "secondary_link" | "road") => 50,
        Some("tertiary_link" | "service" | "track") => 30,
        Some("cycleway") => 20,
        Some("living_street" | "pedestrian") => 10,
        Some("footway" | "path" | "bridleway" | "platform" | "steps") => 5,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(text: &str) -> Tags<'_> {
        let mut tags = Tags::default();
        for pair in text.split_whitespace() {
            let (key, value) = pair.split_once('=').unwrap();
            tags.set(
                key,
                value
                    .replace('_', " ")
                    .replace("motor vehicle", "motor_vehicle"),
            );
        }
        tags
    }

    #[test]
    fn one_way_tags_bind_vehicles_only() {
        for (text, way) in [
            ("oneway=yes", Direction::Forward),
            ("oneway=true", Direction::Forward),
            ("oneway=1", Direction::Forward),
            ("oneway=-1", Direction::Backward),
            ("oneway=reversible", Direction::Both),
            ("highway=motorway", Direction::Forward),
            ("highway=motorway oneway=no", Direction::Both),
            ("junction=roundabout", Direction::Forward),
            ("", Direction::Both),
        ] {
            assert_eq!(tags(text).direction(Travel::Vehicle), way, "{text}");
            assert_eq!(tags(text).direction(Travel::Foot), Direction::Both);
        }
    }

    #[test]
    fn speeds_are_signed_or_usual_or_unknown() {
        for (text, kmh) in [
            ("maxspeed=70 highway=residential", 70),
            ("maxspeed=30_mph", 48),
            ("maxspeed=50_km/h", 50),
            ("maxspeed=80;100", 80),
            ("maxspeed=none highway=motorway", 110),
            ("maxspeed=1e99", 255),
            ("maxspeed=-5", 0),
            ("maxspeed=0.2", 1),
            ("", 0),
        ] {
            assert_eq!(tags(text).speed_kmh(), kmh, "{text}");
        }
    }

    #[test]
    fn the_more_special_access_tag_wins() {
        // (tags, open on foot, open to vehicles)
        for (text, foot, vehicle) in [
            ("", true, true),
            ("highway=residential", true, true),
            ("highway=construction", false, false),
            ("highway=service access=private", false, false),
            ("highway=service access=no foot=yes", true, false),
            ("highway=service access=no motor_vehicle=yes", false, true),
            ("highway=service access=yes foot=no", false, true),
            ("highway=service access=destination", true, true),
            ("highway=residential motor_vehicle=no", true, false),
            ("highway=residential vehicle=no motorcar=yes", true, true),
            ("highway=steps", true, false),
            ("highway=footway motorcar=yes", true, true),
            ("highway=motorway", false, true),
            ("highway=motorway foot=designated", true, true),
        ] {
            assert_eq!(tags(text).is_open_to(Travel::Foot), foot, "{text}");
            assert_eq!(tags(text).is_open_to(Travel::Vehicle), vehicle, "{text}");
        }
    }

    #[test]
    fn squares_and_buildings_are_no_highways() {
        assert!(tags("highway=steps").is_highway());
        assert!(!tags("highway=pedestrian area=yes").is_highway());
        assert!(!tags("building=yes").is_highway());
    }
}
