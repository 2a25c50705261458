//! What the tags of a street mean: who may pass, which way, how fast.
//!
//! The tags are OpenStreetMap's, as converters write them into the properties of a GeoJSON feature. A
//! street without tags is open both ways at an unknown speed, so plain GeoJSON works too.

use serde_json::Value;

use super::build::Direction;
use super::Travel;

/// Whether the street exists: not one that is planned or being built.
pub(super) fn is_walkable(tags: &Value) -> bool {
    !matches!(
        tags["highway"].as_str(),
        Some("construction" | "proposed" | "planned")
    )
}

/// Which way the street leads. One-way tags bind vehicles, not people on foot.
pub(super) fn direction(tags: &Value, travel: Travel) -> Direction {
    if travel == Travel::Foot {
        return Direction::Both;
    }
    let implied = tags["junction"] == "roundabout" || tags["highway"] == "motorway";
    match &tags["oneway"] {
        Value::Bool(true) => Direction::Forward,
        Value::Bool(false) => Direction::Both,
        Value::String(way) => match way.as_str() {
            "yes" | "true" | "1" => Direction::Forward,
            "-1" | "reverse" => Direction::Backward,
            _ => Direction::Both,
        },
        Value::Number(way) if way.as_i64() == Some(1) => Direction::Forward,
        Value::Number(way) if way.as_i64() == Some(-1) => Direction::Backward,
        _ if implied => Direction::Forward,
        _ => Direction::Both,
    }
}

/// Speed in km/h: the signed one, else what is usual on such a street, else 0 for unknown.
pub(super) fn speed_kmh(tags: &Value) -> u8 {
    let signed = match &tags["maxspeed"] {
        Value::Number(speed) => speed.as_f64(),
        Value::String(speed) => parsed_kmh(speed),
        _ => None,
    };
    signed.map_or_else(
        || usual_kmh(tags),
        |speed| speed.round().clamp(1.0, 255.0) as u8,
    )
}

/// `50`, `50 km/h` or `30 mph`; nothing for words such as `walk` or `none`.
fn parsed_kmh(text: &str) -> Option<f64> {
    let (number, factor) = match text.strip_suffix("mph") {
        Some(miles) => (miles, 1.609_344),
        None => (text.strip_suffix("km/h").unwrap_or(text), 1.0),
    };
    let speed: f64 = number.trim().parse().ok()?;
    (speed.is_finite() && speed > 0.0).then_some(speed * factor)
}

fn usual_kmh(tags: &Value) -> u8 {
    match tags["highway"].as_str() {
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
    use serde_json::json;

    #[test]
    fn one_way_tags_bind_vehicles_only() {
        let way = |tags| direction(&tags, Travel::Vehicle);
        assert_eq!(way(json!({"oneway": "yes"})), Direction::Forward);
        assert_eq!(way(json!({"oneway": true})), Direction::Forward);
        assert_eq!(way(json!({"oneway": "-1"})), Direction::Backward);
        assert_eq!(way(json!({"oneway": -1})), Direction::Backward);
        assert_eq!(way(json!({"highway": "motorway"})), Direction::Forward);
        assert_eq!(
            way(json!({"highway": "motorway", "oneway": "no"})),
            Direction::Both
        );
        assert_eq!(way(json!({"junction": "roundabout"})), Direction::Forward);
        assert_eq!(way(Value::Null), Direction::Both);
        assert_eq!(
            direction(&json!({"oneway": "yes"}), Travel::Foot),
            Direction::Both
        );
    }

    #[test]
    fn speeds_are_signed_or_usual_or_unknown() {
        assert_eq!(
            speed_kmh(&json!({"maxspeed": "70", "highway": "residential"})),
            70
        );
        assert_eq!(speed_kmh(&json!({"maxspeed": 30})), 30);
        assert_eq!(speed_kmh(&json!({"maxspeed": "30 mph"})), 48);
        assert_eq!(speed_kmh(&json!({"maxspeed": "50 km/h"})), 50);
        assert_eq!(
            speed_kmh(&json!({"maxspeed": "none", "highway": "motorway"})),
            110
        );
        assert_eq!(speed_kmh(&json!({"maxspeed": "1e99"})), 255);
        assert_eq!(speed_kmh(&json!({"maxspeed": "-5"})), 0);
        assert_eq!(speed_kmh(&Value::Null), 0);
    }

    #[test]
    fn planned_streets_are_not_walked() {
        assert!(!is_walkable(&json!({"highway": "construction"})));
        assert!(is_walkable(&json!({"highway": "steps"})) && is_walkable(&Value::Null));
    }
}
