//! A town with one-way streets, for everything that must not take the way back for granted.

use ironhoard_hunt::map::{import_geojson, ImportOptions, StreetMap, Travel};

/// A ring of one-way streets with crossings that can be walked both ways.
pub fn one_way_city() -> StreetMap {
    let place = |at: u32| {
        let angle = f64::from(at) / 60.0 * std::f64::consts::TAU;
        format!("[{:.6},{:.6}]", 0.005 * angle.cos(), 0.005 * angle.sin())
    };
    let mut streets = Vec::new();
    for at in 0..60 {
        streets.push(street(true, &place(at), &place((at + 1) % 60)));
        if at % 7 == 0 {
            streets.push(street(false, &place(at), &place((at + 3) % 60)));
        }
    }
    let map = driven(&streets);
    let is_one_way = |from: u32| {
        map.arcs_from(from)
            .iter()
            .any(|arc| map.arc(arc.to, from).is_none())
    };
    assert!((0..map.node_count()).any(is_one_way));
    map
}

/// A street in GeoJSON, between two places in GeoJSON.
pub fn street(is_one_way: bool, from: &str, to: &str) -> String {
    let tags = if is_one_way {
        r#"{"oneway":"yes"}"#
    } else {
        "{}"
    };
    format!(
        r#"{{"type":"Feature","properties":{tags},"geometry":{{"type":"LineString","coordinates":[{from},{to}]}}}}"#
    )
}

/// The map of these streets, for vehicles.
pub fn driven(streets: &[String]) -> StreetMap {
    let text = format!(
        r#"{{"type":"FeatureCollection","features":[{}]}}"#,
        streets.join(",")
    );
    let options = ImportOptions {
        travel: Travel::Vehicle,
        ..ImportOptions::default()
    };
    let (map, _) = import_geojson(text.as_bytes(), 0, &options, &mut |_, _| {}).unwrap();
    map
}
